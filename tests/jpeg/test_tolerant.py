"""Tests of cama.jpeg.tolerant: each kind of damage is told, with whether the picture decodes, and no byte is lost."""

import io
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cama.core.errors import CamaError
from cama.jpeg.coding import process_name, read_coding
from cama.jpeg.division import MAX_PLACES, find_start
from cama.jpeg.exif import read_exif
from cama.jpeg.judge import MISSING, _complaint
from cama.jpeg.segments import COM, DHT, DQT, EOI, SOI, SOS, Segment, read_segments
from cama.jpeg.tolerant import Reading, read_tolerant, require_whole
from cama.storage.images import MAX_PIXELS
from tests.jpeg.damaged_files import CASES, EXIF, PROGRESSIVE, RESTARTS, WHOLE, joined, place, scan_data, with_height
from tests.jpeg.helpers import jpeg, many_scans, scene
from tests.real_photographs import CASES as FOLDER
from tests.real_photographs import needs_cases, needs_photographs, photographs

# The picture is another one than in the file that was damaged, or there is none.
OTHER_PICTURE = {"two frames", "too small a height", "ended between scans", "tables twice", "no height"}
WITHOUT_EXIF = {"truncated in Exif", "a start alone", "a start and an end", "a start and zeros"}


# Pillow warns of damaged EXIF in the files that it is given here for comparison
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def check(data: bytes) -> Reading:
    """The reading of a file; no byte of it may be lost, and no damage untold."""
    reading = read_tolerant(data)
    at = 0
    for segment in reading.jpeg.segments:
        assert segment.offset == at
        at += len(segment.to_bytes())
    assert at + len(reading.jpeg.trailer) == len(data)
    assert [place.offset for place in reading.damage] == sorted(place.offset for place in reading.damage)
    assert all(0 <= place.offset <= len(data) and "\n" not in place.what for place in reading.damage)
    try:
        strict = read_segments(data)
    except CamaError:
        strict = None
    assert reading.damage or strict == reading.jpeg
    assert reading.damage or reading.decodes in ("whole", None)
    if reading.decodes == "whole":
        assert pixels(reading.picture).shape[:2] == (reading.height, reading.width)
    return reading


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_damage_is_told(name):
    case = CASES[name]
    reading = check(case.data)
    assert reading.decodes == case.decodes
    said = [place.what for place in reading.damage]
    assert any(case.words in what for what in said) if case.words else said == []
    assert [segment.payload for segment in reading.jpeg.of_kind("Exif")][:1] == (
        [] if name in WITHOUT_EXIF else [EXIF]
    ) or (name == "truncated in Exif")


