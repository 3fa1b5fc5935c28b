"""Tests of cama.training.selection: which state of G a training gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cama.compute.psnr import psnr, together_at_psnr
from cama.core.errors import CamaError
from cama.models.generator import Generator
from cama.settings.networks import GeneratorSpec
from cama.settings.training import LearnedSpec, OptimiserSpec, TrainingSpec
from cama.storage.checkpoints import Checkpoint
from cama.training import selection
from cama.training.generator import train_generator
from cama.training.selection import Selection, judged_steps
from tests.models.helpers import shake, tiny_classifier
from tests.training.conftest import CPU, LABELS
from tests.training.test_training import tiny_evaluator

BODY = {"features": 8, "downsamplings": 0, "blocks": 1, "kernel": 5, "output": "residual", "input": "rgb"}


@pytest.fixture
def held(patches):
    """The same patches, two of each camera held out, of one photograph."""
    validation, photograph = patches.validation.copy(), patches.photograph.copy()
    for label in range(3):
        rows = np.flatnonzero(patches.label == label)[:2]
        validation[rows] = True
        photograph[rows] = photograph[rows[0]]
    return replace(patches, validation=validation, photograph=photograph)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return shake(Generator(3, GeneratorSpec(**BODY)), 0.05).train()


def delivered(before, after, target, places, number):
    return together_at_psnr(before, after, 36)


def judge():
    return shake(tiny_classifier("rgb"), 0.2).eval(), LABELS


def test_states_at_the_end_of_the_training_are_judged_the_last_among_them():
    assert judged_steps(900) == [630, 720, 810, 900]
    assert judged_steps(3) == [2, 3]


def test_every_held_out_photograph_is_judged_towards_each_other_label_and_no_other_is(held):
    pairs = selection._pairs(held)
    assert len(pairs) == 3 * 2
    assert all(held.validation[rows].all() for rows, _ in pairs)
    assert all(len(rows) == 2 and (held.label[rows] != target).all() for rows, target in pairs)


def test_the_best_state_is_kept_and_of_equals_the_later_one(held, generator, monkeypatch):
    chosen = Selection(held, "rgb", [judge()], delivered, 900, CPU)
    scores = iter([0.2, 0.5, 0.5, 0.4])
    monkeypatch.setattr(chosen, "_score", lambda _: next(scores))
    states = []
    for step in range(1, 901):
        with torch.no_grad():
            next(generator.parameters()).add_(1)
        found = chosen.consider(step, generator)
        assert (found is not None) == (step in judged_steps(900))
        if found is not None:
            states.append({name: value.clone() for name, value in generator.state_dict().items()})
    assert chosen.scores == [0.2, 0.5, 0.5, 0.4]
    assert all(torch.equal(value, states[2][name]) for name, value in chosen.best.items())
    assert generator.training
    other = Selection(held, "rgb", [judge()], delivered, 900, CPU)
    other.load_state_dict(chosen.state_dict())
    assert other.scores == chosen.scores
    assert other.best.keys() == chosen.best.keys()


def test_a_score_is_the_share_of_patches_taken_for_their_target_each_photograph_at_one_psnr(
    held, generator, monkeypatch
):
    seen = []

    def predict(classifier, images, compute):
        seen.append(images.numpy())
        scores = np.full((len(images), 3), -1.0)
        scores[:, 1] = 0  # the second label, whatever it sees
        return scores

    monkeypatch.setattr(selection, "predict", predict)
    chosen = Selection(held, "rgb", [judge(), judge()], delivered, 900, CPU)
    assert chosen.consider(900, generator) == pytest.approx(sum(target == 1 for _, target in chosen.pairs) / 6)
    before = [held.arrays["rgb"][rows].numpy() for rows, _ in chosen.pairs for _ in range(2)]
    levels = [psnr(one, other) for one, other in zip(before, seen, strict=True)]
    assert min(levels) >= 36  # or a little more, where all pixels of a tiny patch are rounded at once
    assert max(levels) < 37


def test_what_is_judged_is_delivered_with_its_target_and_place(held, generator):
    seen = []

    def deliver(before, after, target, places, number):
        seen.append((before, target, places, number))
        return before

    chosen = Selection(held, "rgb", [judge()], deliver, 900, CPU)
    chosen.consider(900, generator)
    assert [number for *_, number in seen] == list(range(len(chosen.pairs)))
    for (before, target, places, _), (rows, aim) in zip(seen, chosen.pairs, strict=True):
        assert target == aim
        assert np.array_equal(places, held.origin[rows])
        assert np.array_equal(before, held.arrays["rgb"][rows].numpy())


def test_the_trained_generator_is_the_state_that_was_chosen(held, tmp_path, monkeypatch):
    spec = LearnedSpec(
        generator=GeneratorSpec(**BODY),
        judges=("judge",),
        training=TrainingSpec(steps=10, batch=6),
        generator_optimiser=OptimiserSpec(rate=1e-2),
    )
    chosen = Selection(held, "rgb", [judge()], delivered, 10, CPU)
    kept = {}

    def score(current):
        kept[len(kept)] = {name: value.clone() for name, value in current.state_dict().items()}
        return [0.1, 0.9, 0.3, 0.2][len(kept) - 1]

    monkeypatch.setattr(chosen, "_score", score)
    net, _, curve = train_generator(
        "cama", held, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path / "state", {}), chosen
    )
    assert all(torch.equal(value, kept[1][name]) for name, value in net.state_dict().items())
    assert not all(torch.equal(value, kept[3][name]) for name, value in net.state_dict().items())
    assert curve.judges.dropna().tolist() == pytest.approx([0.1, 0.9, 0.3, 0.2])
    again = Selection(held, "rgb", [judge()], delivered, 10, CPU)
    resumed, *_ = train_generator(
        "cama", held, tiny_evaluator(), spec, CPU, 1, Checkpoint(tmp_path / "state", {}), again
    )
    assert all(torch.equal(value, kept[1][name]) for name, value in resumed.state_dict().items())


def test_judges_of_other_labels_and_patches_without_validation_are_one_line(patches, held):
    with pytest.raises(CamaError, match=r"--judges: found the labels \['a', 'b', 'c'\], expected \['Alcyon_A10', "):
        Selection(held, "rgb", [(judge()[0], ("a", "b", "c"))], delivered, 900, CPU)
    with pytest.raises(CamaError, match="--judges: found no validation photograph among the patches"):
        Selection(patches, "rgb", [judge()], delivered, 900, CPU)
