"""The loop: schedules, refusals, checkpoints, and a resumed training that equals an uninterrupted one bit for bit."""

import os
import signal
from types import ModuleType

import pytest
import torch
from torch import nn

from cama.core.errors import CamaError
from cama.data.patches import Patches, Sampler
from cama.models.evaluator import Evaluator
from cama.settings.networks import ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.settings.training import (
    AugmentationSpec,
    ClassifierSpec,
    EstimatorSpec,
    LearnedSpec,
    LossWeights,
    OptimiserSpec,
    Ramp,
    TrainingSpec,
)
from cama.storage.checkpoints import Checkpoint
from cama.training import classifier as classifier_training
from cama.training import estimator as estimator_training
from cama.training import generator as generator_training
from cama.training.loop import FINITE, Optimiser, learning_rate, run
from tests.models.helpers import TINY_BODY, tiny_classifier, tiny_estimator
from tests.training.conftest import CPU

# ---- learning rates


def test_a_constant_rate_is_constant():
    spec = OptimiserSpec(rate=0.3)
    assert {learning_rate(spec, step, 10) for step in range(10)} == {0.3}


def test_the_rate_by_steps_is_divided_by_ten_at_half_and_at_three_quarters():
    spec = OptimiserSpec(rate=2.0, schedule="steps")
    found = [learning_rate(spec, step, 8) for step in range(8)]
    assert found == pytest.approx([2, 2, 2, 2, 0.2, 0.2, 0.02, 0.02])


def test_the_one_cycle_rate_climbs_for_a_quarter_and_falls_to_nothing():
    spec = OptimiserSpec(rate=2.0, schedule="one_cycle")
    found = [learning_rate(spec, step, 400) for step in range(400)]
    assert found[0] == pytest.approx(2 / 25)
    assert found[50] == pytest.approx((2 + 2 / 25) / 2)  # half the way up
    assert found[100] == max(found) == pytest.approx(2)
    assert found[250] == pytest.approx(1)  # half the way down
    assert 0 < found[399] < 1e-3
    assert found[:101] == sorted(found[:101])
    assert found[100:] == sorted(found[100:], reverse=True)


def line(weight: float = 1.0) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, weight)
    return layer


def test_an_update_takes_the_rate_of_its_step():
    layer = line()
    optimiser = Optimiser(layer, OptimiserSpec(name="sgd", rate=1.0, beta1=0, schedule="steps"), 4, "x")
    for step, expected in ((0, 1 - 1), (3, 0 - 0.01)):
        optimiser.update(layer.weight.sum(), step)
        assert layer.weight.item() == pytest.approx(expected)


def test_an_sgd_update_has_nesterov_momentum_and_weight_decay_by_hand():
    layer = line(2.0)
    optimiser = Optimiser(layer, OptimiserSpec(name="sgd", rate=0.1, beta1=0.9, weight_decay=0.5), 10, "x")
    velocity, weight = 0.0, 2.0
    for step in range(3):
        gradient = 3 + 0.5 * weight
        velocity = 0.9 * velocity + gradient
        weight -= 0.1 * (gradient + 0.9 * velocity)
        optimiser.update(3 * layer.weight.sum(), step)
        assert layer.weight.item() == pytest.approx(weight, rel=1e-5)


def test_the_first_adam_update_moves_by_the_rate_and_adamw_decays_beside_it():
    plain, decoupled = line(2.0), line(2.0)
    Optimiser(plain, OptimiserSpec(name="adam", rate=0.1, weight_decay=0.5), 10, "x").update(plain.weight.sum(), 0)
    spec = OptimiserSpec(name="adamw", rate=0.1, weight_decay=0.5)
    Optimiser(decoupled, spec, 10, "x").update(decoupled.weight.sum(), 0)
    assert plain.weight.item() == pytest.approx(2 - 0.1)
    assert decoupled.weight.item() == pytest.approx(2 * (1 - 0.1 * 0.5) - 0.1)


def test_adam_takes_its_first_moment_from_the_spec():
    optimiser = Optimiser(line(), OptimiserSpec(name="adam", beta1=0.5), 10, "x")
    assert optimiser.inner.param_groups[0]["betas"] == (0.5, 0.999)


