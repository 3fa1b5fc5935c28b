"""Tests of cama.data.conventions, and of manifests of each data set."""

from pathlib import Path

import pytest
from PIL import Image

from cama.core.errors import CamaError
from cama.data.conventions import CONVENTIONS, Origin
from cama.data.manifest import build_manifest
from cama.data.splits import check, split
from cama.settings.data import ModelsSpec, SplitSpec
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import camera_file
from tests.real_photographs import DRESDEN, needs_photographs


def origin(kind: str, name: str) -> Origin | None:
    return CONVENTIONS[kind](name, Path("root") / name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Olympus_mju_1050SW_3_1234.JPG", Origin("Olympus_mju_1050SW", 3, 1234)),
        ("Nikon_D70s_0_21853.JPG", Origin("Nikon_D70s", 0, 21853)),
        ("Praktica_DCZ5.9_12_00007.jpg", Origin("Praktica_DCZ5.9", 12, 7)),
        ("Samsung_L74wide_2_1_44000.JPG", Origin("Samsung_L74wide_2", 1, 44000)),
    ],
)
def test_names_of_dresden_are_parsed_from_the_right(name, expected):
    assert origin("dresden", f"other_9_9/{name}") == expected


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("simulated", "Alcyon_A10_0_17.JPG", Origin("Alcyon_A10", 0, 17, "17")),
        ("vision", "D05_Apple_iPhone5c/images/nat/D05_I_nat_0012.jpg", Origin("Apple_iPhone5c", "D05", 12)),
        ("vision", "D13_Apple_iPad2/images/flat/D13_I_flat_0001.jpg", None),
        ("vision", "D13_Apple_iPad2/images/natWA/D13_I_natWA_0001.jpg", None),
        ("forchheim", "D01_Motorola_E3_1/orig/D01_img_orig_0063.jpg", Origin("Motorola_E3", "D01", 63, "0063")),
        (
            "forchheim",
            "D15_Samsung_Galaxy_A6_2/orig/D15_img_orig_0001.JPG",
            Origin("Samsung_Galaxy_A6", "D15", 1, "0001"),
        ),
        ("forchheim", "D01_Motorola_E3_1/whatsapp/D01_img_whatsapp_0063.jpg", None),
        (
            "forchheim_whatsapp",
            "D01_Motorola_E3_1/whatsapp/D01_img_whatsapp_0063.jpg",
            Origin("Motorola_E3", "D01", 63, "0063"),
        ),
        ("forchheim_whatsapp", "D01_Motorola_E3_1/orig/D01_img_orig_0063.jpg", None),
        (
            "floreview",
            "D34_Google_Pixel5/Nat/jpeg-h264/L5/S4/D34_L5S4C2.jpg",
            Origin("Google_Pixel5", "D34", 50402, "L5S4"),
        ),
        ("floreview", "D34_Google_Pixel5/Flat/D34_F1.jpg", None),
        ("floreview", "D14_Apple_iPhone13mini/Nat/heic-h265/L1/S1/D14_L1S1C1.jpg", None),
        ("spcup2018", "HTC-1-M7/(HTC-1-M7)25.jpg", Origin("HTC_1-M7", 0, 25)),
        ("spcup2018", "iPhone-4s/(iP4s)3.jpg", Origin("iPhone_4s", 0, 3)),
        ("spcup2018", "Sony-NEX-7/(Nex7)1.JPG", Origin("Sony_NEX-7", 0, 1)),
        ("folder", "Nikon D70 s/my body/any name.JPG", Origin("Nikon_D70-s", "my body")),
    ],
)
def test_each_data_set_names_its_photographs(kind, name, expected):
    assert origin(kind, name) == expected


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("dresden", n) for n in ("IMG_0001.JPG", "Nikon_0_1.JPG", "Nikon_D70_x_1.JPG", "Nikon_D70_0_.JPG", "a.JPG")),
        ("vision", "D05_Apple_iPhone5c/images/nat/D06_I_nat_0012.jpg"),
        ("vision", "D05_Apple_iPhone5c/images/nat/D05_I_natWA_0012.jpg"),
        ("vision", "D05_Apple_iPhone5c/images/other/D05_I_nat_0012.jpg"),
        ("vision", "D05/images/nat/D05_I_nat_0012.jpg"),
        ("forchheim", "D01_Motorola_E3_1/orig/D02_img_orig_0063.jpg"),
        ("forchheim", "D01_Motorola_E3_1/orig/D01_img_facebook_0063.jpg"),
        ("forchheim", "D01_Motorola_E3_1/signal/D01_img_signal_0063.jpg"),
        ("forchheim", "D01/orig/D01_img_orig_0063.jpg"),
        ("floreview", "D34_Google_Pixel5/Nat/jpeg-h264/L5/S4/D35_L5S4C2.jpg"),
        ("floreview", "D34_Google_Pixel5/Nat/jpeg-h264/D34_L5S4C2.jpg"),
        ("floreview", "Google_Pixel5/Nat/jpeg-h264/L5/S4/D34_L5S4C2.jpg"),
        ("daxing", "image/1101-1104/1101/a.jpg"),
        ("daxing", "1101/90/a.jpg"),
        ("spcup2018", "more/HTC-1-M7/(HTC-1-M7)25.jpg"),
        ("spcup2018", "HTC-1-M7/25.jpg"),
        ("folder", "NikonD70/body/a.jpg"),
        ("folder", "Nikon D70/a.jpg"),
        ("folder", "Nikon D70/body/more/a.jpg"),
    ],
)
def test_names_outside_a_convention_are_refused(kind, name):
    with pytest.raises(CamaError) as error:
        origin(kind, name)
    assert str(error.value).startswith(f"root/{name}: found a file name outside the convention, expected ")


