"""What is expected of controls, and whether it holds."""

import math

import pytest

from cama.evaluation.expected import Expected


@pytest.mark.parametrize(
    ("expected", "text", "kept", "broken"),
    [
        (Expected.at_most(0.7, "among 4 models"), "at most 0.70 among 4 models", [0, 0.7, 0.1 + 0.6], [0.71, math.nan]),
        (Expected.near(0.97, 0.03, "that"), "within 0.03 of that", [0.94, 0.97, 1.0], [0.93, 1.01, math.nan]),
    ],
)
def test_bounds_are_held_and_said(expected, text, kept, broken):
    assert expected.text == text
    assert {expected.holds(value) for value in kept} == {"yes"}
    assert {expected.holds(value) for value in broken} == {"no"}


def test_where_there_are_no_bounds_nothing_is_expected():
    assert {expected.holds(0.5) for expected in (Expected(), Expected("chance 0.25"))} == {""}
