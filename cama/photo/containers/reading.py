"""Which container a file has, by its first bytes."""

from cama.core.errors import CamaError
from cama.photo.containers.container import Container
from cama.photo.containers.heif import read_heif
from cama.photo.containers.png import SIGNATURE, read_png
from cama.photo.containers.tiff import read_tiff
from cama.photo.containers.webp import read_webp
from cama.photo.inputs import BRANDS

# The first bytes of files that are not read.
OTHERS = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"FUJIFILMCCD-RAW": "raw",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"<svg": "SVG",
    b"\x1aE\xdf\xa3": "video",
}


def read_container(data: bytes, name: str) -> Container | None:
    """The container of a PNG, WebP, TIFF, HEIC or AVIF file, whatever its name ends in; None for JPEGs and what may be damaged
    ones. Other known formats are an error that begins with `name`.
    """
    other = next((kind for start, kind in OTHERS.items() if data.startswith(start)), None)
    brands = {data[at : at + 4] for at in range(8, min(len(data), 64), 4)} if data[4:8] == b"ftyp" else set()
    if brands and not brands & BRANDS:
        other = "raw" if b"crx " in brands else "video"
    if other:
        raise CamaError(f"{name}: found a {other} file, expected JPEG, PNG, WebP, TIFF, HEIC or AVIF: convert it first")
    if data.startswith(SIGNATURE):
        return read_png(data, name)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return read_webp(data, name)
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return read_tiff(data, name)
    if brands:
        return read_heif(data, name)
    return None
