"""Tests of cama.training.encoding: what D and E see of G is what the target's camera would deliver."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from cama.compute.tensors import to_bytes, to_float
from cama.core.errors import CamaError
from cama.evaluation.saves import saved_as
from cama.jpeg.imitation import Imitation
from cama.photo.profile import learn_profile
from cama.settings.training import LossWeights
from cama.training.encoding import GRID, TargetEncoders, encodings
from cama.training.generator import GeneratorTraining
from tests.jpeg.helpers import scene
from tests.photo.helpers import camera_file
from tests.training.conftest import CPU
from tests.training.test_training import cama_spec, copy_of, same, tiny_evaluator

LABELS = ("Canon_A", "Nikon_B", "Sony_C")
SAVES = {"Canon_A": (70, "4:2:0"), "Nikon_B": (85, "4:2:2"), "Sony_C": (95, "4:4:4")}


@pytest.fixture
def imitations(tmp_path) -> dict[str, Imitation]:
    found = {}
    for name, (quality, subsampling) in SAVES.items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(camera_file("Dorado_D5", quality=quality, subsampling=subsampling))
        found[name] = Imitation(learn_profile([path]))
    return found


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.stack([scene(64, 64, seed=seed + number) for number in range(count)])


def encoded(picture: np.ndarray, imitation: Imitation, above: int, before: int) -> np.ndarray:
    """A picture as the target's encoder and a decoder leave it where it lies in a larger one."""
    around = ((above, GRID - above), (before, GRID - before), (0, 0))
    whole = saved_as(np.pad(picture, around, mode="reflect"), imitation, 1)
    return whole[above : above + 64, before : before + 64]


PLACES = torch.tensor([[0, 0], [3, 8], [45, 16], [7, 31], [160, 5]])


def test_each_picture_has_been_saved_by_its_targets_camera_where_it_lies_on_the_grid(imitations):
    images, labels = pictures(5), torch.tensor([2, 0, 1, 0, 2])
    found = to_bytes(TargetEncoders(imitations, LABELS)(to_float(images), labels, PLACES)).astype(int)
    for picture, label, place, made in zip(images, labels, PLACES % GRID, found, strict=True):
        place = place.tolist()
        errors = {name: np.abs(made - encoded(picture, one, *place)) for name, one in imitations.items()}
        assert (errors[LABELS[label]] <= 1).mean() > 0.7  # the rest: see tests/jpeg/test_differentiable.py
        assert min(errors, key=lambda name: errors[name].mean()) == LABELS[label]
        if place[0] != place[1]:
            turned = np.abs(made - encoded(picture, imitations[LABELS[label]], *reversed(place)))
            assert errors[LABELS[label]].mean() < turned.mean()


def test_what_judges_see_is_such_a_save_whose_encoding_the_seed_decides(imitations, tmp_path):
    paths = []
    for quality in (60, 95):
        paths.append(tmp_path / f"of_{quality}.jpg")
        paths[-1].write_bytes(camera_file("Dorado_D5", quality=quality))
    several = Imitation(learn_profile(paths))
    encoders, images = TargetEncoders({**imitations, "Canon_A": several}, LABELS), pictures(3)

    def delivered(target: int, seed: int) -> np.ndarray:
        torch.rand(1)  # what was drawn before is of no account
        before = torch.get_rng_state()
        found = encoders.delivered(images, target, PLACES[:3].numpy(), seed, CPU)
        assert torch.equal(torch.get_rng_state(), before)
        return found

    found = [delivered(0, seed) for seed in range(8)]
    assert all(np.array_equal(one, delivered(0, seed)) for seed, one in enumerate(found))
    assert len({one.tobytes() for one in found}) == 2  # one of each encoding
    whole = to_bytes(encoders(to_float(images), torch.ones(3, dtype=torch.int64), PLACES[:3]))
    assert np.array_equal(delivered(1, 0), whole)


