"""The states of trainings whose results are written. It imports nothing slow, since Snakemake imports it at each start."""

import shutil
from pathlib import Path

DONE = "done"  # the file that marks a state whose results are written


def delete_finished(root: Path) -> None:
    """Delete the states below `root` that are marked as done. What cannot be deleted stays."""
    for mark in list(root.rglob(DONE)):
        shutil.rmtree(mark.parent, ignore_errors=True)
