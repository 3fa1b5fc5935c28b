"""The warp against the fingerprint of the device."""

import json

import numpy as np
import pytest

from cama.commands.main import main
from cama.compute.psnr import psnr
from cama.forensics.fingerprint import device_fingerprint, pce
from cama.photo.warping import LEAST, MOST, _shifts, warped
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import model_file


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("size", [(96, 128), (64, 64), (301, 77), (1, 5)])
def test_the_picture_keeps_its_size_and_hardly_changes(size):
    picture = scene(*size)
    made = warped(picture, rng())
    assert (made.shape, made.dtype) == (picture.shape, np.uint8)
    if min(size) > 60:
        assert 15 < psnr(picture, made) < 60


def test_every_part_is_shifted_by_a_pixel_or_two_like_its_neighbours():
    shift = _shifts(30, 40, rng())
    length = np.hypot(*shift)
    assert (length >= LEAST - 1e-6).all()
    assert (length <= MOST + 1e-6).all()
    for axis in (1, 2):  # half way to a neighbour something still moves
        first, second = (
            np.take(shift, range(shift.shape[axis] - 1), axis),
            np.take(shift, range(1, shift.shape[axis]), axis),
        )
        assert np.hypot(*(first + second) / 2).min() > 0.8 * LEAST
    assert np.hypot(*shift.mean((1, 2))) < MOST / 2  # and not all the same way


def test_it_differs_each_time():
    picture = scene(96, 128)
    assert np.array_equal(warped(picture, rng(1)), warped(picture, rng(1)))
    assert not np.array_equal(warped(picture, rng(1)), warped(picture, rng(2)))


def test_the_fingerprint_of_the_device_is_missed():
    pattern = 1 + 0.02 * rng(5).standard_normal((256, 320, 1))

    def photograph(seed: int) -> np.ndarray:
        level = 90 + 60 * np.sin(np.linspace(0, 3 + seed, 320))[None, :, None]
        return np.clip(level * pattern + rng(seed).normal(0, 1, (256, 320, 3)), 0, 255).astype(np.uint8)

    fingerprint = device_fingerprint(photograph(seed) for seed in range(1, 9))
    taken = photograph(20)
    assert pce(taken, fingerprint) > 60
    assert pce(warped(taken, rng()), fingerprint) < 60


def test_the_record_says_that_it_was_bent(tmp_path, capsys):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(scene(96, 128)))
    words = [str(path), "--model", str(model_file(tmp_path)), "--to", "Corvus_C300", "--out", str(tmp_path / "out.jpg")]
    assert main(["anonymize", *words, "--device-noise", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert any(warning.startswith("it was bent by up to 2 pixels (") for warning in record["warnings"])
    assert any("not on cropped, smaller or bent ones" in warning for warning in record["warnings"])
    assert "of the device's own fingerprint something may be left" in record["caution"]
