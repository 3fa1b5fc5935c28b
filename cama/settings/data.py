"""Settings of the photographs: the data set, its split, and the crops and patches cut from them."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from cama import plugins
from cama.alignment import MCU
from cama.core.errors import CamaError
from cama.settings.spec import Spec, registered, without_null

MODEL = re.compile(r"\w[\w .,+()-]*_[\w .,+()-]+")  # it becomes a folder's name and a wildcard of Snakemake
Role = Literal["adversary", "examiner", "test", "examiner_outdist", "test_outdist"]


NETWORKS = ("facebook", "instagram", "telegram", "twitter", "whatsapp")  # whose copies of its photographs Forchheim has
CONVENTION_NAMES = ("simulated", "dresden", "vision", "spcup2018", "forchheim")
CONVENTION_NAMES += (*(f"forchheim_{name}" for name in NETWORKS), "floreview", "daxing", "folder")


class DatasetSpec(Spec):
    """The photographs."""

    kind: registered(plugins.CONVENTIONS, *CONVENTION_NAMES) = Field(
        "simulated",
        description="`simulated` cameras, or the naming convention of the photographs: "
        + ", ".join(f"`{name}`" for name in CONVENTION_NAMES[1:]),
    )
    root: str = Field(
        "", description="folder of the photographs, searched with its subfolders; empty for simulated cameras"
    )
    originals: str = Field(
        "",
        description="folder of whole photographs, for container profiles where those of `root` are crops or have"
        " lost their EXIF; each is of the model that its EXIF names",
    )
    broken: Literal["error", "skip"] = Field(
        "error",
        description="`error` ends the run at a photograph that is unreadable or too small, `skip` leaves it out",
    )
    one_body: bool = Field(
        False,
        description="whether a model's devices are parts of the photographs of one body; the report then speaks of body and"
        " outing, not of the model",
    )

    @property
    def described(self) -> str:
        """The convention, and what a reader of a model's card must know beside."""
        return f"{self.kind}, one body a model" if self.one_body else self.kind


class ModelsSpec(Spec):
    """Camera models, by name (`Make_Model`), in the order of their labels."""

    in_distribution: tuple[str, ...] = Field((), description="models that G is trained on and that are its targets")
    out_of_distribution: tuple[str, ...] = Field((), description="models that G is not trained on")

    @model_validator(mode="after")
    def _distinct(self) -> "ModelsSpec":
        names = self.in_distribution + self.out_of_distribution
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"found {repeated[0]!r} more than once, expected each camera model once")
        for name in names:
            if not MODEL.fullmatch(name):
                raise ValueError(
                    f"found the name {name!r}, expected Make_Model as in file names, of letters, digits, spaces and . , + - ( )"
                )
        if len(self.in_distribution) < 2:
            raise ValueError(f"found {len(self.in_distribution)} models in_distribution, expected at least 2")
        return self


class SimulationSpec(Spec):
    """The simulated cameras."""

    catalogue_seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (1,),
        min_length=1,
        description="seed from which the camera models are drawn; with several the experiment is made on each catalogue of"
        " cameras, in `catalogue-SEED` of the results' folder, and joined tables say what holds over all",
    )
    width: int = Field(640, ge=64, multiple_of=16, description="width of a photograph in pixels")
    height: int = Field(640, ge=64, multiple_of=16, description="height of a photograph in pixels")
    devices_in: int = Field(5, ge=1, description="number of devices of each in-distribution model")
    devices_out: int = Field(3, ge=1, description="number of devices of each out-of-distribution model")
    photographs: int = Field(40, ge=1, description="photographs of each in-distribution device and of each test device")
    photographs_outdist: int = Field(
        12, ge=1, description="photographs of each out-of-distribution device that classifiers train on"
    )
    scenes: str = Field(
        "",
        description="folder of photographs that serve as scenes, searched with its subfolders: at least one for each device,"
        " with sides of 6 times `width` and `height` or more; empty for drawn scenes",
    )

    def devices(self, models: ModelsSpec) -> list[tuple[str, int]]:
        """Model and number of each device, in the order of the models."""
        inside, outside = models.in_distribution, models.out_of_distribution
        counted = [*((name, self.devices_in) for name in inside), *((name, self.devices_out) for name in outside)]
        return [(name, device) for name, count in counted for device in range(count)]

    @property
    def catalogue_seed(self) -> int:
        """The seed of the only catalogue; CamaError where there are several, since a stage works on one."""
        if len(self.catalogue_seeds) > 1:
            raise CamaError(f"simulation.catalogue_seeds: found {list(self.catalogue_seeds)}, expected one in a stage")
        return self.catalogue_seeds[0]


class DevicesIn(Spec):
    """Devices of in-distribution models."""

    adversary: tuple[int, ...] = Field((0, 1), min_length=1, description="devices whose photographs the adversary owns")
    examiner: tuple[int, ...] = Field((2, 3), min_length=1, description="devices whose photographs the examiner owns")
    test: tuple[int, ...] = Field((4,), min_length=1, description="devices whose photographs are attacked")


class DevicesOut(Spec):
    """Devices of out-of-distribution models."""

    examiner: tuple[int, ...] = Field(
        (0, 1), description="devices whose photographs the examiner trains classifiers with expanded labels on"
    )
    test: tuple[int, ...] = Field((2,), min_length=1, description="devices whose photographs are attacked")


class SplitSpec(Spec):
    """The division of the photographs among the roles."""

    policy: Literal["device", "device+scene", "scene", "image"] = Field(
        "device",
        description="what no two roles may share. With `scene` and `image` several roles may name one device and divide its"
        " photographs; with `scene` all devices are divided by the same scenes",
    )
    in_distribution: DevicesIn = DevicesIn()
    out_of_distribution: DevicesOut = DevicesOut()
    validation: float = Field(
        0.1, ge=0, lt=1, description="share of the photographs of a training role that is held out, 0 to 1"
    )
    most: Annotated[dict[Role, Annotated[int, Field(ge=1)]], BeforeValidator(without_null)] = Field(
        {},
        description="most photographs of each camera model that a role takes; a role that is not named takes all",
    )
    expected: Annotated[dict[Role, int], BeforeValidator(without_null)] = Field(
        {}, description="number of photographs expected of each role; another number is an error"
    )


class PatchesSpec(Spec):
    """The crops of a photograph, and their patches."""

    size: int = Field(64, ge=16, description="side of a training patch in pixels")
    crop: int = Field(
        512,
        multiple_of=MCU,
        gt=0,
        description="side of a crop in pixels, a multiple of `size`; training crops are cut into patches, test crops are not",
    )
    margin: int = Field(
        0,
        ge=0,
        multiple_of=MCU,
        description="pixels beside a test crop, on each side, that attack and save see too: the crop is then cut from the"
        " decoded file, at a random place; at 0 they see the crop alone",
    )
    crops: int = Field(1, ge=1, description="most crops of a photograph, on a centred grid")
    phase: Literal["aligned", "random"] = Field(
        "aligned",
        description="origins of the crops: multiples of 16 pixels (`aligned`), or any pixel (`random`), which needs photographs"
        " of 16 pixels more a side",
    )

    @property
    def window(self) -> int:
        """The side of what attack and save see of a test photograph, in pixels."""
        return self.crop + 2 * self.margin
