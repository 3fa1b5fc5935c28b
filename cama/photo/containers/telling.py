"""The part of `inspect`'s record that tells what another container than a JPEG holds."""

import hashlib
import io
from dataclasses import asdict
from typing import Any

import numpy as np

from cama.jpeg.segments import EOI, SOI, Jpeg, Segment
from cama.photo.containers.container import JFXX, Container
from cama.photo.leaks import TAGS, Leaks


def tell(container: Container, picture: np.ndarray | None, name: str) -> dict[str, Any]:
    """The leaks, thumbnails and parts of a container, whose `picture` (H, W, 3), uint8, its thumbnails are compared with unless
    it is None; errors and faults begin with `name`.
    """
    faults = [f"{name}: {fault}" for fault in container.faults]
    small = _thumbnails(container, faults, name)
    # thumbnails that are no JPEG become one, so that they are compared as all others
    metadata = (*container.metadata, *(Segment(0xE0, JFXX + thumbnail) for thumbnail in small))
    found = Leaks(Jpeg((Segment(SOI), *metadata, Segment(EOI)), container.trailer), picture, name)
    leaks = [leak for leak in found.leaks if leak["where"] != "JFXX"]
    leaks += [{"tells": tells, "where": where, "value": value} for tells, where, value in container.leaks]
    hashes = {hashlib.sha256(thumbnail).hexdigest() for thumbnail in small}
    for thumbnail in found.thumbnails:
        if thumbnail.get("where") == "JFXX" or thumbnail["sha256"] in hashes:
            thumbnail["where"] = container.kind
        thumbnail["offset"] = None  # in the segments above, not in the file
    turned = container.turned and picture is not None  # a size that the thumbnails' boxes fit
    height, width = picture.shape[:2] if turned else (container.height, container.width)
    return {
        "width": width,
        "height": height,
        "container": container.kind,
        "coding": None,
        "segments": [asdict(part) for part in container.parts],
        "trailing_bytes": len(container.trailer),
        "leaks": sorted(leaks, key=lambda leak: list(TAGS).index(leak["tells"])),
        "thumbnails": found.thumbnails,
        "faults": [*faults, *found.faults],
    }


def _thumbnails(container: Container, faults: list[str], name: str) -> list[bytes]:
    """The thumbnails that are no JPEG files, as JPEG files."""
    files = []
    try:
        for image, _ in container.thumbnails():
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, "JPEG", quality=95)
            files.append(buffer.getvalue())
    except Exception as error:  # of a damaged file, a decoder's own
        faults.append(f"{name}: found a thumbnail that cannot be decoded ({' '.join(str(error).split())})")
    return files
