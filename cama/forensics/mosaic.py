"""Bayer mosaics: sampling one from an RGB image and demosaicing it again."""

import warnings
from types import ModuleType

import numpy as np

DEMOSAICING = {
    "bilinear": "demosaicing_CFA_Bayer_bilinear",
    "malvar": "demosaicing_CFA_Bayer_Malvar2004",
    "menon": "demosaicing_CFA_Bayer_Menon2007",
}


def _library() -> ModuleType:
    """colour-demosaicing, which takes seconds to import, and most stages that can need it do not. It would set how numpy
    prints, and so how pandas rounds what it writes.
    """
    with warnings.catch_warnings(), np.printoptions():
        warnings.simplefilter("ignore")  # of optional dependencies that nothing here uses
        import colour_demosaicing
    return colour_demosaicing


def mosaic(image: np.ndarray, pattern: str = "RGGB") -> np.ndarray:
    """Sample the Bayer mosaic (H, W) of an RGB image (H, W, 3)."""
    return _library().mosaicing_CFA_Bayer(image, pattern)


def demosaic(raw: np.ndarray, pattern: str, method: str) -> np.ndarray:
    """Demosaic (H, W) to float32 RGB (H, W, 3) by `bilinear`, `malvar` (2004) or `menon` (2007)."""
    return np.asarray(getattr(_library(), DEMOSAICING[method])(raw, pattern), np.float32)


def remosaic(image: np.ndarray) -> np.ndarray:
    """Mosaic (RGGB) and demosaic again (Menon 2007): uint8 (H, W, 3) to uint8, the original demosaicing erased."""
    raw = mosaic(image.astype(np.float64))
    return np.clip(np.rint(demosaic(raw, "RGGB", "menon")), 0, 255).astype(np.uint8)
