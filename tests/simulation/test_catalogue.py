import io
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import ExifTags, Image

from cama.simulation.camera import device_pattern, flat_field, for_photograph, jpeg_file, photograph
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
        assert 0 < model.sensor.shot_noise / model.habits.frames < 1e-3


def test_some_models_share_their_encoder_and_their_demosaicing_and_some_do_not():
    shared, kinds, merging, correcting = [], [], 0, 0
    for seed in range(20):
        models = list(draw_catalogue(seed, NAMES).values())
        shared.append(len({m.habits.tables for m in models}))
        kinds.append(len({m.processing.demosaicing for m in models}))
        merging += sum(m.habits.frames > 1 for m in models)
        correcting += sum(m.processing.correction > 0 for m in models)
        assert len({m.processing.sharpen_amount for m in models}) == len(models)
        assert all(m.optics.distortion == m.processing.correction for m in models)
    assert max(shared) < len(NAMES)  # four encoders for six models
    assert min(shared) > 1
    assert max(kinds) == 3
    assert 10 < merging < 60
    assert 20 < correcting < 80


def test_tables_are_as_fine_as_those_of_real_cameras():
    """The steps of the luminance of real cameras sum to 192 to 533."""
    sums = [sum(t) for seed in range(20) for m in draw_catalogue(seed, NAMES).values() for t, _ in m.habits.tables]
    assert min(sums) > 150
    assert max(sums) < 750
    assert 192 < np.median(sums) < 533


def test_photographs_of_a_model_differ_by_its_habits(catalogue):
    model = catalogue["Dorado_D5"]
    assert for_photograph(model, 3) == for_photograph(model, 3)
    shots = [for_photograph(model, seed) for seed in range(300)]
    habits = model.habits
    assert {(s.processing.luma_table, s.processing.chroma_table) for s in shots} == set(habits.tables)
    gains = np.array([s.sensor.shot_noise * habits.frames / model.sensor.shot_noise for s in shots])
    assert (gains >= 1).all()
    assert (gains <= habits.gain).all()
    assert gains.max() > 2 * gains.min()
    read = np.array([s.sensor.read_noise for s in shots])
    reduction = np.array([s.processing.luma_denoise for s in shots])
    assert np.corrcoef(gains, read)[0, 1] > 0.95  # noise and its reduction grow together
    assert np.corrcoef(gains, reduction)[0, 1] > 0.95
    exposure = np.log([s.sensor.exposure for s in shots])
    assert exposure.std() == pytest.approx(habits.exposure, rel=0.2)
    red = np.log([s.processing.white_balance[0] / model.processing.white_balance[0] for s in shots])
    assert red.std() == pytest.approx(habits.white_balance, rel=0.2)
    assert abs(red.mean()) < 0.02
    assert np.std([s.optics.focus for s in shots]) > 0
    assert max(np.hypot(*s.optics.motion) for s in shots) <= habits.shake
    for shot in shots[:20]:  # what a model is stays
        assert (shot.prnu, shot.dark, shot.name, shot.sensor.bayer) == (
            model.prnu,
            model.dark,
            model.name,
            model.sensor.bayer,
        )
        assert shot.processing.sharpen_amount == model.processing.sharpen_amount


def test_merged_frames_have_less_noise(catalogue):
    model = next(m for seed in range(20) for m in draw_catalogue(seed, NAMES).values() if m.habits.frames > 1)
    single = replace(model, habits=replace(model.habits, frames=1))
    merged, alone = (for_photograph(m, 1).sensor for m in (model, single))
    assert merged.shot_noise == pytest.approx(alone.shot_noise / model.habits.frames)
    assert merged.read_noise == pytest.approx(alone.read_noise / model.habits.frames**0.5)


def test_traits_name_every_drawn_parameter(catalogue):
    model = catalogue["Dorado_D5"]
    traits = model.traits()
    assert traits["name"] == "Dorado_D5"
    names = set(asdict(model.optics)) | set(asdict(model.sensor)) | set(asdict(model.processing)) | {"prnu", "dark"}
    assert names | {f"varies_{name}" for name in asdict(model.habits)} | {"name"} == set(traits)
    luma, chroma = model.habits.tables[0]
    assert traits["varies_tables"].split(", ")[0] == f"{sum(luma)} + {sum(chroma)}"
    assert len(traits["varies_tables"].split(", ")) == len(model.habits.tables)


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
    assert np.corrcoef(again.ravel(), taken.ravel())[0, 1] > 0.98  # the noise is a small part of the picture


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
