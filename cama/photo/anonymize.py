"""Anonymizing a photograph: the new file is to be attributed to a target camera, and holds nothing but pixels."""

import hashlib
import io
import math
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cama.compute.psnr import decibels, psnr, squared_error
from cama.core.errors import CamaError
from cama.core.seeds import derive_seed
from cama.jpeg.exif_writing import minimal_exif
from cama.jpeg.imitation import FAULTS, Imitation
from cama.jpeg.names import split_name
from cama.jpeg.profile import Profile
from cama.jpeg.writing import check_pixels_only, encode_neutral
from cama.judges.judge import Judge
from cama.models.packaged import Anonymizer, Header, load_anonymizer
from cama.photo.attribution import Attributor, attribute, load_attributor, packaged_attributors
from cama.photo.change import packaged_attack
from cama.photo.decoding import orient, read_srgb
from cama.photo.framing import WHOLE, Framing
from cama.photo.judging import judged_by_all, load_judge
from cama.photo.png import check_png, encode_png
from cama.photo.profile import read_profile
from cama.photo.warping import MOST, warped
from cama.settings.attacks import checked_level
from cama.shipped import model_file
from cama.storage.files import new_file
from cama.storage.images import Held, strips_of

NEUTRAL_TIME = 946_684_800  # modification time of written files: 2000-01-01, UTC
AUTO = "auto"  # in place of a target: the judges of the model file choose one
MOVED = 0.5  # mean probability of the target by the model file's classifiers, below which a photograph was not moved
WEAKER = 1.0  # dB by which a change may be weaker than asked for without a warning
MIN_PSNR = 20.0  # dB of the changed picture to the photograph, and of the decoded file to that; fewer are an error
THUMBNAIL = 160, 120  # pixels of a landscape thumbnail in DCF
UNCHANGED = "The device's own fingerprint and what the picture shows are untouched."
SHAKEN = "What the picture shows is untouched, and of the device's own fingerprint something may be left."


