import io
from dataclasses import asdict

import numpy as np
import pytest
from PIL import ExifTags, Image

from cama.simulation.camera import device_pattern, flat_field, jpeg_file, photograph
from cama.simulation.catalogue import draw_catalogue
from cama.simulation.scenes import render_scene

NAMES = ["Alcyon_A10", "Borealis_B_2", "Corvus_C300", "Dorado_D5", "Eridan_E7", "Fornax_F1"]


@pytest.fixture(scope="module")
def catalogue():
    return draw_catalogue(1, NAMES)


def test_the_seed_decides_the_catalogue(catalogue):
    assert draw_catalogue(1, NAMES) == catalogue
    assert list(catalogue) == NAMES
    other = draw_catalogue(2, NAMES)
    for name in NAMES:
        assert other[name] != catalogue[name]
        assert other[name].prnu != catalogue[name].prnu


@pytest.mark.parametrize("seed", range(20))
def test_values_are_those_of_real_cameras(seed):
    for model in draw_catalogue(seed, NAMES).values():
        assert 0.003 <= model.prnu <= 0.01
        for table in (model.processing.luma_table, model.processing.chroma_table):
            assert len(table) == 64
            assert all(type(step) is int and 1 <= step <= 255 for step in table)
        assert np.allclose(np.sum(model.processing.colour_matrix, axis=1), 1)
        assert len(model.sensor.bayer) == 4
        assert sorted(model.sensor.bayer) == sorted("RGGB")
        assert 0 < model.sensor.shot_noise < 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_no_two_models_come_out_alike(seed):
    models = list(draw_catalogue(seed, NAMES).values())
    spread = np.array([[m.optics.blur, m.processing.sharpen_radius, m.processing.chroma_denoise] for m in models])
    for column in spread.T:
        assert np.diff(np.sort(column)).min() > 0.02 * np.ptp(column)
    assert len({m.processing.luma_table for m in models}) == len(models)
    assert {m.processing.demosaicing for m in models} == {"bilinear", "malvar", "menon"}
    assert {m.processing.subsampling for m in models} == {"4:2:0", "4:2:2", "4:4:4"}


def test_traits_name_every_drawn_parameter(catalogue):
    model = catalogue["Dorado_D5"]
    traits = model.traits()
    assert traits["name"] == "Dorado_D5"
    assert set(asdict(model.sensor)) | set(asdict(model.processing)) | {"prnu"} <= set(traits)


def test_devices_have_their_own_patterns(catalogue):
    model = catalogue["Corvus_C300"]
    one = device_pattern(3, model, 0, 128, 160)
    assert one.gain.shape == (128, 160)
    assert one.gain.std() == pytest.approx(model.prnu, rel=0.05)
    assert one.dark.std() == pytest.approx(model.dark, rel=0.05)
    assert np.array_equal(device_pattern(3, model, 0, 128, 160).gain, one.gain)
    for other in (
        device_pattern(3, model, 1, 128, 160),
        device_pattern(4, model, 0, 128, 160),
        device_pattern(3, catalogue["Dorado_D5"], 0, 128, 160),
    ):
        assert abs(np.corrcoef(other.gain.ravel(), one.gain.ravel())[0, 1]) < 0.05


def test_a_photograph_is_its_scene_device_and_noise_seed(catalogue):
    model = catalogue["Borealis_B_2"]
    scene = render_scene(4, 128, 192)
    pattern = device_pattern(3, model, 0, 64, 96)
    taken = photograph(scene, model, pattern, 5)
    assert taken.shape == (64, 96, 3)
    assert taken.dtype == np.uint8
    assert np.array_equal(photograph(scene, model, pattern, 5), taken)
    again = photograph(scene, model, pattern, 6)
    assert not np.array_equal(again, taken)
    assert np.corrcoef(again.ravel(), taken.ravel())[0, 1] > 0.99


def test_a_flat_field_is_even_and_as_large_as_the_sensor_needs(catalogue):
    field = flat_field(0.3, 32, 48)
    model = catalogue["Alcyon_A10"]
    taken = photograph(field, model, device_pattern(3, model, 0, 32, 48), 1)
    assert taken.shape == (32, 48, 3)
    assert np.ptp(field) == 0
    assert field[0, 0, 0] == pytest.approx(0.3)
    assert 100 < taken[8:24, 16:32].mean() < 200


@pytest.mark.parametrize("name", ["Alcyon_A10", "Borealis_B_2"])
def test_the_file_is_a_jpeg_that_names_its_camera(catalogue, name):
    picture = np.random.default_rng(0).integers(90, 110, (48, 64, 3), np.uint8)
    file = jpeg_file(picture, catalogue[name], 2, 1234)
    with Image.open(io.BytesIO(file)) as image:
        exif = image.getexif()
        details = exif.get_ifd(ExifTags.IFD.Exif)
        decoded = np.array(image)
        assert image.format == "JPEG"
    make, model = name.split("_", 1)
    assert exif[ExifTags.Base.Make] == make
    assert exif[ExifTags.Base.Model] == model
    assert details[ExifTags.Base.DateTimeOriginal] == exif[ExifTags.Base.DateTime]
    assert np.abs(decoded.astype(int) - picture).mean() < 8


def test_the_serial_number_tells_devices_apart(catalogue):
    def serial(device, number):
        file = jpeg_file(np.zeros((16, 16, 3), np.uint8), catalogue["Alcyon_A10"], device, number)
        with Image.open(io.BytesIO(file)) as image:
            return image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.BodySerialNumber]

    assert serial(0, 1) == serial(0, 2)
    assert serial(0, 1) != serial(1, 1)
