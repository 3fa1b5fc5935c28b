"""Tests of cama.jpeg.encoding, with the coefficients of cama.jpeg.coefficients, against Pillow's encoder (libjpeg)."""

from itertools import pairwise

import numpy as np
import pytest

from cama.core.errors import CamaError
from cama.jpeg.coding import Component, Scan, read_coding, standard_huffman
from cama.jpeg.coefficients import BAND, coefficients
from cama.jpeg.encoding import check_sampling, encode_scans
from cama.jpeg.huffman import optimal_table, pack, table_codes
from cama.jpeg.segments import SOS, read_segments
from tests.jpeg.helpers import jpeg, scene

PICTURES = {
    "scene": scene(48, 64),
    "odd": scene(33, 47),
    "noise": np.random.default_rng(0).integers(0, 256, (41, 37, 3), np.uint8),
    "extremes": np.random.default_rng(1).choice(np.array([0, 255], np.uint8), (24, 24, 3)),
    "flat": np.full((17, 100, 3), 200, np.uint8),
    "one pixel": np.full((1, 1, 3), 9, np.uint8),
    "two bands": scene(BAND + 21, 19),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"quality": 100}, {"restart_marker_blocks": 1}, {"restart_marker_blocks": 5}])
@pytest.mark.parametrize("optimize", [False, True])
def test_every_byte_is_the_common_encoders(picture, subsampling, options, optimize):
    saved = read_segments(jpeg(picture, subsampling=subsampling, optimize=optimize, **options))
    coding = read_coding(saved)
    blocks = coefficients(picture, coding.components, [coding.quantisation[c.table] for c in coding.components])
    scans, tables = encode_scans(
        blocks,
        coding.components,
        coding.scans,
        coding.restart,
        picture.shape[:2],
        None if optimize else standard_huffman(),
    )
    assert scans == [segment.scan for segment in saved.with_marker(SOS)]
    assert tables == {(table.kind, table.identifier): table for table in coding.huffman}


def test_parts_of_a_scan_join_at_any_bit(monkeypatch):
    picture = PICTURES["noise"]
    saved = read_segments(jpeg(picture, restart_marker_blocks=4, quality=98))
    coding = read_coding(saved)
    blocks = coefficients(picture, coding.components, [coding.quantisation[c.table] for c in coding.components])
    monkeypatch.setattr("cama.jpeg.encoding.BLOCKS", 1)
    for restart in (0, 4):
        own = read_segments(jpeg(picture, restart_marker_blocks=restart, quality=98)).with_marker(SOS)[0].scan
        scans, _ = encode_scans(blocks, coding.components, coding.scans, restart, picture.shape[:2], standard_huffman())
        assert scans == [own]


@pytest.mark.parametrize("seed", range(20))
def test_codes_are_short_enough_and_none_begins_another(seed):
    rng = np.random.default_rng(seed)
    counts = (rng.random(256) ** rng.integers(1, 60) * 10**6).astype(int)  # from even to very uneven
    table = optimal_table(1, 0, counts)
    assert sorted(table.symbols) == np.nonzero(counts)[0].tolist()
    codes, lengths = table_codes(table)
    used = [f"{codes[s]:0{lengths[s]}b}" for s in table.symbols]
    assert all(len(code) <= 16 and "0" in code for code in used)
    used.sort()
    assert not any(after.startswith(before) for before, after in pairwise(used))


def test_bits_are_packed_one_behind_the_other():
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 32, 500)
    codes = np.array([int(rng.integers(0, 1 << length)) for length in lengths])
    bits = "".join(f"{code:0{length}b}" for code, length in zip(codes, lengths, strict=True) if length)
    expected = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert pack(codes, lengths).tobytes() == expected


def components(*factors: tuple[int, int]) -> list[Component]:
    return [Component(number, *factor, 0) for number, factor in enumerate(factors, start=1)]


def test_a_sampling_that_decoders_refuse_is_refused():
    with pytest.raises(CamaError, match="found the sampling 3x1,2x1,1x1, expected factors that divide the largest"):
        check_sampling(components((3, 1), (2, 1), (1, 1)), [[0, 1, 2]])
    with pytest.raises(CamaError, match="found the sampling 2x2,2x2,2x2, expected at most 10 blocks in an MCU"):
        check_sampling(components((2, 2), (2, 2), (2, 2)), [[0, 1, 2]])
    check_sampling(components((2, 2), (2, 2), (2, 2)), [[0], [1], [2]])


def test_a_table_that_is_not_given_is_refused():
    picture = PICTURES["scene"]
    parts = components((1, 1), (1, 1), (1, 1))
    blocks = coefficients(picture, parts, [[1] * 64] * 3)
    scan = Scan(((1, 0, 0), (2, 3, 1), (3, 1, 1)), (0, 63), (0, 0))
    with pytest.raises(CamaError, match="found no Huffman table DC3, which a scan names"):
        encode_scans(blocks, parts, [scan], 0, picture.shape[:2], standard_huffman())


@pytest.mark.parametrize("down", [1, 2, 3, 4])
@pytest.mark.parametrize("across", [1, 2, 3, 4])
def test_bands_of_a_picture_join_without_a_seam(across, down, monkeypatch):
    picture = scene(BAND + 37, 21)
    parts = components((across, down), (1, 1), (1, down))
    found = coefficients(picture, parts, [[1] * 64] * 3)
    monkeypatch.setattr("cama.jpeg.coefficients.BAND", 10**6)
    whole = coefficients(picture, parts, [[1] * 64] * 3)
    assert all(np.array_equal(one, other) for one, other in zip(found, whole, strict=True))
