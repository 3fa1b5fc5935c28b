"""Tests of cama.photo.thumbnail and likeness, and of what it is built on: placement, tones, parts, smooth."""

import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from scipy.ndimage import gaussian_filter

from cama.jpeg.exif import read_exif
from cama.jpeg.segments import read_segments
from cama.photo.likeness import Picture
from cama.photo.placement import TURNS, Placement, find, turned
from cama.photo.smooth import smooth_parts
from cama.photo.thumbnail import Comparison, read_thumbnail
from cama.photo.tones import fit_tones
from cama.storage.images import read_rgb
from tests.jpeg.helpers import jpeg, many_scans
from tests.photo.measure_thumbnails import edit, make_thumbnail
from tests.real_photographs import DRESDEN, needs_photographs, photographs

CASES, WHOLE, CAMERAS = (DRESDEN.parent / name for name in ("cases", "fullsize", "cameras"))
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="shared/data/cases is not beside the repository")
needs_whole = pytest.mark.skipif(not WHOLE.is_dir(), reason="shared/data/fullsize is not beside the repository")
needs_cameras = pytest.mark.skipif(not CAMERAS.is_dir(), reason="shared/data/cameras is not beside the repository")
SIZE = 480, 640


def landscape(seed: int = 0, height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    """A picture with structure of all sizes, as photographs have, and noise."""
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 120.0)
    for cells, strength in ((3, 60), (6, 40), (12, 25), (24, 16), (48, 10), (96, 7)):
        grey = rng.normal(0, strength, (cells, cells * 4 // 3, 1)) + rng.normal(
            0, strength / 4, (cells, cells * 4 // 3, 3)
        )
        layers = [
            Image.fromarray(grey[..., c].astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
            for c in range(3)
        ]
        total += np.stack([np.asarray(layer) for layer in layers], 2)
    return np.clip(total + rng.normal(0, 3, total.shape), 0, 255).astype(np.uint8)


def thumbnail(picture: np.ndarray | Image.Image, size: tuple[int, int] = (160, 120), quality: int = 85) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return jpeg(np.asarray(image.resize(size, Image.Resampling.BOX)), quality=quality)


def compare(picture: np.ndarray, data: bytes) -> Comparison:
    found = read_thumbnail(data)
    assert found is not None
    return Picture(picture).compare(found)


def painted(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    after = picture.copy()
    after[box[1] : box[3], box[0] : box[2]] = after[box[1] : box[3], box[0] : box[2]].mean((0, 1))
    return after


def within(box: list[int] | None, edited: tuple[int, int, int, int], slack: int = 24) -> bool:
    """Whether a box lies on an edited one, and not beyond it by more than some pixels."""
    assert box is not None
    left, top, right, bottom = (one - other for one, other in zip(box, edited, strict=True))
    meets = box[0] < edited[2] and box[2] > edited[0] and box[1] < edited[3] and box[3] > edited[1]
    return meets and left >= -slack and top >= -slack and right <= slack and bottom <= slack


def test_a_thumbnail_shows_its_picture():
    picture = landscape()
    assert compare(picture, thumbnail(picture)) == Comparison("same", None, "it shows the picture")


@pytest.mark.parametrize("turn", TURNS)
def test_turned_and_mirrored_thumbnails_show_it_and_their_boxes_are_those_of_the_picture(turn):
    picture, box = landscape(1), (400, 100, 500, 160)
    data = thumbnail(turned(picture, turn), (160, 120) if turn % 2 == 0 else (120, 160))
    assert compare(picture, data).verdict == "same"
    found = compare(painted(picture, box), data)
    assert found.verdict == "differs"
    assert within(found.box, box)


def letterboxed(picture: np.ndarray) -> Image.Image:
    framed = Image.new("RGB", (640, 480))
    framed.paste(Image.fromarray(picture).resize((640, 360), Image.Resampling.BOX), (0, 60))
    return framed


CHANGES = {
    "brighter": lambda picture: Image.fromarray((255 * (picture / 255.0) ** 0.6).astype(np.uint8)),
    "contrast": lambda picture: ImageEnhance.Contrast(Image.fromarray(picture)).enhance(0.7),
    "pale": lambda picture: ImageEnhance.Color(Image.fromarray(picture)).enhance(0.5),
    "grey": lambda picture: Image.fromarray(picture).convert("L").convert("RGB"),
    "sharp": lambda picture: Image.fromarray(picture).filter(ImageFilter.UnsharpMask(4, 120, 0)),
    "soft": lambda picture: Image.fromarray(picture).filter(ImageFilter.GaussianBlur(4)),
    "letterboxed": letterboxed,
    "a pixel off": lambda picture: Image.fromarray(picture[:-4, 4:]),
    "every fourth pixel": lambda picture: Image.fromarray(picture[1::4, 2::4]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_toned_framed_and_filtered_thumbnails_show_it_and_an_edit_is_found_all_the_same(change):
    picture, box = landscape(2), (100, 240, 200, 330)
    data = thumbnail(CHANGES[change](picture))
    assert compare(picture, data).verdict == "same"
    found = compare(painted(picture, box), data)
    assert found.verdict == "differs"
    assert within(found.box, box)


def test_a_night_picture_is_no_alarm_and_what_was_painted_out_of_it_is():
    picture = (landscape(3) // 8).astype(np.uint8)
    picture[300:360, 300:380] += 40
    data = thumbnail(picture)
    assert compare(picture, data).verdict != "differs"
    assert compare(painted(picture, (280, 280, 400, 380)), data).verdict == "differs"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["blur", "paint", "clone"])
def test_an_edit_of_a_twentieth_is_found(kind, seed):
    picture = landscape(10 + seed)
    after, box, _ = edit(Image.fromarray(picture), kind, 0.05, random.Random(seed))
    found = compare(np.asarray(after), thumbnail(picture))
    assert found.verdict == "differs"
    assert within(found.box, box)


@pytest.mark.parametrize("cut", [(30, 0, 640, 480), (0, 0, 640, 440), (20, 15, 620, 465)])
def test_a_picture_that_was_cut_differs_everywhere(cut):
    picture = landscape(4)
    after = picture[cut[1] : cut[3], cut[0] : cut[2]]
    found = compare(after, thumbnail(picture))
    assert (found.verdict, found.box) == ("differs", [0, 0, after.shape[1], after.shape[0]])
    assert "was cut" in found.reason


def test_a_dark_edge_that_may_have_been_cut_away_is_not_called_a_bar():
    picture = landscape(4)
    picture[:, :40] = 0
    assert compare(picture, thumbnail(picture)).verdict == "same"
    assert compare(picture[:, 40:], thumbnail(picture)).verdict != "same"


def test_a_thumbnail_of_the_middle_alone_decides_nothing_about_the_rest():
    picture = landscape(5)
    found = compare(picture, thumbnail(picture[:, 80:-80], (120, 120)))
    assert (found.verdict, found.reason) == ("undecided", "it shows 75% of the picture, and there it is the same")


def test_a_thumbnail_of_another_picture_differs():
    pictures = [landscape(seed) for seed in range(4)]
    for at, picture in enumerate(pictures):
        for other in pictures[:at]:
            assert compare(picture, thumbnail(other)).verdict == "differs"


def test_a_light_blur_that_the_thumbnail_is_too_coarse_to_show_is_not_called_the_same():
    noise = np.random.default_rng(6).normal(0, 4, (*SIZE, 3))
    picture, box = (120 + landscape(6, 15, 20).mean() / 60 + noise).astype(np.uint8), (200, 200, 300, 280)
    picture[:, :160] = landscape(6)[:, :160]
    after = Image.fromarray(picture)
    after.paste(after.crop(box).filter(ImageFilter.GaussianBlur(4)), box)
    saved = io.BytesIO(jpeg(np.asarray(after), quality=92))
    found = compare(np.asarray(Image.open(saved)), thumbnail(picture, quality=70))
    assert found.verdict != "same"
    assert within(found.box, box)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (160, 1), (23, 200)])
def test_too_small_thumbnails_decide_nothing(size):
    found = compare(landscape(), thumbnail(landscape(), size))
    assert (found.verdict, found.box) == ("undecided", None)
    assert compare(landscape()[:20, :20], thumbnail(landscape())).verdict == "undecided"


def test_a_wall_without_structure_decides_nothing_and_a_stain_on_it_does():
    wall = np.full((*SIZE, 3), 180, np.uint8)
    assert compare(wall, thumbnail(wall)).verdict != "differs"
    stained = wall.copy()
    stained[200:300, 200:300] = 90
    found = compare(wall, thumbnail(stained))
    assert found.verdict == "differs"


def test_a_large_preview_is_compared_as_well():
    picture = landscape(7, 960, 1280)
    data = thumbnail(picture, (1000, 750))
    found = read_thumbnail(data)
    assert (found.width, found.height) == (1000, 750)
    assert max(found.pixels.shape) <= 400
    assert compare(picture, data).verdict == "same"
    assert compare(painted(picture, (300, 300, 460, 420)), data).verdict == "differs"


def test_what_is_no_picture_is_none():
    assert read_thumbnail(b"") is None
    assert read_thumbnail(jpeg()[:40]) is None
    assert read_thumbnail(many_scans(4000, 3000)) is None  # minutes of decoding
    assert read_thumbnail(jpeg(progressive=True)) is not None


@pytest.mark.parametrize("turn", TURNS)
def test_a_placement_is_exact_and_its_boxes_are_turned_back(turn):
    picture = landscape(8)
    high, wide = turned(picture, turn).shape[:2]
    framed = Image.new("RGB", (wide // 4 + 20, high // 4 + 10))
    framed.paste(Image.fromarray(turned(picture, turn)).resize((wide // 4, high // 4), Image.Resampling.BOX), (7, 4))
    luma, small = (np.asarray(image.convert("L"), np.float32) for image in (Image.fromarray(picture), framed))
    place, explained = find(luma, small)
    assert place.turn == turn
    assert np.abs(place.sides - [7, 4, 7 + wide / 4, 4 + high / 4]).max() < 0.1
    assert explained > 0.9
    marked = np.zeros(SIZE)
    marked[40:80, 200:360] = 1
    rows, columns = np.nonzero(turned(marked, turn))
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert Placement(turn, 0, 0, wide, high).in_picture(box, SIZE) == [200, 40, 360, 80]


def test_tones_follow_most_pixels_and_not_a_changed_part():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 255, 3000)
    target = 255 * (values / 255) ** 0.7 + rng.normal(0, 1, 3000)
    changed = target.copy()
    changed[:500] = 20
    fitted = fit_tones(changed, values, 6)
    assert np.abs(fitted - target)[500:].mean() < 3
    assert np.all(np.diff(fitted[np.argsort(values)]) >= 0)


def test_smooth_parts_are_those_without_noise():
    rng = np.random.default_rng(0)
    picture = np.clip(rng.normal(120, 4, (*SIZE, 3)), 0, 255).astype(np.uint8)
    assert not smooth_parts(picture).any()
    picture[160:320, 240:400] = 120
    rows, columns = np.nonzero(smooth_parts(picture))
    assert (rows.min() * 8 >= 160, columns.min() * 8 >= 240) == (True, True)
    assert rows.max() * 8 < 320
    picture[160:320, 240:400] = 255
    assert not smooth_parts(picture).any()  # white is smooth by nature


def test_smooth_parts_are_blurred_ones_and_mosaics_though_they_have_structure():
    rng = np.random.default_rng(0)
    grains = rng.normal(0, 1, (3, *SIZE))
    structure = 20 * np.sin(np.arange(SIZE[0]) / 13)[:, None] + 20 * np.sin(np.arange(SIZE[1]) / 17)
    values = 120 + structure + 12 * gaussian_filter(grains[0], 4) + 2 * grains[1]
    picture = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).convert("RGB")
    assert not smooth_parts(np.asarray(picture)).any()
    box = (240, 160, 400, 320)
    cells = picture.crop(box)
    for other in (picture.filter(ImageFilter.GaussianBlur(6)).crop(box), cells.reduce(16).resize(cells.size, 0)):
        after = picture.copy()
        after.paste(other, box)
        rows, columns = np.nonzero(
            smooth_parts(np.asarray(Image.open(io.BytesIO(jpeg(np.asarray(after), quality=92)))))
        )
        assert (rows.min() * 8 >= 150, rows.max() * 8 < 330) == (True, True)
        assert (columns.min() * 8 >= 230, columns.max() * 8 < 410) == (True, True)


def test_a_picture_that_lies_nearer_to_one_side_may_have_been_cut_there():
    """The thumbnail shows 1 % less at each side, and 1.2 % were cut at the left: of them it shows 0.3 pixels."""
    before = landscape(3)
    high, wide = SIZE
    inner = Image.fromarray(before).crop((wide // 100, high // 100, wide - wide // 100, high - high // 100))
    assert compare(before, thumbnail(inner)).verdict == "same"
    found = compare(before[:, round(0.012 * wide) :], thumbnail(inner))
    assert (found.verdict, "left" in found.reason) == ("undecided", True)


EXPECTED = {
    "of-before-blurred": "differs", "of-before-painted": "differs", "of-before-cloned": "differs", "of-before-strip": "differs",
    "turned-0": "same", "turned-1": "same", "toned": "same", "letterboxed": "same", "grey": "same", "with-exif": "same",
    "night": "same",
}  # fmt: skip


def exif_thumbnail(path: Path) -> bytes:
    return read_exif(read_segments(path.read_bytes()).of_kind("Exif")[0].payload).thumbnail


@needs_cases
@pytest.mark.parametrize("name", EXPECTED)
def test_cases(name):
    path = CASES / f"thumbnail-{name}.jpg"
    assert compare(read_rgb(path), exif_thumbnail(path)).verdict == EXPECTED[name]


@needs_whole
def test_whole_photographs_have_their_own_thumbnails():
    for path in sorted(WHOLE.glob("*.jpg")):
        data = exif_thumbnail(path)
        if data:
            assert compare(read_rgb(path), data).verdict == "same", path


@needs_photographs
def test_thumbnails_of_every_nth_pixel_are_no_alarm_and_those_of_others_are():
    paths = photographs("natural")[::3]
    pictures = [Picture(read_rgb(path)) for path in paths]
    thumbnails = [read_thumbnail(exif_thumbnail(path)) for path in paths]
    for at, picture in enumerate(pictures):
        assert picture.compare(thumbnails[at]).verdict != "differs", paths[at]
        assert picture.compare(thumbnails[at - 1]).verdict == "differs", (paths[at], paths[at - 1])


@needs_cameras
@pytest.mark.parametrize("number", range(6))
def test_edited_photographs_are_never_called_the_same(number):
    rng = random.Random(number)
    paths = sorted(CAMERAS.glob("*/2/*.jpg"))
    before = Image.open(paths[number * len(paths) // 6]).convert("RGB")
    data = io.BytesIO()
    before.resize((160, 160), Image.Resampling.LANCZOS).save(data, "JPEG", quality=85)
    after, _, _ = edit(before, ("blur", "paint", "clone")[number % 3], 0.04, rng)
    assert compare(np.asarray(before), data.getvalue()).verdict != "differs"
    assert compare(np.asarray(after), data.getvalue()).verdict != "same"
    assert read_thumbnail(make_thumbnail(before, rng)[0]) is not None


def test_a_part_with_colours_in_a_grey_picture_differs():
    """The thumbnail of before is grey, and so is all else of the picture."""
    before = np.repeat(np.asarray(Image.fromarray(landscape()).convert("L"))[..., None], 3, axis=2)
    assert compare(before, thumbnail(before)).verdict == "same"
    after = before.astype(int)
    after[160:320, 200:440] += np.array([60, -30, -6])  # of about equal luminance
    found = compare(np.clip(after, 0, 255).astype(np.uint8), thumbnail(before))
    assert found.verdict == "differs"
    assert found.box[0] < 440 and found.box[2] > 200


def test_dark_edges_that_are_not_black_may_have_been_cut_away():
    night = landscape().astype(float) * 0.5 + np.random.default_rng(0).normal(0, 2, (*SIZE, 1))
    for part in (slice(0, 60), slice(420, 480)):
        night[part] = 8 + night[part] / 20
    night = np.clip(night, 0, 255).astype(np.uint8)
    found = compare(night[60:420], thumbnail(night))
    assert (found.verdict, "not black" in found.reason) == ("undecided", True)


def test_a_grey_thumbnail_of_a_picture_in_colour_says_that_colours_are_not_compared():
    found = compare(landscape(), thumbnail(Image.fromarray(landscape()).convert("L").convert("RGB")))
    assert (found.verdict, found.reason) == ("same", "it shows the picture, in grey: colours cannot be compared")
