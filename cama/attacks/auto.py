"""The choice of a target: the camera model for which a photograph can be made to pass most surely."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cama.alignment import MCU
from cama.core.errors import CamaError

CROPS = 16  # most crops that a choice is made on
SIDE = 128  # pixels of a crop
# a picture (H, W, 3), uint8, and the number of a label, to the picture changed towards it
Change = Callable[[np.ndarray, int], np.ndarray]
# crops (N, S, S, 3), uint8, to the logarithms of the probabilities of each label (N, L)
Judge = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Choice:
    """A target, and how surely the judges take the changed crops for each label: a mean probability, 0 to 1; 0 for labels that
    were not to be chosen.
    """

    target: int
    shares: tuple[float, ...]


def spread_crops(picture: np.ndarray, count: int = CROPS) -> np.ndarray:
    """At most `count` crops (N, S, S, 3) of a picture (H, W, 3), uint8, at even distances on the grid of MCUs, so that mosaic
    and JPEG blocks lie in them as in the picture. S is 128, or the smaller side of a smaller picture in whole MCUs.
    """
    height, width = picture.shape[:2]
    side = min(SIDE, height // MCU * MCU, width // MCU * MCU)
    if not side:
        raise CamaError(
            f"found a picture of {width}x{height} pixels, expected at least {MCU} a side to choose a target"
        )
    # as many rows and columns as fit without overlap, in the picture's proportions
    rows = max(1, min(height // side, round((count * height / width) ** 0.5), count))
    columns = max(1, min(width // side, count // rows))
    tops, lefts = _places(height, side, rows), _places(width, side, columns)
    return np.stack([picture[top : top + side, left : left + side] for top in tops for left in lefts])


def evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, at even distances."""
    count = min(most, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _places(length: int, side: int, count: int) -> list[int]:
    """Where `count` crops begin along a side: in the middle of equal parts."""
    each = length / count
    return [min(int(each * index + (each - side) / 2) // MCU * MCU, length - side) for index in range(count)]


def choose_target(
    crops: Sequence[np.ndarray],
    change: Change,
    judges: Sequence[Judge],
    labels: int,
    own: int | None = None,
    others: Collection[int] = (),
) -> Choice:
    """The label for which the judges take crops (N, S, S, 3), uint8, most surely once they are changed towards it.

    `crops`: of one photograph, or of several of one camera, each array of photographs changed as one picture, so that a change
    of a given strength is spread over them as over the whole photograph. `judges`: of so many `labels`, best such as the
    generator was not trained with. `own`: the crops' own label, which is never chosen; where it is not known, that which
    the judges give them. `others`: labels that are chosen only where no other is left.
    """
    if own is None:
        own = int(np.mean([probabilities(judges, one) for one in crops], axis=0).argmax())
    free = [label for label in range(labels) if label != own]
    free = [label for label in free if label not in others] or free
    shares = [0.0] * labels
    for label in free:
        found = [probabilities(judges, _changed(one, change, label))[label] for one in crops]
        shares[label] = float(np.mean(found))
    return Choice(max(free, key=lambda label: shares[label]), tuple(shares))


def _changed(crops: np.ndarray, change: Change, label: int) -> np.ndarray:
    """The crops one below the other as one picture, changed."""
    return change(crops.reshape(-1, *crops.shape[2:]), label).reshape(crops.shape)


def probabilities(judges: Sequence[Judge], crops: np.ndarray) -> np.ndarray:
    """The mean probability of each label (L,) over crops and judges."""
    return np.mean([np.exp(judge(crops)).mean(0) for judge in judges], axis=0)
