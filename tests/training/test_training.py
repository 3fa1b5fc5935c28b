"""Tiny trainings that must learn something, and the rules of the protocol that they must keep."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cama.compute.device import Compute
from cama.compute.tensors import to_bytes, to_float
from cama.core.errors import CamaError
from cama.models.classifiers import Classifier
from cama.models.discriminator import Discriminator
from cama.models.evaluator import Evaluator
from cama.models.generator import Generator
from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.settings.training import (
    AugmentationSpec,
    ClassifierSpec,
    ComputeSpec,
    EstimatorSpec,
    LearnedSpec,
    LossWeights,
    OptimiserSpec,
    Ramp,
    TrainingSpec,
)
from cama.storage.checkpoints import Checkpoint
from cama.training import generator as generator_training
from cama.training.classifier import moved_against, predict, train_classifier
from cama.training.estimator import train_estimator, with_noise
from cama.training.generator import ramp_at
from cama.training.psnr_controller import PsnrController
from tests.models.helpers import on_constraint, tiny_classifier, tiny_estimator
from tests.training.conftest import CPU, camera_patches

BODY = BodySpec(features=8, downsamplings=0, blocks=1, kernel=5)
QUICK = OptimiserSpec(name="adamw", rate=1e-2, schedule="one_cycle")


def copy_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}


def same(before: dict[str, torch.Tensor], module: torch.nn.Module) -> bool:
    return all(torch.equal(value, module.state_dict()[key]) for key, value in before.items())


# ---- E0


def test_the_estimator_learns_the_residual(patches, tmp_path):
    spec = EstimatorSpec(net=BODY, training=TrainingSpec(steps=80, batch=12), optimiser=QUICK)
    estimator, curve = train_estimator(patches, spec, CPU, 1, Checkpoint(tmp_path, {}))
    residual = patches.arrays["residual"].float()
    assert estimator.scale.item() == pytest.approx(residual.std().item() / 127.5, rel=1e-3)
    assert curve.loss.iloc[0] == pytest.approx(1, abs=0.5)  # the residual has unit variance, and E0 says nothing yet
    assert curve.loss.tail(5).mean() < 0.4 * curve.loss.head(3).mean()
    assert not estimator.training
    unseen = camera_patches(2, seed=9)
    with torch.no_grad():
        estimate = estimator(to_float(unseen.arrays["rgb"])) * estimator.scale * 127.5
    target = unseen.arrays["residual"].float().movedim(-1, 1)
    assert (estimate - target).square().mean() < 0.5 * target.square().mean()


def test_a_denoiser_learns_to_take_away_noise_that_was_added(patches, tmp_path):
    spec = EstimatorSpec(net=BODY, training=TrainingSpec(steps=80, batch=12), optimiser=QUICK)
    denoiser, curve = train_estimator(patches, spec, CPU, 1, Checkpoint(tmp_path, {}), noise=12)
    assert denoiser.scale.item() == pytest.approx(12 / 127.5)
    assert curve.loss.iloc[0] == pytest.approx(1, abs=0.6)  # in units of the noise, of which it says nothing yet
    clean = camera_patches(4, seed=9).arrays["rgb"].numpy()
    noisy = np.stack([with_noise(12, *one) for one in zip(clean, range(len(clean)), strict=True)])
    with torch.no_grad():
        left = to_bytes(denoiser.split(to_float(noisy))[1]).astype(float) - clean
    assert np.square(left).mean() < 0.6 * np.square(noisy.astype(float) - clean).mean()


@pytest.mark.parametrize("level", [40, 210])
def test_the_noise_of_a_patch_is_its_seeds_own_and_stronger_where_it_is_bright(level):
    patch = np.full((128, 128, 3), level, np.uint8)
    noisy = with_noise(4, patch, 7)
    assert noisy.dtype == np.uint8
    assert (noisy.astype(float) - level).mean() == pytest.approx(0, abs=0.1)
    assert (noisy.astype(float) - level).std() == pytest.approx(4 * np.sqrt(0.5 + level / 255), rel=0.03)
    assert np.array_equal(noisy, with_noise(4, patch, 7))
    assert not np.array_equal(noisy, with_noise(4, patch, 8))


# ---- classifiers


def classifier_spec(frontend: str, steps: int = 60, **optimiser: object) -> ClassifierSpec:
    return ClassifierSpec(
        net=ClassifierNetSpec(frontend=frontend, architecture="small", width=4, dropout=0.0),
        training=TrainingSpec(steps=steps, batch=18),
        optimiser=QUICK.model_copy(update=optimiser),
    )


@pytest.mark.parametrize("frontend", ["finite_difference", "con_conv"])
def test_a_classifier_learns_to_tell_the_cameras_apart(frontend, patches, tmp_path):
    spec = classifier_spec(frontend)
    classifier, curve = train_classifier("F", patches, spec, None, CPU, 1, Checkpoint(tmp_path, {}))
    assert curve.accuracy.head(3).mean() < 0.8
    assert curve.accuracy.tail(10).mean() > 0.9
    assert not classifier.training
    unseen = camera_patches(4, seed=9)
    found = predict(classifier, unseen.arrays["rgb"], CPU).argmax(1)
    assert (found == unseen.label).mean() > 0.9
    if frontend == "con_conv":
        assert on_constraint(classifier.frontend.transform.weight)


def test_pictures_are_moved_against_a_classifier_by_up_to_so_many_grey_levels(patches):
    torch.manual_seed(0)
    net = tiny_classifier("rgb").train()
    images, labels = to_float(patches.arrays["rgb"]), torch.from_numpy(patches.label)

    def loss(of: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(net.eval()(of), labels, reduction="none")

    before = copy_of(net)
    moved = moved_against(net, images, labels, 0.5, CPU)
    assert net.training
    assert same(before, net)
    assert all(parameter.grad is None for parameter in net.parameters())
    sizes = (moved - images).square().mean((1, 2, 3)).sqrt() * 127.5
    assert sizes.max() < 0.5001
    assert sizes.mean() == pytest.approx(0.25, abs=0.08)  # uniform
    assert not moved.requires_grad
    assert (loss(moved) > loss(images)).float().mean() > 0.9
    assert torch.equal(moved_against(net, images, labels, 0, CPU), images)


def test_a_picture_of_which_a_classifier_is_sure_is_moved_no_further(patches):
    torch.manual_seed(0)
    net = tiny_classifier("rgb")
    with torch.no_grad():
        net.net[-1].bias[0] += 45  # a gradient whose square is 0 in single precision
    images, labels = to_float(patches.arrays["rgb"]), torch.zeros(len(patches.label), dtype=torch.int64)
    moved = moved_against(net, images, labels, 0.5, CPU)
    assert ((moved - images).square().mean((1, 2, 3)).sqrt() * 127.5).max() < 0.5001


def test_adversarial_training_makes_a_classifier_harder_to_move(patches, tmp_path):
    found = {}
    for adversarial in (0.0, 8.0):
        spec = classifier_spec("finite_difference").model_copy(update={"adversarial": adversarial})
        net, _ = train_classifier("E", patches, spec, None, CPU, 1, Checkpoint(tmp_path / str(adversarial), {}))
        images, labels = to_float(patches.arrays["rgb"]), torch.from_numpy(patches.label)
        torch.manual_seed(0)
        moved = moved_against(net, images, labels, 8.0, CPU)
        with torch.no_grad():
            found[adversarial] = (net(moved).argmax(1) == labels).float().mean()
    assert found[8.0] > found[0.0] + 0.3


def test_what_has_no_gradient_cannot_be_trained_adversarially():
    with pytest.raises(ValueError, match=r"adversarial: found 0\.1, expected 0 for numbers, which has no gradient"):
        ClassifierSpec(net={"architecture": "numbers"}, training={"steps": 2, "batch": 8}, adversarial=0.1)


def test_training_moves_the_constrained_convolution_and_keeps_it_on_its_constraint(patches, tmp_path):
    nets = []
    for steps in (1, 8):
        spec = classifier_spec("con_conv", steps, schedule="constant")
        net, _ = train_classifier("F", patches, spec, None, CPU, 1, Checkpoint(tmp_path / str(steps), {}))
        nets.append(net.frontend.transform.weight)
    assert all(map(on_constraint, nets))
    assert (nets[0] - nets[1]).abs().max() > 1e-3


def test_training_a_classifier_leaves_its_estimator_as_it_was(patches, tmp_path):
    estimator = tiny_estimator()
    before = copy_of(estimator)
    spec = classifier_spec("prnu_lp", 5)
    classifier, _ = train_classifier("E_H", patches, spec, estimator, CPU, 1, Checkpoint(tmp_path, {}))
    assert same(before, classifier.frontend.estimator)


def test_the_gain_of_a_front_end_is_measured_on_training_patches(patches, tmp_path):
    spec = classifier_spec("finite_difference", 1)
    classifier, _ = train_classifier("F", patches, spec, None, CPU, 1, Checkpoint(tmp_path, {}))
    signal = classifier.frontend(to_float(patches.arrays["rgb"]))
    assert classifier.frontend.gain.item() != 1
    assert signal.std().item() == pytest.approx(1, rel=0.2)


def test_the_seed_decides_the_weights_and_nothing_else_does(patches, tmp_path):
    def weights(seed: int, name: str) -> torch.Tensor:
        torch.rand(seed)  # what was drawn before is of no account
        checkpoint = Checkpoint(tmp_path / name, {})
        net, _ = train_classifier("F", patches, classifier_spec("rgb", 3), None, CPU, seed, checkpoint)
        return torch.cat([value.flatten().float() for value in net.state_dict().values()])

    first = weights(1, "a")
    assert torch.equal(first, weights(1, "b"))
    assert not torch.equal(first, weights(2, "c"))


def test_validation_patches_are_never_trained_on(patches, tmp_path):
    held = np.zeros(len(patches.label), bool)
    held[::2] = True
    spoilt = {name: field.clone() for name, field in patches.arrays.items()}
    spoilt["rgb"][torch.from_numpy(held)] = 0
    nets = []
    for name, fields in (("a", patches.arrays), ("b", spoilt)):
        chosen = replace(patches, arrays=fields, validation=held)
        checkpoint = Checkpoint(tmp_path / name, {})
        net, _ = train_classifier("F", chosen, classifier_spec("rgb", 4), None, CPU, 1, checkpoint)
        nets.append(net)
    assert same(copy_of(nets[0]), nets[1])


def test_predictions_are_those_of_each_image_alone(patches):
    classifier = tiny_classifier("finite_difference").eval()
    images = patches.arrays["rgb"][:7]
    found = predict(classifier, images, CPU, batch=3)
    with torch.no_grad():
        each = torch.cat([classifier(to_float(image[None])).softmax(1) for image in images])
    assert found.shape == (7, 3)
    assert np.allclose(np.exp(found), each.numpy(), atol=1e-5)


def test_a_classifier_that_diverges_is_an_error_that_names_it(patches, tmp_path):
    spec = classifier_spec("rgb", 40, name="sgd", rate=1e30, schedule="constant")
    with pytest.raises(CamaError, match=r"training of F_rgb: found .* at step"):
        train_classifier("F_rgb", patches, spec, None, CPU, 1, Checkpoint(tmp_path, {}))


# ---- G and D


def tiny_evaluator() -> Evaluator:
    estimator = tiny_estimator()
    return Evaluator({name: tiny_classifier(name, estimator=estimator) for name in ("prnu_lp", "prnu_lp_low")})


def cama_spec(steps: int, output: str = "residual", **changes: object) -> LearnedSpec:
    return LearnedSpec(
        **{
            "generator": GeneratorSpec(**BODY.model_dump(), output=output),
            "discriminators": (DiscriminatorSpec(features=4),),
            "loss_weights": LossWeights(pixel=5, evaluator=0.2),
            "training": TrainingSpec(steps=steps, batch=9),
            "generator_optimiser": OptimiserSpec(rate=5e-3, beta1=0.5),
            "discriminator_optimiser": OptimiserSpec(rate=5e-3, beta1=0.5),
            **changes,
        }
    )


def test_cama_trains_and_keeps_its_rules(patches, tmp_path):
    evaluator = tiny_evaluator()
    fixed = copy_of(evaluator)
    spec = cama_spec(20)
    generator, (discriminator,), curve = generator_training.train_generator(
        "cama", patches, evaluator, spec, CPU, 1, Checkpoint(tmp_path, {})
    )
    assert same(fixed, evaluator)
    assert all(p.grad is None for p in evaluator.parameters())
    assert on_constraint(discriminator.frontend.transform.weight)
    assert discriminator.frontend.gain != 1
    assert len(curve) == 20
    assert np.isfinite(curve.to_numpy()).all()
    assert curve.filter(like="evaluator_").to_numpy().max() <= 1
    assert curve.d_loss.tail(5).mean() < curve.d_loss.iloc[0]
    assert not generator.training
    images = to_float(patches.arrays["rgb"])
    with torch.no_grad():
        changed = [generator(images, torch.full((len(images),), label)) for label in (0, 1)]
    assert (changed[0] - images).abs().mean() > 1e-3
    assert (changed[0] - changed[1]).abs().mean() > 1e-4


def test_the_front_end_of_the_discriminator_moves_on_its_constraint(patches, tmp_path):
    weights = []
    for steps in (1, 10):
        checkpoint = Checkpoint(tmp_path / str(steps), {})
        _, (net,), _ = generator_training.train_generator(
            "cama", patches, tiny_evaluator(), cama_spec(steps), CPU, 1, checkpoint
        )
        weights.append(net.frontend.transform.weight)
    assert all(map(on_constraint, weights))
    assert (weights[0] - weights[1]).abs().max() > 1e-3


def test_the_weight_of_the_pixels_alone_makes_a_direct_generator_copy(patches, tmp_path):
    spec = cama_spec(
        50,
        "direct",
        loss_weights=LossWeights(adversarial=0, pixel=1, evaluator=0),
        training=TrainingSpec(steps=50, batch=18),
        generator_optimiser=OptimiserSpec(rate=1e-2, schedule="one_cycle"),
    )
    *_, curve = generator_training.train_generator(
        "cama", patches, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path, {})
    )
    assert curve.pixel.tail(5).mean() < 0.75 * curve.pixel.head(5).mean()
    assert curve.psnr.tail(5).mean() > curve.psnr.head(5).mean() + 2


def test_the_weight_of_the_evaluator_alone_makes_it_fooled(patches, tmp_path):
    evaluator = tiny_evaluator()
    for stream in evaluator.streams:
        stream.net[-1].weight.mul_(10)  # as sure of itself as a trained one
    spec = cama_spec(60, loss_weights=LossWeights(adversarial=0, pixel=0, evaluator=1))
    *_, curve = generator_training.train_generator("cama", patches, evaluator, spec, CPU, 1, Checkpoint(tmp_path, {}))
    assert curve.evaluator.tail(5).mean() < 0.95 * curve.evaluator.head(5).mean()


def test_the_weight_of_the_spectrum_alone_brings_it_to_the_targets(patches, tmp_path):
    spec = cama_spec(60, loss_weights=LossWeights(adversarial=0, pixel=0, evaluator=0, spectrum=1))
    *_, curve = generator_training.train_generator(
        "cama", patches, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path, {})
    )
    assert curve.spectrum.tail(5).mean() < 0.7 * curve.spectrum.head(5).mean()


def test_the_loss_of_the_generator_is_the_weighted_sum_of_its_parts(patches, tmp_path):
    def update(*weights: float) -> torch.Tensor:
        names = ("adversarial", "pixel", "evaluator", "spectrum")
        spec = cama_spec(
            1,
            "direct",
            loss_weights=LossWeights(**dict(zip(names, weights, strict=True))),
            generator_optimiser=OptimiserSpec(name="sgd", rate=1.0, beta1=0.0),
        )
        checkpoint = Checkpoint(tmp_path / str(weights), {})
        net, *_ = generator_training.train_generator("cama", patches, tiny_evaluator(), spec, CPU, 1, checkpoint)
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    start = update(0, 0, 0, 0)
    parts = [update(*weights) - start for weights in np.eye(4).tolist()]
    assert all(part.norm() > 1e-3 for part in parts)
    found = update(0.3, 2, 0.5, 0.2) - start
    expected = sum(weight * part for weight, part in zip((0.3, 2, 0.5, 0.2), parts, strict=True))
    assert torch.allclose(found, expected, atol=1e-4)


def test_the_recorded_psnr_is_that_of_8_bit_pictures(patches, tmp_path):
    spec = cama_spec(1, loss_weights=LossWeights())  # before its first update G copies the remosaiced picture
    *_, curve = generator_training.train_generator(
        "cama", patches, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path, {})
    )
    fields = [patches.arrays[name].double() for name in ("rgb", "remosaic")]
    error = (fields[0] - fields[1]).square().mean((1, 2, 3))
    each = 10 * np.log10(255**2 / error.numpy())
    assert each.min() <= curve.psnr.iloc[0] <= each.max()


def test_weights_move_along_their_ramps(patches, tmp_path):
    assert [ramp_at(Ramp(start=1, end=3, until=0.5), share) for share in (0, 0.25, 0.5, 0.9)] == [1, 2, 3, 3]
    assert ramp_at(Ramp(start=2, end=0), 0.75) == 0.5

    def trained(pixel: object) -> torch.Tensor:
        spec = cama_spec(4, loss_weights=LossWeights(pixel=pixel))
        net, *_ = generator_training.train_generator(
            "cama", patches, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path / str(pixel), {})
        )
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    assert torch.equal(trained(5), trained({"start": 5, "end": 5, "until": 0.5}))
    assert not torch.equal(trained(5), trained({"start": 5, "end": 0}))


def test_the_pixel_weight_moves_with_the_psnr_of_each_step(patches, tmp_path):
    spec = cama_spec(
        60, loss_weights=LossWeights(pixel={"start": 2, "end": 8}, evaluator=0.2), target_psnr={"start": 20, "end": 30}
    )
    *_, curve = generator_training.train_generator(
        "cama", patches, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path, {})
    )
    logarithm, expected = 0.0, []
    for step, psnr in enumerate(curve.psnr):
        expected.append((2 + 6 * step / 60) * math.exp(logarithm))
        error = np.clip(20 + 10 * step / 60 - psnr, -PsnrController.MAX_ERROR, PsnrController.MAX_ERROR)
        logarithm += error * PsnrController.GAIN / 60
        logarithm = np.clip(logarithm, -PsnrController.MAX_LOG, PsnrController.MAX_LOG)
    assert np.allclose(curve.pixel_weight, expected, rtol=1e-4)
    assert curve.pixel_weight.nunique() > 50


def test_the_average_of_the_weights_lags_behind_them(patches, tmp_path):
    nets = []
    for decay in (0.0, 0.5, 0.999):
        spec = cama_spec(12, ema_decay=decay)
        checkpoint = Checkpoint(tmp_path / str(decay), {})
        net, *_ = generator_training.train_generator("cama", patches, tiny_evaluator(), spec, CPU, 1, checkpoint)
        nets.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
        assert type(net) is Generator
        assert not net.training
    last, near, far = nets
    assert 0 < (near - last).norm() < (far - last).norm()


@pytest.mark.parametrize(
    "changes",
    [
        {"adversarial_loss": "cross_entropy", "pixel_loss": "l2"},
        {"discriminators": tuple(DiscriminatorSpec(features=4, frontend=name) for name in ("rgb", "rgb+con_conv"))},
        {"discriminators": (DiscriminatorSpec(features=4, kind="pixel"),)},
        {"augmentation": AugmentationSpec(round=True, jpeg=1, resample=1), "ema_decay": 0.9},
        {"generator": GeneratorSpec(**BODY.model_dump(), output="residual", label="modulation")},
    ],
    ids=["other losses", "two discriminators", "pixel discriminator", "augmentation", "modulation"],
)
def test_every_setting_of_a_learned_attack_trains(changes, patches, tmp_path):
    spec = cama_spec(12, **changes)
    net, discriminators, curve = generator_training.train_generator(
        "other", patches, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path, {})
    )
    assert len(discriminators) == len(spec.discriminators)
    assert np.isfinite(curve.to_numpy()).all()
    assert curve.d_loss.tail(4).mean() < curve.d_loss.head(2).mean()
    images = to_float(patches.arrays["rgb"])
    with torch.no_grad():
        changed = [net(images, torch.full((len(images),), label)) for label in (0, 1)]
    assert (changed[0] - changed[1]).abs().mean() > 1e-5


class Seen(list):
    """What a network was called with: (images, labels) of each call."""

    def watch(self, kind: type) -> type:
        seen = self

        class Watched(kind):
            def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
                result = super().forward(images, labels)
                seen.append((images.detach().clone(), labels.clone(), result.detach().clone()))
                return result

        return Watched


@pytest.mark.parametrize("source", ["rgb", "remosaic"])
def test_who_sees_which_picture_with_which_label(source, patches, tmp_path, monkeypatch):
    by_g, by_d = Seen(), Seen()
    monkeypatch.setattr(generator_training, "Generator", by_g.watch(Generator))
    monkeypatch.setattr(generator_training, "Discriminator", by_d.watch(Discriminator))
    generator = GeneratorSpec(**BODY.model_dump(), output="residual", input=source)
    spec = cama_spec(6, generator=generator, training=TrainingSpec(steps=6, batch=30))
    *_, curve = generator_training.train_generator(
        "cama", patches, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path, {})
    )
    stored = {name: to_float(patches.arrays[name]) for name in ("rgb", "remosaic")}
    targets = set()
    assert len(by_g) == 6
    assert len(by_d) == 24
    for step, (seen, target, changed) in enumerate(by_g):
        real, fake, mismatched, again = by_d[4 * step : 4 * step + 4]
        x, y = real[:2]
        assert torch.equal(fake[0], changed)  # D: x' with y'
        assert torch.equal(fake[1], target)
        assert torch.equal(mismatched[0], x)  # x with the wrong label y'
        assert torch.equal(mismatched[1], target)
        assert torch.equal(again[0], changed)  # and once more for G
        assert torch.equal(again[1], target)
        assert (target != y).all()
        assert any(torch.equal(x[0], turned) for turned in symmetries(stored["rgb"]))
        assert any(torch.equal(seen[0], turned) for turned in symmetries(stored[source]))
        assert torch.equal(x, seen) == (source == "rgb")
        assert curve.pixel.iloc[step] == pytest.approx((x - changed).abs().mean().item(), rel=1e-4, abs=1e-7)
        targets |= {(int(a), int(b)) for a, b in zip(y, target, strict=True)}
    assert targets == {(a, b) for a in range(3) for b in range(3) if a != b}


def symmetries(images: torch.Tensor) -> list[torch.Tensor]:
    """The eight symmetries of each image."""
    turned = [torch.rot90(images, k, (2, 3)) for k in range(4)]
    return [image for batch in (*turned, *(batch.flip(3) for batch in turned)) for image in batch]


def test_bfloat16_trains_too(patches, tmp_path):
    compute = Compute(ComputeSpec(device="cpu", precision="bfloat16"))
    *_, curve = generator_training.train_generator(
        "cama", patches, tiny_evaluator(), cama_spec(3), compute, 1, Checkpoint(tmp_path, {})
    )
    assert np.isfinite(curve[["d_loss", "adversarial", "pixel", "evaluator"]].to_numpy()).all()


def test_a_classifier_in_float32_and_bfloat16_begins_alike(patches, tmp_path):
    losses = []
    for precision in ("float32", "bfloat16"):
        compute = Compute(ComputeSpec(device="cpu", precision=precision))
        checkpoint = Checkpoint(tmp_path / precision, {})
        net, curve = train_classifier("F", patches, classifier_spec("rgb", 1), None, compute, 1, checkpoint)
        assert isinstance(net, Classifier)
        assert {p.dtype for p in net.parameters()} == {torch.float32}
        losses.append(curve.loss[0])
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]