@pytest.mark.parametrize(
    "name", [name for name in CASES if CASES[name].decodes == "whole" and name not in OTHER_PICTURE]
)
def test_what_decodes_whole_is_the_picture(name):
    found = pixels(read_tolerant(CASES[name].data).picture)
    assert any(np.array_equal(found, pixels(data)) for data in (WHOLE, RESTARTS, PROGRESSIVE))


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].decodes != "whole"])
def test_what_does_not_decode_whole_is_refused_in_one_line(name):
    with pytest.raises(CamaError) as error:
        require_whole(read_tolerant(CASES[name].data), "a.jpg")
    assert str(error.value).startswith("a.jpg: its picture decodes ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [WHOLE, RESTARTS, PROGRESSIVE], ids=["baseline", "restarts", "progressive"])
def test_no_truncation_passes_for_whole(data):
    end = read_segments(data).segments[-1].offset
    for size in [*range(2, end, 41), *range(end - 12, end - 1)]:
        reading = check(data[:size])
        # the last byte may be nothing but padding
        assert reading.decodes != "whole", size
    for size in (end, end + 1):
        assert check(data[:size]).decodes == "whole"


def test_the_end_of_the_data_is_found_to_the_byte():
    for data in (WHOLE, RESTARTS, PROGRESSIVE):
        for trailer in (b"Jane Doe, 12 Elm Street", bytes(5000), b"\0\xff\0" * 9, b"ab\xff\x1acd" * 20):
            reading = check(data[:-2] + trailer)
            assert reading.decodes == "whole"
            # libjpeg reads some bytes ahead of the picture's last one, and does not count them before a marker
            assert len(trailer) - 3 < len(reading.jpeg.trailer) <= len(trailer)
            assert trailer.endswith(reading.jpeg.trailer)


def test_rows_that_a_smaller_height_hides_are_named():
    reading = check(with_height(WHOLE, 64))
    begin, end = scan_data(WHOLE)
    hidden = next(place for place in reading.damage if "no viewer shows" in place.what)
    assert begin < hidden.offset < begin + (end - begin) * 0.8
    # the last row is smoothed with the one below it, which is hidden now
    assert np.array_equal(pixels(reading.picture)[:63], pixels(WHOLE)[:63])


def test_the_place_of_a_broken_code_is_found():
    begin, end = scan_data(WHOLE)
    for at in range(begin + 100, end - 20, 333):
        reading = check(WHOLE[:at] + b"\xff\0" * 4 + WHOLE[at + 8 :])
        assert reading.decodes == "partly"
        assert at <= reading.damage[0].offset <= at + 8


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2"])
def test_broken_codes_in_scans_longer_than_any_restart_interval_are_found(sampling):
    """libjpeg says nothing about them."""
    data = jpeg(scene(2400, 3600)[:, :, ::-1], subsampling=sampling, quality=70)
    begin, end = scan_data(data)
    assert check(data).decodes == "whole"
    for part in (0.3, 0.7, 0.95):
        at = int(begin + part * (end - begin))
        reading = check(data[:at] + b"\xff\0" * 4 + data[at + 8 :])
        assert reading.decodes == "partly"
        assert begin <= reading.damage[0].offset


def grey(width: int, seed: int, **options: object) -> bytes:
    """A grey picture, 8 pixels high, whose blocks may stand for those of other components: all share the tables 0."""
    buffer = io.BytesIO()
    Image.fromarray(scene(8, width, seed)).convert("L").save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def of_three(sampling: int, width: int, parts: list[Segment | bytes]) -> bytes:
    """A file of three components with the tables 0, of which the first is sampled so."""
    frame = b"\x08\0\x08" + width.to_bytes(2) + b"\3" + bytes([1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0])
    tables = read_segments(grey(8, 0)).with_marker(DQT, DHT)
    return joined(Segment(SOI), *tables, Segment(0xC0, frame), *parts, Segment(EOI))


@pytest.mark.parametrize("sampling", [0x31, 0x13])
def test_samplings_that_the_judge_does_not_know(sampling):
    """Three blocks for one; the grey picture's blocks in fives."""
    blocks = read_segments(grey(8 * 30, 3)).with_marker(SOS)[0].scan
    head = Segment(SOS, b"\3\1\0\2\0\3\0\0\x3f\0")
    data = of_three(sampling, 24 * 6 if sampling == 0x31 else 8 * 6, [Segment(SOS, head.payload, blocks)])
    assert check(data).decodes == "whole"
    assert check(data[:-2]).decodes == "whole"
    cut = of_three(sampling, 24 * 6 if sampling == 0x31 else 8 * 6, [Segment(SOS, head.payload, blocks[:-40])])
    assert _complaint(cut) == MISSING
    assert check(cut).decodes == "partly"


def test_a_component_keeps_the_table_of_its_first_scan():
    """Three scans, with another table 0 before each: legal, and libjpeg and others do so."""
    rng = np.random.default_rng(0)
    tables = [Segment(DQT, b"\0" + rng.integers(1, 40, 64, np.uint8).tobytes()) for _ in range(3)]
    scans = [
        Segment(SOS, bytes([1, number, 0, 0, 63, 0]), read_segments(grey(64, number)).with_marker(SOS)[0].scan)
        for number in (1, 2, 3)
    ]
    data = of_three(0x11, 64, [part for pair in zip(tables, scans, strict=True) for part in pair])
    reading = check(data)
    assert reading.decodes == "whole"
    assert np.array_equal(pixels(reading.picture), pixels(data))
    assert reading.coding is not None
    assert len({reading.coding.quantisation[c.table] for c in reading.coding.components}) == 3
    with pytest.raises(CamaError, match="two quantisation tables 0"):
        read_coding(read_segments(data))
    lost = of_three(0x11, 64, [tables[0], *scans[:2]])
    assert check(lost).decodes == "partly"


def test_metadata_is_found_where_lengths_and_markers_are_wrong():
    for name in ("length too small", "length too great", "length 0", "length beyond the end", "unknown marker of Exif"):
        (segment,) = check(CASES[name].data).jpeg.of_kind("Exif")
        assert read_exif(segment.payload).get("IFD0", 0x013B) == "Jorunn Dahl", name
    other = WHOLE.replace(b"\xff\xe1", b"\xff\xe5", 1)
    assert check(other).jpeg.of_kind("Exif")


def test_a_thumbnail_in_damaged_exif_is_not_taken_for_the_picture():
    whole = jpeg(scene(96, 128), exif=EXIF + jpeg(scene(24, 32, seed=1)))
    at = place(whole, 0xE1)
    for length in (b"\0\0", b"\0\1", b"\0\x10", b"\0\x60", b"\xff\xff", b"\x20\0"):
        reading = check(whole[: at + 2] + length + whole[at + 4 :])
        assert (reading.width, reading.height) == (128, 96)
        assert reading.decodes == "whole"
        assert np.array_equal(pixels(reading.picture), pixels(whole))


def test_only_what_begins_like_a_jpeg_is_read():
    assert find_start(b"\r\n" + WHOLE) == 2
    with pytest.raises(CamaError, match=r"^a.jpg: found an empty file"):
        read_tolerant(b"", "a.jpg")
    for data in (
        b"\xff",
        b"once upon a time",
        b"\x89PNG\r\n" + WHOLE,
        b"II*\0" + WHOLE,
        b"\0\0\0\x18ftypheic" + WHOLE,
    ):
        assert find_start(data) is None
        with pytest.raises(CamaError, match=r"^a.jpg: found no JPEG \(it begins with "):
            read_tolerant(data, "a.jpg")


def test_processes_are_named():
    assert process_name(0) == "baseline"
    assert process_name(9) == "extended, arithmetic (SOF9)"
    assert process_name(6) == "progressive, hierarchical (SOF6)"
    assert process_name(11) == "lossless, arithmetic (SOF11)"
    assert process_name(15) == "lossless, hierarchical, arithmetic (SOF15)"


def test_pictures_that_would_take_too_long_are_not_tried():
    large = with_height(jpeg(scene(8, 60_000), subsampling="4:4:4"), 60_000)
    assert MAX_PIXELS < 60_000 * 60_000
    for data in (large, many_scans(8000, 3000)):
        begun = time.process_time()
        reading = read_tolerant(data)
        assert reading.decodes is None
        assert reading.coding
        require_whole(reading, "a.jpg")  # what decodes it refuses it, and says why
        assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff\xdb" * 500_000,
        b"\xff\xd8" + b"\xff" * 3_000_000,
        b"\xff\xd8" + b"\xff\xd8\xff" * 700_000,
        b"\xff\xd8" + b"\xff\xfe\0\2" * 500_000,
        b"\xff\xd8" + b"\0\xff\xfe\0\2" * 500_000,
        WHOLE[:-2] + np.random.default_rng(0).bytes(3_000_000),
        WHOLE[:-2] + b"\xff\xda\0\x0c" * 500_000,
        WHOLE[: place(WHOLE, SOS)] + WHOLE[place(WHOLE, SOS) : -2] * 400,
        *[RESTARTS.replace(b"\xff" + bytes([marker]), b"1234567890\xff" + bytes([marker])) for marker in (0xD0, 0xD5)],
    ],
)
def test_what_is_made_to_cost_time_does_not(data):
    begun = time.process_time()
    check(data)
    assert time.process_time() - begun < 4


