"""The public API: what `import cama` offers. Each function checks what it is given, and imports what it needs when called."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cama.core.errors import CamaError

if TYPE_CHECKING:
    import pandas as pd

    from cama.compute.device import Compute
    from cama.settings.config import Config

SMALLEST = 64  # pixels a side of a picture that is scored: a training patch


class Model:
    """A model file: a generator with the camera models that it can imitate. Made by `load_model`.

    Attributes: `labels`, the camera models (`Make_Model`) that it can aim at; `card`, the model card in Markdown.
    """

    def __init__(self, path: Path) -> None:
        from cama.models.packaged import load_anonymizer
        from cama.photo.change import packaged_attack

        anonymizer = load_anonymizer(path)
        self.labels = tuple(anonymizer.header.labels)
        self.card = anonymizer.header.card
        self._psnr, self._attack = anonymizer.header.psnr, packaged_attack(anonymizer)

    def transform(self, picture: np.ndarray, target: str) -> np.ndarray:
        """Change a picture (H, W, 3), uint8, RGB, so that classifiers attribute it to the camera model `target`; same shape and
        type. Pictures of any size: they are processed in tiles. The change is scaled to the PSNR that the card names, or left
        as G makes it.

        The pixels alone are changed: a file for sharing also needs its metadata removed, which `cama anonymize` does.
        """
        if target not in self.labels:
            raise CamaError(f"target: found {target!r}, expected one of {', '.join(self.labels)}")
        _check(picture, "picture")
        return self._attack(picture, self.labels.index(target), self._psnr)


def load_model(path: str | Path | None = None) -> Model:
    """Read a model file of the workflow (`results/models/NAME.safetensors`), or the one that comes with cama. A missing,
    damaged or foreign file is a CamaError.
    """
    from cama.shipped import model_file

    return Model(model_file(None if path is None else Path(path)))


def score(
    pictures: Iterable[np.ndarray],
    classifiers: str | Path | Sequence[str | Path] = (),
    device: str = "auto",
    judges: str | Path | Sequence[str | Path] = (),
) -> "pd.DataFrame":
    """What classifiers attribute pictures to.

    `pictures`: (H, W, 3), uint8, RGB, at least 64 pixels a side, each scored whole; `classifiers`: one or more model files of
    target classifiers or of E's; `judges`: YAML files of judges that others trained. One row for each picture and classifier or
    judge: `picture` (its place, from 0), `classifier` (the file's name without its suffix), `predicted`, and for each camera
    model `p_NAME`, its probability (NaN where a classifier does not know it, or a judge gives no probabilities).
    """
    import pandas as pd
    import torch

    from cama.models.classifiers import load_predictor
    from cama.training.classifier import predict

    compute, images, rows = _compute(device), list(pictures), []
    for place, image in enumerate(images):
        _check(image, f"pictures[{place}]", SMALLEST)
    for path in _paths(classifiers):
        classifier, labels = load_predictor(path, compute)
        for place, image in enumerate(images):
            (logarithms,) = predict(classifier, torch.from_numpy(image[None].copy()), compute)
            shares = {f"p_{label}": float(share) for label, share in zip(labels, np.exp(logarithms), strict=True)}
            rows.append({"picture": place, "classifier": path.stem, "predicted": labels[logarithms.argmax()], **shares})
    rows += _judged(images, _paths(judges))
    return pd.DataFrame(rows)


def _paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """One path, or several."""
    return [*map(Path, [given] if isinstance(given, (str, Path)) else given)]


def _judged(pictures: Sequence[np.ndarray], judges: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows of `score` for judges."""
    from cama.photo.judging import judged, load_judge

    for judge in map(load_judge, judges):
        for place, picture in enumerate(pictures):
            found = judged(picture, judge)
            shares = {
                f"p_{name}": score for name, score in found["scores"].items() if found["measure"] == "probability"
            }
            yield {"picture": place, "classifier": judge.name, "predicted": next(iter(found["scores"])), **shares}


def success_rate(
    success: Sequence[Any], photographs: Sequence[Any], resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """A rate with its 95% interval: the mean of `success` (N,), booleans or shares, and the bounds of a bootstrap over whole
    `photographs` (N,), since results of one photograph are not independent. Where all results are equal the bounds are
    Wilson's, and where there are none all three are NaN.
    """
    import pandas as pd

    from cama.evaluation.rates import rate

    if len(success) != len(photographs):
        raise CamaError(f"photographs: found {len(photographs)}, expected {len(success)}, one for each result")
    return rate(pd.Series(success, dtype=float), pd.Series(photographs), resamples, seed)


def psnr(image: np.ndarray, changed: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures (H, W, 3), uint8; infinite for equal ones."""
    from cama.compute.psnr import psnr

    _check(image, "image")
    _check(changed, "changed", like=image.shape)
    return psnr(image, changed)


def noise_residual(image: np.ndarray) -> np.ndarray:
    """The noise residual of a picture (H, W, 3), uint8: float32, same shape, in grey levels. It keeps the linear pattern of the
    camera model (Mihcak et al. 1999; Goljan and Fridrich).
    """
    from cama.forensics.residual import noise_residual

    _check(image, "image")
    return noise_residual(image)


def device_fingerprint(images: Iterable[np.ndarray]) -> np.ndarray:
    """The PRNU fingerprint of one device, float (H, W), from pictures (H, W, 3), uint8, of one size (Chen et al. 2008)."""
    from cama.forensics.fingerprint import device_fingerprint

    pictures = list(images)
    if not pictures:
        raise CamaError("images: found none, expected pictures of one device")
    for place, image in enumerate(pictures):
        _check(image, f"images[{place}]", like=pictures[0].shape if place else None)
    return device_fingerprint(pictures)


def pce(image: np.ndarray, fingerprint: np.ndarray) -> float:
    """The signed peak-to-correlation energy of a picture (H, W, 3), uint8, with a fingerprint (H, W) of the same crop; above 60
    counts as a match (Goljan, Fridrich and Filler 2009).
    """
    from cama.forensics.fingerprint import pce

    _check(image, "image", like=(*np.shape(fingerprint), 3))
    return pce(image, fingerprint)


def inspect(
    path: str | Path,
    classifiers: Sequence[str | Path] = (),
    references: Sequence[str | Path] = (),
    profiles: Sequence[str | Path] = (),
    judges: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a JPEG reveals, as the record that docs/inspect.md describes.

    `classifiers`: model files that attribute the pixels; `references`: photographs of one device, whose fingerprint is looked
    for; `profiles`: container profiles of camera models; `judges`: YAML files of judges that others trained.
    """
    from cama.photo.inspect import inspect

    return inspect(Path(path), *map(_paths, (classifiers, references, profiles, judges)))


def load_config(*paths: str | Path) -> "Config":
    """A config and the overlays on it, checked; a fault is a CamaError that names the key."""
    from cama.settings.loading import load_config

    if not paths:
        raise CamaError("load_config: found no file, expected config.yaml, and what is laid over it")
    return load_config(*map(Path, paths))


def _compute(device: str) -> "Compute":
    from cama.compute.device import Compute
    from cama.settings.spec import parse
    from cama.settings.training import ComputeSpec

    return Compute(parse(ComputeSpec, {"device": device}, "compute"))


def _check(picture: Any, name: str, smallest: int = 1, like: tuple[int, ...] | None = None) -> None:
    """Raise where a picture is not (H, W, 3), uint8, too small, or of another shape than `like`."""
    shape, kind = getattr(picture, "shape", None), str(getattr(picture, "dtype", type(picture).__name__))
    if kind != "uint8" or shape is None or len(shape) != 3 or shape[2] != 3:
        raise CamaError(f"{name}: found {kind} of shape {shape}, expected uint8 of shape (H, W, 3)")
    if min(shape[:2]) < smallest:
        raise CamaError(f"{name}: found {shape[1]}x{shape[0]} pixels, expected at least {smallest} a side")
    if like is not None and shape != like:
        raise CamaError(f"{name}: found the shape {shape}, expected {like}")