def test_an_update_leaves_alone_what_is_frozen_or_of_another_network():
    mine, frozen, other = line(), line(), line()
    frozen.requires_grad_(False)
    optimiser = Optimiser(nn.ModuleList([mine, frozen]), OptimiserSpec(rate=0.1, weight_decay=0.1), 10, "x")
    optimiser.update((mine.weight * frozen.weight * other.weight).sum(), 0)
    assert mine.weight.item() != 1
    assert frozen.weight.item() == other.weight.item() == 1
    assert other.weight.grad is None


# ---- refusals


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_not_finite_is_an_error_that_names_network_and_step(value):
    layer = line()
    optimiser = Optimiser(layer, OptimiserSpec(), 100, "E_H")
    with pytest.raises(CamaError, match=f"training of E_H: found the loss {value} at step 17, expected a finite one"):
        optimiser.update(layer.weight.sum() * float(value), 17)
    assert layer.weight.item() == 1


def test_on_a_gpu_gradients_that_were_not_finite_are_noticed_later_with_their_step():
    """Every fifty steps, and before the state is saved: a check at each step would wait for the GPU."""
    layer = line()
    optimiser = Optimiser(layer, OptimiserSpec(), 200, "G")
    optimiser.first_bad = torch.tensor(FINITE)  # as where the parameters are on a GPU
    optimiser.update(layer.weight.sum(), 48)
    optimiser.state_dict()
    for step in (49, 51):
        optimiser.update(layer.weight.sum() * float("nan"), step)
    for noticing in (optimiser.state_dict, lambda: optimiser.update(layer.weight.sum(), 100)):
        with pytest.raises(CamaError, match="training of G: found a gradient that is not finite at step 49"):
            noticing()


def test_a_gradient_that_is_not_finite_is_an_error_and_moves_nothing():
    layer = line(0.0)
    optimiser = Optimiser(layer, OptimiserSpec(), 100, "G")
    loss = layer.weight.abs().sqrt().sum()
    assert loss.item() == 0  # finite, but steep without end
    with pytest.raises(CamaError, match="training of G: found a gradient that is not finite at step 3"):
        optimiser.update(loss, 3)
    assert layer.weight.item() == 0


# ---- the loop itself


class Walk:
    """A part of a training that adds a random number in each step."""

    def __init__(self) -> None:
        self.at = torch.zeros(())
        self.seen: list[int] = []

    def step(self, index: int) -> dict[str, torch.Tensor]:
        self.seen.append(index)
        self.at = self.at + torch.rand(())
        return {"at": self.at}

    def state_dict(self) -> dict:
        return {"at": self.at}

    def load_state_dict(self, state: dict) -> None:
        self.at = state["at"]


def walk(folder, steps: int = 250, step=None, every_s: float = 60.0) -> tuple[Walk, object]:
    part = Walk()
    curve = run(
        "walk", {"part": part}, step(part) if step else part.step, steps, 7, Checkpoint(folder, {}, every_s=every_s)
    )
    return part, curve


def test_the_loop_takes_every_step_once_and_records_about_a_hundred(tmp_path):
    part, curve = walk(tmp_path, 250)
    assert part.seen == list(range(250))
    assert list(curve.step) == [*range(2, 251, 2)]
    assert curve["at"].iloc[-1] == pytest.approx(part.at.item())


def test_the_last_step_is_always_recorded(tmp_path):
    _, curve = walk(tmp_path, 301)
    assert curve.step.iloc[-1] == 301


def test_a_step_draws_the_same_numbers_whatever_was_drawn_before(tmp_path):
    def wasteful(part: Walk):
        def step(index: int) -> dict[str, torch.Tensor]:
            result = part.step(index)
            torch.rand(index)
            return result

        return step

    assert torch.equal(walk(tmp_path / "a", 20)[0].at, walk(tmp_path / "b", 20, wasteful)[0].at)


def test_steps_do_not_all_draw_the_same(tmp_path):
    _, curve = walk(tmp_path, 10)
    assert curve["at"].diff().nunique() > 5


