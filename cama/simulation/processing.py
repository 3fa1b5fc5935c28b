"""In-camera processing: from a raw mosaic to a JPEG file."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from cama.forensics.mosaic import demosaic
from cama.simulation.lens import correct

MARGIN = 8  # pixels added around the mosaic for demosaicing
TYPICAL_CONTRAST = 0.11  # standard deviation of the luma of a picture after gamma encoding
MOST_CONTRAST = 0.6  # strength of the S-curve
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Processing:
    """The processing of a camera model. Images have values of 0..1; radii are standard deviations in pixels."""

    white_balance: tuple[float, float, float]
    demosaicing: str  # bilinear, malvar or menon
    colour_matrix: tuple[tuple[float, float, float], ...]  # camera to output RGB, rows sum to 1
    luma_smooth: float  # radius of the luma blur
    luma_denoise: float  # amplitude below which luma detail is removed
    chroma_denoise: float  # radius of the chroma blur
    gamma: float
    contrast: float  # strength of the S-curve, 0..1
    sharpen_radius: float
    sharpen_amount: float
    sharpen_core: float  # amplitude below which detail is not sharpened
    luma_table: tuple[int, ...]  # 64 quantisation steps, row by row
    chroma_table: tuple[int, ...]
    subsampling: str  # 4:4:4, 4:2:2 or 4:2:0
    # by how much the S-curve is stronger for each standard deviation of luma below `TYPICAL_CONTRAST`
    adaptation: float = 0.0
    correction: float = 0.0  # of the lens's radial distortion
    correction_order: int = 1  # of the splines by which it resamples


def develop(raw: np.ndarray, bayer: str, processing: Processing) -> np.ndarray:
    """A raw mosaic (H, W) in 0..1 to the picture before compression (H, W, 3), uint8."""
    # without a margin demosaicing would darken the borders; its width is even, which keeps the Bayer phase
    raw = np.pad(_balance(raw, bayer, processing.white_balance), MARGIN, mode="reflect")
    image = demosaic(raw, bayer, processing.demosaicing)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    image = np.clip(image @ np.array(processing.colour_matrix, np.float32).T, 0, 1)
    if processing.correction:
        image = correct(image, processing.correction, processing.correction_order)
    image = tone(image, processing.gamma, processing.contrast, processing.adaptation)
    image = denoise(image, processing.luma_denoise, processing.chroma_denoise, processing.luma_smooth)
    image = sharpen(image, processing.sharpen_radius, processing.sharpen_amount, processing.sharpen_core)
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def tone(image: np.ndarray, gamma: float, contrast: float, adaptation: float = 0.0) -> np.ndarray:
    """Gamma encoding, mixed with an S-curve by `contrast`, and with `adaptation` by more where the image (H, W, 3) has less
    contrast than others: 0..1 to 0..1.
    """
    encoded = image ** (1 / gamma)
    if adaptation:
        lacking = TYPICAL_CONTRAST - float((encoded @ LUMA).std())
        contrast = float(np.clip(contrast + adaptation * lacking, 0, MOST_CONTRAST))
    curve = encoded * encoded * (3 - 2 * encoded)
    return (1 - contrast) * encoded + contrast * curve


def soft_core(detail: np.ndarray, threshold: float) -> np.ndarray:
    """Coring: detail below the threshold is smoothly shrunk to zero, d^3 / (d^2 + t^2)."""
    if threshold <= 0:
        return detail
    square = detail * detail  # NumPy's third power takes thirty times as long
    return detail * square / (square + threshold**2)


def denoise(image: np.ndarray, luma: float, chroma: float, smooth: float = 0.0) -> np.ndarray:
    """Blur luma by the radius `smooth`, remove its detail below the amplitude `luma`, and blur colour differences by the radius
    `chroma`.
    """
    y = image @ LUMA
    difference = image - y[..., None]
    if smooth > 0:
        y = gaussian_filter(y, smooth, truncate=3)
    if luma > 0:
        base = gaussian_filter(y, 1.0, truncate=3)
        y = base + soft_core(y - base, luma)
    if chroma > 0:
        difference = np.stack([gaussian_filter(difference[..., c], chroma, truncate=3) for c in range(3)], axis=-1)
    return y[..., None] + difference


def sharpen(image: np.ndarray, radius: float, amount: float, core: float) -> np.ndarray:
    """Unsharp masking of luma; detail below the amplitude `core` is not sharpened."""
    y = image @ LUMA
    detail = soft_core(y - gaussian_filter(y, radius, truncate=3), core)
    return image + amount * detail[..., None]


def encode(image: np.ndarray, processing: Processing, exif: Image.Exif | None = None) -> bytes:
    """A picture (H, W, 3), uint8, as a JPEG file with the model's quantisation tables and subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(
        buffer,
        "JPEG",
        qtables=[list(processing.luma_table), list(processing.chroma_table)],
        subsampling=processing.subsampling,
        exif=exif or Image.Exif(),
    )
    return buffer.getvalue()


def _balance(raw: np.ndarray, bayer: str, gains: tuple[float, float, float]) -> np.ndarray:
    balanced = raw.copy()
    for index, colour in enumerate(bayer):
        balanced[index // 2 :: 2, index % 2 :: 2] *= gains["RGB".index(colour)]
    return np.clip(balanced, 0, 1)
