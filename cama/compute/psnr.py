"""PSNR, and the change of a picture made as strong as a PSNR allows, in the picture as it is delivered: in 8 bits."""

import math
from collections.abc import Callable, Iterator

import numpy as np

TOLERANCE = 0.02  # dB
LEAST, MOST = -100.0, 20 * np.log10(4.0)  # factors of a change in dB: from one that rounding takes away to fourfold
CAP = 120.0  # dB, in place of infinity where nothing changed
PART = 8  # of the strips of a large picture one in so many is asked first
STRIP = 64  # rows of pixels at a time: a large photograph does not fit into memory as floats, nor 256 of its rows into a cache


def psnr(image: np.ndarray, changed: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all channels; infinite for equal images."""
    return decibels(sum(squared_error(image[s], changed[s]) for s in _strips(len(image))), image.size)


def _strips(rows: int) -> Iterator[slice]:
    return (slice(first, first + STRIP) for first in range(0, rows, STRIP))


def squared_error(image: np.ndarray, changed: np.ndarray) -> int:
    """The sum of squared differences of pictures or parts of them, uint8, in integers, which is exact."""
    return int(np.square(image.astype(np.int32) - changed).sum(dtype=np.int64))


def decibels(total: int, size: int) -> float:
    """The PSNR in dB of so many values with that sum of squared differences."""
    return 10 * math.log10(255**2 * size / total) if total else math.inf


def at_psnr(
    before: np.ndarray,
    after: np.ndarray,
    psnr: float,
    dither: np.ndarray | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Pictures (N, H, W, 3), uint8: `before`, of that type, plus the change towards `after`, of that shape in 0 to 255, times
    a factor of each picture's own, with which it has the PSNR `psnr`, 20 to 60 dB, after rounding: that or 0.02 dB more.

    A change that is too small is enlarged, up to fourfold, beyond which the picture has a higher PSNR; no change stays none.
    It is higher too where a step of rounding leaps over it, as in a change of equal strength everywhere. `dither`, of that
    shape in [-0.5, 0.5), is added before rounding, which spreads such steps. `out`, of the type of `before`, is where the
    pictures go; it may be `after`.
    """
    noise = np.broadcast_to(0.0, before.shape) if dither is None else dither
    result = np.empty_like(before) if out is None else out
    for place, one in enumerate(zip(before, after, noise, strict=True)):
        _at_psnr(*one, psnr, result[place])
    return result


def change_at_psnr(
    before: np.ndarray, change: Callable[[slice], np.ndarray], psnr: float, out: np.ndarray
) -> np.ndarray:
    """A picture (H, W, 3), uint8, plus a change in grey levels, which `change` gives of some rows, as `at_psnr`, to `out`, of
    whose rows each is written once it is not asked for any more.

    Pixels near black or white change no more to one side than they can to the other, which would shift the mean.
    """
    _scaled(before, change, np.broadcast_to(0.0, before.shape), psnr, out, symmetric=True)
    return out


def together_at_psnr(before: np.ndarray, after: np.ndarray, psnr: float) -> np.ndarray:
    """Patches (n, S, S, 3) of one photograph, as `at_psnr`, with one factor for all."""
    whole = (1, -1, *before.shape[2:])
    return at_psnr(before.reshape(whole), after.reshape(whole), psnr).reshape(before.shape)


def _at_psnr(before: np.ndarray, after: np.ndarray, dither: np.ndarray, level: float, out: np.ndarray) -> None:
    def change(strip: slice) -> np.ndarray:
        return (after[strip] - before[strip].astype(np.float32)).astype(np.float32)

    _scaled(before, change, dither, level, out)


def _scaled(
    before: np.ndarray,
    change: Callable[[slice], np.ndarray],
    dither: np.ndarray,
    level: float,
    out: np.ndarray,
    symmetric: bool = False,
) -> None:
    strongest = LEAST

    def changed(strip: slice, factor: float) -> np.ndarray:
        old = before[strip]
        # the step is rounded, not the sum, which would lose digits of the dither
        step = np.floor(change(strip) * np.float32(10 ** (factor / 20)) + (dither[strip].astype(np.float32) + 0.5))
        if symmetric:
            room = np.minimum(old, 255 - old).astype(np.float32)
            step = np.clip(step, -room, room)
        return np.clip(old + step, 0, 255).astype(np.uint8)

    def excess(factor: float, every: int = 1) -> float:
        """How much the PSNR of the strips, or of one in so many, is above the level; 0 where it is near enough."""
        nonlocal strongest
        strips = list(_strips(len(before)))[every // 2 :: every]
        total = sum(squared_error(before[s], changed(s, factor)) for s in strips)
        above = min(decibels(total, sum(before[s].size for s in strips)), CAP) - level
        if above >= 0 and every == 1:
            strongest = max(strongest, factor)
        return 0 if 0 <= above < TOLERANCE else above

    # a large photograph takes long each time: a part of it says nearly the same
    guesses = [MOST]
    if len(before) > STRIP * PART * 2:
        guesses = _to_zero(lambda factor: excess(factor, PART), guesses)
    _to_zero(excess, guesses)
    for strip in _strips(len(before)):
        out[strip] = changed(strip, strongest) if strongest > LEAST else before[strip]


def _to_zero(excess: Callable[[float], float], guesses: list[float]) -> list[float]:
    """Ask `excess` for factors in dB, the `guesses` first, until it is 0 or leaps over 0, or cannot fall so far, and give that
    factor, or the two between which it leaps. It falls as the factor grows, since no pixel's step shrinks: by nearly a dB for
    each dB, or in leaps.
    """
    low, high = (LEAST, CAP), (MOST + TOLERANCE, -CAP)  # factors between which it is 0, and what it is there
    waiting, at, above, asked = list(guesses), 0.0, 0.0, 0
    while high[0] - low[0] > TOLERANCE / 100:
        middle = (low[0] + high[0]) / 2
        if waiting:
            at = waiting.pop(0)
        elif low[0] == LEAST or high[0] >= MOST:  # further each time, since leaps may leave it short
            at = min(at + max(1, 2 ** (asked - 2)) * (above - TOLERANCE / 2), MOST)
        elif asked % 2:  # the middle of what is near enough, were there no leaps
            at = low[0] + (high[0] - low[0]) * (low[1] - TOLERANCE / 2) / (low[1] - high[1])
        else:
            at = middle
        at = at if low[0] < at < high[0] else middle
        above, asked = excess(at), asked + 1
        if not above or (above > 0 and at == MOST):
            return [at]
        low, high = ((at, above), high) if above > 0 else (low, (at, above))
    return [low[0], high[0]]