def test_sigterm_ends_the_step_saves_and_leaves_with_143(tmp_path):
    def killed(part: Walk):
        def step(index: int) -> dict[str, torch.Tensor]:
            if index == 30:
                os.kill(os.getpid(), signal.SIGTERM)
            return part.step(index)

        return step

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        walk(tmp_path / "b", 250, killed)
    assert end.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert Checkpoint(tmp_path / "b", {}).load()["step"] == 31
    resumed, curve = walk(tmp_path / "b", 250)
    whole, expected = walk(tmp_path / "a", 250)
    assert resumed.seen == list(range(31, 250))
    assert torch.equal(resumed.at, whole.at)
    assert curve.equals(expected)


def test_sigterm_in_the_last_step_loses_nothing(tmp_path):
    def killed(part: Walk):
        def step(index: int) -> dict[str, torch.Tensor]:
            if index == 9:
                os.kill(os.getpid(), signal.SIGTERM)
            return part.step(index)

        return step

    with pytest.raises(SystemExit):
        walk(tmp_path / "b", 10, killed)
    resumed, curve = walk(tmp_path / "b", 10)
    whole, expected = walk(tmp_path / "a", 10)
    assert resumed.seen == []
    assert torch.equal(resumed.at, whole.at)
    assert curve.equals(expected)


def test_an_error_in_a_step_keeps_the_last_save(tmp_path):
    def broken(part: Walk):
        def step(index: int) -> dict[str, torch.Tensor]:
            if index == 12:
                raise CamaError("the power went off")
            return part.step(index)

        return step

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(CamaError):
        walk(tmp_path / "b", 20, broken, every_s=0)
    assert signal.getsignal(signal.SIGTERM) is before
    resumed, curve = walk(tmp_path / "b", 20)
    whole, expected = walk(tmp_path / "a", 20)
    assert resumed.seen == list(range(12, 20))
    assert torch.equal(resumed.at, whole.at)
    assert curve.equals(expected)


# ---- checkpoints


def test_a_tree_of_dicts_lists_numbers_and_tensors_comes_back_as_it_was(tmp_path):
    state = {
        "network": {"weight": torch.randn(2, 3), "count": torch.tensor(4), "half": torch.ones(2, dtype=torch.float16)},
        "optimiser": {"state": {0: {"step": torch.tensor(2.0)}, 11: {"step": torch.tensor(3.0)}}, "groups": [{}, []]},
        "scalars": [1, 2.5, -0.1, None, True, "é", float("inf")],
        "list": [torch.arange(3), {"deep": [torch.zeros(0)]}],
    }
    checkpoint = Checkpoint(tmp_path, {"spec": 1})
    assert checkpoint.load() is None
    checkpoint.save(state)
    found = Checkpoint(tmp_path, {"spec": 1}).load()
    assert found["scalars"] == state["scalars"]
    assert list(found["optimiser"]["state"]) == [0, 11]  # ints, not strings
    assert found["optimiser"]["groups"] == [{}, []]
    assert found["optimiser"]["state"][11]["step"] == 3
    for path in (("network", "weight"), ("network", "count"), ("network", "half"), ("list", 0)):
        before, after = state, found
        for key in path:
            before, after = before[key], after[key]
        assert torch.equal(before, after)
        assert before.dtype == after.dtype
    assert found["list"][1]["deep"][0].shape == (0,)


def test_a_saved_state_does_not_follow_the_tensors_that_it_was_made_of(tmp_path):
    tensor = torch.zeros(3)
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save({"a": tensor, "b": tensor})  # the same memory twice
    tensor += 1
    found = checkpoint.load()
    assert found["a"].tolist() == found["b"].tolist() == [0, 0, 0]


