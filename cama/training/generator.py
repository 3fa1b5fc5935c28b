"""Training of a generator G with its discriminators D (paper, section 3)."""

import pandas as pd
import torch
from torch import nn
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
from cama.training.augmentation import draw_handling
from cama.training.loop import Optimiser, run
from cama.training.losses import PIXEL, adversarial_loss, discriminator_loss, evaluator_loss


def train_generator(
    name: str,
    patches: Patches,
    evaluator: Evaluator,
    spec: LearnedSpec,
    compute: Compute,
    seed: int,
    checkpoint: Checkpoint,
) -> tuple[Generator, nn.ModuleList, pd.DataFrame]:
    """Train on `rgb`, and on `remosaic` where G's input is that; gives G, its discriminators and the training curve.

    Whatever G's input, D's real sample and the pixel loss take the untouched photograph.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    classes = len(patches.labels)
    generator = compute.to_device(Generator(classes, spec.generator)).train()
    discriminators = nn.ModuleList(Discriminator(classes, one) for one in spec.discriminators)
    discriminators = compute.to_device(discriminators).train()
    evaluator = compute.to_device(evaluator)
    fields = list(dict.fromkeys(("rgb", spec.generator.input)))
    sampler = Sampler(patches, fields, spec.training.batch, derive_seed(seed, "batches"), compute)
    first = compute.images(sampler.draw(0)[0][0])
    for discriminator in discriminators:
        discriminator.frontend.calibrate(first)
    steps = spec.training.steps
    update_g = Optimiser(generator, spec.generator_optimiser, steps, "G")
    update_d = Optimiser(discriminators, spec.discriminator_optimiser, steps, "D")
    parts = {"generator": generator, "discriminator": discriminators, "update_g": update_g, "update_d": update_d}
    if spec.average:
        averaged = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(spec.average), use_buffers=True)
        parts["averaged"] = averaged
    volume = Volume(steps).to(compute.device)
    if spec.psnr.end:
        parts["volume"] = volume

    def judge(x: torch.Tensor, y: torch.Tensor, fake: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        losses = []
        for discriminator in discriminators:
            with compute.autocast():
                scores = discriminator(x, y), discriminator(fake, target), discriminator(x, target)
            losses.append(discriminator_loss(spec.adversarial_loss, *(score.float() for score in scores)))
        return torch.stack(losses).mean()

    def step(index: int) -> dict[str, torch.Tensor]:
        drawn, labels = sampler.draw(index)
        x, seen, y = compute.images(drawn[0]), compute.images(drawn[-1]), labels.to(compute.device)
        target = (y + torch.randint(1, classes, y.shape).to(y)) % classes
        handle = draw_handling(spec.handling)
        with compute.autocast():
            changed = generator(seen, target).float()
        shown = handle(changed)
        d_loss = judge(handle(x), y, shown.detach(), target)
        update_d.update(d_loss, index)
        project_constraints_(discriminators)

        with compute.autocast():
            scores = [discriminator(shown, target).float() for discriminator in discriminators]
            streams = evaluator(shown)
        adversarial = torch.stack([adversarial_loss(spec.adversarial_loss, score) for score in scores]).mean()
        pixel = PIXEL[spec.pixel_loss](x, changed)
        fooled = evaluator_loss(streams.values(), target)
        share, weights = index / steps, spec.weights
        pixel_weight = ramp_at(weights.pixel, share) * volume.factor
        g_loss = (
            ramp_at(weights.adversarial, share) * adversarial
            + pixel_weight * pixel
            + ramp_at(weights.evaluator, share) * fooled
        )
        update_g.update(g_loss, index)
        if spec.average:
            averaged.update_parameters(generator)
        error = (x - changed.detach()).square().mean((1, 2, 3)) / 4
        psnr = (-10 * error.log10()).mean()
        if spec.psnr.end:
            volume.towards(ramp_at(spec.psnr, share), psnr)
        return {
            "d_loss": d_loss.detach(),
            "adversarial": adversarial.detach(),
            "pixel": pixel.detach(),
            "evaluator": fooled.detach(),
            **{f"evaluator_{key}": (log.argmax(1) == target).float().mean() for key, log in streams.items()},
            "psnr": psnr,
            **({"pixel_weight": pixel_weight} if spec.psnr.end else {}),
        }

    curve = run(name, parts, step, steps, derive_seed(seed, "steps"), checkpoint)
    return (averaged.module if spec.average else generator).eval(), discriminators, curve


class Volume(nn.Module):
    """A factor of the pixel weight that holds G at a distortion, as a multiplier holds a constraint (Rezende and Viola 2018). G
    and D are rivals, and with a fixed weight chance decides at which distortion they end.
    """

    PACE, FAR = 2.5, 5.0  # of its logarithm over a training that lacks one dB, and the dB that count at most
    MOST = 2.0  # of its logarithm, from 0

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.rate = self.PACE / steps  # faster than G follows, it would swing
        self.register_buffer("logarithm", torch.zeros(()))

    @property
    def factor(self) -> torch.Tensor:
        """The factor, a tensor without dimensions."""
        return self.logarithm.exp()

    def towards(self, wanted: float, psnr: torch.Tensor) -> None:
        """Move the factor up where pictures have less than the wanted dB, down where they have more."""
        lacking = (wanted - psnr).clamp(-self.FAR, self.FAR)  # an untrained G may change nothing
        moved = self.logarithm + self.rate * lacking
        self.logarithm.copy_(moved.clamp(-self.MOST, self.MOST))  # the same tensor, which others hold


def ramp_at(ramp: Ramp, share: float) -> float:
    """The weight when `share` (0 to 1) of the training is done."""
    return ramp.start + (ramp.end - ramp.start) * min(1.0, share / ramp.until)
