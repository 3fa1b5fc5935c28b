"""Settings of the photographs: which, whose, and what is cut from them."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from cama.alignment import MCU
from cama.settings.spec import Spec, without_null

MODEL = re.compile(r"\w[\w .,+()-]*_[\w .,+()-]+")  # it becomes a folder's name and a wildcard of Snakemake
Role = Literal["adversary", "examiner", "test", "examiner_outdist", "test_outdist"]


class DatasetSpec(Spec):
    """Which photographs."""

    kind: Literal["simulated", "dresden", "vision", "spcup2018", "folder"] = Field(
        "simulated", description="simulated cameras, or photographs in a folder, named by the convention of a data set"
    )
    root: str = Field("", description="that folder, searched with its subfolders")
    broken: Literal["error", "skip"] = Field("error", description="what to do with a photograph that cannot be read")


class ModelsSpec(Spec):
    """Camera models, by name (`Make_Model`), in the order of their labels."""

    in_distribution: tuple[str, ...] = Field((), description="models that G knows and aims at")
    out_of_distribution: tuple[str, ...] = Field((), description="models that G does not know")

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

    catalogue_seed: int = Field(1, ge=0, description="draws the camera models")
    width: int = Field(640, ge=64, multiple_of=16, description="pixels")
    height: int = Field(640, ge=64, multiple_of=16, description="pixels")
    devices_in: int = Field(5, ge=1, description="devices of each in-distribution model")
    devices_out: int = Field(3, ge=1, description="devices of each out-of-distribution model")
    photographs: int = Field(40, ge=1, description="of each in-distribution device, tests included")
    photographs_outdist: int = Field(12, ge=1, description="of each out-of-distribution device that trains")


class DevicesIn(Spec):
    """Devices of in-distribution models."""

    adversary: tuple[int, ...] = Field((0, 1), min_length=1, description="devices whose photographs the adversary owns")
    examiner: tuple[int, ...] = Field((2, 3), min_length=1, description="devices whose photographs the examiner owns")
    test: tuple[int, ...] = Field((4,), min_length=1, description="devices whose photographs are attacked")


class DevicesOut(Spec):
    """Devices of out-of-distribution models."""

    examiner: tuple[int, ...] = Field((0, 1), description="for the examiner's expanded label set")
    test: tuple[int, ...] = Field((2,), min_length=1, description="devices whose photographs are attacked")


class SplitSpec(Spec):
    """Who owns which photographs."""

    policy: Literal["device", "device+scene", "image"] = Field(
        "device", description="what no two roles may share; `image` lets a device named twice divide its photographs"
    )
    in_distribution: DevicesIn = DevicesIn()
    out_of_distribution: DevicesOut = DevicesOut()
    validation: float = Field(0.1, ge=0, lt=1, description="share of a training role's photographs held out")
    expected: Annotated[dict[Role, int], BeforeValidator(without_null)] = Field(
        {}, description="how many photographs a role should have, by role; another count ends the run"
    )


class PatchesSpec(Spec):
    """What is cut from a photograph."""

    size: int = Field(64, ge=16, description="side of a training patch")
    crop: int = Field(
        512,
        multiple_of=MCU,
        gt=0,
        description="side of a crop; patches lie on its grid, tests are scored on it whole",
    )
    crops: int = Field(1, ge=1, description="crops a photograph, at most, on a centred grid")
    phase: Literal["aligned", "random"] = Field(
        "aligned", description="crop origins on multiples of 16 pixels, or anywhere"
    )