def test_what_is_drawn_does_not_depend_on_the_labels(imitations):
    encoders, states = TargetEncoders(imitations, LABELS), []
    for labels in ([0], [0, 1, 2], [2, 2]):
        torch.manual_seed(0)
        encoders(to_float(pictures(len(labels))), torch.tensor(labels), PLACES[: len(labels)])
        states.append(torch.get_rng_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


def test_gradients_reach_every_pixel(imitations):
    images = to_float(pictures(2)).requires_grad_()
    weights = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    found = TargetEncoders(imitations, LABELS)(images, torch.tensor([1, 2]), PLACES[1:3])
    (found * weights).sum().backward()
    assert torch.isfinite(images.grad).all()
    assert (images.grad != 0).float().mean() > 0.9


def test_a_camera_with_several_encodings_takes_each_as_often_as_it_has_it(tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(4)]
    for number, path in enumerate(paths):
        quality, subsampling = (95, "4:2:2") if number == 3 else (50, "4:2:0")
        path.write_bytes(camera_file("Dorado_D5", number, quality=quality, subsampling=subsampling))
    imitation = Imitation(learn_profile(paths))
    assert {(one.subsampling, one.share) for one in encodings("D5", imitation)} == {("4:2:0", 0.75), ("4:2:2", 0.25)}
    encoders, image, label = TargetEncoders({"D5": imitation}, ["D5"]), to_float(pictures(1)), torch.tensor([0])
    torch.manual_seed(0)
    errors = [(encoders(image, label, PLACES[:1]) - image).abs().mean().item() for _ in range(100)]
    coarse = Counter(error > (min(errors) + max(errors)) / 2 for error in errors)
    assert 60 < coarse[True] < 90


def test_a_profile_whose_samplings_are_unknown_is_one_line(imitations):
    imitation = imitations["Canon_A"]
    for coding, _ in imitation.choices:
        coding["subsampling"] = "4:1:1"
    with pytest.raises(CamaError, match=r"^profile of Canon_A: found the subsamplings \['4:1:1'\], expected one of"):
        TargetEncoders(imitations, LABELS)


def trained(patches, weights: LossWeights, encoders: object) -> GeneratorTraining:
    training = GeneratorTraining(patches, tiny_evaluator(), cama_spec(3, loss_weights=weights), CPU, 1, None, encoders)
    for index in range(3):
        training.step(index)
    return training


def test_d_and_e_see_what_the_encoders_make_and_the_distance_is_of_what_g_made(patches, imitations):
    """Of encoders that leave nothing no gradient comes back to G, but for the distance to the photograph."""
    seen = []

    def nothing(images: torch.Tensor, labels: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        seen.append((images.detach(), labels, places))
        return torch.zeros_like(images)

    blind = LossWeights(adversarial=1, pixel=0, evaluator=1)
    training = GeneratorTraining(patches, tiny_evaluator(), cama_spec(3, loss_weights=blind), CPU, 1, None, nothing)
    before = copy_of(training.generator)
    training.step(0)
    assert all(torch.equal(before[name], value) for name, value in training.generator.named_parameters())
    assert seen[0][0].shape[0] == len(seen[0][1])
    sighted = trained(patches, LossWeights(adversarial=0, pixel=1, evaluator=0), nothing)
    assert not same(before, sighted.generator)


def test_what_a_step_encodes_lies_in_its_photograph_where_the_encoders_are_told(patches, imitations):
    placed = replace(
        patches, origin=np.stack([np.arange(len(patches.label)), 2 * np.arange(len(patches.label))], axis=1)
    )
    training = GeneratorTraining(placed, tiny_evaluator(), cama_spec(1), CPU, 1, None, lambda images, *_: images)
    batch = training.draw(0)
    rows = batch.places[:, 0]
    assert torch.equal(batch.places[:, 1], 2 * rows)
    assert torch.equal(batch.real, CPU.images(patches.arrays["rgb"][rows]))  # not turned
    assert len(set(rows.tolist())) > 1


def test_encoders_that_change_nothing_change_but_how_patches_lie(patches, imitations):
    weights = LossWeights(adversarial=1, pixel=3, evaluator=0.2)
    turned = trained(patches, weights, None).generator
    upright = trained(patches, weights, lambda images, *_: images).generator
    assert not same(copy_of(turned), upright)
    encoded = trained(patches, weights, TargetEncoders(imitations, LABELS)).generator
    assert not same(copy_of(upright), encoded)
