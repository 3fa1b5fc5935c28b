"""Settings of the attacks and of their measurement."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from cama import plugins
from cama.settings.spec import Named, Spec, registered

GRADIENT_KINDS = ("fgsm", "pgd", "mi_fgsm")
# What the strength of a kind means, and the values that it can take.
STRENGTHS = {
    "jpeg": ("quality of the JPEG save", 1, 100),
    "median": ("side of the window in pixels, odd", 3, 15),
    "noise": ("standard deviation in grey levels", 0.3, 64),
    "denoise": ("standard deviation of the noise to remove, in grey levels", 0.1, 64),
    "resample": ("scale of the picture between down and up", 0.1, 0.99),
}


KINDS = ("identity", "oracle", "folder", "remosaic", *STRENGTHS, "spectrum", "purify", "learned", *GRADIENT_KINDS)
LEVELS = (20, 60)  # dB that may be asked for


def checked_level(value: float) -> float:
    """A PSNR that may be asked for; another is a ValueError."""
    low, high = LEVELS
    if value != 0 and not low <= value <= high:
        raise ValueError(f"found {value:g}, expected the PSNR in dB, {low} to {high}, or 0")
    return value


Level = Annotated[float, AfterValidator(checked_level)]  # PSNR to which the change of a G is scaled, or 0


class MethodSpec(Spec):
    """An attack."""

    kind: registered(plugins.ATTACKS, *KINDS) = Field(
        "identity",
        description=f"the kind of attack, one of {', '.join(KINDS)}; `oracle` needs simulated cameras, `folder` has pictures"
        " that another program attacked",
    )
    strength: float = Field(
        0, allow_inf_nan=False, description="; ".join(f"`{kind}`: {text}" for kind, (text, *_) in STRENGTHS.items())
    )
    folder: str = Field("", description="folder of those pictures, with `pairs.csv` (`folder`)")
    generator: str = Field("", description="name of one of the adversary's generators (`learned`)")
    evaluators: tuple[str, ...] = Field(
        (),
        description="names of the adversary's classifiers (gradient attacks); those of the generator's E by which pictures are"
        " refined, none for all of them (`learned`)",
    )
    steps: int = Field(10, ge=1, description="number of steps of `pgd` and `mi_fgsm`")
    refine: int = Field(
        0,
        ge=0,
        description="number of gradient steps, on classifiers of the generator's E in turn, that go on from G's picture"
        " (`learned` with a `psnr`); 0 for none",
    )
    psnr: float = Field(
        0,
        allow_inf_nan=False,
        description="PSNR in dB, in 8 bits, to which each picture's change is scaled (`purify`, `spectrum`, gradient attacks,"
        " `learned`; there 0 leaves it as G makes it). A change is enlarged at most fourfold: where that, or `headroom`, does"
        " not suffice, it stays weaker",
    )
    headroom: float = Field(
        0,
        ge=0,
        le=20,
        allow_inf_nan=False,
        description="how many dB more G's change of any region of 16x16 pixels may have than the PSNR asks on average; what"
        " varies over more than about 32 pixels is taken out of it (`learned` with a `psnr`). 0 leaves it where G makes it",
    )
    source: Literal["known", "unknown"] = Field(
        "known",
        description="whether the filter leads from the spectrum of the photograph's own camera model, where that is a target,"
        " or always from the mean of all targets (`spectrum`)",
    )
    auto: bool = Field(
        False,
        description="whether the photographs of a camera are changed towards one target alone, which the generator's judges"
        " choose (`learned`)",
    )
    options: dict[str, Any] = Field({}, description="settings of an attack from another package")
    photographs: int = Field(0, ge=0, description="this method's own `attack.photographs`; 0 to use that")

    @model_validator(mode="after")
    def _complete(self) -> "MethodSpec":
        if self.kind in STRENGTHS:
            text, low, high = STRENGTHS[self.kind]
            if not low <= self.strength <= high:
                raise ValueError(f"strength: found {self.strength:g}, expected the {text}, {low} to {high}")
            if self.kind in ("jpeg", "median") and self.strength != int(self.strength):
                raise ValueError(f"strength: found {self.strength:g}, expected the {text}, a whole number")
            if self.kind == "median" and self.strength % 2 == 0:
                raise ValueError(f"strength: found {self.strength:g}, expected the {text}")
        elif self.strength:
            raise ValueError(f"strength: found {self.strength:g}, but {self.kind} has none")
        if self.options and self.kind in KINDS:
            raise ValueError(f"options: found some, but {self.kind} has none")
        self._check_psnr()
        refined = ("learned",) if self.refine and self.evaluators else ()
        kinds = {"folder": ("folder",), "generator": ("learned",), "evaluators": (*GRADIENT_KINDS, *refined)}
        for name, having in kinds.items():
            value = getattr(self, name)
            if bool(value) != (self.kind in having):
                found = ", ".join(map(str, value)) if isinstance(value, tuple) else value
                expected = "none" if value else "a name"
                raise ValueError(f"{name}: found {found or 'nothing'}, expected {expected} for {self.kind}")
        return self

    def _check_psnr(self) -> None:
        low, high = LEVELS
        if self.kind not in ("spectrum", "purify", "learned", *GRADIENT_KINDS):
            if self.psnr:
                raise ValueError(f"psnr: found {self.psnr:g}, but {self.kind} has none")
        elif not low <= self.psnr <= high and (self.psnr or self.kind != "learned"):
            other = ", or 0" if self.kind == "learned" else ""
            raise ValueError(f"psnr: found {self.psnr:g}, expected the PSNR in dB, {low} to {high}{other}")
        if self.auto and self.kind != "learned":
            raise ValueError(f"auto: found true, but {self.kind} has no judges")
        for name in ("refine", "headroom"):
            value = getattr(self, name)
            if value and not (self.kind == "learned" and self.psnr):
                raise ValueError(f"{name}: found {value:g}, expected 0 unless it is `learned` and has a psnr")
        if self.kind != "spectrum" and self.source == "unknown":
            raise ValueError(f"source: found 'unknown', but {self.kind} knows no source")

    @property
    def gradient(self) -> bool:
        """Whether it follows E's gradients on each picture."""
        return self.kind in GRADIENT_KINDS

    @property
    def uses_networks(self) -> bool:
        """Whether it computes with networks of the adversary."""
        return bool(self.generator or self.evaluators) or self.kind == "purify"

    @property
    def targeted(self) -> bool:
        """Whether there is another picture for each target label."""
        if self.kind not in KINDS:
            return bool(getattr(plugins.load(plugins.ATTACKS, self.kind), "targeted", False))
        return self.kind in ("learned", "oracle", "folder", "spectrum", *GRADIENT_KINDS)


