"""Co-occurrences of residuals: how often small values stand beside each other, which differs between camera models.

SPAM features and rich models (Pevny et al. 2010; Fridrich and Kodovsky 2012), as Marra et al. (2017) use them for camera
models, and their colour (Goljan et al. 2014). The residual is the third difference, which sees little of the scene.
"""

import itertools
from collections.abc import Callable, Iterable
from functools import cache

import torch
from torch import Tensor

MOST = 2  # residuals are cut off at this multiple of their step
VALUES = 2 * MOST + 1
LENGTH = 4  # neighbours that are counted together
COLOUR_STEPS = (1, 2, 4)  # of the residuals of the colours, in grey levels; that of the luminance is 1
LUMINANCE = (77 / 256, 150 / 256, 29 / 256)  # close to JPEG's, and exact in float32 on every device
Symmetry = Callable[[tuple[int, ...]], tuple[int, ...]]


def cooccurrences(pixels: Tensor) -> Tensor:
    """Square roots of the shares of what stands together, (N, FEATURES) in 0 to 1, of images (N, 3, H, W), float32 of whole
    grey levels 0 to 255, at least 7 pixels a side. They are means over the area, so that images may have any size, and the same
    for an image turned or mirrored.

    First four neighbours in the luminance's residual, along the difference and across it; then the three colours in one place,
    in residuals of three steps.
    """
    grey = sum(weight * pixels[:, place] for place, weight in enumerate(LUMINANCE))
    residuals = [_third_difference(grey, axis) for axis in (-2, -1)]
    along = _mean(_neighbours(residual, axis) for residual, axis in zip(residuals, (-2, -1), strict=True))
    across = _mean(_neighbours(residual, axis) for residual, axis in zip(residuals, (-1, -2), strict=True))
    residuals = [_third_difference(pixels, axis) for axis in (-2, -1)]
    colours = [_mean(_colours(residual / step) for residual in residuals) for step in COLOUR_STEPS]
    return torch.cat([along, across, *colours], dim=1).sqrt()


def _mean(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(parts)).mean(0)


def _third_difference(values: Tensor, axis: int) -> Tensor:
    return torch.diff(values, 3, dim=axis)


def _neighbours(residual: Tensor, axis: int) -> Tensor:
    """Shares (N, classes) of each LENGTH neighbours along `axis` of a residual (N, H, W)."""
    values = _quantised(residual)
    count = values.shape[axis] - LENGTH + 1
    return _shares([values.narrow(axis, first, count) for first in range(LENGTH)], *_merged_neighbours())


def _colours(residual: Tensor) -> Tensor:
    """Shares (N, classes) of the values of the three colours in one place of a residual (N, 3, H, W)."""
    return _shares(list(_quantised(residual).unbind(1)), *_merged_colours())


def _quantised(residual: Tensor) -> Tensor:
    return residual.round().clamp(-MOST, MOST).long() + MOST


def _shares(values: list[Tensor], merged: tuple[int, ...], classes: int) -> Tensor:
    """Shares (N, classes) of the combinations of `values`, each (N, H, W) of 0 to VALUES - 1; `merged`: the class of each."""
    codes = values[0]
    for following in values[1:]:
        codes = codes * VALUES + following
    codes = codes.flatten(1)
    counts = torch.zeros(codes.shape[0], len(merged), device=codes.device)
    counts.scatter_add_(1, codes, torch.ones_like(codes, dtype=counts.dtype))
    shares = torch.zeros(codes.shape[0], classes, device=codes.device)
    return shares.index_add_(1, torch.tensor(merged, device=codes.device), counts / codes.shape[1])


@cache
def _merged_neighbours() -> tuple[tuple[int, ...], int]:
    """The class of each combination of neighbours: the same backwards, and with the signs changed."""
    return _classes(LENGTH, lambda values: values[::-1], _opposite, lambda values: _opposite(values[::-1]))


@cache
def _merged_colours() -> tuple[tuple[int, ...], int]:
    """The class of each combination of colours: the same with the signs changed."""
    return _classes(3, _opposite)


def _opposite(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-value for value in values)


def _classes(length: int, *symmetries: Symmetry) -> tuple[tuple[int, ...], int]:
    """The number of the class of each combination of `length` values, and how many classes there are."""
    numbers: dict[tuple[int, ...], int] = {}
    merged = []
    for values in itertools.product(range(-MOST, MOST + 1), repeat=length):
        first = min(values, *(same(values) for same in symmetries))
        merged.append(numbers.setdefault(first, len(numbers)))
    return tuple(merged), len(numbers)


FEATURES = 2 * _merged_neighbours()[1] + len(COLOUR_STEPS) * _merged_colours()[1]
