"""Settings of the networks."""

from typing import Literal

from pydantic import Field, model_validator

from cama import plugins
from cama.settings.spec import Odd, Spec, registered

SIGNALS = (
    "rgb",
    "con_conv",
    "finite_difference",
    "fixed_hpf",
    "rgb+con_conv",
    "rgb+finite_difference",
    "rgb+fixed_hpf",
)
WITH_ESTIMATOR = ("prnu_lp", "prnu_lp_low")  # these need the owner's estimator
FRONTEND_NAMES = (*SIGNALS, *WITH_ESTIMATOR)
ARCHITECTURE_NAMES = (
    *("small", "resnet18", "resnet34", "resnet50", "vgg11", "vgg13", "vgg16", "vgg19"),
    *("densenet40", "densenet100", "mislnet", "convnext"),
)
NON_NEURAL = ("cooccurrences", "numbers")


class BodySpec(Spec):
    """An image-to-image network."""

    features: int = Field(64, ge=1, le=4096, description="number of features after the first convolution")
    downsamplings: int = Field(
        2, ge=0, le=4, description="number of stride-2 convolutions, each of which doubles the features"
    )
    blocks: int = Field(2, ge=0, le=256, description="number of residual blocks")
    kernel: Odd = Field(7, ge=1, le=63, description="kernel size of the first and last convolution, odd")


class GeneratorSpec(BodySpec):
    """G."""

    output: Literal["direct", "residual", "filters"] = Field(
        "direct",
        description="whether the last layer gives the picture (`direct`, by tanh), what is added to the input (`residual`), or"
        " how much each pixel is changed by each of the target's linear filters (`filters`)",
    )
    filters: int = Field(8, ge=1, le=64, description="number of linear filters of each target (`output: filters`)")
    taps: Odd = Field(7, ge=3, le=63, description="side of these filters in pixels, odd")
    matched: bool = Field(
        False,
        description="whether pictures first pass a fixed linear filter of the target, which takes the spectrum of photographs"
        " to the target's",
    )
    input: Literal["rgb", "remosaic"] = Field(
        "remosaic", description="G's input: the photograph, or the photograph remosaiced and demosaiced"
    )
    label: Literal["maps", "modulation"] = Field(
        "maps",
        description="how G takes the target label: as one-hot maps beside the image, or as scale and shift of each layer",
    )
    detail: float = Field(
        0.0,
        ge=0,
        le=32,
        description="standard deviation, in pixels, of the Gaussian blur of G's change that is taken off it, so that colour and"
        " brightness of areas stay as they are (`output: residual`); 0 for none",
    )

    @model_validator(mode="after")
    def _adds(self) -> "GeneratorSpec":
        if self.detail and self.output != "residual":
            raise ValueError(f"detail: found {self.detail:g}, expected 0 unless output is residual")
        if self.matched and self.output == "direct":
            raise ValueError("matched: found true, expected false where output is direct")
        return self


class DiscriminatorSpec(Spec):
    """D."""

    frontend: registered(plugins.FRONTENDS, *SIGNALS) = Field(
        "con_conv", description=f"the signal that D takes, one of {', '.join(SIGNALS)}"
    )
    kind: Literal["patch", "pixel"] = Field("patch", description="kernels of 4x4 (`patch`) or 1x1 (`pixel`)")
    features: int = Field(64, ge=1, le=4096, description="number of features after the first convolution")
    layers: int = Field(2, ge=1, le=16, description="number of further layers")


class ClassifierNetSpec(Spec):
    """A classifier's network, or what stands in its place."""

    frontend: registered(plugins.FRONTENDS, *FRONTEND_NAMES) = Field(
        "rgb", description=f"the signal that the classifier takes, one of {', '.join(FRONTEND_NAMES)}"
    )
    architecture: registered(plugins.ARCHITECTURES, *ARCHITECTURE_NAMES, *NON_NEURAL) = Field(
        "resnet18",
        description=f"the network, one of {', '.join(ARCHITECTURE_NAMES)}; or `cooccurrences` or `numbers`, which are none:"
        " linear functions of co-occurrences of residuals, or of 31 numbers (third differences, powers by frequency, zeros"
        " among DCT coefficients), fitted to the patches of all steps at once",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout rate before the last layer")
    width: int = Field(16, ge=1, le=4096, description="number of features of the first layer (`small` only)")

    @model_validator(mode="after")
    def _takes_pixels(self) -> "ClassifierNetSpec":
        if self.non_neural and self.frontend != "rgb":
            raise ValueError(f"frontend: found {self.frontend!r}, expected 'rgb' for {self.architecture}")
        return self

    @property
    def non_neural(self) -> bool:
        """Whether it is no network: it has no gradients, and is fitted at once."""
        return self.architecture in NON_NEURAL

    @property
    def families(self) -> frozenset[str]:
        """What makes another classifier a relative of this one: the signals of its front-end, and the kind of its network. One
        that is no network is a relative of its own kind alone.
        """
        kind = "resnet" if self.architecture == "small" else self.architecture.rstrip("0123456789")
        signals = [] if self.non_neural else self.frontend.removesuffix("_low").split("+")
        return frozenset([f"architecture {kind}", *(f"signal {name}" for name in signals)])

    @property
    def needs_estimator(self) -> bool:
        """Whether its signal takes the owner's estimator."""
        return self.frontend in WITH_ESTIMATOR
