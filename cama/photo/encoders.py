"""The encoders of target cameras, for who saves pictures as those write them."""

from collections.abc import Collection
from pathlib import Path

from cama.jpeg.imitation import Imitation, load_imitations
from cama.photo.profile import read_profiles


def target_encoders(saves: Collection[str], profiles: Path | None, targets: tuple[str, ...]) -> dict[str, Imitation]:
    """The encoder of each target, from the folder `profiles`; none where `target` is not among the saves."""
    if "target" not in saves:
        return {}
    found = read_profiles(profiles, targets) if profiles else {}
    return load_imitations(profiles, found, targets)
