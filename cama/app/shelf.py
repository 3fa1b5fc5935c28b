"""The photographs that a page was given, in memory: what each tells, and what became of it."""

import io
import secrets
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.tolerant import read_tolerant
from cama.models.packaged import load_anonymizer
from cama.photo.anonymize import PhotoAnonymizer, anonymized
from cama.photo.auto import choose_targets, target_of
from cama.photo.decoding import orient, read_srgb
from cama.photo.inspect import Comparison, inspect_with
from cama.photo.previews import find_previews
from cama.photo.records import failure_line
from cama.storage.images import Held

MOST, MOST_BYTES = 200, 2**31  # photographs at a time, and their bytes together
SHOWN = 1600  # pixels of the longer side of a picture on the page
DETAIL = 800  # pixels a side of the part whose change is shown, in its own size
AMPLIFIED = 12  # times that a change is shown
NEUTRAL_DATE = 1980, 1, 1, 0, 0, 0  # the first that a ZIP file can have
WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"


@dataclass
class Picture:
    """A photograph, what `inspect` says of it, and the state of its anonymization: `share` of the work done, and at last the
    bytes and the record of the result, or an error.
    """

    name: str
    photo: Held
    told: dict[str, Any]
    state: str = ""
    share: float = 0.0
    result: bytes = b""
    record: dict[str, Any] = field(default_factory=dict)
    removed: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """What the page shows of it."""
        about = {"id": self.name, "told": self.told, "state": self.state, "share": round(self.share, 3)}
        return {**about, "record": self.record or None, "bytes": len(self.result)}

    def fail(self, fault: Exception) -> None:
        """Say that it could not be changed, and why."""
        self.record = {"error": failure_line(Path(self.photo.name), fault)}
        self.state = FAILED  # last, since whoever sees it reads the record

    def made(self) -> tuple[str, bytes]:
        """The name and the bytes of the result; empty where there is none. A new start puts others in their place."""
        record, result = self.record, self.result
        return (record["output"], result) if self.state == DONE and result and "output" in record else ("", b"")


class Shelf:
    """Photographs by name, of which one at a time is anonymized."""

    def __init__(self, model: Path) -> None:
        self.header = load_anonymizer(model).header
        self._path = model
        self._closing = threading.Event()
        self._pictures: dict[str, Picture] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1)

    def add(self, name: str, data: bytes) -> Picture:
        """Take a photograph; one that `inspect` cannot read is a CamaError."""
        with self._lock:
            held = sum(len(each.photo.data) + len(each.result) for each in self._pictures.values())
            if len(self._pictures) >= MOST:
                raise CamaError(f"{name}: found {len(self._pictures)} photographs here already, remove some first")
            if held + len(data) > MOST_BYTES:
                raise CamaError(f"{name}: found {held} bytes of photographs here already, remove some first")
        photo = Held(name, data)
        picture = Picture(secrets.token_hex(8), photo, inspect_with(photo, Comparison()))
        with self._lock:
            self._pictures[picture.name] = picture
        return picture

    def get(self, name: str) -> Picture:
        """A photograph by its name here."""
        with self._lock:
            if name not in self._pictures:
                raise CamaError("found no such photograph here, expected one that was added")
            return self._pictures[name]

    def remove(self, name: str) -> None:
        """Forget a photograph and its result."""
        picture = self.get(name)
        picture.removed = True
        with self._lock:
            self._pictures.pop(name, None)

    def all(self) -> list[Picture]:
        """Every photograph, in the order in which they came."""
        with self._lock:
            return list(self._pictures.values())

    def start(self, names: list[str], settings: dict[str, Any]) -> None:
        """Anonymize these in the background, by arguments of `PhotoAnonymizer.load`; wrong ones are a CamaError at once."""
        anonymizer = PhotoAnonymizer.load(self._path, **settings)
        pictures = [self.get(name) for name in dict.fromkeys(names)]
        with self._lock:
            busy = next((picture for picture in pictures if picture.state in (WAITING, WORKING)), None)
            if busy:
                raise CamaError(f"{busy.photo}: it is being worked on already")
            for picture in pictures:
                picture.state, picture.share, picture.result, picture.record = WAITING, 0.0, b"", {}
        self._worker.submit(self._run, pictures, anonymizer)

    def _run(self, pictures: list[Picture], anonymizer: PhotoAnonymizer) -> None:
        choices: dict[Any, Any] = {}
        if anonymizer.target is None:
            try:
                choices = choose_targets([picture.photo for picture in pictures], anonymizer.model, anonymizer.psnr)
            except Exception as fault:  # of a network of the model file, so that none can be changed
                for picture in pictures:
                    picture.fail(fault)
                return
        for picture in pictures:
            if not (picture.removed or self._closing.is_set()):
                self._make(picture, anonymizer, choices.get(picture.photo))

    def _make(self, picture: Picture, anonymizer: PhotoAnonymizer, choice: dict[str, Any] | None) -> None:
        picture.state = WORKING

        def progress(done: int, total: int) -> None:
            if picture.removed or self._closing.is_set():
                raise CamaError(f"{picture.photo}: it is no longer wanted")
            picture.share = done / total

        try:
            target = target_of(picture.photo, choice, anonymizer.target)
            name = f"picture-{picture.name}.{'png' if anonymizer.png else 'jpg'}"
            made = anonymized(picture.photo, name, anonymizer.towards(target), progress, choice)
            picture.result, picture.record = made
            picture.state = DONE  # last, since whoever sees it reads the others
        except Exception as fault:  # any error of one photograph must not stop the others
            picture.fail(fault)

    def archive(self) -> bytes:
        """All results in a ZIP file whose entries have neutral names and times."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for name, data in (picture.made() for picture in self.all()):
                if data:
                    file.writestr(zipfile.ZipInfo(name, NEUTRAL_DATE), data)
        return buffer.getvalue()

    def close(self) -> None:
        """Begin no other work, and end what was begun at its next part."""
        self._closing.set()
        self._worker.shutdown(wait=False, cancel_futures=True)


def view(picture: Picture, what: str) -> bytes:
    """A JPEG for the page: the photograph `before` or `after`, or the `difference` in the middle of it, amplified."""
    if what == "before":
        stored, orientation, _ = read_srgb(picture.photo)
        return _shown(np.ascontiguousarray(orient(stored, orientation)))
    _, data = picture.made()
    if not data:
        raise CamaError("found no result yet, expected an anonymized photograph")
    after = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    if what == "after":
        return _shown(after)
    stored, orientation, _ = read_srgb(picture.photo)
    before = orient(stored, orientation)
    if before.shape != after.shape:
        raise CamaError("found a cropped or smaller picture, whose difference cannot be shown")
    rows, columns = (slice(max(0, (length - DETAIL) // 2), (length + DETAIL) // 2) for length in after.shape[:2])
    change = after[rows, columns].astype(np.int16) - before[rows, columns]
    return _encoded(np.clip(128 + AMPLIFIED * change, 0, 255).astype(np.uint8))


def thumbnail(picture: Picture, number: int) -> bytes:
    """A JPEG of a picture that is hidden in the photograph's file, by its number."""
    found = find_previews(read_tolerant(picture.photo.data, picture.photo.name).jpeg)
    image = found[number].read() if 0 <= number < len(found) else None
    if image is None:
        raise CamaError("found no such picture in the file")
    return _encoded(image.pixels)


def _shown(picture: np.ndarray) -> bytes:
    image = Image.fromarray(picture)
    image.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _encoded(np.asarray(image))


def _encoded(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
