"""When two fingerprints match; in a module of its own so that tables need not depend on how fingerprints are computed."""

MATCH_PCE = 60.0  # a peak-to-correlation energy above counts as a match (Goljan, Fridrich and Filler 2009)
