"""Which photographs the stage `attack` takes, and towards which targets."""

import numpy as np
import torch

from cama.data.patches import Patches
from cama.settings.stages import AttackStageSpec
from cama.stages.attack import _pairs

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
