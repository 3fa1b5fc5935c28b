"""Pictures of any mode as grey, RGB or CMYK, of 8 bits and without transparency."""

import numpy as np
from PIL import Image, ImageCms

from cama.core.errors import CamaError

WITH_ALPHA = {"LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA"}
SIMPLE = {"1": "L", "YCbCr": "RGB", "RGBX": "RGB", "P": "RGB", "HSV": "RGB"}
TRANSPARENT = "its transparent parts were put on white"


def flatten(image: Image.Image, name: str) -> tuple[Image.Image, list[str]]:
    """A decoded picture of the mode L, RGB or CMYK, on white where it is transparent, and what a person has to know of the
    change. The higher bits of 16-bit samples are kept. Other samples are an error that begins with `name`.
    """
    if image.mode.startswith("I;16"):
        image = _of_8_bits(image)
    if image.mode in ("L", "RGB", "CMYK") and "transparency" not in image.info:
        return image, []
    if image.mode in WITH_ALPHA or "transparency" in image.info:
        grey = image.mode in ("1", "L", "LA", "La")
        return _on_white(image.convert(WITH_ALPHA.get(image.mode, "LA" if grey else "RGBA")))
    if image.mode in SIMPLE:
        return image.convert(SIMPLE[image.mode]), []
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "LAB", "RGB")), []
    raise CamaError(f"{name}: found samples of the mode {image.mode}, expected 8 or 16 bits")


def _of_8_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16 bits, as LA where one of its levels is transparent."""
    levels = np.asarray(image)
    grey = Image.fromarray((levels >> 8).astype(np.uint8))
    if "transparency" not in image.info:
        return grey
    alpha = Image.fromarray(np.where(levels == image.info["transparency"], 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def _on_white(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """A picture of the mode LA or RGBA on white."""
    alpha = image.getchannel("A")
    plain = image.convert(image.mode.removesuffix("A"))
    plain.info.pop("transparency", None)
    if alpha.getextrema()[0] == 255:
        return plain, []
    white = Image.new(plain.mode, plain.size, "white")
    white.paste(plain, mask=alpha)
    return white, [TRANSPARENT]