def test_too_many_damaged_places_are_given_up():
    odd = b"".join(b"?" + Segment(COM, b"x").to_bytes() for _ in range(5000))
    reading = check(WHOLE[:2] + odd + WHOLE[2:])
    assert len(reading.damage) < MAX_PLACES + 5
    assert any("the rest was not read" in place.what for place in reading.damage)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with one to four changes, most of them in its headers: bits, cuts, swaps, markers, lengths, fill bytes."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        scan = data.rfind(b"\xff\xda") + 14
        at = rng.randrange(scan if rng.random() < 0.6 else len(data))
        markers = [found for found in range(len(data) - 4) if data[found] == 0xFF and data[found + 1] not in (0, 0xFF)]
        mark = rng.choice(markers) if markers else at
        count = rng.choice((1, 2, 10, 300))
        data = rng.choice(
            (
                data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
                data[:at],
                data[:at] + data[at + count :],
                data[:at] + rng.randbytes(count) + data[at:],
                data[:at] + b"\xff" * count + data[at:],
                data[:at] + data[mark : mark + count] + data[at + count :],
                data[: mark + 1] + rng.randbytes(1) + data[mark + 2 :],
                data[:mark] + b"\0" + data[mark + 1 :],
                data[: mark + 2] + rng.randbytes(2) + data[mark + 4 :],
            )
        )
        if len(data) < 8:
            break
    return data


