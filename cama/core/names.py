"""Names that settings and stages share."""

NUMBERS = "numbers"  # the detector that is a logistic regression
