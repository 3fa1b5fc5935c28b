"""Refinement: steps on E from G's picture, how far they go, and where they see."""

import numpy as np
import pytest
import torch

from cama.attacks.factory import build_attack
from cama.attacks.refinement import GENERATOR, STEPS, refine
from cama.attacks.steps import fitting_bound
from cama.attacks.trained import learned_attack, trained_attack, walking
from cama.compute.device import Compute
from cama.compute.psnr import at_psnr, psnr
from cama.compute.tensors import to_float
from cama.core.errors import CamaError
from cama.models.classifiers import save_classifier
from cama.models.evaluator import Evaluator
from cama.models.generator import Generator, save_generator
from cama.settings.attacks import MethodSpec
from cama.settings.networks import GeneratorSpec
from cama.settings.training import ComputeSpec
from tests.jpeg.helpers import scene
from tests.models.helpers import net_spec, shake, tiny_classifier

CPU = Compute(ComputeSpec(device="cpu", precision="float32"))
SPEC = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, output="residual", input="rgb")
LABELS = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")
LEVEL = 36


def generator() -> Generator:
    torch.manual_seed(0)
    return shake(Generator(3, SPEC), 0.1).eval()


class Grain(torch.nn.Module):
    """Two classifiers that go by how much pixels differ from the next one: to the right, below, and along a diagonal."""

    names = ("one", "other")

    def forward(self, images, names=None):
        around = [images - images.roll(step, (2, 3)) for step in ((0, -1), (-1, 0), (-1, -1))]
        scores = 40 * torch.stack([each.square().add(1e-6).sqrt().mean((1, 2, 3)) for each in around], 1)
        return dict.fromkeys(names or self.names, scores.log_softmax(1))


def evaluator() -> Evaluator:
    streams = {name: tiny_classifier(name) for name in ("rgb", "finite_difference")}
    for stream in streams.values():
        stream.frontend.calibrate(to_float(scene(96, 128)[None]))
    return Evaluator(streams)


def start(picture: np.ndarray) -> np.ndarray:
    return by_generator(picture, LEVEL + GENERATOR)


def by_generator(picture: np.ndarray, level: float = 0) -> np.ndarray:
    return trained_attack(generator(), SPEC, CPU)(picture, 1, level)


def refined(picture, first, e, target, level, steps, **how) -> np.ndarray:
    walk = walking(e, CPU, steps)
    return refine(picture, first, lambda context, bound: walk(context, target, bound), level, **how)


def score(picture: np.ndarray, target: int = 1) -> float:
    return float(Grain()(to_float(picture[None]))["one"][0, target])