@dataclass(frozen=True)
class PhotoAnonymizer:
    """What is applied to each photograph: a model file's generator with its target, the encoding of the result, and the
    classifiers and judges that are asked before and after, beside those of the model file.
    """

    model: Anonymizer
    target: str | None  # None until `towards` names one
    profiles: Mapping[str, Profile]  # of the targets; none for the neutral encoding
    metadata: bool  # whether minimal EXIF in the target's style is written
    psnr: float  # dB to which the change of each photograph is scaled; 0 leaves it as G makes it
    attributors: tuple[Attributor, ...]
    judges: tuple[Judge, ...] = ()
    workers: int | None = None  # tiles at a time; None for one a core
    framing: Framing = WHOLE
    device_noise: bool = False  # whether the picture is bent, so that the device's fingerprint is out of place
    png: bool = False  # whether it is written as a PNG, as no camera writes one

    @classmethod
    def load(
        cls,
        model: Path | None = None,
        target: str = AUTO,
        encoding: str = "target",
        profile: Path | None = None,
        metadata: str = "none",
        classifiers: Sequence[Path] = (),
        psnr: float | None = None,
        judges: Sequence[Path] = (),
        workers: int | None = None,
        crop: str | None = None,
        resize: int | None = None,
        device_noise: bool = False,
    ) -> "PhotoAnonymizer":
        """Load a model file, that which comes with cama where none is named, for `target`, one of its labels, or `auto` where
        its judges are to choose one. `encoding`: `target` for that of the `profile`, or of the model file's profile of the
        target, neutral where there is neither; `neutral`; or `png`.
        `metadata`: `none`, or `target` for minimal EXIF, which needs a profile. `classifiers`: more model files of classifiers
        that are asked. `psnr`: in dB, to which the change of each photograph is scaled, not to the model file's own; 0
        leaves it as G makes it. `judges`: YAML files of judges that are asked too. `workers`: tiles of a photograph at a time,
        one a core where that is not said. `crop` and `resize`: as `Framing.read` has them. `device_noise`: whether
        the picture is bent (`warped`).
        """
        model = model_file(model)
        anonymizer = load_anonymizer(model)
        header = anonymizer.header
        _check_target(target, header, model)
        if profile is not None and (encoding != "target" or target == AUTO):
            other = f"--encoding: found {encoding}" if encoding != "target" else "--to: found auto"
            raise CamaError(f"{other} beside --profile, expected one of the two")
        targets = list(header.labels) if target == AUTO else [target]
        profiles = dict(header.profiles) if profile is None else {target: read_profile(profile)}
        profiles = {} if encoding != "target" else {name: profiles[name] for name in targets if name in profiles}
        if metadata == "target":
            _check_metadata(targets, profiles, encoding)
        attributors = tuple(map(load_attributor, classifiers))
        level = _level(psnr, header, model)
        named = None if target == AUTO else target
        others = tuple(map(load_judge, judges))
        framing, png = Framing.read(crop, resize), encoding == "png"
        wanted = metadata == "target"
        loaded = cls(
            anonymizer, named, profiles, wanted, level, attributors, others, workers, framing, device_noise, png
        )
        for name in targets:
            try:
                loaded.towards(name).encode(np.zeros((32, 32, 3), np.uint8))  # a trial before the long work
            except FAULTS as error:
                raise CamaError(
                    f"{profile or model}: found a profile of {name} that cannot be imitated ({error}), expected another or"
                    " --encoding neutral"
                ) from error
        return loaded

    def towards(self, target: str) -> "PhotoAnonymizer":
        """The same for this target."""
        return replace(self, target=target)

    @property
    def profile(self) -> Profile | None:
        """The profile of the target; None for the neutral encoding."""
        return self.profiles.get(self.target or "")

    def encode(self, picture: np.ndarray) -> tuple[bytes, bytes]:
        """A picture (H, W, 3), uint8, as a PNG, or as a JPEG, neutral or with a coding of the profile, drawn by the picture's
        hash as often as the camera has it; and the EXIF in it, empty where there is none.
        """
        if self.png:
            return encode_png(picture), b""
        if self.profile is None:
            return encode_neutral(picture), b""
        exif = b""
        if self.metadata:
            height, width = picture.shape[:2]
            small = Image.fromarray(picture)
            small.thumbnail(THUMBNAIL if width >= height else THUMBNAIL[::-1])
            thumbnail = encode_neutral(np.asarray(small))
            exif = minimal_exif(self.profile.exif, self.profile.photographs, width, height, thumbnail)
        seed = derive_seed(0, hashlib.sha256(np.ascontiguousarray(picture)).hexdigest())
        return self._imitation.encode(picture, seed, exif), exif

    @cached_property
    def _imitation(self) -> Imitation:
        return Imitation(self.profile)

    @property
    def asked(self) -> str:
        """Who the model file's own classifiers are."""
        if self.model.header.held_out:
            return "classifiers that the model was not trained with"
        return "classifiers that the model was trained with"

    @property
    def caution(self) -> str:
        """The limits of the result, as text for its user."""
        header = self.model.header
        left = SHAKEN if self.device_noise or self.framing.resize else UNCHANGED
        if header.simulated:
            return f"The model knows simulated cameras: nothing was measured against classifiers of real ones. {left}"
        return (
            f"The model was measured on photographs of its own data ({header.dataset}), not on yours or against classifiers"
            f" that others trained. {left}"
        )


