"""Training of a generator G with its discriminators D (paper, section 3)."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cama.compute.device import Compute
from cama.core.seeds import derive_seed
from cama.data.patches import Patches, Sampler
from cama.models.discriminator import Discriminator
from cama.models.evaluator import Evaluator
from cama.models.frontends import project_constraints_
from cama.models.generator import Generator
from cama.settings.training import LearnedSpec, Ramp
from cama.storage.checkpoints import Checkpoint
from cama.storage.weights import begin_as
from cama.training.augmentation import draw_augmentation
from cama.training.encoding import TargetEncoders
from cama.training.loop import Optimiser, Stateful, run
from cama.training.losses import PIXEL, adversarial_loss, discriminator_loss, evaluator_loss
from cama.training.matched import matched_filters
from cama.training.opponents import Opponents
from cama.training.psnr_controller import PsnrController
from cama.training.selection import Selection
from cama.training.spectra import SpectrumLoss


def train_generator(
    name: str,
    patches: Patches,
    evaluator: Evaluator,
    spec: LearnedSpec,
    compute: Compute,
    seed: int,
    checkpoint: Checkpoint,
    selection: Selection | None = None,
    encoders: TargetEncoders | None = None,
    start: tuple[Path, Path] | None = None,
) -> tuple[Generator, nn.ModuleList, pd.DataFrame]:
    """Train on `rgb`, and on `remosaic` where G's input is that; gives G, its discriminators and the training curve.

    Whatever G's input, D's real sample and the pixel loss take the untouched photograph. With `selection`, G is the state
    that it chooses; with `encoders`, D and E see what these make of G's pictures. `start`: the files of the generator and of
    the discriminators that G and D begin as.
    """
    training = GeneratorTraining(patches, evaluator, spec, compute, seed, selection, encoders, start)
    curve = run(name, training.parts(), training.step, training.steps, derive_seed(seed, "steps"), checkpoint)
    return training.trained_generator(), training.discriminators, curve


@dataclass(frozen=True)
class Batch:
    """What one step trains on: pictures (N, 3, H, W) in [-1, 1] and labels (N,)."""

    real: Tensor  # x, the untouched photographs
    input: Tensor  # what G takes: x, or x remosaiced
    source: Tensor  # y, the labels of the photographs
    target: Tensor  # y', for each another label than y
    places: Tensor  # where they begin in their photographs (N, 2), on the processor


class GeneratorTraining:
    """The networks G, D and E with the optimisers of G and D, and one step of their training."""

    def __init__(
        self,
        patches: Patches,
        evaluator: Evaluator,
        spec: LearnedSpec,
        compute: Compute,
        seed: int,
        selection: Selection | None = None,
        encoders: TargetEncoders | None = None,
        start: tuple[Path, Path] | None = None,
    ) -> None:
        torch.manual_seed(derive_seed(seed, "weights"))
        self.spec, self.compute, self.steps = spec, compute, spec.training.steps
        self.classes = len(patches.labels)
        generator = Generator(self.classes, spec.generator)
        if spec.generator.matched:
            matching = derive_seed(seed, "matched")
            filters = matched_filters(patches, spec.generator.input, encoders, spec.matched_gain, matching, compute)
            generator.matched.copy_(filters)
        if start:
            begin_as(generator, start[0], "generator", own=("matched",))  # the filters are of these photographs
        self.generator = compute.for_training(generator, self.steps).train()
        discriminators = [
            compute.for_training(Discriminator(self.classes, one), self.steps) for one in spec.discriminators
        ]
        self.discriminators = nn.ModuleList(discriminators).train()
        self.evaluator = compute.for_training(evaluator, self.steps)

        arrays = list(dict.fromkeys(("rgb", spec.generator.input)))
        self.sampler = Sampler(
            patches,
            arrays,
            spec.training.batch,
            derive_seed(seed, "batches"),
            compute,
            turned=encoders is None,  # the grid, the tables and the sampling of a save do not turn
        )
        first = compute.images(self.sampler.draw(0)[0][0])
        for discriminator in self.discriminators:
            discriminator.frontend.calibrate(first)
        if start:
            begin_as(self.discriminators, start[1], "discriminators")

        self.optimiser_g = Optimiser(self.generator, spec.generator_optimiser, self.steps, "G")
        self.optimiser_d = Optimiser(self.discriminators, spec.discriminator_optimiser, self.steps, "D")
        self.opponents: Opponents | None = None
        if spec.opponents:
            self.opponents = compute.for_training(Opponents(evaluator, spec.opponents), self.steps)
            self.optimiser_o = Optimiser(self.opponents, spec.opponent_optimiser, self.steps, "the opponents")
        self.ema: AveragedModel | None = None
        if spec.ema_decay:
            average = get_ema_multi_avg_fn(spec.ema_decay)
            self.ema = AveragedModel(self.generator, multi_avg_fn=average, use_buffers=True)
        self.psnr_controller = PsnrController(self.steps).to(compute.device)
        self.spectrum: SpectrumLoss | None = None
        if spec.loss_weights.spectrum.start or spec.loss_weights.spectrum.end:
            self.spectrum = SpectrumLoss(patches, compute).to(compute.device)
        self.selection, self.encoders = selection, encoders

    def parts(self) -> dict[str, Stateful]:
        """What a checkpoint keeps."""
        parts: dict[str, Stateful] = {
            "generator": self.generator,
            "discriminators": self.discriminators,
            "optimiser_g": self.optimiser_g,
            "optimiser_d": self.optimiser_d,
        }
        if self.opponents is not None:
            parts |= {"opponents": self.opponents, "optimiser_o": self.optimiser_o}
        if self.ema is not None:
            parts["ema"] = self.ema
        if self.spec.target_psnr.end:
            parts["psnr_controller"] = self.psnr_controller
        if self.selection is not None:
            parts["selection"] = self.selection
        return parts

    def trained_generator(self) -> Generator:
        """G, or the average of its weights, in evaluation mode; in the state that was chosen, where one was."""
        trained = self.current_generator()
        if self.selection is not None:
            trained.load_state_dict(self.selection.best)
        return trained.eval()

    def current_generator(self) -> Generator:
        """G, or the average of its weights, as it is."""
        return self.generator if self.ema is None else self.ema.module

    def step(self, index: int) -> dict[str, Tensor]:
        """One update of D, of the opponents and of G; gives the row of the training curve."""
        self.compute.begin_step()
        batch = self.draw(index)
        augment = draw_augmentation(self.spec.augmentation)
        anonymized = self.forward(batch)
        delivered = anonymized
        if self.encoders is not None:
            delivered = self.encoders(anonymized, batch.target, batch.places)
        fake = augment(delivered)
        real = augment(batch.real)
        losses = {"d_loss": self.update_d(batch, real, fake.detach(), index)}
        if self.opponents is not None:
            losses["opponents_loss"] = self.update_opponents(batch, real, fake.detach(), index)
        losses |= self.update_g(batch, anonymized, fake, index)
        row = {**losses, **self.control_psnr(batch, anonymized.detach(), index)}
        judged = self.selection.consider(index + 1, self.current_generator()) if self.selection is not None else None
        return row if judged is None else {**row, "judges": torch.tensor(judged)}

    def draw(self, index: int) -> Batch:
        """The batch of a step, with target labels from torch's random state."""
        arrays, labels = self.sampler.draw(index)
        target = (labels + torch.randint(1, self.classes, labels.shape)) % self.classes
        source, target = self.compute.upload(labels), self.compute.upload(target)
        real, given = self.compute.images(arrays[0]), self.compute.images(arrays[-1])
        return Batch(real, given, source, target, self.sampler.places(index))

    def forward(self, batch: Batch) -> Tensor:
        """G's pictures (N, 3, H, W), float32."""
        with self.compute.autocast():
            return self.generator(batch.input, batch.target).float()

    def update_d(self, batch: Batch, real: Tensor, fake: Tensor, index: int) -> Tensor:
        """Update D on augmented pictures: real with their own labels, fake, and real with the wrong labels. Gives the loss."""
        losses = []
        for discriminator in self.discriminators:
            with self.compute.autocast():
                scores = (
                    discriminator(real, batch.source),
                    discriminator(fake, batch.target),
                    discriminator(real, batch.target),
                )
            losses.append(discriminator_loss(self.spec.adversarial_loss, *(score.float() for score in scores)))
        loss = torch.stack(losses).mean()
        self.optimiser_d.update(loss, index)
        project_constraints_(self.discriminators)
        return loss.detach()

    def update_opponents(self, batch: Batch, real: Tensor, fake: Tensor, index: int) -> Tensor:
        """Update the opponents on augmented pictures, each with its true source. Gives the loss."""
        with self.compute.autocast():
            loss = self.opponents.loss(real, fake, batch.source)
        self.optimiser_o.update(loss, index)
        project_constraints_(self.opponents)
        return loss.detach()

    def update_g(self, batch: Batch, anonymized: Tensor, fake: Tensor, index: int) -> dict[str, Tensor]:
        """Update G, and its average, by D and E on the augmented pictures `fake` and by the distance of `anonymized` to the
        photographs. Gives the losses, and for each classifier of E the share of the pictures that it takes for their target.
        """
        with self.compute.autocast():
            scores = [discriminator(fake, batch.target).float() for discriminator in self.discriminators]
            streams = self.evaluator(fake)
            opposed = self.opponents(fake) if self.opponents is not None else {}
        adversarial = torch.stack([adversarial_loss(self.spec.adversarial_loss, score) for score in scores]).mean()
        pixel = PIXEL[self.spec.pixel_loss](batch.real, anonymized)
        evaluator = evaluator_loss(streams.values(), batch.target, self.spec.evaluator_focus)
        weights, progress = self.spec.loss_weights, index / self.steps
        loss = (
            ramp_at(weights.adversarial, progress) * adversarial
            + self.pixel_weight(index) * pixel
            + ramp_at(weights.evaluator, progress) * evaluator
        )
        losses = {"adversarial": adversarial, "pixel": pixel, "evaluator": evaluator}
        if opposed:
            losses["opponents"] = evaluator_loss(opposed.values(), batch.target)
            loss = loss + ramp_at(weights.opponents, progress) * losses["opponents"]
        if self.spectrum is not None:
            losses["spectrum"] = self.spectrum(batch.real, anonymized, batch.source, batch.target)
            loss = loss + ramp_at(weights.spectrum, progress) * losses["spectrum"]
        self.optimiser_g.update(loss, index)
        if self.ema is not None:
            self.ema.update_parameters(self.generator)
        hits = {f"evaluator_{name}": _hit_rate(scores, batch.target) for name, scores in streams.items()}
        return {name: loss.detach() for name, loss in losses.items()} | hits

    def pixel_weight(self, index: int) -> Tensor:
        """The weight of the pixel loss at a step: its ramp times the factor of the PSNR controller, which is 1 without one."""
        return ramp_at(self.spec.loss_weights.pixel, index / self.steps) * self.psnr_controller.factor

    def control_psnr(self, batch: Batch, anonymized: Tensor, index: int) -> dict[str, Tensor]:
        """Move the pixel weight towards the target PSNR, if there is one. Gives the step's PSNR in dB, and pixel weight."""
        error = (batch.real - anonymized).square().mean((1, 2, 3)) / 4
        psnr = (-10 * error.log10()).mean()
        if not self.spec.target_psnr.end:
            return {"psnr": psnr}
        used = self.pixel_weight(index)
        self.psnr_controller.update(ramp_at(self.spec.target_psnr, index / self.steps), psnr)
        return {"psnr": psnr, "pixel_weight": used}


def _hit_rate(scores: Tensor, target: Tensor) -> Tensor:
    """Share of the pictures whose highest score (N, classes) is that of their target (N,)."""
    return (scores.argmax(1) == target).float().mean()


def ramp_at(ramp: Ramp, progress: float) -> float:
    """The value of a ramp when the share `progress` (0 to 1) of the training is done."""
    return ramp.start + (ramp.end - ramp.start) * min(1.0, progress / ramp.until)
