"""Where a photograph changed most, in numbers and in a picture."""

import json

import numpy as np
import pytest
from PIL import Image

from cama.commands.main import main
from cama.photo.compare import AREA, SCALE, SIDE, areas
from tests.jpeg.helpers import jpeg, scene


def saved(path, picture):
    Image.fromarray(picture).save(path)
    return str(path)


@pytest.fixture
def before() -> np.ndarray:
    picture = scene(300, 400) // 2 + 80
    picture[:AREA, :AREA] = 10
    return picture


def test_it_finds_the_region_that_changed_most_and_the_shift_of_dark_ones(before):
    after = before.copy()
    after[2 * AREA : 3 * AREA, AREA : 2 * AREA] += np.uint8(20) * (np.indices((AREA, AREA)).sum(0) % 2)[
        ..., None
    ].astype(np.uint8)
    after[:AREA, :AREA, 0] += 7
    found = areas(before, after)
    assert np.unravel_index(found.error.argmax(), found.error.shape) == (2, 1)
    record = found.record()
    assert record["lowest_psnr"] == pytest.approx(10 * np.log10(255**2 / 200), abs=0.01)
    assert record["largest_shift"] == 10
    assert record["dark_shift"] == {"red": 7, "green": 0, "blue": 0}
    assert record["psnr"] > record["lowest_psnr"] + 5
    assert record["places"][0] == {"what": "lowest_psnr", "left": AREA, "top": 2 * AREA}
    assert record["places"][2] == {"what": "darkest", "left": 0, "top": 0}


@pytest.mark.parametrize("size", [(300, 400), (127, 127), (65, 64)])
def test_the_last_pixels_belong_to_an_area(size):
    before = scene(*size)
    after = before.copy()
    after[-1, -1] ^= 64
    record = areas(before, after).record()
    assert record["lowest_psnr"] == pytest.approx(10 * np.log10(255**2 * AREA**2 / 64**2), abs=0.01)
    assert record["places"][0] == {"what": "lowest_psnr", "left": size[1] - AREA, "top": size[0] - AREA}


def test_the_sheet_shows_before_after_and_the_change(before):
    after = before.copy()
    after[150:152, 200:202] += 5
    sheet = areas(before, after).sheet()
    assert sheet.shape[1] == 3 * SIDE * SCALE
    assert sheet.shape[0] == 4 * SIDE * SCALE
    first = sheet[: SIDE * SCALE].reshape(SIDE * SCALE, 3, SIDE * SCALE, 3)
    changed = (first[:, 0] != first[:, 1]).any(-1)
    assert changed.sum() == 4 * SCALE**2
    assert (first[:, 2][changed] == 128 + 40).all()
    assert (first[:, 2][~changed] == 128).all()


@pytest.mark.parametrize("size", [(40, 300), (20, 20), (1, 1)])
def test_small_pictures_are_one_region_high(size):
    before = scene(*size)
    found = areas(before, before)
    assert found.error.shape == (1, -(-size[1] // AREA))
    assert found.record()["psnr"] is None
    assert found.sheet().size


def test_the_command_turns_upright_and_prints_and_writes(tmp_path, capsys, before):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(jpeg(before, exif=exif.tobytes(), quality=95))
    with Image.open(tmp_path / "a.jpg") as image:
        upright = np.rot90(np.asarray(image.convert("RGB")), 3)
    result = saved(tmp_path / "b.png", np.clip(upright.astype(int) + 2, 0, 255).astype(np.uint8))
    out = tmp_path / "places.png"
    assert main(["compare", str(tmp_path / "a.jpg"), result, "--out", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["width"], record["height"]) == (300, 400)
    assert record["psnr"] == pytest.approx(42.1, abs=0.1)
    assert record["largest_shift"] == 2
    with Image.open(out) as image:
        assert image.width == 3 * SIDE * SCALE
    assert main(["compare", str(tmp_path / "a.jpg"), result]) == 0
    assert "PSNR 42.1" in capsys.readouterr().out
    assert main(["compare", result, result]) == 0
    assert capsys.readouterr().out == "no pixel changed\n"


def test_how_the_files_were_read_is_said(tmp_path, capsys):
    Image.fromarray(scene(64, 64)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert main(["compare", str(tmp_path / "a.jpg"), str(tmp_path / "a.jpg")]) == 0
    said = capsys.readouterr().out
    assert "a.jpg: " in said
    assert said.endswith("no pixel changed\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "small.png"], "small.png: found pictures of 400x300 and 20x30 pixels, expected one size"),
        (["a.png", "none.png"], "none.png: no such photograph"),
        (["a.png", "a.png", "--out", "small.png"], "--out: found small.png, expected the name of a new file"),
        (
            ["a.png", "a.png", "--out", "b.jpg"],
            "--out: found b.jpg, expected the name of a new file that ends with .png",
        ),
        (["a.png", "a.png", "--out", "a.png/p.png"], "a.png"),
        (["a.png", "text.jpg"], "text.jpg"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path, monkeypatch, capsys, before):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "a.png", before)
    saved(tmp_path / "small.png", scene(30, 20))
    (tmp_path / "text.jpg").write_text("no photograph")
    assert main(["compare", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
