"""What is kept of a photograph, in which size, kind of file and under which name."""

import csv
import json
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cama.commands.main import main
from cama.compute.psnr import psnr
from cama.core.errors import CamaError
from cama.photo.decoding import ORIENTATIONS, orient
from cama.photo.framing import BACK, Framing
from cama.photo.inspect import inspect
from cama.photo.png import check_png, encode_png
from cama.storage.images import read_rgb
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import model_file

TO = "Corvus_C300"


@pytest.fixture
def model(tmp_path) -> Path:
    (tmp_path / "model").mkdir()
    return model_file(tmp_path / "model")


def photograph(path: Path, height: int = 96, width: int = 128, orientation: int = 1, seed: int = 0) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(scene(height, width, seed=seed), exif=exif.tobytes(), quality=95))
    return path


def run(model: Path, *words: object) -> int:
    return main(["anonymize", *map(str, words), "--model", str(model), "--to", TO])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_an_orientation_is_undone_by_another(orientation):
    picture = scene(48, 64)
    back = BACK.get(orientation, orientation)
    assert np.array_equal(orient(orient(picture, orientation), back), picture)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_crop_is_of_the_upright_picture(orientation):
    stored = scene(96, 128)
    framing = Framing.read("64x70+10+20", None)
    kept = framing.apply(stored, orientation, "a.jpg")
    assert np.array_equal(orient(kept, orientation), orient(stored, orientation)[20:90, 10:74])


def test_the_longer_side_is_made_as_short_as_asked_and_never_longer():
    picture = scene(96, 128)
    assert Framing.read(None, 64).apply(picture, 1, "a.jpg").shape == (48, 64, 3)
    assert Framing.read(None, 64).apply(picture.swapaxes(0, 1), 6, "a.jpg").shape == (64, 48, 3)
    assert Framing.read(None, 128).apply(picture, 1, "a.jpg") is picture
    assert Framing.read("100x70+0+0", 80).apply(picture, 1, "a.jpg").shape == (56, 80, 3)
    assert not Framing.read(None, None)


@pytest.mark.parametrize(
    ("crop", "resize", "expected"),
    [
        ("64x64", None, "--crop: found '64x64', expected WIDTHxHEIGHT+LEFT+TOP in pixels"),
        ("64x63+0+0", None, "--crop: found 64x63 pixels, expected at least 64 a side"),
        (None, 63, "--resize: found 63, expected the longer side in pixels, at least 64"),
        (None, -5, "--resize: found -5, expected"),
    ],
)
def test_what_cannot_be_kept_is_one_line(crop, resize, expected):
    with pytest.raises(CamaError) as error:
        Framing.read(crop, resize)
    assert expected in str(error.value)


def test_a_crop_outside_is_an_error_that_names_the_photograph(model, tmp_path, capsys):
    path = photograph(tmp_path / "a.jpg")
    assert run(model, path, "--crop", "100x90+30+0", "--out", tmp_path / "out.jpg") == 1
    assert f"{path}: found 128x96 pixels, expected the crop 100x90+30+0 in it" in capsys.readouterr().err
    assert not (tmp_path / "out.jpg").exists()


