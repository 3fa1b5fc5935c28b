"""Real photographs beside the repository, for tests that skip where they are absent."""

from pathlib import Path

import pytest

DRESDEN = Path(__file__).parents[2] / "shared" / "data" / "dresden-sample"
ABSENT = "shared/data/dresden-sample is not beside the repository"
needs_photographs = pytest.mark.skipif(not DRESDEN.is_dir(), reason=ABSENT)


def photographs(kind: str = "*") -> list[Path]:
    """The photographs of a kind, `natural` or `flatfield`, or all."""
    found = sorted(DRESDEN.glob(f"{kind}/*.JPG"))
    assert found
    return found


CAMERAS = DRESDEN.parent / "cameras"
needs_cameras = pytest.mark.skipif(not CAMERAS.is_dir(), reason="shared/data/cameras is not beside the repository")

CASES = DRESDEN.parent / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="shared/data/cases is not beside the repository")