NAMED_SAVES = ("png", "target", "neutral", "upload")


class AttackSpec(Spec):
    """How the test photographs are attacked."""

    photographs: int = Field(0, ge=0, description="most photographs of each camera model that are attacked; 0 for all")
    methods: Named[MethodSpec] = Field({}, description="attacks by name; `identity` is the untouched photograph")


class EvaluationSpec(Spec):
    """How attacks are scored."""

    saves: tuple[str, ...] = Field(
        ("png",),
        min_length=1,
        description="how a picture is saved before it is scored: `png`, `jpeg` with a quality, `target` (as the target camera"
        " writes it), `neutral` (as `cama anonymize` writes it without a profile) or `upload` (at two thirds, JPEG 80);"
        " `png` is one of them, and the first is that of the plots and of the report's headline",
    )
    patches: bool = Field(False, description="whether the patches of a crop are also scored one by one")
    lpips: str = Field(
        "", description="file of torchvision's AlexNet weights, with which LPIPS is measured; empty to leave LPIPS out"
    )
    lpips_sha256: str = Field(
        "7be5be79", pattern="^[0-9a-f]{8,64}$", description="the SHA-256 of that file, or at least its first 8 digits"
    )

    @model_validator(mode="after")
    def _known_saves(self) -> "EvaluationSpec":
        for save in self.saves:
            if save not in (*NAMED_SAVES, *(f"jpeg{quality}" for quality in range(1, 101))):
                named = ", ".join(map(repr, NAMED_SAVES))
                raise ValueError(f"saves: found {save!r}, expected {named}, or 'jpeg' and a quality such as 'jpeg85'")
        if "png" not in self.saves or len(set(self.saves)) < len(self.saves):
            raise ValueError(f"saves: found {list(self.saves)}, expected 'png' among them and each save once")
        return self

    @property
    def delivery(self) -> str:
        """How attacked pictures are saved that detectors and informed classifiers see: as they are delivered."""
        return "target" if "target" in self.saves else "png"


class TablesSpec(Spec):
    """Statistics of the tables."""

    resamples: int = Field(1000, ge=100, description="number of bootstrap resamples of the source photographs")
    baseline: str = Field(
        "", description="method that the others are compared with, photograph by photograph; empty for none"
    )
    claim: bool = Field(
        False,
        description="whether the joined tables are to support a claim: fewer than six `simulation.catalogue_seeds` are then an"
        " error",
    )


class CardSpec(Spec):
    """What the cards of model files say beside what was measured."""

    credits: str = Field("", description="who took the photographs that they were trained on, and under which licences")
    licence: str = Field("", description="under which licence the model files are given away; empty for nothing said")
    names: dict[str, list[str]] = Field(
        {},
        description="other models, as EXIF has them, that the camera of a label is sold as: `--to auto` must know them",
    )


class PlotsSpec(Spec):
    """The plots."""

    dpi: int = Field(110, ge=50, description="resolution in dots per inch")
    samples: int = Field(3, ge=1, description="number of photographs in a sample grid")
    amplify: float = Field(8.0, gt=0, description="factor by which a sample grid amplifies differences")
    methods: tuple[str, ...] = Field(
        (), description="methods of which there are sample grids, traces, confusion matrices and success by label"
    )
