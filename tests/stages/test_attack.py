"""Which photographs the stage `attack` takes, and towards which targets."""

import numpy as np
import torch

from cama.data.patches import Patches
from cama.settings.stages import AttackStageSpec
from cama.stages.attack import _chosen, _pairs

DEVICES = (4, 4, 4, 5, 5, 6)  # of a model's photographs, two of the second device


def test_photographs_are_of_each_device_in_turn():
    names = [f"{model}/{number}" for model in "AB" for number in range(len(DEVICES))]
    label = np.repeat([0, 1], len(DEVICES))
    none = np.zeros(len(names))
    arrays = {"rgb": torch.zeros(len(names), 8, 8, 3, dtype=torch.uint8)}
    test = Patches(arrays, label, none, np.array(names), none, none, np.array(DEVICES * 2), ("A", "B"))

    def taken(most: int) -> list[str]:
        spec = AttackStageSpec(name="oracle", method={"kind": "oracle"}, targets=("A", "B"), photographs=most)
        pairs = _pairs(test, spec)
        assert all(test.labels[test.label[row]] != spec.targets[target] for row, target in pairs)
        return [names[row] for row, _ in pairs]

    assert taken(1) == ["A/0", "B/0"]
    assert taken(3) == ["A/0", "A/3", "A/5", "B/0", "B/3", "B/5"]
    assert taken(4) == ["A/0", "A/1", "A/3", "A/5", "B/0", "B/1", "B/3", "B/5"]
    assert taken(0) == names


def test_a_chosen_target_is_one_for_all_photographs_of_a_camera_model():
    label = np.array([0, 1, 0, 2, 2, 1])
    none = np.zeros(6)
    arrays = {"rgb": torch.zeros(6, 8, 8, 3, dtype=torch.uint8)}
    tests = {
        kind: Patches(arrays, label, none, np.array([f"{kind}{n}" for n in range(6)]), none, none, none, names)
        for kind, names in (("in", ("A", "B", "C")), ("out", ("D", "E", "F")))
    }
    spec = AttackStageSpec(method={"kind": "learned", "generator": "g", "auto": True}, targets=("A", "B", "C"))
    pairs = [(kind, *pair) for kind, test in tests.items() for pair in _pairs(test, spec)]
    assert pairs == [(kind, row, -1) for kind in tests for row in range(6)]
    asked = []

    def choose(test: Patches, rows: list[int]) -> int:
        asked.append((test.labels[test.label[rows[0]]], rows))
        return len(rows) % 3 + int(test.label[rows[0]])

    chosen = _chosen(pairs, tests, choose)
    assert [(kind, row) for kind, row, _ in chosen] == [(kind, row) for kind, row, _ in pairs]
    assert all(target == 2 + tests[kind].label[row] for kind, row, target in chosen)
    assert sorted(asked) == [("A", [0, 2]), ("B", [1, 5]), ("C", [3, 4]), ("D", [0, 2]), ("E", [1, 5]), ("F", [3, 4])]
