"""Photographs as scenes of simulated cameras, alone and through the stage."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cama.core.errors import CamaError
from cama.settings.data import ModelsSpec, SimulationSpec
from cama.settings.stages import SimulateSpec
from cama.simulation import series
from cama.simulation.scene_photographs import LIGHT, check_pictures, divide, picture_scene, read_picture
from cama.stages.simulate import simulate

MODELS = ModelsSpec(in_distribution=("A_1", "B_2"), out_of_distribution=("C_3",))
SPEC = SimulationSpec(devices_in=3, devices_out=2)
DEVICES = SPEC.devices(MODELS)
ENDINGS = ("png", "JPG", "tif", "webp", "bmp")


def pictures(folder: Path, count: int, height: int = 390, width: int = 400) -> list[Path]:
    """Pictures of one grey level each, 10 for the first, then 11 and so on, in several formats and subfolders."""
    paths = []
    for index in range(count):
        path = folder / f"{index % 2}" / f"{index}.{ENDINGS[index % len(ENDINGS)]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, height), (10 + index,) * 3).save(path)
        paths.append(path)
    return sorted(paths)


def spec(folder: Path, model: str = "A_1", **changes) -> SimulateSpec:
    simulation = {
        "width": 64,
        "height": 64,
        "devices_in": 3,
        "devices_out": 2,
        "photographs": 3,
        "photographs_outdist": 2,
    }
    return SimulateSpec(
        model=model,
        models=MODELS,
        simulation=SimulationSpec(**simulation, scenes=str(folder), **changes),
        tests_in=(2,),
        tests_out=(1,),
    )


def test_devices_share_no_picture(tmp_path):
    devices = SPEC.devices(MODELS)
    assert devices == [*((name, device) for name in ("A_1", "B_2") for device in range(3)), ("C_3", 0), ("C_3", 1)]
    paths = pictures(tmp_path, 21)
    divided = divide(paths, DEVICES, 1)
    assert list(divided) == DEVICES
    assert sorted(path for own in divided.values() for path in own) == paths
    assert {len(own) for own in divided.values()} == {2, 3}
    assert divide(paths, DEVICES, 1) == divided
    assert divide(paths, DEVICES, 2) != divided


def test_one_picture_under_two_names_is_an_error(tmp_path):
    paths = pictures(tmp_path, 9)
    paths[3].write_bytes(paths[1].read_bytes())
    with pytest.raises(CamaError, match=f"found one picture under two names: {paths[1]}, {paths[3]}$"):
        divide(paths, DEVICES, 1)


def test_a_scene_is_a_place_in_linear_light():
    rows, columns = np.mgrid[0:400, 0:500]
    picture = np.stack([rows % 200, columns % 220, np.full_like(rows, 40)], axis=-1).astype(np.uint8)
    scene = picture_scene(picture, 3, 60, 80)
    assert scene.shape == (60, 80, 3)
    assert scene.dtype == np.float32
    assert 0.35 <= np.percentile(scene[::4, ::4], 90) <= 0.7
    assert np.array_equal(scene, picture_scene(picture, 3, 60, 80))
    # blue is even, and tells the exposure: what is left is the mean light of three by three pixels somewhere
    found = scene / scene[0, 0, 2] * LIGHT[40]
    means = np.lib.stride_tricks.sliding_window_view(LIGHT[picture], (3, 3), axis=(0, 1)).mean((-2, -1))
    places = np.argwhere(np.isclose(means, found[0, 0], rtol=1e-3).all(axis=-1)[: 400 - 180 + 1, : 500 - 240 + 1])
    assert any(
        np.allclose(
            found, LIGHT[picture][r : r + 180, c : c + 240].reshape(60, 3, 80, 3, 3).mean((1, 3)), rtol=1e-3, atol=1e-5
        )
        for r, c in places
    )
    assert len({picture_scene(picture, seed, 60, 80)[0, 0, 0] for seed in range(8)}) == 8


def test_light_is_that_of_srgb():
    assert LIGHT[[0, 255]].tolist() == [0, 1]
    assert LIGHT[188] == pytest.approx(0.5029, abs=1e-4)
    assert LIGHT[10] == pytest.approx(10 / 255 / 12.92)


def test_black_pictures_stay_dark():
    assert picture_scene(np.zeros((180, 180, 3), np.uint8), 1, 60, 60).max() == 0
    assert picture_scene(np.full((180, 180, 3), 2, np.uint8), 1, 60, 60).max() < 0.1


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_grey_and_other_pictures_become_colours(mode, tmp_path):
    Image.new("RGB", (32, 24), (90, 90, 90)).convert(mode, palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.tif")
    assert read_picture(tmp_path / "a.tif").shape == (24, 32, 3)
    assert np.abs(read_picture(tmp_path / "a.tif").astype(int) - 90).max() <= 2


def test_faults_of_pictures_are_errors_of_one_line(tmp_path):
    paths = pictures(tmp_path, 3)
    check_pictures(paths, 130, 133)
    with pytest.raises(
        CamaError, match=r"0\.png: found 400x390 pixels, and 2 others .*, expected at least 399x393 for"
    ):
        check_pictures(paths, 131, 133)
    paths[1].write_bytes(b"not a picture")
    with pytest.raises(CamaError, match=f"{paths[1]}: cannot be decoded"):
        check_pictures(paths, 130, 130)
    Image.new("I;16", (400, 400)).save(tmp_path / "deep.png")
    with pytest.raises(CamaError, match=r"deep\.png: found a picture of mode I;16, expected 8 bits a channel"):
        read_picture(tmp_path / "deep.png")


def test_the_stage_takes_scenes_from_the_photographs_of_each_device(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "scenes"
    paths = pictures(folder, 16)
    (folder / "notes.txt").write_text("no picture")
    used: dict[str, set[Path]] = {}

    def photograph(scene, model, pattern, seed):
        assert scene.shape == (128, 128, 3)
        return np.zeros((64, 64, 3), np.uint8)

    def read(path):
        used[model].add(path)
        return read_picture(path)

    monkeypatch.setattr(series, "photograph", photograph)
    monkeypatch.setattr("cama.data.scenes.read_picture", read)
    for model in ("A_1", "B_2", "C_3"):
        used[model] = set()
        simulate(spec(folder, model), tmp_path / "out", tmp_path / "oracle")
    assert sorted(path for one in used.values() for path in one) == paths  # each serves one camera model, and all serve
    assert "scenes: left out 1 of no format that Pillow reads: notes.txt" in capsys.readouterr().out


def test_the_stage_repeats_itself(tmp_path):
    pictures(tmp_path / "scenes", 8)
    for name in ("a", "b"):
        simulate(spec(tmp_path / "scenes"), tmp_path / name, tmp_path / "oracle")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 9
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_faults_of_the_folder_are_errors_of_one_line(tmp_path):
    with pytest.raises(
        CamaError, match=r"^simulation.scenes: found no folder '.*nowhere', expected one with photographs$"
    ):
        simulate(spec(tmp_path / "nowhere"), tmp_path / "out", tmp_path / "oracle")
    pictures(tmp_path / "few", 7)
    with pytest.raises(CamaError, match=r"found 7 pictures in '.*few', expected at least 8, one for each device$"):
        simulate(spec(tmp_path / "few"), tmp_path / "out", tmp_path / "oracle")
    pictures(tmp_path / "small", 8, 400, 380)
    with pytest.raises(
        CamaError, match="found 380x400 pixels, and 2 others that are too small, expected at least 384x384"
    ):
        simulate(spec(tmp_path / "small"), tmp_path / "out", tmp_path / "oracle")
    assert not list((tmp_path / "out").glob("*"))
    (tmp_path / "few" / "7.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(CamaError, match=r"7\.jpg: no such photograph"):
        for model in ("A_1", "B_2", "C_3"):
            simulate(spec(tmp_path / "few", model), tmp_path / "out", tmp_path / "oracle")
