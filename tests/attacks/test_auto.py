"""The choice of a target by judges."""

import numpy as np
import pytest

from cama.attacks.auto import Choice, choose_target, spread_crops
from cama.core.errors import CamaError


class ByColour:
    """A judge that takes a picture for the label of its strongest channel, more surely the stronger it is."""

    def __init__(self, sure: float = 1) -> None:
        self.sure = sure

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        scores = self.sure * 4 * (crops.mean((1, 2)) / 127.5 - 1)
        return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def coloured(red: int, green: int, blue: int, count: int = 2, side: int = 32) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], np.uint8), (count, side, side, 3)).copy()


def paint(*strengths: int):
    """A change towards a label: so much more of its channel."""

    def change(picture: np.ndarray, label: int) -> np.ndarray:
        changed = picture.astype(int)
        changed[..., label] += strengths[label]
        return np.clip(changed, 0, 255).astype(np.uint8)

    return change


def test_the_most_sure_target_is_chosen_and_never_the_own():
    crops = coloured(200, 100, 100)
    chosen = choose_target([crops], paint(50, 90, 140), [ByColour()], 3)
    assert isinstance(chosen, Choice)
    assert chosen.target == 2
    assert chosen.shares[0] == 0
    assert 0 < chosen.shares[1] < chosen.shares[2] < 1
    assert choose_target([crops], paint(50, 155, 140), [ByColour()], 3).target == 1
    assert choose_target([crops], paint(50, 155, 140), [ByColour()], 3, others={1}).target == 2
    assert choose_target([crops], paint(50, 155, 140), [ByColour()], 3, others={0, 1, 2}).target == 1  # none is left
    assert choose_target([crops], paint(0, 0, 0), [ByColour()], 3).target in (1, 2)


def test_all_judges_and_photographs_count():
    one, other = coloured(200, 100, 100), coloured(200, 100, 160)
    shares = [choose_target([crops], paint(0, 80, 60), [ByColour()], 3).shares for crops in (one, other)]
    both = choose_target([one, other], paint(0, 80, 60), [ByColour()], 3).shares
    assert both == pytest.approx(np.mean(shares, axis=0))
    surer = choose_target([one], paint(0, 80, 60), [ByColour(3)], 3).shares
    mixed = choose_target([one], paint(0, 80, 60), [ByColour(), ByColour(3)], 3).shares
    assert mixed == pytest.approx((np.array(shares[0]) + surer) / 2)


def test_the_crops_of_a_photograph_are_changed_as_one_picture():
    seen = []

    def change(picture: np.ndarray, label: int) -> np.ndarray:
        seen.append(picture.shape)
        return picture

    choose_target([coloured(200, 100, 100, count=5)], change, [ByColour()], 3)
    assert seen == [(160, 32, 3)] * 2


@pytest.mark.parametrize(
    ("height", "width", "crops", "side"),
    [
        (3000, 4000, 15, 128),
        (4000, 3000, 15, 128),
        (288, 288, 4, 128),
        (128, 4096, 16, 128),
        (100, 400, 4, 96),
        (16, 16, 1, 16),
    ],
)
def test_crops_are_spread_on_the_grid(height, width, crops, side):
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows // 16 % 256, columns // 16 % 256, rows % 16 * 16 + columns % 16], axis=-1).astype(np.uint8)
    found = spread_crops(picture)
    assert found.shape == (crops, side, side, 3)
    assert (found[:, 0, 0, 2] == 0).all()  # each begins on the grid
    places = {(int(crop[0, 0, 0]), int(crop[0, 0, 1])) for crop in found}
    assert len(places) == crops
    steps = side // 16
    assert all(abs(a - c) >= steps or abs(b - d) >= steps for a, b in places for c, d in places if (a, b) != (c, d))


def test_fewer_crops_when_asked_and_an_error_where_there_is_none():
    assert len(spread_crops(np.zeros((3000, 4000, 3), np.uint8), 1)) == 1
    with pytest.raises(CamaError, match="found a picture of 400x15 pixels, expected at least 16"):
        spread_crops(np.zeros((15, 400, 3), np.uint8))
