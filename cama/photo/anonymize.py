"""A photograph that classifiers take for another camera's, in a file that holds nothing but its pixels."""

import io
import json
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from cama.attacks.tiles import transform
from cama.container.encoding import check_bare, encode_like, encode_neutral
from cama.container.segments import read_segments
from cama.errors import CamaError
from cama.files import atomic
from cama.images import read_rgb
from cama.models.generator import Generator, load_generator
from cama.photo.attribution import attribute
from cama.photo.inspect import read_photograph
from cama.photo.profile import read_profile
from cama.progress import Progress
from cama.settings.networks import GeneratorSpec
from cama.transfer.distortion import psnr

NEUTRAL_TIME = 946_684_800  # the file's times: the beginning of 2000, UTC
WORST = 20.0  # dB between what was to be written and what the file decodes to; below, something went wrong
CAUTION = (
    "Nothing was measured against classifiers of real cameras, unless you trained and measured this model on their photographs."
    " The device's own fingerprint and what the picture shows are untouched."
)


@dataclass(frozen=True)
class Anonymizer:
    """What is done to each photograph: G, the label that it aims at, and how the result is encoded and looked at."""

    generator: Generator
    spec: GeneratorSpec
    target: int
    name: str
    profile: dict[str, Any] | None
    classifiers: tuple[Path, ...]

    @classmethod
    def load(cls, model: Path, target: str, profile: Path | None, classifiers: Sequence[Path]) -> "Anonymizer":
        """From the model file of a generator, one of its labels, and a container profile or None for a neutral encoding."""
        generator, spec, labels = load_generator(model)
        if target not in labels:
            raise CamaError(f"--to: found {target!r}, expected one of {', '.join(labels)}, which {model} knows")
        built_like = read_profile(profile) if profile is not None else None
        return cls(generator, spec, labels.index(target), target, built_like, tuple(classifiers))

    def encode(self, picture: np.ndarray) -> bytes:
        """A JPEG of (H, W, 3), uint8, without metadata: with the most frequent traits of the profile, or as everyone's."""
        if self.profile is None:
            return encode_neutral(picture)
        coding, order = (self.profile[name][0]["value"] for name in ("codings", "segments"))
        return encode_like(picture, coding, order)


def anonymize(photo: Path, out: Path, how: Anonymizer, force: bool) -> dict[str, Any]:
    """Write the anonymized photograph to `out`, read it back and check every byte; gives the record of what was done.

    Fails closed: after any error there is no file `out`, or the one that was there. `photo` is never changed, and only `force`
    replaces another file.
    """
    if out.exists() and not force:
        raise CamaError(f"{out}: there is a file of that name already, expected none without --force")
    if out.exists() and out.samefile(photo):
        raise CamaError(f"{out}: found the photograph itself, expected another name")
    picture = upright(photo)
    progress = Progress(photo.name, 1)

    def at(done: int, total: int) -> None:
        progress.total = total
        progress.at(done)

    changed = transform(picture, how.generator, how.spec, how.target, progress=at)
    with atomic(out) as temporary:
        temporary.write_bytes(how.encode(changed))
        check_bare(temporary.read_bytes(), str(out))
        delivered = read_rgb(temporary)
        if delivered.shape != changed.shape or psnr(changed, delivered) < WORST:
            raise CamaError(f"{out}: found another picture in the written file than was to be in it")
        record = {
            "photo": photo.name,
            "out": str(out),
            "target": how.name,
            "width": delivered.shape[1],
            "height": delivered.shape[0],
            "psnr": round(psnr(picture, delivered), 2),
            "encoding": "neutral" if how.profile is None else " ".join(how.profile["camera"].values()),
            "before": [attribute(picture, classifier) for classifier in how.classifiers],
            "after": [attribute(delivered, classifier) for classifier in how.classifiers],
            "caution": CAUTION,
        }
        os.utime(temporary, (NEUTRAL_TIME, NEUTRAL_TIME))
    return record


def upright(photo: Path) -> np.ndarray:
    """The pixels of a JPEG (H, W, 3), uint8, turned as its EXIF says, in sRGB."""
    data = read_photograph(photo)
    read_segments(data, str(photo))  # a JPEG, whole
    read_rgb(photo)  # in three colours, of a size that can be held
    try:
        with Image.open(io.BytesIO(data)) as image:
            profile = image.info.get("icc_profile")
            turned = ImageOps.exif_transpose(image)
            if profile:
                own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
                if "sRGB" not in ImageCms.getProfileDescription(own):
                    turned = ImageCms.profileToProfile(turned, own, ImageCms.createProfile("sRGB"))
            return np.array(turned)
    except (OSError, ValueError, SyntaxError, ImageCms.PyCMSError) as error:
        raise CamaError(f"{photo}: cannot be turned upright and to sRGB ({' '.join(str(error).split())})") from error


def anonymize_all(photos: Sequence[Path], out: Path | None, how: Anonymizer, force: bool, as_json: bool) -> bool:
    """Anonymize several photographs; says each result on standard output, each failure on standard error, and then whether
    there was none. `out`: a file for one photograph, a folder for more; None for neutral names in the working folder.
    """
    folder = out is None or len(photos) > 1 or out.is_dir()
    records, failed = [], 0
    for photo in photos:
        where = (out or Path()) / f"picture-{secrets.token_hex(4)}.jpg" if folder else out
        try:
            records.append(anonymize(photo, where, how, force))
        except (CamaError, OSError) as error:
            failed += 1
            print(f"cama anonymize: {error}", file=sys.stderr)
        else:
            if not as_json:
                print(_line(records[-1]))
    if as_json:
        print(json.dumps(records, indent=2, ensure_ascii=False))
    else:
        print(f"{len(records)} written, {failed} failed. {CAUTION if records else ''}".rstrip())
    return not failed


def _line(record: dict[str, Any]) -> str:
    best = [
        f"{before['classifier']}: {_first(before)} before, {_first(after)} after"
        for before, after in zip(record["before"], record["after"], strict=True)
    ]
    said = f"; {'; '.join(best)}" if best else ""
    return f"{record['photo']} -> {record['out']}: {record['psnr']} dB, {record['encoding']} encoding{said}"


def _first(found: dict[str, Any]) -> str:
    name, share = next(iter(found["probabilities"].items()))
    return f"{name} {share:.2f}"
