"""Classical attacks: changes of a picture that use no camera model. They ignore the labels.

Every attack is `attack(images, source, target) -> images`: stored images (N, H, W, 3), uint8; labels (N,), ints: the source -1
where it is none of the targets, the target -1 where the attack has none.
"""

import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy.ndimage import median_filter

from cama import plugins
from cama.core.errors import CamaError
from cama.forensics.mosaic import remosaic
from cama.settings.attacks import MethodSpec
from cama.storage.images import save_and_decode

Attack = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Builder = Callable[[MethodSpec, tuple[str, ...], int], Attack]  # from settings, the labels' names and a seed


def untargeted(change: Callable[[np.ndarray], np.ndarray]) -> Attack:
    """An attack from a change of one image (H, W, 3)."""

    def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.stack([change(image) for image in images])

    return attack


def _classical(change: Callable[[np.ndarray, float, int], np.ndarray]) -> Builder:
    """The builder of an attack that changes each picture by itself; the seed is that of the noise."""
    return lambda spec, targets, seed: untargeted(lambda image: change(image, spec.strength, seed))


def _from_package(make: Callable[..., Attack]) -> Builder:
    """The builder of an attack of another package, which is made from its options, the labels' names and a seed. What it
    raises, and pictures of another shape or type than it was given, are errors of one line.
    """

    def build(spec: MethodSpec, targets: tuple[str, ...], seed: int) -> Attack:
        def attack(images: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
            try:
                changed = np.asarray(apply(images, source, target))
            except Exception as error:
                raise CamaError(f"attack {spec.kind}: {type(error).__name__}: {error}") from error
            if changed.shape != images.shape or changed.dtype != np.uint8:
                made, given = f"{changed.dtype} {changed.shape}", f"uint8 {images.shape}"
                raise CamaError(f"attack {spec.kind}: found pictures of {made}, expected {given}")
            return changed

        try:
            apply = make(spec.options, targets, seed)
        except Exception as error:
            raise CamaError(f"attack {spec.kind}: options: {type(error).__name__}: {error}") from error
        return attack

    return build


def _jpeg(image: np.ndarray, quality: float, seed: int) -> np.ndarray:
    """A JPEG save."""
    return save_and_decode(image, f"jpeg{quality:.0f}")


def _median(image: np.ndarray, side: float, seed: int) -> np.ndarray:
    """The median of a window of `side` pixels, in each channel."""
    return median_filter(image, (int(side), int(side), 1), mode="reflect")


def _noise(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """White Gaussian noise, the same for the same image."""
    rng = np.random.default_rng([seed, zlib.crc32(image.tobytes())])
    return _to_bytes(image + rng.normal(0, sigma, image.shape))


def _denoise(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Wavelet shrinkage (Chang, Yu and Vetterli 2000) of noise of `sigma` grey levels."""
    from skimage.restoration import denoise_wavelet  # takes a second to import

    clean = denoise_wavelet(image / 255, sigma / 255, convert2ycbcr=True, channel_axis=-1, rescale_sigma=True)
    return _to_bytes(clean * 255)


def _resample(image: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """Down by the factor `scale` and up again, both with a Lanczos window."""
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    small = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS)
    return np.array(small.resize((width, height), Image.Resampling.LANCZOS))


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


# By kind: image (H, W, 3), uint8, strength (see `STRENGTHS`) and seed to the changed image.
_CHANGES: dict[str, Callable[[np.ndarray, float, int], np.ndarray]] = {
    "identity": lambda image, strength, seed: image,
    "jpeg": _jpeg,
    "median": _median,
    "noise": _noise,
    "denoise": _denoise,
    "resample": _resample,
    "remosaic": lambda image, strength, seed: remosaic(image),
}
# The attacks that need none of the adversary's networks.
ATTACKS = plugins.Registry(
    plugins.ATTACKS, {kind: _classical(change) for kind, change in _CHANGES.items()}, _from_package
)
