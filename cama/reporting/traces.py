"""Which of the target camera's traces attacked pictures have: noise and sharpening in their power spectra, demosaicing in how
much each place of the Bayer mosaic differs from its neighbours. For people who ask why an attack fails: no classifier is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from cama.attacks.auto import evenly
from cama.attacks.spectrum import ROUNDING, TO_YCBCR
from cama.data.attacked import Attacked
from cama.data.patches import Patches
from cama.reporting.plots import STYLE, save, without_make

BANDS = 24  # of the spectrum, of equal width, from the lowest frequency to half a cycle a pixel
MOST = 30  # pictures of a camera
# row and column of a 2 x 2 mosaic, whose colours depend on the camera
PLACES = ("even, even", "even, odd", "odd, even", "odd, odd")


@dataclass(frozen=True)
class Traces:
    """Of N pictures: `luma` and `chroma` (N, BANDS), mean power in dB, and `places` (N, 4), how much the green of each place of
    the mosaic differs from its neighbours, in dB above the mean of all places.
    """

    luma: np.ndarray
    chroma: np.ndarray
    places: np.ndarray


def measure(pictures: np.ndarray, origins: np.ndarray) -> Traces:
    """The traces of pictures (N, H, W, 3), uint8, that begin at `origins` (N, 2), row and column, in their photographs."""
    found = [(*_spectra(one), _places(one, origin)) for one, origin in zip(pictures, origins, strict=True)]
    return Traces(*map(np.array, zip(*found, strict=True)))


def _spectra(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean power of Y, and of Cb and Cr together, in each band."""
    height, width = picture.shape[:2]
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    channels = np.moveaxis(picture @ TO_YCBCR.T, -1, 0)
    channels = (channels - channels.mean((1, 2), keepdims=True)) * window
    power = np.abs(np.fft.rfft2(channels)) ** 2 / np.square(window).sum()
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    band = np.minimum((radius * 2 * BANDS).astype(int), BANDS)  # the corners, beyond half a cycle, are in none
    count = np.maximum(np.bincount(band.ravel(), minlength=BANDS + 1)[:BANDS], 1)
    luma, blue, red = (np.bincount(band.ravel(), one.ravel(), BANDS + 1)[:BANDS] / count for one in power)
    return 10 * np.log10(luma + ROUNDING), 10 * np.log10((blue + red) / 2 + ROUNDING)


def _places(picture: np.ndarray, origin: np.ndarray) -> np.ndarray:
    green = picture[..., 1].astype(np.float64)
    around = (green[:-2, 1:-1] + green[2:, 1:-1] + green[1:-1, :-2] + green[1:-1, 2:]) / 4
    squares = np.square(green[1:-1, 1:-1] - around) + ROUNDING
    row, column = (int(start) + 1 for start in origin)  # of the first pixel with neighbours
    power = np.array([squares[(i - row) % 2 :: 2, (j - column) % 2 :: 2].mean() for i in (0, 1) for j in (0, 1)])
    return 10 * np.log10(power / power.mean())


def attacked_traces(
    attacked: Attacked, test: Patches, deliver: Callable[[np.ndarray, str], np.ndarray]
) -> dict[str, Traces]:
    """For each target the traces of the pictures that were made of the in-distribution photographs of `test`, once `deliver`
    has saved them as that target's.
    """
    found = {}
    for aim, target in enumerate(attacked.targets):
        own = np.flatnonzero((attacked.sets == "in") & (attacked.runs == 1) & (attacked.aims == aim))
        if places := evenly(own, MOST):
            pictures = np.stack([deliver(attacked.images(int(place)), target) for place in places])
            found[target] = measure(pictures, test.origin[attacked.rows[places]])
    return found


def photograph_traces(test: Patches) -> dict[str, Traces]:
    """For each camera model the traces of its untouched test photographs."""
    found = {}
    for label, name in enumerate(test.labels):
        if rows := evenly(np.flatnonzero(test.label == label), MOST):  # so that all devices are among them
            found[name] = measure(np.stack([test.arrays["rgb"][row].numpy() for row in rows]), test.origin[rows])
    return found


def plot_traces(changed: dict[str, Traces], own: dict[str, Traces], title: str, path: Path, dpi: int) -> None:
    """A column for each target: its own photographs, those of the other cameras, and these changed towards it. Spectra are
    beside the mean of the target's own, with the range of two thirds of them.
    """
    targets = [target for target in changed if target in own]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(3, len(targets), figsize=(2.6 * len(targets), 6.4), squeeze=False, sharey="row")
        for column, target in zip(axes.T, targets, strict=True):
            others = [one for name, one in own.items() if name != target]
            for axis, name in zip(column[:2], ("luma", "chroma"), strict=True):
                before = np.concatenate([getattr(one, name) for one in others])
                _spectrum(axis, getattr(own[target], name), before, getattr(changed[target], name))
            column[0].set_title(without_make(target))
            before = np.concatenate([one.places for one in others])
            _bars(column[2], own[target].places, before, changed[target].places)
        for axis, name in zip(axes[:, 0], ("Y, dB", "Cb and Cr, dB", "green differs, dB"), strict=True):
            axis.set_ylabel(name)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle(title, fontsize=10)
        save(figure, path, dpi)


def _spectrum(axis: plt.Axes, own: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    frequency, mean = (np.arange(BANDS) + 0.5) / (2 * BANDS), own.mean(0)
    low, high = np.quantile(own - mean, (1 / 6, 5 / 6), axis=0)
    axis.fill_between(frequency, low, high, color="#dddddd", linewidth=0, label="the target's own")
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.plot(frequency, before.mean(0) - mean, "--", color="#1f77b4", linewidth=1.2, label="other cameras'")
    axis.plot(frequency, after.mean(0) - mean, color="#d62728", linewidth=1.4, label="changed towards it")
    axis.set_xlabel("cycles a pixel")


def _bars(axis: plt.Axes, own: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
    shown = ((own, "#bbbbbb"), (before, "#1f77b4"), (after, "#d62728"))
    for shift, (values, colour) in zip((-0.27, 0, 0.27), shown, strict=True):
        axis.bar(np.arange(4) + shift, values.mean(0), 0.25, color=colour)
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.set_xticks(range(4), PLACES, rotation=35, ha="right", fontsize=7)
