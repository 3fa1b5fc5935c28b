"""A photograph that classifiers take for another camera's, in a file that holds nothing but its pixels."""

import contextlib
import io
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from cama.attacks.tiles import transform
from cama.container.encoding import check_bare, encode_like, encode_neutral
from cama.container.exif import ORIENTATION, read_exif
from cama.container.segments import read_segments
from cama.errors import CamaError
from cama.images import read_file, read_rgb
from cama.models.classifiers import load_classifier
from cama.models.generator import Generator, load_generator
from cama.photo.attribution import attribute
from cama.photo.profile import read_profile
from cama.photo.table import printable
from cama.progress import Progress
from cama.settings.networks import GeneratorSpec
from cama.transfer.distortion import psnr

NEUTRAL_TIME = 946_684_800  # the file's times: the beginning of 2000, UTC
WORST = 20.0  # dB between what was to be written and what the file decodes to; below, something went wrong
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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
        for classifier in classifiers:
            load_classifier(classifier)  # one that cannot be read ends it here
        how = cls(generator, spec, labels.index(target), target, built_like, tuple(classifiers))
        try:
            how.encode(np.zeros((32, 32, 3), np.uint8))  # a trial, before the long work
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OSError) as error:
            raise CamaError(f"{profile}: found no profile that can be imitated ({error})") from error
        return how

    def encode(self, picture: np.ndarray) -> bytes:
        """A JPEG of (H, W, 3), uint8, without metadata: with the most frequent traits of the profile, or as everyone's."""
        if self.profile is None:
            return encode_neutral(picture)
        coding, order = (self.profile[name][0]["value"] for name in ("codings", "segments"))
        return encode_like(picture, coding, order)


def anonymize(photo: Path, out: Path, how: Anonymizer, force: bool) -> dict[str, Any]:
    """Write the anonymized photograph to `out`, every byte of it checked before; gives the record of what was done.

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
    level = psnr(picture, changed)
    if level < WORST:
        raise CamaError(
            f"{photo}: found it changed beyond recognition ({level:.1f} dB), expected a generator that changes little"
        )
    data = how.encode(changed)
    check_bare(data, str(out))
    with Image.open(io.BytesIO(data)) as image:
        delivered = np.array(image)
    if delivered.shape != changed.shape or psnr(changed, delivered) < WORST:
        raise CamaError(f"{out}: found another picture in the encoded file than was to be in it")
    stored = read_rgb(photo) if how.classifiers else None  # as everyone else would show it to them
    record = {
        "photo": photo.name,
        "out": str(out),
        "target": how.name,
        "width": delivered.shape[1],
        "height": delivered.shape[0],
        "psnr": round(psnr(picture, delivered), 2),
        "encoding": "neutral" if how.profile is None else " ".join(how.profile["camera"].values()),
        "before": [attribute(stored, classifier) for classifier in how.classifiers],
        "after": [attribute(delivered, classifier) for classifier in how.classifiers],
        "caution": CAUTION,
    }
    _publish(data, out, force)
    return record


def _publish(data: bytes, out: Path, force: bool) -> None:
    """Give checked bytes their name: whole, with neutral times, and over another file by `force` alone."""
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=".", suffix=".jpg")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if temporary.read_bytes() != data:
            raise CamaError(f"{out}: found other bytes on the disk than were written")
        os.utime(temporary, (NEUTRAL_TIME, NEUTRAL_TIME))
        if force:
            temporary.replace(out)
        else:
            out.hardlink_to(temporary)  # fails where somebody else was faster
    finally:
        temporary.unlink(missing_ok=True)


def upright(photo: Path) -> np.ndarray:
    """The pixels of a JPEG (H, W, 3), uint8, turned as its EXIF says, and in sRGB where a colour profile says what they are."""
    segments = read_segments(read_file(photo), str(photo)).holding("Exif")
    orientation = 1
    if segments:
        with contextlib.suppress(CamaError):  # damaged EXIF turns nothing
            orientation = read_exif(segments[0].payload).offset("IFD0", ORIENTATION) or 1
    picture = read_rgb(photo)
    try:
        with Image.open(photo, formats=("JPEG",)) as image:
            profile = image.info.get("icc_profile")
        turned = Image.fromarray(picture)
        if profile:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(own):
                turned = ImageCms.profileToProfile(turned, own, ImageCms.createProfile("sRGB"))
    except (OSError, ValueError, SyntaxError, TypeError, ImageCms.PyCMSError) as error:
        raise CamaError(f"{photo}: cannot be brought to sRGB ({' '.join(str(error).split())})") from error
    if orientation in TURNS:
        turned = turned.transpose(TURNS[orientation])
    return np.array(turned)


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
        except Exception as error:  # whatever a hostile file raises must not stop the others
            failed += 1
            text = " ".join(str(error).split())
            named = text if str(photo) in text else f"{photo}: {text}"
            print(printable(f"cama anonymize: {named}"), file=sys.stderr)
        else:
            if not as_json:
                print(printable(_line(records[-1])))
    if as_json:
        print(json.dumps(records, indent=2, ensure_ascii=True))
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
