"""What a control is expected to be, as bounds and as the words that say them."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """What is expected of a control: a value from `low` to `high`, as `text` says; without bounds nothing."""

    text: str = ""
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def at_most(cls, high: float, of: str) -> "Expected":
        """No more than `high`, and `of` what."""
        return cls(f"at most {high:.2f} {of}", high=high)

    @classmethod
    def near(cls, centre: float, within: float, of: str) -> "Expected":
        """At most `within` from `centre`, which is `of` what."""
        return cls(f"within {within:.2f} of {of}", centre - within, centre + within)

    def holds(self, value: float) -> str:
        """Whether a value is what is expected: yes, no, or empty where nothing is."""
        if math.isinf(self.low) and math.isinf(self.high):
            return ""
        return "yes" if self.low - 1e-9 <= value <= self.high + 1e-9 else "no"
