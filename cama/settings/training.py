"""Settings of the trainings. The defaults are the paper's."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.settings.spec import Spec

MOST_AT_ONCE = 100_000  # patches that a classifier which is no network is fitted to: a gigabyte in all


def _qualities(value: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= value[0] <= value[1] <= 100:
        raise ValueError(f"found {list(value)}, expected the lowest and the highest, 1 to 100")
    return value


Qualities = Annotated[tuple[int, int], AfterValidator(_qualities)]


class OptimiserSpec(Spec):
    """How weights are updated."""

    name: Literal["sgd", "adam", "adamw"] = Field("adam", description="the optimiser; SGD has Nesterov momentum")
    rate: float = Field(2e-4, gt=0, allow_inf_nan=False, description="learning rate; with `one_cycle` its peak")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the first moment; with `sgd` the momentum")
    weight_decay: float = Field(0.0, ge=0, description="factor of the L2 penalty; decoupled with `adamw`")
    schedule: Literal["constant", "steps", "one_cycle"] = Field(
        "constant",
        description="schedule of the learning rate; `steps` divides it by 10 at half and at three quarters of the training",
    )


class TrainingSpec(Spec):
    """A training's length, and on how many processes it runs."""

    steps: int = Field(105_469, ge=1, description="number of updates")
    batch: int = Field(128, ge=2, description="number of patches in a batch")
    processes: int = Field(
        1,
        ge=1,
        description="number of processes that share each batch, each with the rule's threads or a GPU of its own",
    )

    @model_validator(mode="after")
    def _shares(self) -> "TrainingSpec":
        if self.batch % self.processes or self.batch < 2 * self.processes:
            raise ValueError(
                f"processes: found {self.processes}, expected a divisor of the batch of {self.batch}, half at most"
            )
        return self


class ComputeSpec(Spec):
    """Where and how precisely networks compute."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where networks compute; `auto` takes the GPU where there is one"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="number format of the networks' activations; `auto` takes bfloat16 where the processor or GPU supports it",
    )
    compile_from: int = Field(
        3000,
        ge=0,
        description="steps from which torch compiles a training's networks on a GPU, in about a minute; never on a processor",
    )


class EstimatorSpec(Spec):
    """Training of E0."""

    net: BodySpec = BodySpec()
    training: TrainingSpec = TrainingSpec()
    optimiser: OptimiserSpec = OptimiserSpec(rate=1e-3, weight_decay=5e-4)


class DenoiserSpec(EstimatorSpec):
    """Training of the denoiser of `purify`, a network as E0."""

    noise: float = Field(
        8,
        ge=0.5,
        le=64,
        description="standard deviation, in grey levels, of the noise that is added to the adversary's patches and that it"
        " learns to remove; half of the noisy patches are then saved as JPEG",
    )


class ResavesSpec(Spec):
    """Changes of a classifier's patches in training, drawn for each patch by itself."""

    jpeg: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the patches that are saved as JPEG, 4:2:0 or 4:4:4, with the grid at any place; 0 to 1."
        " Crops at any place on the grid of the photograph itself are those of the phase `random`",
    )
    jpeg_quality: Qualities = Field((70, 100), description="lowest and highest quality of these saves, 1 to 100")
    rounding: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the patches whose values change by -1, 0 or 1, as editing and saving change them; 0 to 1",
    )


class ClassifierSpec(Spec):
    """Training of a classifier."""

    net: ClassifierNetSpec = ClassifierNetSpec()
    augmentation: ResavesSpec = ResavesSpec()
    adversarial: float = Field(
        0.0,
        ge=0,
        le=10,
        description="adversarial training: each patch is first moved against the classifier by one gradient step of 0 to this"
        " many grey levels, root mean square (rising over the first 30% of the steps), so that G can rely less on weaknesses of"
        " this one classifier of E. It costs another forward and backward pass",
    )
    training: TrainingSpec = TrainingSpec()
    optimiser: OptimiserSpec = OptimiserSpec(name="sgd", rate=0.1, weight_decay=5e-4, schedule="steps")

    @model_validator(mode="after")
    def _fits_at_once(self) -> "ClassifierSpec":
        if not self.net.non_neural:
            return self
        patches, kind = self.training.steps * self.training.batch, self.net.architecture
        if self.adversarial:
            raise ValueError(f"adversarial: found {self.adversarial:g}, expected 0 for {kind}, which has no gradient")
        if patches > MOST_AT_ONCE:
            raise ValueError(
                f"training: found {patches} patches (steps x batch), expected at most {MOST_AT_ONCE} for {kind}"
            )
        if self.training.processes > 1:
            raise ValueError(f"training.processes: found {self.training.processes}, expected 1 for {kind}")
        return self


# what a target classifier is to the adversary; `informed` is one that trained on attacked pictures, `judge` one of others
ClassifierRole = Literal["same_family", "other_family", "expanded", "informed", "judge"]


class TargetSpec(ClassifierSpec):
    """Training of a target classifier F."""

    labels: Literal["known", "expanded"] = Field(
        "known",
        description="camera models that it knows: in-distribution (`known`), or also out-of-distribution (`expanded`)",
    )


class InformedSpec(Spec):
    """A target classifier that goes on to train on attacked pictures, with their true source, beside the untouched ones."""

    classifier: str = Field(description="name of the target classifier that it begins as, a network")
    method: str = Field(
        description="name of a method with a generator, of which the examiner makes another training with the adversary's files"
    )
    training: TrainingSpec = TrainingSpec(steps=10_000)
    optimiser: OptimiserSpec = OptimiserSpec(name="sgd", rate=0.01, weight_decay=5e-4, schedule="steps")


