"""A camera model's container profile: how its JPEG files are built, with how often each trait was seen."""

from typing import Annotated, Any, Literal

from pydantic import Field

from cama.jpeg.coding import Coding, describe
from cama.jpeg.segments import Jpeg
from cama.settings.spec import Spec

Table = Annotated[list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=64, max_length=64)]


class Camera(Spec):
    """As EXIF names it."""

    make: str
    model: str


class Traits(Spec):
    """The traits of a coding that a firmware decides: what `coding.describe` gives."""

    process: str
    precision: int
    components: list[list[int]]
    subsampling: str
    quantisation: dict[str, Table]
    huffman: Literal["standard", "own"]
    restart_interval: int = Field(ge=0, le=65535)
    scans: list[list[Any]]


class SeenTraits(Spec):
    """A coding, and how many photographs have it."""

    count: int
    value: Traits


class SeenSegments(Spec):
    """The names of a file's segments in their order, and how many photographs have them."""

    count: int
    value: list[str]


class SeenSize(Spec):
    """Width and height in pixels, as stored, and how many photographs have them."""

    count: int
    value: tuple[int, int]


class SeenOrder(Spec):
    """A byte order of EXIF, and how many photographs have it."""

    count: int
    value: Literal["little", "big"]


class SeenEntry(Spec):
    """An entry of EXIF, and how many photographs have it. `value`, where it is the firmware's own and always the same: text, a
    number, a pair for a rational, a list of these, or bytes as hexadecimal text; else None.
    """

    group: str
    tag: int = Field(ge=0, le=65535)
    type: int = Field(ge=1, le=65535)
    name: str
    count: int
    value: Any = None


class ExifStyle(Spec):
    """What EXIF a camera writes."""

    byte_order: list[SeenOrder] = Field(min_length=1)
    entries: list[SeenEntry]


class Profile(Spec):
    """How a camera model builds its files; of each trait the most frequent value comes first."""

    kind: Literal["container profile"] = "container profile"
    version: Literal[1] = 1
    camera: Camera
    photographs: int
    codings: list[SeenTraits] = Field(min_length=1)
    segments: list[SeenSegments] = Field(min_length=1)
    dimensions: list[SeenSize] = Field(min_length=1)
    exif: ExifStyle

    @property
    def coding(self) -> dict[str, Any]:
        """The most frequent traits of the coding."""
        return self.codings[0].value.model_dump()

    @property
    def order(self) -> list[str]:
        """The most frequent order of segments."""
        return self.segments[0].value


def match_profile(jpeg: Jpeg, coding: Coding, profile: Profile) -> dict[str, bool]:
    """Which traits of a file this camera model's photographs share: `quantisation`, `subsampling`, `huffman`, `segments`,
    `dimensions` (either way round).
    """
    own = describe(coding)
    codings = [entry.value.model_dump() for entry in profile.codings]
    sizes = [sorted(entry.value) for entry in profile.dimensions]
    orders = [entry.value for entry in profile.segments]
    return {
        **{
            trait: any(other[trait] == own[trait] for other in codings)
            for trait in ("quantisation", "subsampling", "huffman")
        },
        "segments": [segment.name for segment in jpeg.segments] in orders,
        "dimensions": sorted([coding.width, coding.height]) in sizes,
    }
