"""G, D, E0 and the evaluator E."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import correlate, gaussian_filter
from torch import nn

from cama.core.errors import CamaError
from cama.models.body import label_maps
from cama.models.discriminator import Discriminator, save_discriminators
from cama.models.estimator import Estimator, load_estimator, save_estimator
from cama.models.evaluator import Evaluator
from cama.models.generator import Generator, load_generator, save_generator
from cama.models.padding import ReflectConv2d
from cama.settings.networks import BodySpec, DiscriminatorSpec, GeneratorSpec
from cama.storage.model_files import read_model
from tests.models.helpers import TINY_BODY, on_constraint, pictures, shake, tiny_classifier, tiny_estimator

LABELS = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")


def tiny_generator(output: str, downsamplings: int = 1) -> Generator:
    torch.manual_seed(0)
    return Generator(3, GeneratorSpec(features=4, downsamplings=downsamplings, blocks=1, kernel=3, output=output))


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# ---- label maps


def test_label_maps_are_one_hot_over_the_whole_picture():
    maps = label_maps(torch.tensor([2, 0]), 3, 4, 5)
    assert maps.shape == (2, 3, 4, 5)
    assert (maps[0, 2] == 1).all()
    assert (maps[1, 0] == 1).all()
    assert maps.sum() == 2 * 4 * 5


@pytest.mark.parametrize("output", ["direct", "residual"])
def test_the_label_changes_what_a_generator_gives_after_training(output):
    generator = shake(tiny_generator(output)).eval()
    images = pictures(1)
    with torch.no_grad():
        given = [generator(images, torch.tensor([label])) for label in range(3)]
    assert (given[0] - given[1]).abs().max() > 1e-3
    assert (given[1] - given[2]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["patch", "pixel"])
def test_the_label_changes_what_a_discriminator_gives(kind):
    discriminator = shake(Discriminator(3, DiscriminatorSpec(features=4, kind=kind))).eval()
    images = pictures(1)
    with torch.no_grad():
        first, second = (discriminator(images, torch.tensor([label])) for label in (0, 1))
    assert (first - second).abs().max() > 1e-3


def test_each_image_of_a_batch_has_the_label_that_stands_beside_it():
    generator = shake(tiny_generator("direct")).eval()
    images = pictures(2)
    with torch.no_grad():
        both = generator(images, torch.tensor([0, 2]))
        second = generator(images[1:], torch.tensor([2]))
    assert torch.allclose(both[1:], second, atol=1e-5)


# ---- G


@pytest.mark.parametrize("downsamplings", [0, 2])
@pytest.mark.parametrize("training", [True, False])
def test_a_residual_generator_begins_as_the_identity(downsamplings, training):
    generator = tiny_generator("residual", downsamplings).train(training)
    images = pictures()
    with torch.no_grad():
        assert torch.equal(generator(images, torch.tensor([0, 1])), images)


def test_a_residual_generator_can_leave_the_identity_by_its_first_step():
    generator, images = tiny_generator("residual"), pictures()
    generator(images, torch.tensor([0, 1])).sum().backward()
    assert generator.body[-1].weight.grad.abs().max() > 0


def test_a_generator_of_details_leaves_colour_and_brightness_of_areas():
    specs = [
        GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, output="residual", detail=d) for d in (0, 4)
    ]
    plain, fine = (shake(Generator(3, spec)).eval() for spec in specs)
    fine.load_state_dict(plain.state_dict())
    images, labels = pictures(2, 96), torch.tensor([0, 2])
    with torch.no_grad():
        whole, detail = (net(images, labels) - images for net in (plain, fine))
    expected = torch.from_numpy(
        whole.numpy() - gaussian_filter(whole.numpy(), (0, 0, 4, 4), mode="nearest", truncate=3)
    )
    assert torch.allclose(detail, expected, atol=1e-4)
    assert detail.mean((2, 3)).abs().max() < 0.05 * whole.mean((2, 3)).abs().max()
    assert detail.square().mean() > 0.1 * whole.square().mean()


@torch.no_grad()
def test_a_generator_of_details_does_without_bfloat16_in_its_blur():
    spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, output="residual", detail=4)
    net, images, labels = shake(Generator(3, spec)).eval(), pictures(1, 64), torch.tensor([1])
    exact = net(images, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (net(images, labels) - exact).abs().max() < 0.02 * (exact - images).abs().max()


def test_details_alone_are_for_residual_generators():
    with pytest.raises(ValidationError, match="detail: found 8, expected 0 unless output is residual"):
        GeneratorSpec(detail=8)


def filtering_generator(**changes: object) -> Generator:
    settings = {
        "features": 4,
        "downsamplings": 0,
        "blocks": 1,
        "kernel": 3,
        "output": "filters",
        "filters": 3,
        "taps": 5,
    }
    torch.manual_seed(0)
    return Generator(3, GeneratorSpec(**settings | changes))


def test_a_filtering_generator_begins_near_the_identity_and_can_leave_it():
    generator, images = filtering_generator(), pictures()
    changed = generator(images, torch.tensor([0, 1]))
    assert 0 < (changed - images).abs().max() < 0.1
    changed.square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in generator.parameters() if p.ndim > 1)


@torch.no_grad()
def test_a_filtering_generator_adds_what_the_filters_of_its_label_make_in_the_shares_of_each_pixel():
    generator, images, labels = shake(filtering_generator()).eval(), pictures(2, 16), torch.tensor([2, 0])
    changed = (generator(images, labels) - images).numpy()
    maps = label_maps(labels, 3, 16, 16)
    shares = generator.body(torch.cat([images, maps], 1), labels).softmax(1).numpy()
    taps = generator.filters.numpy()
    for n, label in enumerate(labels):
        expected = np.zeros_like(changed[n])
        for filter_number, out, inside in np.ndindex(3, 3, 3):
            kernel = taps[label, filter_number, out, inside]
            made = correlate(images[n, inside].numpy(), kernel - kernel.mean(), mode="mirror")
            expected[out] += shares[n, filter_number] * made
        assert np.allclose(changed[n], expected, atol=1e-4)


@torch.no_grad()
def test_a_filtering_generator_leaves_colour_and_brightness_of_areas():
    generator = shake(filtering_generator()).eval()
    flat = torch.tensor([0.3, -0.5, 0.9]).reshape(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert torch.allclose(generator(flat, torch.tensor([1])), flat, atol=1e-5)


def test_a_direct_generator_ends_within_the_range_and_not_as_the_identity():
    generator, images = shake(tiny_generator("direct"), 2.0), pictures()
    with torch.no_grad():
        changed = generator(images, torch.tensor([0, 1]))
    assert changed.shape == images.shape
    assert changed.abs().max() <= 1
    assert changed.abs().max() > 0.9
    assert (changed - images).abs().mean() > 0.1


@pytest.mark.parametrize("output", ["direct", "residual"])
def test_gradients_reach_the_input_and_every_weight_of_a_generator(output):
    generator, images = shake(tiny_generator(output)), pictures().requires_grad_()
    generator(images, torch.tensor([0, 1])).square().mean().backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().max() > 0
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().max() > 0 for p in generator.parameters() if p.ndim > 1)


def test_a_generator_goes_through_a_file(tmp_path):
    spec = GeneratorSpec(features=4, downsamplings=1, blocks=1, kernel=3, output="residual", input="rgb")
    generator = shake(Generator(3, spec)).train()
    images, labels = pictures(), torch.tensor([0, 2])
    generator(images, labels)  # moves the running means, which must be in the file too
    path = tmp_path / "g.safetensors"
    save_generator(path, generator, spec, LABELS, {"note": 1})
    loaded, found, names = load_generator(path)
    assert (found, names, loaded.training) == (spec, LABELS, False)
    with torch.no_grad():
        assert torch.equal(loaded(images, labels), generator.eval()(images, labels))


# ---- D


def test_a_discriminator_begins_on_the_constraint_of_its_front_end():
    assert on_constraint(Discriminator(3, DiscriminatorSpec(features=4)).frontend.transform.weight)


def test_gradients_pass_through_a_discriminator_to_the_image():
    discriminator, images = Discriminator(3, DiscriminatorSpec(features=4)), pictures().requires_grad_()
    discriminator(images, torch.tensor([0, 1])).square().mean().backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().max() > 0
    assert discriminator.frontend.transform.weight.grad.abs().max() > 0


def test_a_pixel_discriminator_judges_each_place_by_the_5x5_pixels_around_it():
    discriminator = shake(Discriminator(2, DiscriminatorSpec(features=4, kind="pixel"))).eval()
    images = pictures(1, 16)
    changed = images.clone()
    changed[0, :, 8, 8] *= -1
    with torch.no_grad():
        before, after = (discriminator(x, torch.tensor([0])) for x in (images, changed))
    places = ((before - after).abs() > 1e-6)[0, 0].nonzero()
    assert before.shape == (1, 1, 12, 12)
    assert places.min() == 4  # place 4 sees rows 4 to 8
    assert places.max() == 8


def test_a_discriminator_is_kept_with_its_spec_and_labels(tmp_path):
    specs = DiscriminatorSpec(features=4), DiscriminatorSpec(features=3, frontend="rgb")
    discriminators = nn.ModuleList(Discriminator(3, spec) for spec in specs)
    path = tmp_path / "d.safetensors"
    save_discriminators(path, discriminators, specs, LABELS, {})
    state, header = read_model(path, "discriminators")
    assert header["nets"] == [spec.model_dump() for spec in specs]
    assert tuple(header["labels"]) == LABELS
    assert state.keys() == discriminators.state_dict().keys()
    assert all(np.array_equal(value, discriminators.state_dict()[key]) for key, value in state.items())


# ---- E0


def test_the_estimator_is_linear_at_the_end():
    estimator = Estimator(TINY_BODY).eval()
    with torch.no_grad():
        before = estimator(pictures())
        estimator.body[-1].bias += 5
        assert torch.allclose(estimator(pictures()), before + 5, atol=1e-5)


def test_an_estimator_goes_through_a_file_with_its_scale(tmp_path):
    estimator, images = tiny_estimator(scale=0.03).train(), pictures()
    estimator(images)
    path = tmp_path / "e0.safetensors"
    save_estimator(path, estimator, {})
    loaded = load_estimator(path)
    assert loaded.scale.item() == pytest.approx(0.03)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(images), estimator.eval()(images))


# ---- files that are not what they should be


def save_tiny(kind: str, path) -> None:
    if kind == "generator":
        spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3)
        save_generator(path, Generator(3, spec), spec, LABELS, {})
    else:
        save_estimator(path, tiny_estimator(), {})


LOADERS = {"generator": load_generator, "estimator": load_estimator}


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("fault", ["missing", "empty", "text", "cut", "other kind", "other shape", "unknown key"])
def test_a_faulty_model_file_is_one_line_that_names_it(kind, fault, tmp_path):
    path = tmp_path / "model.safetensors"
    save_tiny(kind, path)
    LOADERS[kind](path)  # sound so far
    content = path.read_bytes()
    if fault == "missing":
        path.unlink()
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "text":
        path.write_text("this is no model\n" * 200)
    elif fault == "cut":
        path.write_bytes(content[:-7])
    elif fault == "other kind":
        save_tiny("estimator" if kind == "generator" else "generator", path)
    elif fault == "other shape":
        path.write_bytes(content.replace(rb"\"features\": 4", rb"\"features\": 8"))
    else:
        path.write_bytes(content.replace(rb"\"features\"", rb"\"featurez\""))
    assert path.exists() == (fault != "missing")
    assert fault == "missing" or path.read_bytes() != content
    with pytest.raises(CamaError) as error:
        LOADERS[kind](path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


# ---- the paper's sizes


def body_by_hand(inputs: int) -> int:
    """Weights of the paper's body: norms have two for each feature, only the last convolution has biases."""
    down = inputs * 64 * 49 + 2 * 64 + 64 * 128 * 9 + 2 * 128 + 128 * 256 * 9 + 2 * 256
    blocks = 2 * (2 * 256 * 256 * 9 + 2 * 2 * 256)
    up = 256 * 128 * 9 + 2 * 128 + 128 * 64 * 9 + 2 * 64
    return down + blocks + up + 64 * 3 * 49 + 3


