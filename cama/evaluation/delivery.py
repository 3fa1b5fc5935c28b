"""Attacked pictures as an examiner gets them: saved and read back, those of a target camera's own file for each target."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from cama.core.seeds import derive_seed
from cama.data.attacked import Attacked
from cama.data.patches import Patches
from cama.evaluation.saves import saved, saved_as
from cama.jpeg.imitation import Imitation


class Delivered(NamedTuple):
    """A saved picture (H, W, 3), its place in the file of attacked ones, and the targets that it serves."""

    picture: np.ndarray
    place: int
    targets: list[str]


def deliver(
    file: Attacked,
    places: range,
    tests: Mapping[str, Patches],
    save: str,
    imitations: Mapping[str, Imitation],
    oracle: bool,
    seed: int,
) -> Iterator[Delivered]:
    """The pictures in these places after a save: one for each, or one for each of its targets where they encode it, with tables
    drawn by `seed`, photograph and target. Pictures of the oracle are the target camera's own, and not encoded again.
    """
    for place, picture in zip(places, file.images(slice(places.start, places.stop)), strict=True):
        test, row = tests[file.sets[place]], file.rows[place]
        targets = targets_of(file, place, test.labels[test.label[row]])
        if save != "target":
            yield Delivered(saved(picture, save), place, targets)
        elif oracle:
            yield Delivered(picture, place, targets)
        else:
            for target in targets:
                drawn = derive_seed(seed, save, test.photograph[row], target)
                yield Delivered(saved_as(picture, imitations[target], drawn), place, [target])


def targets_of(file: Attacked, place: int, source: str) -> list[str]:
    """The targets that a picture serves: its own, or where it has none each but its source."""
    aim = file.aims[place]
    return [file.targets[aim]] if aim >= 0 else [target for target in file.targets if target != source]
