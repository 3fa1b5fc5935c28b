"""Which container a file has, by its first bytes."""

from cama.photo.containers.container import Container
from cama.photo.containers.heif import BRANDS, read_heif
from cama.photo.containers.png import SIGNATURE, read_png
from cama.photo.containers.tiff import read_tiff
from cama.photo.containers.webp import read_webp


def read_container(data: bytes, name: str) -> Container | None:
    """The container of a PNG, WebP, TIFF or HEIF file, whatever its name ends in; None for all others, JPEGs among them."""
    if data.startswith(SIGNATURE):
        return read_png(data, name)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return read_webp(data, name)
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return read_tiff(data, name)
    if data[4:8] == b"ftyp" and any(data[at : at + 4] in BRANDS for at in range(8, min(len(data), 64), 4)):
        return read_heif(data, name)
    return None
