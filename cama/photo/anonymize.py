"""A photograph that classifiers take for another camera's, in a file that holds nothing but its pixels."""

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cama.attacks.tiles import transform
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.evaluation.distortion import psnr
from cama.jpeg.encoding import check_pixels_only, encode_like, encode_neutral
from cama.jpeg.exif_writing import minimal_exif
from cama.jpeg.profile import Profile
from cama.models.anonymizer import Anonymizer, load_anonymizer
from cama.models.fusion import fuse_batch_norms_
from cama.photo.attribution import Witness, attribute, load_witness
from cama.photo.decoding import read_stored, turn
from cama.photo.profile import read_profile
from cama.settings.training import ComputeSpec

NEUTRAL_TIME = 946_684_800  # the file's times: the beginning of 2000, UTC
WORST = 20.0  # dB between what was to be written and what the file decodes to; below, something went wrong
THUMBNAIL = 160, 120  # pixels, as DCF has it
ALWAYS = "The device's own fingerprint and what the picture shows are untouched."


@dataclass(frozen=True)
class Plan:
    """What is done to each photograph: the model file, which of its cameras is aimed at, how the result is encoded, and who is
    asked about it.
    """

    model: Anonymizer
    target: str
    profile: Profile | None  # None for a neutral encoding
    metadata: bool  # whether minimal EXIF in the target's style is written
    witnesses: tuple[Witness, ...]

    @classmethod
    def load(
        cls,
        model: Path,
        target: str,
        encoding: str = "target",
        profile: Path | None = None,
        metadata: str = "none",
        classifiers: Sequence[Path] = (),
    ) -> "Plan":
        """From a model file and one of its labels. `encoding`: `target`, like the `profile` or else that in the model file,
        neutral where it has none; or `neutral`. `metadata`: `none`, or `target` for minimal EXIF, which needs a profile.
        """
        anonymizer = load_anonymizer(model)
        header = anonymizer.header
        if target not in header.labels:
            raise CamaError(f"--to: found {target!r}, expected one of {', '.join(header.labels)}, which {model} knows")
        if encoding == "neutral" and profile is not None:
            raise CamaError("--encoding: found neutral beside --profile, expected one of the two")
        like = read_profile(profile) if profile is not None else header.profiles.get(target)
        like = None if encoding == "neutral" else like
        if metadata == "target" and like is None:
            raise CamaError(
                f"--metadata: found target without a container profile of {target}, expected --profile FILE"
            )
        witnesses = Witness(anonymizer.evaluator, tuple(header.labels)), *map(load_witness, classifiers)
        plan = cls(anonymizer, target, like, metadata == "target", witnesses)
        try:
            plan.encode(np.zeros((32, 32, 3), np.uint8))  # a trial, before the long work
        except (CamaError, KeyError, IndexError, TypeError, ValueError, OverflowError, OSError) as error:
            raise CamaError(
                f"{profile or model}: found a profile that cannot be imitated ({error}), expected another or --encoding neutral"
            ) from error
        return plan

    def encode(self, picture: np.ndarray) -> tuple[bytes, bytes]:
        """A JPEG of (H, W, 3), uint8, as everyone's or with the most frequent traits of the profile; and the EXIF in it."""
        if self.profile is None:
            return encode_neutral(picture), b""
        exif = b""
        if self.metadata:
            height, width = picture.shape[:2]
            small = Image.fromarray(picture)
            small.thumbnail(THUMBNAIL if width >= height else THUMBNAIL[::-1])
            thumbnail = encode_neutral(np.asarray(small))
            exif = minimal_exif(self.profile.exif, self.profile.photographs, width, height, thumbnail)
        return encode_like(picture, self.profile.coding, self.profile.order, exif), exif

    @property
    def caution(self) -> str:
        """What nobody should believe of the result."""
        header = self.model.header
        if header.simulated:
            return f"The model knows simulated cameras: nothing was measured against classifiers of real ones. {ALWAYS}"
        return (
            f"The model was measured on photographs of its own data ({header.dataset}), not on yours or against classifiers"
            f" that others trained. {ALWAYS}"
        )


def anonymize(
    photo: Path,
    out: Path,
    plan: Plan,
    force: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Write the anonymized photograph to `out`, every byte of it checked before; gives the record of what was done.

    Fails closed: after any error there is no file `out`, or the one that was there. `photo` is never changed, and only `force`
    replaces another file. `progress` is called with the tiles done and all.
    """
    if not out.parent.is_dir():
        raise CamaError(f"{out}: found no folder {out.parent}, expected one")
    if out.exists() and not force:
        raise CamaError(f"{out}: there is a file of that name already, expected none without --force")
    if out.exists() and out.samefile(photo):
        raise CamaError(f"{out}: found the photograph itself, expected another name")
    picture, orientation = read_stored(photo)
    before = _attributed(picture, plan)
    header = plan.model.header
    target = header.labels.index(plan.target)
    compute = Compute(ComputeSpec(device="cpu"))
    generator = compute.to_device(fuse_batch_norms_(plan.model.generator))
    changed = transform(picture, generator, header.generator, target, compute, progress=progress)
    level = psnr(picture, changed)
    if level < WORST:
        raise CamaError(
            f"{photo}: found it changed beyond recognition ({level:.1f} dB), expected a generator that changes little"
        )
    # turned only now: G knows photographs as they are stored, with their mosaic and their JPEG grid
    changed = np.ascontiguousarray(turn(changed, orientation))
    data, exif = plan.encode(changed)
    check_pixels_only(data, str(out), exif)
    with Image.open(io.BytesIO(data)) as image:
        delivered = np.asarray(image)  # no copy: of a large photograph few fit
    if delivered.shape != changed.shape or psnr(changed, delivered) < WORST:
        raise CamaError(f"{out}: found another picture in the encoded file than was to be in it")
    record = {
        "photo": photo.name,
        "out": str(out),
        "target": plan.target,
        "width": delivered.shape[1],
        "height": delivered.shape[0],
        "psnr": round(psnr(turn(picture, orientation), delivered), 2),
        "encoding": "neutral" if plan.profile is None else f"{plan.profile.camera.make} {plan.profile.camera.model}",
        "metadata": "target" if exif else "none",
        "before": before,
        "after": _attributed(delivered, plan),
        "caution": plan.caution,
    }
    _publish(data, out, force)
    return record


def _attributed(picture: np.ndarray, plan: Plan) -> dict[str, Any]:
    """What E's classifiers, and those that were named, say of a picture."""
    own, *others = (attribute(picture, witness) for witness in plan.witnesses)
    shares = [found["probabilities"][plan.target] for found in own]
    named = [found for witness in others for found in witness]
    return {"target": round(float(np.mean(shares)), 4), "evaluator": own, "classifiers": named}


def _name(temporary: Path, out: Path) -> None:
    """Give a file its name, unless somebody else was faster."""
    try:
        out.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # memory cards know no links either
        out.open("xb").close()
        try:
            temporary.replace(out)
        except OSError:
            out.unlink()
            raise


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
        with contextlib.suppress(OSError):  # memory cards know no modes
            temporary.chmod(0o644)
        if force:
            temporary.replace(out)
        else:
            _name(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
