"""Tests of cama.data.listing, and of manifests of folders as systems and people leave them."""

import os
from pathlib import Path

import pytest
from PIL import Image

from cama.core.errors import CamaError
from cama.data.listing import LOOP, NO_FILE, OTHER, SYSTEM, left_out_line, list_photographs
from cama.data.manifest import build_manifest
from cama.data.splits import check
from cama.jpeg.names import label
from tests.jpeg.helpers import jpeg, scene


@pytest.fixture
def root(tmp_path):
    """Three devices of a model, and one of another."""
    for number, name in enumerate(("Nikon D70/a", "Nikon D70/b", "Nikon D70/c", "Canon X/one")):
        folder = tmp_path / "photographs" / name
        folder.mkdir(parents=True)
        for photo in range(2):
            (folder / f"{photo}.jpg").write_bytes(jpeg(scene(40, 40, seed=10 * number + photo)))
    return tmp_path / "photographs"


def names(paths, root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def manifest(root: Path, models=("Nikon_D70", "Canon_X"), skip=False):
    return build_manifest([root], root, models, "folder", skip, 32)


@pytest.mark.parametrize("ending", [".jpg", ".JPG", ".jpeg", ".JPE", ".jpe", ".jfif", ".JFIF"])
def test_every_ending_of_a_jpeg_is_a_photographs(ending, root):
    (root / "Canon X/one/0.jpg").rename(root / f"Canon X/one/0{ending}")
    table, _ = manifest(root)
    assert f"Canon X/one/0{ending}" in set(table.path)


def test_what_systems_leave_is_told_and_left_out(root, capsys):
    device = root / "Nikon D70/a"
    for name in ("._0.jpg", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (device / name).write_bytes(b"\0\5\x16\7")
    (device / "@eaDir/0.jpg").mkdir(parents=True)
    (device / "@eaDir/0.jpg/SYNOPHOTO_THUMB_M.jpg").write_bytes(jpeg())
    (root / "__MACOSX/Nikon D70").mkdir(parents=True)
    (root / "__MACOSX/Nikon D70/x.jpg").write_bytes(jpeg())
    (device / "0.NEF").write_bytes(b"raw")
    (device / "folder.jpg").mkdir()
    before, _ = manifest(root)
    lines = capsys.readouterr().out.splitlines()
    assert len(before) == 8
    assert (
        f"manifest: left out 6 {SYSTEM}: Nikon D70/a/.DS_Store, Nikon D70/a/._0.jpg, Nikon D70/a/@eaDir, ..." in lines
    )
    assert f"manifest: left out 1 {OTHER}: Nikon D70/a/0.NEF" in lines


def test_a_link_as_a_devices_folder_keeps_its_place(root, tmp_path):
    expected, _ = manifest(root)
    moved = tmp_path / "elsewhere"
    (root / "Nikon D70/b").rename(moved)
    (root / "Nikon D70/b").symlink_to(moved, target_is_directory=True)
    assert manifest(root)[0].equals(expected)
    photo = root / "Nikon D70/c/0.jpg"
    photo.rename(tmp_path / "z.jpg")
    photo.symlink_to(tmp_path / "z.jpg")
    assert manifest(root)[0].equals(expected)
    (tmp_path / "root").symlink_to(root, target_is_directory=True)
    assert manifest(tmp_path / "root")[0].equals(expected)


@pytest.mark.parametrize("name", ["Nikon D70/aa", "Nikon D70/a/2.jpg", "Nikon D70/a/2.JPG"])
@pytest.mark.parametrize("target", ["nowhere", "itself"])
def test_a_link_that_leads_nowhere_is_broken(name, target, root):
    (root / name).symlink_to(root / name if target == "itself" else root / "nowhere")
    with pytest.raises(CamaError, match=f"{name}: found a link that leads nowhere"):
        manifest(root)
    table, broken = manifest(root, skip=True)
    assert len(table) == 8
    assert list(broken.path) == [name]


def test_links_in_a_circle_end(root, capsys):
    (root / "Nikon D70/a/up").symlink_to(root, target_is_directory=True)
    (root / "Nikon D70/b/same").symlink_to(root / "Nikon D70/b", target_is_directory=True)
    listing = list_photographs(root)
    assert len(listing.photographs) == 8
    assert names(listing.left_out[LOOP], root) == ["Nikon D70/a/up", "Nikon D70/b/same"]
    assert len(manifest(root)[0]) == 8
    assert f"left out 2 {LOOP}: Nikon D70/a/up, Nikon D70/b/same" in capsys.readouterr().out


def test_links_that_cross_each_other_end(root, monkeypatch):
    monkeypatch.setattr("cama.data.listing.MOST_FILES", 10_000)
    for one in range(9):
        (root / f"{one}").mkdir()
        for other in range(9):
            (root / f"{one}/{other}").symlink_to(root / f"{other}", target_is_directory=True)
    with pytest.raises(CamaError, match="found more than 10000 files, expected fewer: do links cross each other"):
        list_photographs(root)


def test_what_is_no_file_is_left_out(root):
    os.mkfifo(root / "Nikon D70/a/pipe.jpg")
    assert names(list_photographs(root).left_out[NO_FILE], root) == ["Nikon D70/a/pipe.jpg"]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(CamaError, match=r"nowhere: found a folder that cannot be read \(No such file"):
        list_photographs(tmp_path / "nowhere")


def test_a_line_gives_a_count_and_examples(tmp_path):
    paths = [tmp_path / f"{n}\x1b.txt" for n in range(5)]
    assert left_out_line("odd", paths, tmp_path) == "left out 5 odd: 0?.txt, 1?.txt, 2?.txt, ..."
    assert left_out_line("odd", paths[:1], tmp_path) == "left out 1 odd: 0?.txt"


def test_other_models_and_broken_files_are_told(root, capsys):
    (root / "Nikon D70/a/9.jpg").write_bytes(b"")
    (root / "loose.jpg").write_bytes(jpeg())
    manifest(root, models=("Nikon_D70",), skip=True)
    out = capsys.readouterr().out
    assert (
        "manifest: left out 2 of Canon_X, which the config does not name: Canon X/one/0.jpg, Canon X/one/1.jpg" in out
    )
    assert "manifest: left out 2 that are broken, all in broken.csv: Nikon D70/a/9.jpg, loose.jpg" in out


def test_what_a_convention_leaves_out_is_told(tmp_path, capsys):
    for number, kind in enumerate(("nat", "flat")):
        folder = tmp_path / f"D01_Acme_X/images/{kind}"
        folder.mkdir(parents=True)
        (folder / f"D01_I_{kind}_0001.jpg").write_bytes(jpeg(scene(40, 40, seed=number)))
    build_manifest([tmp_path], tmp_path, ("Acme_X",), "vision", False, 32)
    assert (
        "left out 1 that the convention vision leaves out: D01_Acme_X/images/flat/D01_I_flat_0001.jpg"
        in capsys.readouterr().out
    )


def test_a_copy_with_other_metadata_is_noticed(root, capsys):
    """By what it decodes to: between two roles it is an error, within one a line."""
    exif = Image.Exif()
    exif[0x013B] = "A. Nobody"
    picture = scene(40, 40, seed=0)
    for device in ("a", "c"):
        (root / f"Nikon D70/{device}/copy.jpg").write_bytes(jpeg(picture, exif=exif.tobytes(), comment=device.encode()))
    table = manifest(root)[0]
    copies = table[table.pixels == table.pixels[table.path == "Nikon D70/a/0.jpg"].iloc[0]]
    assert list(copies.path) == ["Nikon D70/a/0.jpg", "Nikon D70/a/copy.jpg", "Nikon D70/c/copy.jpg"]
    assert copies.sha256.is_unique
    roles = table.assign(role=["test" if "/c/" in path else "adversary" for path in table.path])
    with pytest.raises(
        CamaError, match=r"pixels .* stands in adversary and test, .*: Nikon D70/a/0.jpg, Nikon D70/a/copy"
    ):
        check(roles, "device")
    check(roles[roles.path != "Nikon D70/c/copy.jpg"], "device")
    said = capsys.readouterr().out
    assert "split: the same pixels with other metadata in one role: Nikon D70/a/0.jpg, Nikon D70/a/copy.jpg" in said


def test_pixels_of_another_shape_are_others(tmp_path):
    for name, shape in (("a", (32, 64)), ("b", (64, 32))):
        (tmp_path / f"Acme X/{name}").mkdir(parents=True)
        Image.new("RGB", shape).save(tmp_path / f"Acme X/{name}/0.jpg")
    assert build_manifest([tmp_path], tmp_path, ("Acme_X",), "folder", False, 32)[0].pixels.is_unique


def camera(make: str, model: str, serial: str = "1") -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = make, model
    exif.get_ifd(0x8769)[0xA431] = serial
    return jpeg(scene(40, 40, seed=len(make + model)), exif=exif.tobytes())


def test_spellings_of_a_camera_are_one_model(tmp_path):
    spelt = [
        ("NIKON CORPORATION", "NIKON D70"),
        ("NIKON", "NIKON D70"),
        ("Nikon", "D70"),
        ("NIKON\0x", "NIKON D70\0\xff"),
    ]
    for number, (make, model) in enumerate(spelt):
        (tmp_path / f"{number}.jpg").write_bytes(camera(make, model, f"{number} \0y"))
    table, _ = build_manifest([tmp_path], tmp_path, ("Nikon_D70",), "folder", False, 32)
    assert set(table.model) == {"Nikon_D70"}
    assert list(table.device) == [0, 1, 2, 3]


def test_two_cameras_of_one_label_are_refused(tmp_path):
    for model in ("Nikon D 70", "Nikon D-70"):
        (tmp_path / model / "one").mkdir(parents=True)
        (tmp_path / model / "one/0.jpg").write_bytes(jpeg(scene(40, 40, seed=len(model))))
    with pytest.raises(CamaError) as error:
        build_manifest([tmp_path], tmp_path, ("Nikon_D-70",), "folder", False, 32)
    second, first = (tmp_path / model / "one/0.jpg" for model in ("Nikon D-70", "Nikon D 70"))
    assert str(error.value) == (
        f"{second}: found the camera 'nikon d-70', expected 'nikon d 70' as in {first}: the label of both is Nikon_D-70"
    )


def test_a_models_name_in_a_file_name_becomes_a_label_too(tmp_path):
    (tmp_path / "Pentax_*ist DS_0_1.JPG").write_bytes(jpeg())
    (tmp_path / "Pentax_ist-DS_0_1.JPG").write_bytes(jpeg(scene(40, 40, seed=1)))
    models = (label("Pentax", "*ist DS"), "Pentax_ist-DS")
    table, _ = build_manifest([tmp_path], tmp_path, models, "dresden", False, 32)
    assert list(table.model) == list(models)