def test_the_paper_generator_and_estimator_have_the_sizes_of_the_paper_and_run_on_64x64():
    generator, estimator, images = Generator(6, GeneratorSpec()), Estimator(BodySpec()), pictures(2, 64)
    assert count(generator) == body_by_hand(3 + 6) == 3_137_539
    assert count(estimator) == body_by_hand(3)
    with torch.no_grad():
        changed = generator(images, torch.tensor([0, 5]))
        assert changed.shape == estimator(images).shape == images.shape
    assert changed.abs().max() <= 1


def test_the_paper_discriminator_has_the_size_of_the_paper_and_runs_on_64x64():
    discriminator = Discriminator(6, DiscriminatorSpec())
    con_conv = 3 * 3 * 25
    layers = 3 * 64 * 16 + 64 + 70 * 128 * 16 + 2 * 128 + 128 * 256 * 16 + 2 * 256 + 256 * 16 + 1
    assert count(discriminator) == con_conv + layers
    with torch.no_grad():
        # 64 by the 5x5 front-end to 60, halved twice, then 4x4 kernels of stride 1 twice
        assert discriminator(pictures(2, 64), torch.tensor([0, 5])).shape == (2, 1, 13, 13)


def test_the_paper_networks_begin_with_small_normal_weights():
    for net in (Estimator(BodySpec()), Discriminator(6, DiscriminatorSpec())):
        convolutions = [
            part
            for part in net.modules()
            if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)) and part.weight.numel() > 9000
        ]
        assert len(convolutions) >= 2
        for part in convolutions:
            assert part.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(part.weight.mean().item()) < 0.001
        assert all((part.bias == 0).all() for part in net.modules() if getattr(part, "bias", None) is not None)