@pytest.mark.parametrize("data", [WHOLE, RESTARTS, PROGRESSIVE], ids=["baseline", "restarts", "progressive"])
def test_any_damage_is_read_soon_and_told(data):
    rng = random.Random(51)
    seen = set()
    for _ in range(500):
        copy = mutated(data, rng)
        if find_start(copy) is None:
            continue
        begun = time.monotonic()
        reading = check(copy)
        assert time.monotonic() - begun < 5
        seen.add(reading.decodes)
        if reading.decodes == "whole":
            try:
                expected = pixels(copy)
            except (OSError, SyntaxError):
                continue
            if _complaint(copy):  # it passes over a segment whose marker is broken, and shows less
                continue
            assert np.array_equal(pixels(reading.picture), expected)
    assert {"whole", "partly", "no"} <= seen


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_behind_a_start_are_read(data):
    check(b"\xff\xd8" + data)
    check(b"\xff\xd8\xff" + data + b"\xff\xd9")


@needs_photographs
def test_real_photographs_are_whole_and_as_the_strict_reader_has_them():
    for path in photographs()[::3]:
        reading = check(path.read_bytes())
        assert (reading.decodes, reading.damage) == ("whole", ())
        assert reading.coding == read_coding(reading.jpeg)


SEEN = {
    "no-end": ("whole", "the end of the file"),
    "no-end-trailer": ("whole", "the end of the file"),
    "junk-between": ("whole", "14 bytes of no segment"),
    "zero-for-ff": ("whole", "found 00 e1"),
    "start-twice": ("whole", "a second start"),
    "tables-twice": ("whole", "a second quantisation table 0"),
    "truncated": ("partly", "the end of the file"),
}


@needs_cases
@pytest.mark.parametrize("name", SEEN)
def test_files_after_public_bug_reports(name):
    reading = check((FOLDER / f"{name}.jpg").read_bytes())
    decodes, words = SEEN[name]
    assert reading.decodes == decodes
    assert any(words in place.what for place in reading.damage)
    assert read_exif(reading.jpeg.of_kind("Exif")[0].payload).get("IFD0", 0x013B) == "A. Nobody"
    assert name != "no-end-trailer" or len(reading.jpeg.trailer) == 4035
    if decodes == "whole" and name != "tables-twice":
        assert np.array_equal(pixels(reading.picture), pixels((FOLDER / "copy-a.jpg").read_bytes()))