def write(root: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(scene(40, 40, seed)))


def manifest(root: Path, models: tuple[str, ...], kind: str):
    table, broken = build_manifest([root], root, models, kind, False, 32)
    assert broken.empty
    return table


def test_devices_of_vision_count_within_their_model(tmp_path, capsys):
    write(
        tmp_path,
        *(f"{d}_Apple_iPhone5c/images/nat/{d}_I_nat_000{n}.jpg" for d in ("D14", "D05", "D18") for n in (1, 2)),
        "D01_Samsung_GalaxyS3Mini/images/nat/D01_I_nat_0001.jpg",
        "D01_Samsung_GalaxyS3Mini/images/flat/D01_I_flat_0001.jpg",
    )
    table = manifest(tmp_path, ("Apple_iPhone5c", "Samsung_GalaxyS3Mini"), "vision")
    assert len(table) == 7
    apple = table[table.model == "Apple_iPhone5c"]
    devices = {path.partition("_")[0]: device for path, device in zip(apple.path, apple.device, strict=True)}
    assert devices == {"D05": 0, "D14": 1, "D18": 2}
    assert "Apple_iPhone5c device 1 is D14, 2 photographs" in capsys.readouterr().out


def test_folders_of_models_and_devices(tmp_path):
    write(tmp_path, "Nikon D70/zoe/b.jpg", "Nikon D70/zoe/a.jpg", "Nikon D70/adam/x.jpg", "Canon Ixus 70/one/x.jpg")
    table = manifest(tmp_path, ("Nikon_D70", "Canon_Ixus-70"), "folder")
    assert list(table[["path", "model", "device", "number"]].itertuples(index=False, name=None)) == [
        ("Canon Ixus 70/one/x.jpg", "Canon_Ixus-70", 0, 1),
        ("Nikon D70/adam/x.jpg", "Nikon_D70", 0, 1),
        ("Nikon D70/zoe/a.jpg", "Nikon_D70", 1, 1),
        ("Nikon D70/zoe/b.jpg", "Nikon_D70", 1, 2),
    ]


def photo(make: str, model: str, serial: str) -> bytes:
    exif = Image.Exif()
    for tag, value in ((0x010F, make), (0x0110, model)):
        if value:
            exif[tag] = value
    if serial:
        exif.get_ifd(0x8769)[0xA431] = serial
    return jpeg(scene(40, 40), exif=exif.tobytes())


def test_a_flat_folder_is_told_apart_by_exif(tmp_path):
    for name, told in (
        ("a.jpg", ("NIKON CORPORATION", "NIKON D70", "77")),
        ("b.jpg", ("NIKON CORPORATION", "NIKON D70", "12")),
        ("c.jpg", ("Canon", "Canon Ixus 70", "1")),
        ("d.jpg", ("Fairphone", "FP4", "x")),
    ):
        (tmp_path / name).write_bytes(photo(*told))
    table = manifest(tmp_path, ("NIKON_D70", "Canon_Ixus-70", "Fairphone_FP4"), "folder")
    assert list(zip(table.path, table.model, table.device, strict=True)) == [
        ("a.jpg", "NIKON_D70", 1),
        ("b.jpg", "NIKON_D70", 0),
        ("c.jpg", "Canon_Ixus-70", 0),
        ("d.jpg", "Fairphone_FP4", 0),
    ]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (("Canon", "Ixus", ""), "found no serial number in its EXIF"),
        (("", "Ixus", ""), "found no make and no serial number in its EXIF"),
    ],
)
def test_a_flat_folder_needs_make_model_and_serial(told, words, tmp_path):
    (tmp_path / "a.jpg").write_bytes(photo(*told))
    with pytest.raises(CamaError, match=words):
        build_manifest([tmp_path], tmp_path, ("Canon_Ixus",), "folder", False, 32)


