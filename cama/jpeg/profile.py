"""A camera model's container profile: how its JPEG files are built, and how often each trait was seen."""

from typing import Annotated, Any, Literal

from pydantic import Field

from cama.jpeg.coding import Coding, describe
from cama.jpeg.segments import Jpeg
from cama.settings.spec import Spec

HuffmanName = Annotated[str, Field(pattern="^[DA]C[0-3]$")]
HuffmanText = Annotated[str, Field(pattern="^([0-9a-f]{2}){16,272}$")]
Content = Annotated[str, Field(pattern=r"^(DQT( [0-3](/16)?)*|DHT( [DA]C[0-3])*|SOF[0-9]+|DRI|SOS)$")]
Table = Annotated[list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=64, max_length=64)]
TRAITS = ("quantisation", "subsampling", "huffman", "components", "restart_interval", "layout")  # that are compared


class Camera(Spec):
    """Make and model as EXIF has them."""

    make: str
    model: str


class Traits(Spec):
    """The traits of a coding that a camera's firmware decides, as `coding.describe` gives them."""

    process: str
    precision: int
    components: list[Annotated[list[int], Field(min_length=4, max_length=4)]]
    subsampling: str
    quantisation: dict[str, Table]
    huffman: Literal["standard", "own"] | dict[HuffmanName, HuffmanText]
    restart_interval: int = Field(ge=0, le=65535)
    scans: list[list[Any]]
    layout: list[Content] = Field(min_length=1)


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
    """An entry of EXIF, and how many photographs have it. `value` is None unless the firmware sets it to the same value in
    all photographs: text, a number, a pair for a rational, a list of these, or bytes as hexadecimal text.
    """

    group: str
    tag: int = Field(ge=0, le=65535)
    type: int = Field(ge=1, le=65535)
    name: str
    count: int
    value: Any = None


class ExifStyle(Spec):
    """The EXIF that a camera writes: its byte orders and entries."""

    byte_order: list[SeenOrder] = Field(min_length=1)
    entries: list[SeenEntry]


class Profile(Spec):
    """How a camera model builds its files. The most frequent value of each trait comes first."""

    kind: Literal["container profile"] = "container profile"
    version: Literal[2] = 2
    camera: Camera
    photographs: int
    left_out: int = 0  # photographs that were no such camera's, or edited or damaged
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
        """The most frequent order of segments in which those of the coding stand as in the most frequent coding."""
        return self.order_of(self.codings[0].value)

    def order_of(self, traits: Traits) -> list[str]:
        """The most frequent order of segments in which those of the coding stand as in `traits`."""
        layout = [part.split()[0] for part in traits.layout]
        fitting = (entry.value for entry in self.segments if [name for name in entry.value if name in layout] == layout)
        return next(fitting, self.segments[0].value)


def match_profile(jpeg: Jpeg, coding: Coding, profile: Profile) -> dict[str, bool]:
    """For each trait of a file whether photographs of the profile have the same: `quantisation`, `subsampling`, `huffman`,
    `components` (their identifiers and quantisation tables), `restart_interval`, `layout` (which tables each segment holds),
    `segments` and `dimensions` (in either orientation).
    """
    own = describe(coding)
    codings = [entry.value.model_dump() for entry in profile.codings]
    for traits in (own, *codings):
        traits["components"] = [[identifier, table] for identifier, _, _, table in traits["components"]]
    sizes = [sorted(entry.value) for entry in profile.dimensions]
    orders = [entry.value for entry in profile.segments]
    return {
        **{trait: any(other[trait] == own[trait] for other in codings) for trait in TRAITS},
        "segments": [segment.name for segment in jpeg.segments] in orders,
        "dimensions": sorted([coding.width, coding.height]) in sizes,
    }