def test_the_body_pads_by_reflection():
    padded = [part for part in Estimator(BodySpec()).modules() if isinstance(part, nn.Conv2d)]
    assert padded and all(isinstance(part, ReflectConv2d) for part in padded)
    assert [part.reflected for part in padded] == [part.kernel_size[0] // 2 for part in padded]


# ---- E


def tiny_evaluator() -> tuple[Evaluator, nn.Module, nn.Module]:
    estimator = tiny_estimator(scale=0.25)
    high, low = (tiny_classifier(name, estimator=estimator) for name in ("prnu_lp", "prnu_lp_low"))
    shake(low.net, 0.05, seed=5)
    for norm in (part for net in (high, low) for part in net.modules() if isinstance(part, nn.BatchNorm2d)):
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    return Evaluator(copy.deepcopy({"high": high, "low": low})), high, low


def test_the_evaluator_says_what_its_two_classifiers_say():
    evaluator, high, low = tiny_evaluator()  # which folded its own copies of the two
    images = pictures(4)
    with torch.no_grad():
        found = evaluator(images)
        expected = [net.eval()(images).log_softmax(1) for net in (high, low)]
    assert list(found) == ["high", "low"]
    assert torch.allclose(found["high"], expected[0], atol=1e-5)
    assert torch.allclose(found["low"], expected[1], atol=1e-5)
    assert not torch.allclose(found["high"], found["low"], atol=1e-2)
    assert torch.allclose(found["high"].exp().sum(1), torch.ones(4), atol=1e-5)


def test_the_evaluator_takes_classifiers_that_need_no_estimator():
    _, high, _ = tiny_evaluator()
    streams = {"rgb": tiny_classifier("rgb"), "high": high, "wide": tiny_classifier("rgb+con_conv")}
    images = pictures(4)
    with torch.no_grad():
        expected = {name: net.eval()(images).log_softmax(1) for name, net in streams.items()}
        alone = Evaluator(copy.deepcopy({"rgb": streams["rgb"]}))(images)
        found = Evaluator(streams)(images)
    assert found.keys() == streams.keys()
    assert all(torch.allclose(found[name], expected[name], atol=1e-5) for name in streams)
    assert torch.equal(alone["rgb"], found["rgb"])


def test_the_evaluator_can_be_asked_in_part(monkeypatch):
    evaluator, *_ = tiny_evaluator()
    images = pictures(2)
    with torch.no_grad():
        every, one = evaluator(images), evaluator(images, ["low"])
        assert one.keys() == {"low"}
        assert torch.equal(one["low"], every["low"])
        both = Evaluator({"rgb": tiny_classifier("rgb"), "high": tiny_classifier("prnu_lp")})
        monkeypatch.setattr(both.estimator, "split", None)  # which `rgb` does not need
        assert both(images, ["rgb"]).keys() == {"rgb"}


def test_the_evaluator_computes_its_estimator_once(monkeypatch):
    evaluator, *_ = tiny_evaluator()
    calls = []
    evaluator.estimator.register_forward_hook(lambda *_: calls.append(1))
    evaluator(pictures(2))
    assert len(calls) == 1


def test_gradients_of_each_stream_pass_to_the_image_but_not_to_the_weights():
    evaluator, *_ = tiny_evaluator()
    for stream in ("high", "low"):
        images = pictures(4).requires_grad_()
        evaluator(images)[stream][:, 0].sum().backward()
        assert torch.isfinite(images.grad).all()
        assert images.grad.abs().max() > 0
    assert len(list(evaluator.parameters())) > 20
    assert all(p.grad is None and not p.requires_grad for p in evaluator.parameters())


def test_the_evaluator_never_trains():
    evaluator, *_ = tiny_evaluator()
    before = {key: value.clone() for key, value in evaluator.state_dict().items()}
    nn.Sequential(evaluator).train()
    assert not any(part.training for part in evaluator.modules())
    evaluator(pictures(4))
    assert all(torch.equal(before[key], value) for key, value in evaluator.state_dict().items())


def test_the_evaluator_refuses_streams_of_two_estimators():
    streams = {n: tiny_classifier(n, estimator=tiny_estimator(s)) for n, s in (("prnu_lp", 0), ("prnu_lp_low", 1))}
    with pytest.raises(CamaError, match="prnu_lp and prnu_lp_low were trained with different estimators"):
        Evaluator(streams)


def test_the_evaluator_takes_two_copies_of_one_estimator():
    streams = {n: tiny_classifier(n, estimator=tiny_estimator(0)) for n in ("prnu_lp", "prnu_lp_low")}
    assert Evaluator(streams)(pictures())["prnu_lp"].shape == (2, 3)


def test_describing_networks_does_not_import_torchs_compiler():
    """It takes seconds, and every command that reads a model file describes its network first (`load_weights`)."""
    code = """
import sys, torch
from cama.models.classifiers import Classifier
from cama.models.discriminator import Discriminator
from cama.models.estimator import Estimator
from cama.models.generator import Generator
from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
with torch.device("meta"):
    estimator = Estimator(BodySpec())
    Generator(3, GeneratorSpec())
    Discriminator(3, DiscriminatorSpec(frontend="con_conv"))
    for frontend in ("rgb", "con_conv", "finite_difference", "fixed_hpf", "rgb+con_conv", "prnu_lp", "prnu_lp_low"):
        Classifier(3, ClassifierNetSpec(frontend=frontend, architecture="small"), estimator)
print("torch._dynamo" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"