def test_another_spec_input_or_code_is_another_state(tmp_path):
    identity = {"spec": {"rate": 0.1, "steps": 5}, "inputs": {"p.h5": "ab"}, "code": "x"}
    Checkpoint(tmp_path, identity).save({"step": 3})
    for change in ({"spec": {"rate": 0.2, "steps": 5}}, {"inputs": {"p.h5": "ac"}}, {"code": "y"}):
        assert Checkpoint(tmp_path, {**identity, **change}).load() is None
    same = {"code": "x", "inputs": {"p.h5": "ab"}, "spec": {"steps": 5, "rate": 0.1}}
    assert Checkpoint(tmp_path, same).load() == {"step": 3}


def test_a_failed_save_keeps_the_state_before_it(tmp_path):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save({"step": 3})
    names = sorted(path.name for path in checkpoint.folder.iterdir())
    with pytest.raises(TypeError):
        checkpoint.save({"step": object()})
    assert checkpoint.load() == {"step": 3}
    assert sorted(path.name for path in checkpoint.folder.iterdir()) == names


def test_a_damaged_state_is_one_line_that_names_it(tmp_path):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save({"step": 3, "weight": torch.ones(100)})
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-9])
    with pytest.raises(CamaError) as error:
        checkpoint.load()
    assert str(checkpoint.path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_save_is_due_when_the_last_is_long_enough_ago(tmp_path):
    checkpoint = Checkpoint(tmp_path, {}, every_s=1000)
    assert not checkpoint.due()
    checkpoint._saved_at -= 1001
    assert checkpoint.due()
    checkpoint.save({})
    assert not checkpoint.due()


def test_a_finished_state_is_marked_and_still_there(tmp_path):
    other, finished = Checkpoint(tmp_path, {"seed": 1}), Checkpoint(tmp_path, {"seed": 2})
    for checkpoint in (other, finished):
        checkpoint.save({"step": 1})
    finished.finish()
    assert [path.parent for path in tmp_path.rglob("done")] == [finished.folder]
    assert Checkpoint(tmp_path, {"seed": 2}).load() == {"step": 1}


def test_a_state_of_another_precision_is_refused(tmp_path):
    Checkpoint(tmp_path, {}, {"device": "cpu", "precision": "bfloat16"}).save({"step": 1})
    elsewhere = Checkpoint(tmp_path, {}, {"device": "cpu", "precision": "float32"})
    with pytest.raises(CamaError, match=r"found a state of cpu, bfloat16, expected one of cpu, float32: .* delete"):
        elsewhere.load()


# ---- real trainings, resumed

STEPS, INTERRUPT = 12, 5


def train_classifier(frontend: str, optimiser: str, patches: Patches, checkpoint: Checkpoint, adversarial: float = 0):
    spec = ClassifierSpec(
        net=ClassifierNetSpec(frontend=frontend, architecture="small", width=4),
        adversarial=adversarial,
        training=TrainingSpec(steps=STEPS, batch=6),
        optimiser=OptimiserSpec(name=optimiser, rate=1e-2, weight_decay=1e-3, schedule="one_cycle"),
    )
    estimator = tiny_estimator() if frontend == "prnu_lp" else None
    net, curve = classifier_training.train_classifier("F", patches, spec, estimator, CPU, 3, checkpoint)
    return [net], curve


def train_estimator(patches: Patches, checkpoint: Checkpoint, noise: float = 0):
    spec = EstimatorSpec(net=TINY_BODY, training=TrainingSpec(steps=STEPS, batch=6))
    net, curve = estimator_training.train_estimator(patches, spec, CPU, 3, checkpoint, noise)
    return [net], curve


def train_generator(output: str, patches: Patches, checkpoint: Checkpoint, **changes: object):
    estimator = tiny_estimator()
    evaluator = Evaluator({name: tiny_classifier(name, estimator=estimator) for name in ("prnu_lp", "prnu_lp_low")})
    spec = LearnedSpec(
        generator=GeneratorSpec(features=4, downsamplings=1, blocks=1, kernel=3, output=output),
        discriminators=[DiscriminatorSpec(features=4)],
        loss_weights=LossWeights(evaluator=0.2),
        training=TrainingSpec(steps=STEPS, batch=6),
        generator_optimiser=OptimiserSpec(rate=1e-2, beta1=0.5, schedule="one_cycle"),
    )
    spec = spec.model_copy(update=changes)
    generator, discriminators, curve = generator_training.train_generator(
        "cama", patches, evaluator, spec, CPU, 3, checkpoint
    )
    return [generator, discriminators], curve


AUGMENTED = AugmentationSpec(round=True, jpeg=0.5, resample=0.5)
TWO = (DiscriminatorSpec(features=4), DiscriminatorSpec(features=4, frontend="rgb+finite_difference"))
HELD = Ramp(start=20, end=30)
RAMPED = LossWeights(pixel={"start": 1, "end": 9, "until": 0.5})


TRAININGS = {
    "classifier con_conv sgd": (classifier_training, lambda *a: train_classifier("con_conv", "sgd", *a)),
    "classifier prnu_lp adamw": (classifier_training, lambda *a: train_classifier("prnu_lp", "adamw", *a)),
    "classifier, adversarial": (
        classifier_training,
        lambda *a: train_classifier("con_conv", "adamw", *a, adversarial=2),
    ),
    "estimator": (estimator_training, train_estimator),
    "denoiser": (estimator_training, lambda *a: train_estimator(*a, noise=8)),
    "generator residual": (generator_training, lambda *a: train_generator("residual", *a)),
    "generator direct": (generator_training, lambda *a: train_generator("direct", *a)),
    "generator averaged, augmented, held": (
        generator_training,
        lambda *a: train_generator("residual", *a, ema_decay=0.9, augmentation=AUGMENTED, target_psnr=HELD),
    ),
    "generator with two discriminators, ramped": (
        generator_training,
        lambda *a: train_generator("residual", *a, discriminators=TWO, loss_weights=RAMPED),
    ),
}


class Recorder(Sampler):
    """A sampler that records what it draws, and at `at` does what is to be done."""

    drawn: dict[int, tuple]
    at: int
    action: object

    def draw(self, step: int):
        fields, labels = super().draw(step)
        content = (*(field.numpy().tobytes() for field in fields), labels.numpy().tobytes())
        assert self.drawn.setdefault(step, content) == content
        if step == self.at:
            type(self).at = -1
            self.action()
        return fields, labels


def recorder(monkeypatch, module: ModuleType, at: int = -1, action: object = None) -> dict[int, tuple]:
    """Put a recorder in the place of the sampler of `module`; gives what it will have drawn."""
    attributes = {"drawn": {}, "at": at, "action": staticmethod(action) if action else None}
    kind = type("OneRecorder", (Recorder,), attributes)
    monkeypatch.setattr(module, "Sampler", kind)
    return kind.drawn


def sigterm() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def power_cut() -> None:
    raise RuntimeError("power cut")


@pytest.mark.parametrize("name", TRAININGS)
@pytest.mark.parametrize(("action", "error"), [(sigterm, SystemExit), (power_cut, RuntimeError)])
def test_an_interrupted_training_ends_in_the_same_weights_bit_for_bit(
    name, action, error, patches, tmp_path, monkeypatch
):
    module, train = TRAININGS[name]
    whole_draws = recorder(monkeypatch, module)
    whole, expected = train(patches, Checkpoint(tmp_path / "whole", {}))
    cut_draws = recorder(monkeypatch, module, INTERRUPT, action)
    with pytest.raises(error):
        train(patches, Checkpoint(tmp_path / "cut", {}, every_s=0 if action is power_cut else 60))
    saved = Checkpoint(tmp_path / "cut", {}).load()
    assert saved["step"] == (INTERRUPT if action is power_cut else INTERRUPT + 1)
    rest_draws = recorder(monkeypatch, module)
    resumed, curve = train(patches, Checkpoint(tmp_path / "cut", {}))
    assert set(rest_draws) - {0} == set(range(saved["step"], STEPS))  # 0 may be drawn for the calibration
    assert {**cut_draws, **rest_draws} == whole_draws
    assert len(set(whole_draws.values())) == STEPS
    assert curve.equals(expected)
    for before, after in zip(whole, resumed, strict=True):
        assert before.state_dict().keys() == after.state_dict().keys()
        for key, value in before.state_dict().items():
            assert torch.equal(value, after.state_dict()[key]), key
