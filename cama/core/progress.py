"""Progress of long computations."""

import contextlib
import math
import sys
import time


class Progress:
    """Print lines to stderr, at most one in `every_s` seconds, with the estimated time left; also readable in a log file.

    `done` of the `total` steps were done before.
    """

    def __init__(self, label: str, total: int, done: int = 0, every_s: float = 10.0) -> None:
        self.label, self.total, self.first, self.every_s = label, total, done, every_s
        self.start = self.last = time.monotonic()

    def update(self, done: int, note: str = "") -> None:
        """`done` steps of the total are done."""
        now = time.monotonic()
        if done < self.total and now - self.last < self.every_s:
            return
        self.last = now
        rate = (done - self.first) / max(now - self.start, 1e-9)
        left = (self.total - done) / rate if rate > 0 else math.inf
        text = f"{self.label}: {done}/{self.total}, {rate:.3g}/s, {left:.0f} s left"
        with contextlib.suppress(BrokenPipeError):  # the reader may have ended
            print(f"{text}, {note}" if note else text, file=sys.stderr, flush=True)
