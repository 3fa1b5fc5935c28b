"""Training of G and D (paper, section 3)."""

import pandas as pd
import torch

from cama.config import CamaSpec, ComputeSpec
from cama.data.patches import Patches, Sampler
from cama.models.discriminator import Discriminator
from cama.models.evaluator import Evaluator
from cama.models.frontends import project_constraints_
from cama.models.generator import Generator
from cama.runs import Checkpoint
from cama.seeds import derive_seed
from cama.tensors import to_float
from cama.training.loop import Compute, Optimiser, run
from cama.training.losses import adversarial_loss, discriminator_loss, evaluator_loss, pixel_loss


def train_cama(
    patches: Patches, evaluator: Evaluator, spec: CamaSpec, compute: ComputeSpec, seed: int, checkpoint: Checkpoint
) -> tuple[Generator, Discriminator, pd.DataFrame]:
    """Train on `rgb`, and on `remosaic` where G's input is that; gives G, D and the training curve.

    Whatever G's input, D's real sample and the pixel loss take the untouched photograph.
    """
    torch.manual_seed(derive_seed(seed, "weights"))
    place = Compute(compute)
    classes = len(patches.labels)
    generator = place.place(Generator(classes, spec.generator)).train()
    discriminator = place.place(Discriminator(classes, spec.discriminator)).train()
    evaluator = place.place(evaluator)
    fields = list(dict.fromkeys(("rgb", spec.generator.input)))
    sampler = Sampler(patches, fields, spec.training.batch, derive_seed(seed, "batches"))
    discriminator.frontend.calibrate(place.images(to_float(sampler.draw(0)[0][0])))
    steps = spec.training.steps
    update_g = Optimiser(generator, spec.generator_optimiser, steps, "G")
    update_d = Optimiser(discriminator, spec.discriminator_optimiser, steps, "D")

    def step(index: int) -> dict[str, torch.Tensor]:
        drawn, labels = sampler.draw(index)
        x, seen, y = place.images(to_float(drawn[0])), place.images(to_float(drawn[-1])), labels.to(place.device)
        target = (y + torch.randint(1, classes, y.shape).to(y)) % classes
        with place.cast():
            changed = generator(seen, target)
            real, fake, mismatched = (
                discriminator(x, y),
                discriminator(changed.detach(), target),
                discriminator(x, target),
            )
        d_loss = discriminator_loss(real.float(), fake.float(), mismatched.float())
        update_d.update(d_loss, index)
        project_constraints_(discriminator)

        with place.cast():
            score = discriminator(changed, target)
            high, low = evaluator(changed)
        adversarial = adversarial_loss(score.float())
        pixel = pixel_loss(x, changed.float())
        fooled = evaluator_loss(high, low, target)
        weights = spec.weights
        g_loss = weights.adversarial * adversarial + weights.pixel * pixel + weights.evaluator * fooled
        update_g.update(g_loss, index)
        error = (x - changed.detach().float()).square().mean((1, 2, 3)) / 4
        return {
            "d_loss": d_loss.detach(),
            "adversarial": adversarial.detach(),
            "pixel": pixel.detach(),
            "evaluator": fooled.detach(),
            "evaluator_high": (high.argmax(1) == target).float().mean(),
            "evaluator_low": (low.argmax(1) == target).float().mean(),
            "psnr": (-10 * error.log10()).mean(),
        }

    parts = {"generator": generator, "discriminator": discriminator, "update_g": update_g, "update_d": update_d}
    curve = run("cama", parts, step, steps, derive_seed(seed, "steps"), checkpoint)
    return generator.eval(), discriminator, curve
