"""`--to auto`: one target for the photographs of each source camera, so that a series does not claim several."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cama.attacks.auto import CROPS, Choice, choose_target, spread_crops
from cama.attacks.tiles import transform
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.jpeg.names import label, same_camera
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.packaged import Anonymizer
from cama.photo.decoding import read_camera, read_srgb
from cama.settings.training import ComputeSpec


@dataclass
class Series:
    """Photographs of one source camera by their EXIF, or all without one, and crops of some of them."""

    source: str  # its label, empty where EXIF names none
    photographs: list[Path] = field(default_factory=list)

    def crops(self) -> list[np.ndarray]:
        """At most 16 crops, of as many photographs of the series as can be read."""
        shown = _spread(self.photographs, CROPS)
        found = []
        for photo in shown:
            with suppress(Exception):  # of a file that its own turn refuses with a line
                found.append(spread_crops(read_srgb(photo)[0], CROPS // len(shown)))
        return found


def choose_targets(
    photos: Sequence[Path],
    model: Anonymizer,
    psnr: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Path, dict[str, Any]]:
    """For each photograph the target that those of its source camera reach most surely by the judges of the model file, at
    `psnr` dB (0: as the generator leaves them): a record of `target`, `source`, `photographs` and `shares`, as in
    docs/anonymize.schema.json.

    A photograph that cannot be read has no record, nor has one that is too small, unless another of its camera has one.
    `progress` is called with the numbers of cameras done and of all.
    """
    found: dict[Path, dict[str, Any]] = {}
    series = _series(photos)
    for done, one in enumerate(series, start=1):
        crops = one.crops()
        if crops:
            choice = _choose(crops, one.source, model, psnr)
            shares = {name: round(share, 4) for name, share in zip(model.header.labels, choice.shares, strict=True)}
            record = {
                "target": model.header.labels[choice.target],
                "source": one.source,
                "photographs": len(one.photographs),
                "shares": dict(sorted(shares.items(), key=lambda pair: -pair[1])),
            }
            found |= dict.fromkeys(one.photographs, record)
        progress(done, len(series))
    return found


def _choose(crops: list[np.ndarray], source: str, model: Anonymizer, psnr: float) -> Choice:
    header, compute = model.header, Compute(ComputeSpec(device="cpu"))
    generator = compute.to_device(fuse_batch_norms_(model.generator))

    def change(picture: np.ndarray, target: int) -> np.ndarray:
        return transform(picture, generator, header.generator, target, compute, psnr)

    judges = [compute.to_device(judge) for judge in model.judges]
    own = header.labels.index(source) if source in header.labels else None
    return choose_target(crops, change, judges, len(header.labels), compute, own)


def _series(photos: Sequence[Path]) -> list[Series]:
    found: dict[tuple[str, str], Series] = {}
    for photo in photos:
        with suppress(CamaError, OSError):
            camera = read_camera(photo)
            name = label(*camera) if any(camera) else ""
            found.setdefault(same_camera(*camera), Series(name)).photographs.append(photo)
    return list(found.values())


def _spread(photos: list[Path], most: int) -> list[Path]:
    """At most so many of the photographs, at even distances."""
    count = min(most, len(photos))
    return [photos[index * len(photos) // count] for index in range(count)]
