"""`--to auto`: one target for the photographs of each source camera, so that a series does not claim several."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cama.attacks.auto import CROPS, choose_target, evenly, spread_crops
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.jpeg.names import label, same_camera
from cama.models.packaged import SMALLEST, Anonymizer
from cama.photo.attribution import packaged_attributors
from cama.photo.change import packaged_attack
from cama.photo.decoding import read_camera, read_srgb
from cama.storage.images import Held


@dataclass
class Series:
    """Photographs of one source camera by their EXIF, or all without one."""

    make: str
    model: str
    photographs: list[Path | Held] = field(default_factory=list)

    def crops(self) -> list[np.ndarray]:
        """At most 16 crops, of as many photographs; none of what cannot be read or is too small to be attributed."""
        shown = evenly(self.photographs, CROPS)
        found = []
        for photo in shown:
            with suppress(Exception):  # which its own turn reports
                picture, *_ = read_srgb(photo)
                if min(picture.shape[:2]) >= SMALLEST:
                    found.append(spread_crops(picture, CROPS // len(shown)))
        return found


def target_of(photo: Path | Held, choice: dict[str, Any] | None, named: str | None) -> str:
    """The target of a photograph: that of the `choice`, else the one that was named. Where there is neither, an error, most
    often of its own.
    """
    target = choice["target"] if choice else named
    if target is None:
        read_srgb(photo)
        raise CamaError(f"{photo}: found no target for it, expected a larger picture or a named camera")
    return target


def choose_targets(photos: Sequence[Path | Held], model: Anonymizer, psnr: float) -> dict[Path | Held, dict[str, Any]]:
    """For each photograph the target that those of its source camera reach most surely by the judges of the model file, at
    `psnr` dB (0: as the generator leaves them): a record of `target`, `source`, `photographs` and `shares`, as in
    docs/anonymize.schema.json. No target is a camera that took others of the photographs, while one is left that did not.
    Where no photograph of a camera can be read, or all are too small, its photographs have none.
    """
    found: dict[Path | Held, dict[str, Any]] = {}
    series = _series(photos)
    sources = {model.header.target_of(one.make, one.model) for one in series}
    others = {number for number, name in enumerate(model.header.labels) if name in sources}
    progress = Progress("choosing targets, by camera", len(series))
    for done, one in enumerate(series, start=1):
        if crops := one.crops():
            found |= dict.fromkeys(one.photographs, _choose(crops, one, model, psnr, others))
        progress.update(done)
    return found


def _choose(
    crops: list[np.ndarray], series: Series, model: Anonymizer, psnr: float, others: set[int]
) -> dict[str, Any]:
    header, attack = model.header, packaged_attack(model)

    def change(picture: np.ndarray, target: int) -> np.ndarray:
        return attack(picture, target, psnr)

    judges = [attributor.classify for attributor in packaged_attributors(model)]
    own = header.target_of(series.make, series.model)
    number = header.labels.index(own) if own else None
    choice = choose_target(crops, change, judges, len(header.labels), number, others)
    shares = {name: round(share, 4) for name, share in zip(header.labels, choice.shares, strict=True)}
    return {
        "target": header.labels[choice.target],
        "source": own or (label(series.make, series.model) if series.make or series.model else ""),
        "photographs": len(series.photographs),
        "shares": dict(sorted(shares.items(), key=lambda pair: -pair[1])),
    }


def _series(photos: Sequence[Path | Held]) -> list[Series]:
    """The photographs by source camera, each once."""
    found: dict[tuple[str, str], Series] = {}
    progress = Progress("reading cameras", len(photos))
    for done, photo in enumerate(dict.fromkeys(photos), start=1):
        with suppress(CamaError, OSError):
            camera = read_camera(photo)
            found.setdefault(same_camera(*camera), Series(*camera)).photographs.append(photo)
        progress.update(done)
    return list(found.values())
