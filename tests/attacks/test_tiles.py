"""Tests of cama.attacks.tiles: tiles are as one pass, and see no further than they say."""

from typing import Any

import numpy as np
import pytest
import torch

from cama.attacks.tiles import transform
from cama.attacks.trained import generating
from cama.compute.device import Compute
from cama.compute.psnr import psnr
from cama.compute.tensors import to_bytes, to_float
from cama.core.errors import CamaError
from cama.forensics.mosaic import remosaic
from cama.models.generator import Generator, reach
from cama.settings.networks import GeneratorSpec
from cama.settings.training import ComputeSpec
from tests.jpeg.helpers import scene
from tests.models.helpers import shake

EXACT = Compute(ComputeSpec(device="cpu", precision="float32"))
FAST = Compute(ComputeSpec(device="cpu", precision="bfloat16"))
SPECS = {
    "default": {"features": 6, "downsamplings": 0, "blocks": 2, "kernel": 5, "output": "residual", "input": "rgb"},
    "paper": {"features": 6, "downsamplings": 2, "blocks": 2, "kernel": 7, "output": "direct", "input": "rgb"},
    "remosaic": {"features": 4, "downsamplings": 1, "blocks": 1, "kernel": 3, "output": "direct", "input": "remosaic"},
    "modulation": {"features": 4, "downsamplings": 0, "blocks": 1, "kernel": 3, "output": "residual", "input": "rgb"}
    | {"label": "modulation"},
    "detail": {"features": 4, "downsamplings": 0, "blocks": 1, "kernel": 3, "output": "residual", "input": "rgb"}
    | {"detail": 3},
    "filters": {"features": 4, "downsamplings": 0, "blocks": 0, "kernel": 3, "output": "filters", "input": "rgb"}
    | {"filters": 3, "taps": 9},
    "matched": {"features": 4, "downsamplings": 0, "blocks": 0, "kernel": 3, "output": "residual", "input": "rgb"}
    | {"matched": True},
}


def generator(name: str) -> tuple[Generator, GeneratorSpec]:
    spec = GeneratorSpec(**SPECS[name])
    torch.manual_seed(0)
    net = shake(Generator(3, spec), 0.15).eval()
    if spec.matched:
        net.matched.normal_(0, 0.02)
    return net, spec


def through(
    picture: np.ndarray, net: Generator, spec: GeneratorSpec, target: int, compute: Compute, **how: Any
) -> np.ndarray:
    generate = generating(net, spec, compute)
    return transform(picture, lambda context: generate(context, target), reach(spec), **how)


@pytest.mark.parametrize("size", [(160, 208), (150, 97), (33, 16), (5, 3), (1, 1)])
@pytest.mark.parametrize("name", SPECS)
def test_tiles_are_as_one_pass(name, size):
    net, spec = generator(name)
    picture = scene(*size)
    whole = through(picture, net, spec, 1, EXACT, tile=4096)
    tiled = through(picture, net, spec, 1, EXACT, tile=32)
    assert tiled.shape == picture.shape
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    if name not in ("detail", "filters") or min(size) > 5:  # a picture without details
        assert np.abs(whole.astype(int) - picture).max() > 3  # it does something


@pytest.mark.parametrize("name", SPECS)
def test_bfloat16_rounds_far_below_what_the_generator_changes(name):
    net, spec = generator(name)
    picture = scene(96, 128)
    exact, fast = (through(picture, net, spec, 1, compute, tile=64) for compute in (EXACT, FAST))
    assert not np.array_equal(exact, fast)
    # what a blur takes off is rounded too
    assert psnr(exact, fast) > psnr(picture, exact) + (20 if name in ("detail", "filters") else 35)
    assert np.array_equal(fast, through(picture, net, spec, 1, FAST, tile=4096))


def test_one_pass_is_the_generator():
    net, spec = generator("paper")
    picture = scene(64, 96)
    with torch.no_grad():
        expected = to_bytes(net(to_float(picture[None]), torch.tensor([2])))[0]
    assert np.array_equal(through(picture, net, spec, 2, EXACT), expected)


def test_the_generator_sees_the_remosaiced_picture():
    net, spec = generator("remosaic")
    picture = scene(64, 96)
    with torch.no_grad():
        expected = to_bytes(net(to_float(remosaic(picture)[None]), torch.tensor([0])))[0]
    assert np.array_equal(through(picture, net, spec, 0, EXACT), expected)


@pytest.mark.parametrize("name", SPECS)
def test_nothing_reaches_further_than_said(name):
    net, spec = generator(name)
    before = scene(160, 160)
    after = before.copy()
    after[80, 80] = 255 - after[80, 80]
    changed = through(before, net, spec, 1, EXACT, tile=4096) != through(after, net, spec, 1, EXACT, tile=4096)
    rows, columns = np.flatnonzero(changed.any((1, 2))), np.flatnonzero(changed.any((0, 2)))
    assert max(80 - rows[0], rows[-1] - 80, 80 - columns[0], columns[-1] - 80) <= reach(spec)


def test_progress_counts_the_tiles():
    net, spec = generator("default")
    calls = []
    through(scene(70, 40), net, spec, 0, EXACT, tile=32, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(n, 6) for n in range(1, 7)]


def test_threads_do_as_one_does():
    net, spec = generator("default")
    calls: list[tuple[int, int]] = []
    one, three = (
        through(scene(150, 97), net, spec, 1, EXACT, tile=32, workers=workers, progress=lambda *now: calls.append(now))
        for workers in (1, 3)
    )
    assert np.array_equal(one, three)
    assert calls == 2 * [(n, 20) for n in range(1, 21)]


def test_an_error_in_a_thread_ends_the_others():
    begun = []

    def change(context: np.ndarray) -> np.ndarray:
        begun.append(None)
        raise CamaError("no")

    with pytest.raises(CamaError, match="no"):
        transform(scene(320, 320), change, 0, tile=16, workers=2)
    assert len(begun) <= 2  # of 400, what the two threads had begun