def anonymize(
    photo: Path,
    out: Path,
    anonymizer: PhotoAnonymizer,
    force: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
    choice: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the anonymized photograph to `out`, after a check of its bytes, and return the record of what was done;
    `docs/anonymize.schema.json` has its keys.

    After an error `out` does not exist, or is the file that it was before. `photo` is never changed, and only with `force` is
    another file replaced. `progress` is called with parts of the work done and of all. `choice`: how the target was
    chosen, for the record.
    """
    check_free(out, force)
    if out.exists() and out.samefile(photo):
        raise CamaError(f"{out}: found the photograph itself, expected another name")
    data, record = anonymized(photo, str(out), anonymizer, progress, choice)
    out.parent.mkdir(parents=True, exist_ok=True)  # another process may have found it empty meanwhile
    _write(data, out, force)
    return record


def anonymized(
    photo: Path | Held,
    out: str,
    anonymizer: PhotoAnonymizer,
    progress: Callable[[int, int], None] = lambda done, total: None,
    choice: dict[str, Any] | None = None,
) -> tuple[bytes, dict[str, Any]]:
    """The bytes and the record of `anonymize`, and no file; `out` is what it is to be called."""
    picture, orientation, warnings = read_srgb(photo)
    picture = anonymizer.framing.apply(picture, orientation, str(photo))
    if anonymizer.device_noise:
        straight, picture = picture, warped(picture, np.random.default_rng(secrets.randbits(64)))
        level = f"{psnr(straight, picture):.1f}"
        warnings = [
            *warnings,
            f"it was bent by up to {MOST:g} pixels ({level} dB), and is compared with what that made of it",
        ]
    before = _attribution(picture, anonymizer, photo)
    pixels = _apply_generator(photo, picture, anonymizer, progress)
    made = psnr(picture, pixels)
    # oriented only now, since G was trained on photographs as stored, with the original phase of mosaic and JPEG blocks
    decoded = np.ascontiguousarray(orient(pixels, orientation))
    del pixels  # memory holds few copies of a large photograph
    data, exif = anonymizer.encode(decoded)
    (check_png if anonymizer.png else check_pixels_only)(data, out, exif)
    if _decode_into(decoded, data) < MIN_PSNR:
        raise CamaError(f"{out}: found another picture in the encoded file than was to be in it")
    after = _attribution(decoded, anonymizer, photo)
    level = psnr(orient(picture, orientation), decoded)
    return data, {
        "input": str(photo),
        "output": out,
        "error": None,
        "target": anonymizer.target,
        "choice": choice,
        "width": decoded.shape[1],
        "height": decoded.shape[0],
        "psnr": round(level, 2) if math.isfinite(level) else None,
        "encoding": _encoding(anonymizer),
        "metadata": "target" if exif else "none",
        "held_out": anonymizer.model.header.held_out,
        "before": before,
        "after": after,
        "caution": anonymizer.caution,
        "warnings": [*warnings, *_warnings(anonymizer, made, before, after)],
    }


def _decode_into(picture: np.ndarray, data: bytes) -> float:
    """Put the pixels of a file in the place of the picture (H, W, 3) that was encoded, and give the PSNR between both, in dB;
    0 where the file holds no RGB, or another size.
    """
    with Image.open(io.BytesIO(data)) as image:
        if image.mode != "RGB" or image.size != picture.shape[1::-1]:
            return 0.0
        total = 0
        for rows, part in strips_of(image):
            total += squared_error(picture[rows], part)
            picture[rows] = part
    return decibels(total, picture.size)


def _level(psnr: float | None, header: Header, model: Path) -> float:
    """The PSNR in dB that is asked for, or the model file's own."""
    try:
        level = header.psnr if psnr is None else checked_level(psnr)
    except ValueError as error:
        raise CamaError(f"--psnr: {error}") from None
    if header.refine and not level:
        raise CamaError(f"--psnr: found 0, expected the PSNR in dB: {model} refines its pictures at one")
    return level


def _check_metadata(targets: list[str], profiles: Mapping[str, Profile], encoding: str) -> None:
    if encoding != "target":
        raise CamaError(f"--metadata: found target beside --encoding {encoding}, expected one of the two")
    missing = next((name for name in targets if name not in profiles), "")
    if missing:
        other = "--to CAMERA" if len(targets) > 1 else "--profile FILE"
        raise CamaError(f"--metadata: found target without a container profile of {missing}, expected {other}")
    bare = next((name for name in targets if not profiles[name].exif.entries), "")
    if bare:
        raise CamaError(
            f"--metadata: found target, and no EXIF in the photographs that the container profile of {bare} was learnt"
            " from, expected none, or --profile FILE"
        )


def _check_target(target: str, header: Header, model: Path) -> None:
    """An error where a model file cannot aim at what `--to` says."""
    if target == AUTO and not header.held_out:
        raise CamaError(
            f"--to: found auto, expected one of {', '.join(header.labels)}: {model} has no judges to choose by"
        )
    if target not in (AUTO, *header.labels):
        known = ", ".join((*header.labels, *([AUTO] if header.held_out else [])))
        raise CamaError(f"--to: found {target!r}, expected one of {known}, which {model} knows")


def _encoding(anonymizer: PhotoAnonymizer) -> str:
    if anonymizer.profile is None:
        return "PNG" if anonymizer.png else "neutral"
    return " ".join(split_name(anonymizer.profile.camera.make, anonymizer.profile.camera.model))


def check_free(out: Path, force: bool) -> None:
    """An error where `out` has no folder, or is a file already and not to be replaced by `force`."""
    if not out.parent.is_dir():
        raise CamaError(f"{out}: found no folder {out.parent}, expected one")
    if out.exists() and not force:
        raise CamaError(f"{out}: there is a file of that name already, expected none without --force")


def _warnings(anonymizer: PhotoAnonymizer, level: float, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Sentences on what is not as the user will expect. `level`: of the changed pixels, in dB, before they are encoded;
    `before` and `after`: what `_attribution` says.
    """
    asked, measured, found = anonymizer.psnr, anonymizer.model.header.psnr, []
    if asked != measured:
        other = f"{measured:g} dB" if measured else "no PSNR held"
        found.append(f"the model was measured with {other}: what its card says does not hold at {asked:g} dB")
    if anonymizer.framing or anonymizer.device_noise:
        found.append("the model was measured on whole photographs as they are, not on cropped, smaller or bent ones")
    held = ", or where it would show" if anonymizer.model.header.headroom else ""
    if asked and level > asked + WEAKER:
        found.append(f"the change is weaker than asked for: {level:.1f} dB, since the generator changes little{held}")
    if after["target"] < MOVED:
        found.append(
            f"it could NOT be moved: {anonymizer.asked} give {anonymizer.target} only {after['target']:.2f}, so others may"
            " know its camera still"
        )
    if after["target"] < before["target"]:
        less = f"{after['target']:.4f} instead of {before['target']:.4f}"
        found.append(f"{anonymizer.asked} give {anonymizer.target} less after than before: {less}")
    return found


def _apply_generator(
    photo: Path | Held, picture: np.ndarray, anonymizer: PhotoAnonymizer, progress: Callable[[int, int], None]
) -> np.ndarray:
    target = anonymizer.model.header.labels.index(anonymizer.target)
    attack = packaged_attack(anonymizer.model, anonymizer.workers)
    changed = attack(picture, target, anonymizer.psnr, progress)
    level = psnr(picture, changed)
    if level < MIN_PSNR:
        raise CamaError(
            f"{photo}: found it changed beyond recognition ({level:.1f} dB), expected a generator that changes little"
        )
    return changed


def _attribution(picture: np.ndarray, anonymizer: PhotoAnonymizer, photo: Path | Held) -> dict[str, Any]:
    """The mean probability of the target by the model file's classifiers, and the results of each of these, of the named ones,
    and of the judges.
    """
    own = attribute(picture, packaged_attributors(anonymizer.model))
    return {
        "target": round(float(np.mean([result["probabilities"][anonymizer.target] for result in own])), 4),
        "model": own,
        "classifiers": attribute(picture, anonymizer.attributors),
        "judges": judged_by_all(picture, anonymizer.judges, photo),
    }


def _rename_new(temporary: Path, out: Path) -> None:
    """Rename a file to `out`; a file of that name, even one made meanwhile, is a FileExistsError and is kept."""
    try:
        out.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # file systems of memory cards have no hard links
        out.open("xb").close()
        try:
            temporary.replace(out)
        except OSError:
            out.unlink()
            raise


def _write(data: bytes, out: Path, force: bool) -> None:
    """Write `out` atomically, with neutral times; another file of that name is replaced only with `force`."""
    temporary = new_file(out.parent, ".", out.suffix or ".jpg")
    try:
        temporary.write_bytes(data)
        if temporary.read_bytes() != data:
            raise CamaError(f"{out}: found other bytes on the disk than were written to it")
        os.utime(temporary, (NEUTRAL_TIME, NEUTRAL_TIME))
        if force:
            temporary.replace(out)
        else:
            _rename_new(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
