"""Tests of cama.photo.thumbnail."""

import io

import numpy as np
import pytest
from PIL import Image

from cama.jpeg.exif import read_exif
from cama.jpeg.segments import read_segments
from cama.photo.thumbnail import compare, read_thumbnail, same_picture
from cama.storage.images import read_rgb
from tests.jpeg.helpers import jpeg, many_scans, scene
from tests.real_photographs import needs_photographs, photographs


def small(picture: np.ndarray, size: tuple[int, int] = (80, 60), bars: int = 0) -> Image.Image:
    """A thumbnail of a picture, with dark bars of some rows above and below, after a JPEG save."""
    inner = Image.fromarray(picture).resize((size[0], size[1] - 2 * bars), Image.Resampling.BOX)
    framed = Image.new("RGB", size)
    framed.paste(inner, (0, bars))
    return read_thumbnail(jpeg(np.asarray(framed)))


@pytest.mark.parametrize("bars", [0, 6])
def test_a_thumbnail_of_the_picture_agrees(bars):
    picture = scene(480, 640, seed=1)
    assert same_picture(*compare(picture, small(picture, bars=bars)))


@pytest.mark.parametrize("shift", [(6, 8), (0, -12)])
def test_a_loosely_cropped_thumbnail_agrees(shift):
    picture = scene(480, 640, seed=1)
    moved = np.roll(picture, shift, (0, 1))[12:-12, 16:-16]
    assert same_picture(*compare(picture, small(moved)))


def test_a_thumbnail_of_another_picture_does_not():
    pictures = [scene(240, 320, seed=seed) for seed in range(6)]
    for at, picture in enumerate(pictures):
        for other in pictures[:at]:
            assert not same_picture(*compare(picture, small(other)))


def test_a_wall_agrees_with_itself_and_not_with_a_darker_one():
    wall = np.full((240, 320, 3), 180, np.uint8)
    assert same_picture(*compare(wall, small(wall)))
    assert not same_picture(*compare(wall, small(wall // 2)))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (160, 1), (400, 300)])
def test_odd_sizes_are_compared(size):
    correlation, difference = compare(scene(24, 32), small(scene(24, 32), size))
    assert -1 <= correlation <= 1.001
    assert 0 <= difference <= 255


def test_what_is_no_picture_is_none():
    assert read_thumbnail(b"") is None
    assert read_thumbnail(jpeg()[:40]) is None
    buffer = io.BytesIO()
    Image.new("L", (3000, 2000)).save(buffer, "JPEG")
    assert read_thumbnail(buffer.getvalue()) is None  # too large for a thumbnail
    assert read_thumbnail(many_scans(1900, 3000)) is None  # minutes of decoding
    assert read_thumbnail(jpeg(progressive=True)) is not None


@needs_photographs
def test_real_thumbnails_show_their_own_photographs_alone():
    paths = photographs("natural")[::3]
    pictures = [read_rgb(path) for path in paths]
    thumbnails = [
        read_thumbnail(read_exif(read_segments(path.read_bytes()).of_kind("Exif")[0].payload).thumbnail)
        for path in paths
    ]
    for at, picture in enumerate(pictures):
        for number, thumbnail in enumerate(thumbnails):
            assert same_picture(*compare(picture, thumbnail)) == (at == number)
