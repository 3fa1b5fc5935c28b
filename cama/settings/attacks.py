"""Settings of the attacks and of their measurement."""

from typing import Literal

from pydantic import Field, model_validator

from cama.settings.spec import Named, Spec

GRADIENT_KINDS = ("fgsm", "pgd", "mi_fgsm")
# What the strength of a kind means, and the values that it can take.
STRENGTHS = {
    "jpeg": ("quality of the JPEG save", 1, 100),
    "median": ("side of the window in pixels, odd", 3, 15),
    "noise": ("standard deviation in grey levels", 0.3, 64),
    "denoise": ("standard deviation of the noise to remove, in grey levels", 0.1, 64),
    "resample": ("scale of the picture between down and up", 0.1, 0.99),
}


class MethodSpec(Spec):
    """An attack."""

    kind: Literal["identity", "oracle", "remosaic", *STRENGTHS, "learned", *GRADIENT_KINDS] = Field(
        "identity", description="what it does; `oracle` needs simulated cameras"
    )
    strength: float = Field(
        0, allow_inf_nan=False, description="; ".join(f"`{kind}`: {text}" for kind, (text, *_) in STRENGTHS.items())
    )
    generator: str = Field("", description="of the adversary's generators, by name (`learned`)")
    evaluators: tuple[str, ...] = Field((), description="of the adversary's classifiers, by name (gradient attacks)")
    match: str = Field("", description="the method whose PSNR bounds the perturbation (gradient attacks)")
    steps: int = Field(10, ge=1, description="of `pgd` and `mi_fgsm`")
    photographs: int = Field(0, ge=0, description="instead of `attack.photographs`; 0 for that")

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
        for name, kinds in (("generator", ("learned",)), ("evaluators", GRADIENT_KINDS), ("match", GRADIENT_KINDS)):
            value = getattr(self, name)
            if bool(value) != (self.kind in kinds):
                raise ValueError(
                    f"{name}: found {value or 'nothing'}, expected {'one' if not value else 'none'} for {self.kind}"
                )
        return self

    @property
    def gradient(self) -> bool:
        """Whether it follows E's gradients on each picture."""
        return self.kind in GRADIENT_KINDS

    @property
    def targeted(self) -> bool:
        """Whether there is another picture for each target label."""
        return self.kind in ("learned", "oracle", *GRADIENT_KINDS)


class AttackSpec(Spec):
    """What the test photographs suffer."""

    photographs: int = Field(0, ge=0, description="attack at most so many of each camera model; 0 for all")
    methods: Named[MethodSpec] = Field({}, description="attacks by name; `identity` is the untouched photograph")


class EvaluationSpec(Spec):
    """How attacks are scored."""

    saves: tuple[str, ...] = Field(
        ("png",), min_length=1, description="how a picture is saved before it is scored: `png`, or `jpeg` and a quality"
    )
    patches: bool = Field(False, description="score the crop's patches one by one too")
    lpips: str = Field("", description="file of torchvision's AlexNet weights, for a column LPIPS; empty for none")
    lpips_sha256: str = Field(
        "7be5be79", pattern="^[0-9a-f]{8,64}$", description="the SHA-256 of that file, or how it begins"
    )

    @model_validator(mode="after")
    def _known_saves(self) -> "EvaluationSpec":
        for save in self.saves:
            if save not in ("png", *(f"jpeg{quality}" for quality in range(1, 101))):
                raise ValueError(f"saves: found {save!r}, expected 'png', or 'jpeg' and a quality such as 'jpeg85'")
        if self.saves[0] != "png" or len(set(self.saves)) < len(self.saves):
            raise ValueError(f"saves: found {list(self.saves)}, expected 'png' first and each save once")
        return self


class TablesSpec(Spec):
    """Statistics of the tables."""

    resamples: int = Field(1000, ge=100, description="bootstrap resamples of the source photographs")
    baseline: str = Field("", description="the method with which the others are compared, photograph by photograph")


class PlotsSpec(Spec):
    """Looks of the plots."""

    dpi: int = Field(110, ge=50, description="dots an inch")
    samples: int = Field(3, ge=1, description="photographs in a sample grid")
    amplify: float = Field(8.0, gt=0, description="how much a sample grid amplifies differences")
    methods: tuple[str, ...] = Field(
        (), description="methods with sample grids, confusion matrices and success by label"
    )


class ControlSpec(Spec):
    """Controls against misleading oneself."""

    random_phase: str = Field("", description="name of the classifier that is trained again on random crop phases")