def test_a_photograph_is_cropped_and_resized_before_it_is_changed(model, tmp_path, capsys):
    path, out = photograph(tmp_path / "a.jpg", orientation=6), tmp_path / "out.jpg"
    assert run(model, path, "--crop", "90x120+6+8", "--resize", 96, "--out", out, "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert (record["width"], record["height"]) == (72, 96)
    upright = np.rot90(read_rgb(path), 3)[8:128, 6:96]
    expected = np.asarray(Image.fromarray(upright).resize((72, 96), Image.Resampling.LANCZOS))
    assert record["psnr"] > 25
    assert psnr(np.ascontiguousarray(expected), read_rgb(out)) == pytest.approx(record["psnr"], abs=0.3)
    assert any("not on cropped, smaller or bent ones" in warning for warning in record["warnings"])


def test_a_png_holds_the_pixels_and_nothing_else(model, tmp_path, capsys):
    path, out = photograph(tmp_path / "a.jpg"), tmp_path / "out.png"
    assert run(model, path, "--encoding", "png", "--out", out, "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert record["encoding"] == "PNG"
    found = inspect(out)
    assert (found["container"], found["leaks"], found["faults"]) == ("PNG", [], [])
    assert psnr(read_rgb(path), read_rgb(out)) == pytest.approx(record["psnr"], abs=0.01)  # nothing was lost
    assert run(model, path, "--encoding", "png", "--out", tmp_path / "out.jpg") == 1
    assert "expected a name that ends with .png" in capsys.readouterr().err
    assert run(model, path, "--out", tmp_path / "b.png") == 1
    assert "expected a name that ends with .jpg: the output is a JPEG, or --encoding png" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage", [lambda data: data + b"x", lambda data: data[:-4] + b"abcd", lambda data: data[:-20]]
)
def test_a_png_with_more_or_less_is_refused(damage):
    data = encode_png(scene(16, 16))
    check_png(data, "a.png")
    with pytest.raises(CamaError, match=r"a\.png: found "):
        check_png(damage(data), "a.png")


def test_a_png_with_text_is_refused(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "Jorunn Dahl")
    Image.fromarray(scene(16, 16)).save(tmp_path / "a.png", pnginfo=info)
    with pytest.raises(CamaError, match="found tEXt in the encoded file"):
        check_png((tmp_path / "a.png").read_bytes(), "a.png")


# ---- names


@pytest.fixture
def folder(tmp_path) -> Path:
    for seed, name in enumerate(("1.jpg", "holiday/1.jpg", "holiday/beach/2.jpeg")):
        photograph(tmp_path / "in" / name, 64, 64, seed=seed)
    return tmp_path / "in"


def test_the_same_names_in_the_same_folders(model, folder, tmp_path, capsys):
    assert run(model, folder, "--names", "same", "--out", tmp_path / "out") == 0
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names == {"1.jpg", "holiday/1.jpg", "holiday/beach/2.jpg"}
    assert "3 written, 0 failed" in capsys.readouterr().out


def test_two_photographs_of_one_name_are_not_one_file(model, folder, tmp_path, capsys):
    Image.open(folder / "1.jpg").save(folder / "1.png")
    assert run(model, folder, "--names", "same", "--out", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert f"{folder / '1.png'}: found the name of {folder / '1.jpg'}, expected one of its own: 1.jpg" in said.err
    assert "3 written, 1 failed" in said.out


def test_a_folder_of_what_failed_is_not_left(model, folder, tmp_path):
    (folder / "holiday" / "beach" / "2.jpeg").write_bytes(b"\xff\xd8\xff no photograph")
    assert run(model, folder, "--names", "same", "--out", tmp_path / "out") == 1
    assert (tmp_path / "out" / "holiday").is_dir()
    assert not (tmp_path / "out" / "holiday" / "beach").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_map_says_which_became_which_and_is_private(jobs, model, folder, tmp_path):
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    table = tmp_path / "map.csv"
    assert run(model, folder, "--out", tmp_path / "out", "--map", table, "--jobs", jobs) == 1
    rows = list(csv.DictReader(table.open()))
    assert [row["photograph"] for row in rows] == sorted(
        str(path) for path in folder.rglob("*.jp*g") if path.stem != "bad"
    )
    assert {row["file"] for row in rows} == {str(path) for path in (tmp_path / "out").iterdir()}
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    assert run(model, folder, "--out", tmp_path / "other", "--map", table) == 1
    assert not (tmp_path / "other").exists()


def test_the_map_may_lie_in_a_new_folder_and_is_no_photograph(model, folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(model, folder, "--out", out, "--map", tmp_path / "new" / "map.csv") == 0
    assert len((tmp_path / "new" / "map.csv").read_text().splitlines()) == 4
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["map.csv"]
    before = (folder / "1.jpg").read_bytes()
    assert run(model, folder, "--out", out, "--map", folder / "1.jpg", "--force") == 1
    assert run(model, folder / "1.jpg", "--out", tmp_path / "o.jpg", "--map", tmp_path / "o.jpg") == 1
    assert capsys.readouterr().err.count("which is a photograph or its result") == 2
    assert (folder / "1.jpg").read_bytes() == before


def test_no_original_is_replaced_even_by_force(model, folder, capsys):
    Image.open(folder / "1.jpg").save(folder / "0.png")
    (folder / "0.png").rename(folder / "1.a.png")  # whose result would be 1.a.jpg
    Image.open(folder / "1.jpg").save(folder / "1.png")  # and here 1.jpg
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run(model, folder, "--out", folder, "--names", "same", "--force") == 1
    assert all(path.read_bytes() == data for path, data in before.items())
    assert "which is not replaced, expected another folder or name" in capsys.readouterr().err


def test_names_stay_in_the_folder_of_the_output(model, folder, tmp_path, monkeypatch):
    photograph(tmp_path / "other" / "x.jpg", 64, 64)
    monkeypatch.chdir(folder)
    assert run(model, ".", "../other/x.jpg", "--names", "same", "--out", tmp_path / "out") == 0
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg") if folder not in path.parents}
    assert found == {"out/1.jpg", "out/holiday/1.jpg", "out/holiday/beach/2.jpg", "out/x.jpg", "other/x.jpg"}


def test_minimal_exif_needs_a_file_like_the_targets(model, folder, capsys):
    assert run(model, folder, "--encoding", "png", "--metadata", "target", "--out", folder / "out") == 1
    assert "--metadata: found target beside --encoding png, expected one of the two" in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(model, folder, tmp_path, capsys):
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    before = sorted(tmp_path.rglob("*"))
    words = ("--out", tmp_path / "out", "--map", tmp_path / "map.csv", "--names", "same", "--dry-run")
    assert run(model, folder, *words) == 1
    said = capsys.readouterr()
    assert (
        f"{folder / 'holiday/beach/2.jpeg'} -> {tmp_path / 'out/holiday/beach/2.jpg'}: 64x64 pixels, towards {TO}"
        in said.out
    )
    assert said.out.endswith("3 would be written, 1 would fail. Nothing was written.\n")
    assert f"{folder / 'bad.jpg'}: " in said.err
    assert sorted(tmp_path.rglob("*")) == before
    (folder / "bad.jpg").unlink()
    assert run(model, folder, "--out", tmp_path / "out", "--dry-run") == 0
    assert f" -> a new name in {tmp_path / 'out'}: 64x64 pixels" in capsys.readouterr().out
