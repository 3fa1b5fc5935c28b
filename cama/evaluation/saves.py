"""How a picture is saved before it is scored, from its pixels to those of the decoded file."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from cama.jpeg.imitation import Imitation
from cama.jpeg.writing import encode_neutral
from cama.storage.images import decoded, save_and_decode

UPLOADED = "jpeg80"  # the save of a picture that an uploader has shrunk
SHARE = 2, 3  # of the sides that it leaves


def saved(picture: np.ndarray, save: str) -> np.ndarray:
    """A picture (H, W, 3), uint8, after a save and decoding: `png`, `jpegQQ` (quality QQ, chroma 4:2:0), `neutral` (as `cama
    anonymize` writes it without a profile), or `upload` (shrunk to two thirds by Lanczos, quality 80). For the save `target`
    there is `saved_as`.
    """
    if save == "neutral":
        return decoded(encode_neutral(picture))
    return save_and_decode(scaled(picture, save), UPLOADED if save == "upload" else save)


def saved_as(picture: np.ndarray, imitation: Imitation, seed: int) -> np.ndarray:
    """A picture (H, W, 3), uint8, after the encoder of a target camera and decoding; `seed` decides which of its tables."""
    return decoded(imitation.encode(picture, seed))


def delivered(
    picture: np.ndarray, save: str, camera: str, imitations: Mapping[str, Imitation], seed: int
) -> np.ndarray:
    """A picture (H, W, 3), uint8, after a save, which under `target` is that of the named camera's encoder."""
    return saved_as(picture, imitations[camera], seed) if save == "target" else saved(picture, save)


def scaled(picture: np.ndarray, save: str) -> np.ndarray:
    """A picture (H, W, 3), uint8, at the size that a save gives it, not yet saved: the untouched one is compared so."""
    if save != "upload":
        return picture
    height, width = (round(side * SHARE[0] / SHARE[1]) for side in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
