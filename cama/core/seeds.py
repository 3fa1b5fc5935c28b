"""Seeds."""

import hashlib
import json


def derive_seed(seed: int, *names: object) -> int:
    """A 63-bit seed for one use of one stage, from the run's seed and the names of that use."""
    digest = hashlib.sha256(json.dumps([seed, *map(str, names)]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
