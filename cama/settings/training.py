"""Settings of the trainings. The defaults are the paper's."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.settings.spec import Spec


class OptimiserSpec(Spec):
    """How weights are updated."""

    name: Literal["sgd", "adam", "adamw"] = Field("adam", description="SGD has Nesterov momentum `beta1`")
    rate: float = Field(2e-4, gt=0, allow_inf_nan=False, description="learning rate; with `one_cycle` its peak")
    beta1: float = Field(0.9, ge=0, lt=1, description="first moment, or momentum")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty (decoupled with adamw)")
    schedule: Literal["constant", "steps", "one_cycle"] = Field(
        "constant", description="`steps` divides by 10 at half and at three quarters of the training"
    )


class TrainingSpec(Spec):
    """A training's length, and on how many processes it runs."""

    steps: int = Field(105_469, ge=1, description="updates")
    batch: int = Field(128, ge=2, description="patches an update")
    processes: int = Field(1, ge=1, description="that share each batch, each with the rule's threads, or with a GPU")

    @model_validator(mode="after")
    def _shares(self) -> "TrainingSpec":
        if self.batch % self.processes or self.batch < 2 * self.processes:
            raise ValueError(
                f"processes: found {self.processes}, expected a divisor of the batch of {self.batch}, half at most"
            )
        return self


class ComputeSpec(Spec):
    """Where and how precisely networks compute."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto` takes the GPU where there is one")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="`auto` takes bfloat16 where the processor or GPU has it"
    )


class EstimatorSpec(Spec):
    """Training of E0."""

    net: BodySpec = BodySpec()
    training: TrainingSpec = TrainingSpec()
    optimiser: OptimiserSpec = OptimiserSpec(rate=1e-3, weight_decay=5e-4)


class ClassifierSpec(Spec):
    """Training of a classifier."""

    net: ClassifierNetSpec = ClassifierNetSpec()
    training: TrainingSpec = TrainingSpec()
    optimiser: OptimiserSpec = OptimiserSpec(name="sgd", rate=0.1, weight_decay=5e-4, schedule="steps")


class TargetSpec(ClassifierSpec):
    """Training of a target classifier F."""

    labels: Literal["known", "expanded"] = Field(
        "known", description="the in-distribution models, or those and the out-of-distribution ones"
    )


class Ramp(Spec):
    """A weight that moves in a straight line from `start` to `end`, and stays there."""

    start: float = Field(ge=0, allow_inf_nan=False, description="at the first step")
    end: float = Field(ge=0, allow_inf_nan=False, description="from the share `until` of the training on")
    until: float = Field(1.0, gt=0, le=1, description="share of the training")

    def __str__(self) -> str:
        """As a config file would say it."""
        if self.start == self.end:
            return f"{self.start:g}"
        return f"{self.start:g} to {self.end:g} until {self.until:g}"


def _ramp(value: Any) -> Any:
    return {"start": value, "end": value} if isinstance(value, (int, float)) else value


Weight = Annotated[Ramp, BeforeValidator(_ramp)]


class LossWeights(Spec):
    """Weights of G's losses: numbers, or ramps (`start`, `end`, `until`)."""

    adversarial: Weight = Field(_ramp(1.0), validate_default=True, description="of D")
    pixel: Weight = Field(_ramp(10.0), validate_default=True, description="of the distance to the photograph")
    evaluator: Weight = Field(_ramp(0.01), validate_default=True, description="of E, shared by its classifiers")


class HandlingSpec(Spec):
    """What a picture goes through in training, after G, before D and E see it."""

    round: bool = Field(False, description="to 8 bits, gradients passing straight through")
    jpeg: float = Field(0.0, ge=0, le=1, description="share of the steps with a JPEG save")
    jpeg_quality: tuple[int, int] = Field((75, 95), description="lowest and highest quality of those saves")
    resample: float = Field(0.0, ge=0, le=1, description="share of the steps with resampling down and up")

    @model_validator(mode="after")
    def _qualities(self) -> "HandlingSpec":
        low, high = self.jpeg_quality
        if not 1 <= low <= high <= 100:
            raise ValueError(f"jpeg_quality: found {[low, high]}, expected the lowest and the highest, 1 to 100")
        return self


class LearnedSpec(Spec):
    """Training of a generator G with its D: cama, and all that differs from it by settings alone."""

    generator: GeneratorSpec = GeneratorSpec()
    average: float = Field(0.0, ge=0, lt=1, description="decay of an exponential average of G's weights; 0 for none")
    discriminators: tuple[DiscriminatorSpec, ...] = Field(
        (DiscriminatorSpec(),), min_length=1, description="one D, or several that share the adversarial weight"
    )
    evaluators: tuple[str, ...] = Field(("high", "low"), min_length=1, description="classifiers of E, by name")
    adversarial_loss: Literal["least_squares", "cross_entropy"] = Field("least_squares", description="of G and D")
    pixel_loss: Literal["l1", "l2"] = Field("l1", description="mean absolute or mean squared difference")
    weights: LossWeights = LossWeights()
    psnr: Weight = Field(
        _ramp(0.0),
        validate_default=True,
        description="in dB, a number or a ramp: the pixel weight moves until the training pictures have it; 0 to leave it",
    )
    handling: HandlingSpec = HandlingSpec()
    training: TrainingSpec = TrainingSpec(steps=234_375)
    generator_optimiser: OptimiserSpec = OptimiserSpec(beta1=0.5)
    discriminator_optimiser: OptimiserSpec = OptimiserSpec(beta1=0.5)


class RepeatedSpec(LearnedSpec):
    """Training of a generator, perhaps several times."""

    phase: Literal["", "aligned", "random"] = Field(
        "", description="of the crops it trains on; empty for `patches.phase`"
    )
    runs: int = Field(1, ge=1, description="trainings, each with other random numbers; the rates are over all of them")