class Edge(torch.nn.Module):
    """An evaluator for which every pixel is to grow, and which records what it sees."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.names = ("edge",)

    def forward(self, images, names=None):
        self.seen.append(tuple(images.shape[-2:]))
        total = images.sum((1, 2, 3))
        return {"edge": torch.stack([total, -total], 1).log_softmax(1)}


@pytest.mark.parametrize("size", [(96, 128), (97, 65), (33, 16), (1, 1)])
def test_a_refined_picture_has_the_level_and_the_size(size):
    picture = scene(*size)
    made = refined(picture, start(picture), evaluator(), 1, LEVEL, 3)
    assert made.shape == picture.shape
    assert made.dtype == np.uint8
    if min(size) > 1:
        assert LEVEL <= psnr(picture, made) < LEVEL + 0.1


@pytest.mark.parametrize("target", [0, 1, 2])
def test_steps_lead_to_the_target_further_than_the_generator_at_the_same_level(target):
    picture = scene(96, 128)
    first = start(picture)
    alone = at_psnr(picture[None], first[None], LEVEL)[0]
    made = refined(picture, first, Grain(), target, LEVEL, 5)
    assert score(made, target) > score(alone, target) + 0.1
    assert score(made, target) > score(picture, target) + 0.1


def test_generator_and_steps_have_their_parts_of_the_change():
    picture = np.full((64, 64, 3), 100, np.uint8)
    rng = np.random.default_rng(0)
    own = rng.choice([-1.0, 1.0], picture.shape)  # G's change, of equal strength everywhere, without a mean
    own -= own.mean()
    first = at_psnr(picture[None], (picture + own)[None], LEVEL + GENERATOR, rng.random(picture.shape)[None] - 0.5)[0]
    change = refined(picture, first, Edge(), 0, LEVEL, 4).astype(float) - 100
    # the steps add their bound to every pixel here, and one factor scales both
    factor = (change * own).mean() / ((first - 100.0) * own).mean()
    assert change.mean() / factor == pytest.approx(fitting_bound("mi_fgsm", LEVEL + STEPS), rel=0.1)
    assert sum(10 ** (-part / 10) for part in (GENERATOR, STEPS)) == pytest.approx(1)


def test_tiles_are_equal_and_see_some_pixels_around_them():
    picture, sees = scene(160, 96), Edge()
    done = []
    refined(picture, picture, sees, 0, LEVEL, 1, tile=64, progress=lambda *now: done.append(now))
    # 160 rows are 48, 48 and 64, each with 16 more at an edge within
    assert sees.seen == [(64, 64), (64, 64), (80, 64), (80, 64), (80, 64), (80, 64)]
    assert done == [(number, 6) for number in range(1, 7)]


def test_each_step_goes_by_one_classifier_in_turn(monkeypatch):
    e, seen = evaluator(), []
    forward = e.forward
    monkeypatch.setattr(e, "forward", lambda images, names: seen.append(tuple(names)) or forward(images, names))
    refined(scene(64, 64), scene(64, 64), e, 1, LEVEL, 4)
    assert seen == 2 * [("rgb",), ("finite_difference",)]


def test_a_small_picture_is_mirrored_to_what_the_evaluator_can_judge():
    sees = Edge()
    refined(scene(20, 70), scene(20, 70), sees, 0, LEVEL, 1)
    assert sees.seen == [(64, 80)]


def test_tiles_are_nearly_as_one_pass():
    picture = scene(128, 128)
    whole, tiled = (refined(picture, start(picture), Grain(), 0, LEVEL, 4, tile=side) for side in (4096, 64))
    changes = [made.astype(float) - picture for made in (whole, tiled)]
    assert np.corrcoef(*(change.ravel() for change in changes))[0, 1] > 0.9
    assert score(tiled, 0) == pytest.approx(score(whole, 0), abs=0.2 * (score(whole, 0) - score(picture, 0)))


def test_the_attack_refines_what_its_generator_makes():
    picture = scene(96, 128)
    attack = trained_attack(generator(), SPEC, CPU, evaluator(), 3)
    done = []
    made = attack(picture, 1, LEVEL, lambda *now: done.append(now))
    assert np.array_equal(made, refined(picture, start(picture), evaluator(), 1, LEVEL, 3))
    assert done == [(1, 4), (4, 4)]
    with pytest.raises(CamaError, match="psnr: found 0, expected a PSNR in dB"):
        attack(picture, 1)


def test_progress_rises_over_all_tiles_of_both():
    picture, done = scene(48, 1040), []
    trained_attack(generator(), SPEC, CPU, evaluator(), 1)(picture, 1, LEVEL, lambda *now: done.append(now))
    parts = [part for part, _ in done]
    assert parts == sorted(parts)
    assert {total for _, total in done} == {6}
    assert parts[-1] == 6


@pytest.mark.parametrize("level", [30, 34, 42])
def test_other_levels_are_held_too(level):
    picture = scene(96, 128)
    first = by_generator(picture, level + GENERATOR)
    made = refined(picture, first, Grain(), 0, level, 4)
    assert level <= psnr(picture, made) < level + 1  # a step of rounding may leap over it
    assert score(made, 0) > score(at_psnr(picture[None], first[None], level)[0], 0)


def test_without_steps_it_is_the_generator_alone():
    picture = scene(96, 128)
    attack = trained_attack(generator(), SPEC, CPU, evaluator())
    assert np.array_equal(attack(picture, 1, LEVEL), by_generator(picture, LEVEL))
    assert np.array_equal(attack(picture, 1), by_generator(picture))


@pytest.fixture
def files(tmp_path):
    g = tmp_path / "g.safetensors"
    save_generator(g, generator(), SPEC, LABELS, {})
    names = ("rgb", "finite_difference")
    for name in names:
        save_classifier(tmp_path / f"{name}.safetensors", tiny_classifier(name).eval(), net_spec(name), LABELS, {})
    return g, [tmp_path / f"{name}.safetensors" for name in names]


def test_from_files_it_is_refined_on_the_evaluators_that_are_given(files):
    g, evaluators = files
    method = MethodSpec(kind="learned", generator="g", psnr=LEVEL, refine=3)
    picture = scene(64, 80)
    compute = ComputeSpec(device="cpu", precision="float32")
    attack = build_attack(method, LABELS, compute, 1, g, evaluators)
    (made,) = attack(picture[None], np.array([-1]), np.array([1]))
    (one,) = build_attack(method, LABELS, compute, 1, g, evaluators[:1])(picture[None], np.array([-1]), np.array([1]))
    assert LEVEL <= psnr(picture, made) < LEVEL + 0.1
    assert not np.array_equal(made, one)
    with pytest.raises(CamaError, match="--evaluators: found none, expected those of the generator"):
        learned_attack(g, method, LABELS, CPU)
    with pytest.raises(CamaError, match=r"g.safetensors: found the labels .*, expected \['Other_A', 'Other_B'\]"):
        learned_attack(g, method, ("Other_A", "Other_B"), CPU, evaluators)