def test_a_missing_model_is_told_what_there_is(tmp_path):
    write(tmp_path, "Nikon D70/one/a.jpg", "Canon Ixus/one/a.jpg")
    with pytest.raises(CamaError, match=r"found no photograph of Nikon_D80, .* it has Canon_Ixus, Nikon_D70"):
        manifest(tmp_path, ("Nikon_D70", "Nikon_D80"), "folder")


@needs_photographs
def test_real_photographs_without_a_serial_number_are_told_what_to_do():
    """These cameras write it into the maker's note alone."""
    path = DRESDEN / "natural" / "Nikon_D70s_0_21853.JPG"
    with pytest.raises(
        CamaError, match="found no serial number in its EXIF, expected them, or folders Make Model/device"
    ):
        CONVENTIONS["folder"](path.name, path)


def test_daxing_takes_make_and_model_from_exif(tmp_path):
    for number, device in enumerate(("1101-1104/1101", "1101-1104/1102", "1105")):
        folder = tmp_path / "image" / device / "90"
        folder.mkdir(parents=True)
        (folder / "IMG_1.jpg").write_bytes(camera_file("HUAWEI_EML-AL00", number))
    table = manifest(tmp_path, ("HUAWEI_EML-AL00",), "daxing")
    assert table.device.tolist() == [0, 1, 2]
    (tmp_path / "image" / "1105" / "90" / "IMG_2.jpg").write_bytes(jpeg(scene(40, 40)))
    with pytest.raises(CamaError, match=r"IMG_2.jpg: found no make in its EXIF, expected them"):
        manifest(tmp_path, ("HUAWEI_EML-AL00",), "daxing")


@pytest.mark.parametrize("kind", ["forchheim", "floreview"])
def test_scenes_that_all_cameras_took_are_divided_among_the_owners(tmp_path, kind):
    """One device of each model, and in no role a scene of another."""
    cameras = ["D01_Motorola_E3", "D02_LG_Optimus-L50", "D03_Wiko_Lenny-2"]
    for camera in cameras:
        for number in range(1, 10):
            device = camera[:3]
            names = {
                "forchheim": [
                    f"{camera}_1/{quality}/{device}_img_{quality}_{number:04}.jpg" for quality in ("orig", "twitter")
                ],
                "floreview": [
                    f"{camera}/Nat/jpeg-h264/L{number}/S1/{device}_L{number}S1C{take}.jpg" for take in (1, 2)
                ],
            }
            write(tmp_path, *names[kind])
    for place, path in enumerate(sorted(tmp_path.rglob("*.jpg"))):
        path.write_bytes(jpeg(scene(40, 40, place)))  # all differ
    known, unknown = (tuple(name.partition("_")[2] for name in names) for names in (cameras[:2], cameras[2:]))
    table = manifest(tmp_path, (*known, *unknown), kind)
    assert len(table) == 3 * 9 * (1 if kind == "forchheim" else 2)
    models = ModelsSpec(in_distribution=known, out_of_distribution=unknown)
    roles = {"adversary": (0,), "examiner": (0,), "test": (0,)}
    spec = SplitSpec(policy="scene", in_distribution=roles, out_of_distribution={"examiner": (), "test": (0,)})
    divided = split(table, models, spec, seed=1)
    check(divided, "scene")
    scenes = divided.groupby("role").scene.agg(set)
    assert scenes.map(len).to_dict() == dict.fromkeys(("adversary", "examiner", "test", "test_outdist"), 3)
    assert scenes["test"] == scenes["test_outdist"]
    assert not scenes["adversary"] & scenes["examiner"]
    assert len(scenes["adversary"] | scenes["examiner"] | scenes["test"]) == 9
    with pytest.raises(CamaError, match="which policy 'scene' forbids"):
        check(divided.assign(scene="L1S1"), "scene")
    with pytest.raises(CamaError, match=r"split\.policy: found 'scene', but some photographs do not name their scene"):
        split(table.assign(scene=""), models, spec, seed=1)
