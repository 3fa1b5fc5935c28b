"""Classifiers that keep training against G."""

import signal

import numpy as np
import pytest
import torch

from cama.compute.tensors import to_float
from cama.models.evaluator import Evaluator
from cama.settings.training import LossWeights, OptimiserSpec
from cama.storage.checkpoints import Checkpoint
from cama.training.generator import GeneratorTraining, train_generator
from cama.training.opponents import Opponents
from tests.models.helpers import on_constraint, tiny_classifier, tiny_estimator
from tests.training.conftest import CPU
from tests.training.test_training import cama_spec, copy_of, same

NAMES = ("prnu_lp", "con_conv")
FAST = OptimiserSpec(name="adamw", rate=1e-2)


def evaluator() -> Evaluator:
    estimator = tiny_estimator()
    return Evaluator({name: tiny_classifier(name, estimator=estimator) for name in (*NAMES, "prnu_lp_low")})


def test_opponents_begin_as_e_and_share_its_estimator():
    fixed = evaluator()
    opponents = Opponents(fixed, NAMES)
    images = torch.rand(4, 3, 32, 32) * 2 - 1
    expected, found = fixed(images), opponents(images)
    assert tuple(found) == NAMES
    for name in NAMES:
        assert torch.allclose(found[name], expected[name], atol=1e-5)
    assert opponents.estimator is opponents.streams[0].frontend.estimator
    assert same(copy_of(fixed.estimator), opponents.estimator)
    assert not any(parameter.requires_grad for parameter in fixed.parameters())
    assert {"estimator" in name for name, p in opponents.named_parameters() if not p.requires_grad} == {True}
    assert {"estimator" in name for name, p in opponents.named_parameters() if p.requires_grad} == {False}
    assert not any(part.training for part in opponents.train().modules())


def test_their_loss_is_the_mean_of_both_kinds_of_pictures_and_all_opponents():
    opponents = Opponents(evaluator(), NAMES)
    real, fake = torch.rand(2, 3, 3, 32, 32) * 2 - 1
    source = torch.tensor([0, 2, 1])
    each = [-scores[torch.arange(3), source] for images in (real, fake) for scores in opponents(images).values()]
    assert opponents.loss(real, fake, source).item() == pytest.approx(torch.cat(each).mean().item(), rel=1e-5)


def test_they_learn_and_e_stays(patches):
    fixed, spec = evaluator(), cama_spec(40, opponents=NAMES, evaluators=NAMES, opponent_optimiser=FAST)
    before = copy_of(fixed)
    training = GeneratorTraining(patches, fixed, spec, CPU, 1)
    losses = [float(training.step(index)["opponents_loss"]) for index in range(40)]
    assert same(before, fixed)
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])
    assert on_constraint(training.opponents.streams[1].frontend.transform.weight)
    images = to_float(patches.arrays["rgb"])
    own, first = training.opponents(images), fixed(images)
    for name in NAMES:
        assert not torch.equal(own[name], first[name])


def test_their_weight_alone_makes_them_fooled(patches, tmp_path):
    fixed = evaluator()
    for stream in fixed.streams:
        stream.net[-1].weight.mul_(10)  # as sure of itself as a trained one
    still = OptimiserSpec(name="sgd", rate=1e-9)
    weights = LossWeights(adversarial=0, pixel=0, evaluator=0, opponents=1)
    spec = cama_spec(60, loss_weights=weights, opponents=NAMES, opponent_optimiser=still)
    *_, curve = train_generator("cama", patches, fixed, spec, CPU, 1, Checkpoint(tmp_path, {}))
    assert curve.opponents.tail(5).mean() < 0.95 * curve.opponents.head(5).mean()


def test_a_training_with_opponents_resumes_bit_for_bit(patches, tmp_path, monkeypatch):
    """They share E0, which is no part of what is trained."""
    spec = cama_spec(
        6, opponents=("prnu_lp", "prnu_lp_low"), evaluators=("prnu_lp", "prnu_lp_low"), opponent_optimiser=FAST
    )

    def trained(folder: str) -> dict[str, torch.Tensor]:
        made = train_generator("cama", patches, evaluator(), spec, CPU, 1, Checkpoint(tmp_path / folder, {}))
        return {**made[0].state_dict(), **{str(key): value for key, value in made[1].state_dict().items()}}

    whole = trained("whole")
    step = GeneratorTraining.step

    def killed(self: GeneratorTraining, index: int) -> dict[str, torch.Tensor]:
        row = step(self, index)
        if index == 2:
            signal.raise_signal(signal.SIGTERM)
        return row

    with monkeypatch.context() as context, pytest.raises(SystemExit):
        context.setattr(GeneratorTraining, "step", killed)
        trained("killed")
    resumed = trained("killed")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    fixed = cama_spec(6, evaluators=("prnu_lp", "prnu_lp_low"))
    other, *_ = train_generator("cama", patches, evaluator(), fixed, CPU, 1, Checkpoint(tmp_path / "fixed", {}))
    assert not all(torch.equal(value, whole[name]) for name, value in other.state_dict().items())
