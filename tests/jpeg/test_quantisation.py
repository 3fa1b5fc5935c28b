"""Tests of cama.jpeg.quantisation, against the tables that Pillow's encoder (libjpeg) writes."""

import io

import numpy as np
import pytest
from PIL import Image

from cama.jpeg.quantisation import CHROMINANCE, LUMINANCE, ZIGZAG, scale_table, standard_quality
from tests.jpeg.helpers import jpeg


def tables_of(data: bytes) -> dict[int, list[int]]:
    """A file's quantisation tables by number, in the order of the block, as Pillow reads them."""
    with Image.open(io.BytesIO(data)) as image:
        return {number: list(table) for number, table in image.quantization.items()}


@pytest.fixture(scope="module")
def pillow() -> dict[int, dict[int, list[int]]]:
    picture = np.zeros((8, 8, 3), np.uint8)
    return {quality: tables_of(jpeg(picture, quality=quality)) for quality in range(1, 101)}


def test_the_zigzag_is_that_of_the_standard():
    """Along the anti-diagonals, and the other way on every second one."""
    places = sorted(np.ndindex(8, 8), key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]))
    assert [row * 8 + column for row, column in places] == list(ZIGZAG)


def test_the_standard_tables_are_pillows_at_quality_50(pillow):
    assert LUMINANCE.ravel().tolist() == pillow[50][0]
    assert CHROMINANCE.ravel().tolist() == pillow[50][1]


def test_scaled_tables_are_pillows_at_all_qualities(pillow):
    for quality, tables in pillow.items():
        assert scale_table(LUMINANCE, quality).ravel().tolist() == tables[0]
        assert scale_table(CHROMINANCE, quality).ravel().tolist() == tables[1]


def test_every_quality_is_recognised_by_its_tables(pillow):
    for quality, tables in pillow.items():
        lumi, chroma = (tuple(tables[number]) for number in (0, 1))
        for components in ([lumi], [lumi, chroma, chroma], [lumi] * 4, [lumi, chroma, chroma, lumi]):
            assert standard_quality(components) == quality


@pytest.mark.parametrize("quality", [50, 75, 92])
@pytest.mark.parametrize("other", [40, 74, 93, 100])
def test_tables_of_two_qualities_have_none(quality, other, pillow):
    lumi, chroma = tuple(pillow[quality][0]), tuple(pillow[other][1])
    assert standard_quality([lumi, chroma, chroma]) is None
    assert standard_quality([lumi, tuple(pillow[quality][1]), chroma]) is None
    assert standard_quality([lumi, lumi, lumi]) is None


def test_a_table_of_another_maker_has_no_quality(pillow):
    assert standard_quality([tuple(7 + i % 5 for i in range(64))]) is None
    one_step_off = [pillow[75][0][0] + 1, *pillow[75][0][1:]]
    assert standard_quality([tuple(one_step_off)]) is None
    assert standard_quality([tuple(pillow[75][1])]) is None
