"""Progress of long stages."""

import sys

from cama.core import progress
from cama.core.progress import Progress


def test_progress_is_seldom_and_always_tells_the_end(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 12.0, 13.0, 14.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown = Progress("E0", 40, every_s=10)
    for done in (1, 20, 21, 40):  # after 1, 12, 13 and 14 seconds
        shown.update(done, "loss 0.5")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["E0: 20/40, 1.67/s, 12 s left, loss 0.5", "E0: 40/40, 2.86/s, 0 s left, loss 0.5"]


def test_progress_of_a_resumed_run_does_not_count_what_was_done_before(capsys, monkeypatch):
    clock = iter([0.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    Progress("G", 100, done=60, every_s=10).update(80)
    assert capsys.readouterr().err == "G: 80/100, 1/s, 20 s left\n"


def test_a_reader_that_is_gone_ends_no_training(monkeypatch):
    class Gone:
        def write(self, _: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    Progress("G", 1).update(1)
