"""Writing pictures as a camera model writes its files, from its container profile."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cama.core.errors import CamaError
from cama.jpeg.profile import Profile
from cama.jpeg.writing import encode_like

FAULTS = (
    CamaError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    OverflowError,
    OSError,
)  # of a profile that somebody wrote


class Imitation:
    """The codings of a profile that can be imitated, each drawn as often as photographs of the camera have it: a camera that
    sets its tables for each picture has many. A profile of which none can be imitated is an error that says why.
    """

    def __init__(self, profile: Profile) -> None:
        self.choices: list[tuple[dict[str, Any], list[str]]] = []
        counts, faults = [], []
        for seen in profile.codings:
            choice = seen.value.model_dump(), profile.order_of(seen.value)
            try:
                encode_like(np.zeros((32, 32, 3), np.uint8), *choice)  # a trial before the long work
            except FAULTS as error:
                faults.append(error)
            else:
                self.choices.append(choice)
                counts.append(max(1, seen.count))
        if not self.choices:
            raise CamaError(str(faults[0])) from faults[0]
        self.shares = np.array(counts) / sum(counts)

    def encode(self, picture: np.ndarray, seed: int, exif: bytes = b"") -> bytes:
        """A picture (H, W, 3), uint8, RGB, as a JPEG file of the camera, with the payload `exif` where its files have EXIF;
        `seed` decides which of its codings.
        """
        coding, order = self.choices[np.random.default_rng(seed).choice(len(self.choices), p=self.shares)]
        return encode_like(picture, coding, order, exif)


def load_imitations(
    folder: Path | None, profiles: Mapping[str, Profile], targets: tuple[str, ...]
) -> dict[str, Imitation]:
    """The encoder of each target. A target without a profile, or with one that cannot be imitated, is an error of one line."""
    if folder is None:
        raise CamaError("--profiles: found none, expected the folder of container profiles, for the save 'target'")
    found = {}
    for target in targets:
        if target not in profiles:
            raise CamaError(f"{folder}: found no container profile of {target}, expected one, for the save 'target'")
        try:
            found[target] = Imitation(profiles[target])
        except CamaError as error:
            raise CamaError(
                f"{folder / target}.json: found a profile that cannot be imitated ({error}), expected one for the save 'target'"
            ) from error
    return found
