"""Bayer mosaics: sampling one from an RGB image, and demosaicing."""

import warnings
from types import ModuleType

import numpy as np

DEMOSAICING = {
    "bilinear": "demosaicing_CFA_Bayer_bilinear",
    "malvar": "demosaicing_CFA_Bayer_Malvar2004",
    "menon": "demosaicing_CFA_Bayer_Menon2007",
}


def _library() -> ModuleType:
    """The package colour-demosaicing. Its import takes seconds, so it happens only where it is used. It also changes numpy's
    print options, by which pandas rounds the numbers that it writes, so they are restored.
    """
    with warnings.catch_warnings(), np.printoptions():
        warnings.simplefilter("ignore")  # warnings about optional dependencies that are not used here
        import colour_demosaicing
    return colour_demosaicing


def mosaic(image: np.ndarray, pattern: str = "RGGB") -> np.ndarray:
    """The Bayer mosaic (H, W) of an RGB image (H, W, 3)."""
    return _library().mosaicing_CFA_Bayer(image, pattern)


def demosaic(raw: np.ndarray, pattern: str, method: str) -> np.ndarray:
    """A mosaic (H, W) demosaiced to float32 RGB (H, W, 3) by `bilinear`, `malvar` (2004) or `menon` (2007)."""
    return np.asarray(getattr(_library(), DEMOSAICING[method])(raw, pattern), np.float32)


def remosaic(image: np.ndarray) -> np.ndarray:
    """An image (H, W, 3), uint8, sampled as RGGB and demosaiced again (Menon 2007), which erases traces of the original
    demosaicing.
    """
    raw = mosaic(image.astype(np.float64))
    return np.clip(np.rint(demosaic(raw, "RGGB", "menon")), 0, 255).astype(np.uint8)