class Ramp(Spec):
    """A value that changes linearly from `start` to `end` in the course of a training, and then stays there."""

    start: float = Field(ge=0, allow_inf_nan=False, description="value at the first step")
    end: float = Field(ge=0, allow_inf_nan=False, description="value from the share `until` of the training on")
    until: float = Field(1.0, gt=0, le=1, description="share of the training at which `end` is reached, 0 to 1")

    def __str__(self) -> str:
        """Short text: the number, or `START to END until SHARE`."""
        if self.start == self.end:
            return f"{self.start:g}"
        return f"{self.start:g} to {self.end:g} until {self.until:g}"


def _ramp(value: Any) -> Any:
    return {"start": value, "end": value} if isinstance(value, (int, float)) else value


Weight = Annotated[Ramp, BeforeValidator(_ramp)]


class LossWeights(Spec):
    """Weights of G's losses: numbers, or ramps (`start`, `end`, `until`)."""

    adversarial: Weight = Field(
        _ramp(1.0),
        validate_default=True,
        description="weight of D's loss, a number or a ramp (`start`, `end`, `until`)",
    )
    pixel: Weight = Field(
        _ramp(10.0), validate_default=True, description="weight of the distance to the photograph, a number or a ramp"
    )
    evaluator: Weight = Field(
        _ramp(0.01),
        validate_default=True,
        description="weight of E's loss, a mean over its classifiers; a number or a ramp",
    )
    opponents: Weight = Field(
        _ramp(0.2),
        validate_default=True,
        description="weight of the opponents' loss, a mean over them, where there are some; a number or a ramp",
    )
    spectrum: Weight = Field(
        _ramp(0.0),
        validate_default=True,
        description="weight of the distance to the power spectrum that the target's camera would have given the photograph, a"
        " number or a ramp",
    )


class AugmentationSpec(Spec):
    """Changes of pictures in training, between G and the networks D and E."""

    round: bool = Field(False, description="whether pictures are rounded to 8 bits, with gradients passed on unchanged")
    jpeg: float = Field(0.0, ge=0, le=1, description="share of the steps in which pictures are saved as JPEG, 0 to 1")
    jpeg_quality: Qualities = Field((75, 95), description="lowest and highest quality of these saves, 1 to 100")
    resample: float = Field(
        0.0, ge=0, le=1, description="share of the steps in which pictures are resampled down and up, 0 to 1"
    )


class LearnedSpec(Spec):
    """Training of a generator G with its D: cama, and all that differs from it by settings alone."""

    RENAMED: ClassVar = {
        "average": "ema_decay",
        "handling": "augmentation",
        "psnr": "target_psnr",
        "weights": "loss_weights",
    }

    generator: GeneratorSpec = GeneratorSpec()
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="decay, per update, of an exponential moving average of G's weights; 0 for no average",
    )
    discriminators: tuple[DiscriminatorSpec, ...] = Field(
        (DiscriminatorSpec(),), min_length=1, description="one D, or several, over which the adversarial loss is a mean"
    )
    evaluators: tuple[str, ...] = Field(("high", "low"), min_length=1, description="names of the classifiers of E")
    opponents: tuple[str, ...] = Field(
        (),
        description="names of classifiers of E of which copies keep training, on photographs and on G's pictures with their"
        " true source, so that G cannot go by a fixed classifier's mistakes",
    )
    judges: tuple[str, ...] = Field(
        (),
        description="names of the adversary's classifiers, none of them in E, that choose among states of G, by its validation"
        " photographs at the PSNR `target_psnr.end`; none for the last state",
    )
    adversarial_loss: Literal["least_squares", "cross_entropy"] = Field(
        "least_squares", description="adversarial loss of G and D"
    )
    evaluator_focus: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="how much E's loss is that of its classifiers that are fooled least: weights are in proportion to the"
        " exponential of this times a classifier's loss; 0 for a mean",
    )
    pixel_loss: Literal["l1", "l2"] = Field(
        "l1", description="distance to the photograph: mean absolute (`l1`) or mean squared (`l2`) difference"
    )
    loss_weights: LossWeights = LossWeights()
    target_psnr: Weight = Field(
        _ramp(0.0),
        validate_default=True,
        description="PSNR in dB that the pixel weight is adjusted to keep in training, a number or a ramp; 0 for none",
    )
    encode: bool = Field(
        False,
        description="whether D, E and the judges see G's pictures as their targets' cameras would save them, each patch where"
        " it lies in its photograph and not turned, with gradients passed on, and whether the filter of `generator.matched` is"
        " corrected for that save",
    )
    matched_gain: float = Field(
        1.5,
        ge=0,
        le=4,
        description="how much of the difference between the target's spectrum and the mean of the other cameras' the filter of"
        " `generator.matched` makes; above 1, since a photograph's own camera is not known, and may be farther off",
    )
    augmentation: AugmentationSpec = AugmentationSpec()
    training: TrainingSpec = TrainingSpec(steps=234_375)
    generator_optimiser: OptimiserSpec = OptimiserSpec(beta1=0.5)
    discriminator_optimiser: OptimiserSpec = OptimiserSpec(beta1=0.5)
    opponent_optimiser: OptimiserSpec = OptimiserSpec()


class RepeatedSpec(LearnedSpec):
    """Training of a generator, once or several times."""

    runs: int = Field(
        1,
        ge=1,
        description="number of trainings, each with other random numbers; success rates are over all of them; of several"
        " catalogues of cameras the first alone has more than one",
    )
