import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from cama.simulation.catalogue import draw_catalogue
from cama.simulation.processing import denoise, develop, encode, sharpen, soft_core, tone
from cama.simulation.sensor import DevicePattern, Sensor, capture

NAMES = [f"Make_M{i}" for i in range(6)]
MODELS = draw_catalogue(5, NAMES)
# row and column of each place of a JPEG's zigzag order: along the anti-diagonals, turning at each
ZIGZAG = sorted(np.ndindex(8, 8), key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]))


def picture(height=64, width=80, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def segments(file):
    """Markers and contents of a JPEG's header segments, up to its scan."""
    at, found = 2, []
    while file[at + 1] != 0xDA:
        length = int.from_bytes(file[at + 2 : at + 4], "big")
        found.append((file[at + 1], file[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_jpeg_has_the_models_tables_and_subsampling(name):
    processing = MODELS[name].processing
    with Image.open(io.BytesIO(encode(picture(), processing))) as image:
        assert {k: tuple(v) for k, v in image.quantization.items()} == {
            0: processing.luma_table,
            1: processing.chroma_table,
        }
        assert ("4:4:4", "4:2:2", "4:2:0")[JpegImagePlugin.get_sampling(image)] == processing.subsampling
        assert image.size == (80, 64)


def test_tables_lie_row_by_row_in_the_file_itself():
    """Parsed here, since Pillow could turn the tables on writing and turn them back on reading."""
    luma, chroma = tuple(range(1, 65)), tuple(range(65, 129))
    processing = replace(MODELS[NAMES[0]].processing, luma_table=luma, chroma_table=chroma)
    content = b"".join(body for marker, body in segments(encode(picture(), processing)) if marker == 0xDB)
    assert len(content) == 130
    for index, table in enumerate((luma, chroma)):
        assert content[65 * index] == index
        steps = content[65 * index + 1 : 65 * index + 65]
        assert [table[8 * row + column] for row, column in ZIGZAG] == list(steps)


@pytest.mark.parametrize(("subsampling", "luma"), [("4:4:4", 0x11), ("4:2:2", 0x21), ("4:2:0", 0x22)])
def test_subsampling_in_the_file_itself(subsampling, luma):
    file = encode(picture(), replace(MODELS[NAMES[0]].processing, subsampling=subsampling))
    ((_, frame),) = [(marker, body) for marker, body in segments(file) if marker in (0xC0, 0xC2)]
    assert [frame[7], frame[10], frame[13]] == [luma, 0x11, 0x11]
    assert [frame[8], frame[11], frame[14]] == [0, 1, 1]  # which table each component takes


@pytest.mark.parametrize("bayer", ["RGGB", "GRBG", "GBRG", "BGGR"])
@pytest.mark.parametrize("demosaicing", ["bilinear", "malvar", "menon"])
def test_an_even_grey_scene_develops_to_even_grey(bayer, demosaicing):
    """Borders included, whatever the demosaicing does there."""
    processing = replace(MODELS[NAMES[0]].processing, demosaicing=demosaicing)
    response = tuple(1 / gain for gain in processing.white_balance)
    pattern = DevicePattern(np.ones((34, 46), np.float32), np.zeros((34, 46), np.float32))
    light = np.full((34, 46, 3), 0.3, np.float32)
    raw = capture(light, Sensor(bayer, response, 0.0, 0.0), pattern, np.random.default_rng(0))
    developed = develop(raw, bayer, processing).astype(int)
    assert developed.shape == (34, 46, 3)
    assert np.ptp(developed) <= 1
    assert 100 < developed.mean() < 180


@pytest.mark.parametrize("bayer", ["RGGB", "GRBG", "GBRG", "BGGR"])
@pytest.mark.parametrize("demosaicing", ["bilinear", "malvar", "menon"])
def test_an_even_colour_develops_to_that_colour(bayer, demosaicing):
    processing = replace(
        MODELS[NAMES[0]].processing,
        demosaicing=demosaicing,
        colour_matrix=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        gamma=1.0,
        contrast=0.0,
        adaptation=0.0,
    )
    pattern = DevicePattern(np.ones((34, 46), np.float32), np.zeros((34, 46), np.float32))
    response = tuple(1 / gain for gain in processing.white_balance)
    light = np.zeros((34, 46, 3), np.float32) + np.array([0.6, 0.4, 0.2], np.float32)
    raw = capture(light, Sensor(bayer, response, 0.0, 0.0), pattern, np.random.default_rng(0))
    assert np.abs(develop(raw, bayer, processing) - np.array([153.0, 102.0, 51.0])).max() <= 1


def test_develop_keeps_the_place_of_an_object():
    raw = np.full((48, 64), 0.2, np.float32)
    raw[20:24, 40:46] = 0.6
    light = develop(raw, "RGGB", MODELS[NAMES[1]].processing).astype(float).mean(axis=-1)
    light -= np.median(light)
    rows, columns = np.mgrid[0:48, 0:64]
    assert (light * rows).sum() / light.sum() == pytest.approx(21.5, abs=0.6)
    assert (light * columns).sum() / light.sum() == pytest.approx(42.5, abs=0.6)


COLOUR = np.zeros((24, 30, 3), np.float32) + np.array([0.2, 0.5, 0.7], np.float32)


def test_sharpening_leaves_a_constant_alone():
    assert np.allclose(sharpen(COLOUR, 1.0, 0.8, 0.005), COLOUR, atol=1e-6)


def test_sharpening_overshoots_at_an_edge_by_its_amount():
    edge = np.full((16, 40, 3), 0.3)
    edge[:, 20:] = 0.6
    weak, strong = (sharpen(edge, 1.0, amount, 0.002) for amount in (0.4, 0.8))
    assert strong[8, 20, 0] > weak[8, 20, 0] > 0.62
    assert strong[8, 19, 0] < weak[8, 19, 0] < 0.28
    assert strong[8, 20, 0] - 0.6 == pytest.approx(2 * (weak[8, 20, 0] - 0.6))
    assert np.allclose(strong[:, :10], 0.3)


def test_detail_below_the_core_is_not_sharpened():
    rng = np.random.default_rng(0)
    faint = 0.5 + np.repeat(5e-4 * rng.standard_normal((32, 32, 1)), 3, axis=-1)
    assert np.abs(sharpen(faint, 1.0, 1.0, 0.01) - faint).max() < 1e-4
    assert np.abs(sharpen(faint, 1.0, 1.0, 0.0) - faint).max() > 5e-4


def test_denoising_leaves_a_constant_alone_and_takes_faint_detail_only():
    assert np.allclose(denoise(COLOUR, 0.01, 1.0), COLOUR, atol=1e-6)
    noise = np.repeat(np.random.default_rng(1).standard_normal((64, 64, 1)), 3, axis=-1)
    faint, strong = 0.5 + 0.003 * noise, 0.5 + 0.1 * noise
    assert denoise(faint, 0.015, 0.0).std() < 0.6 * faint.std()
    assert denoise(strong, 0.015, 0.0).std() > 0.95 * strong.std()


def test_chroma_blur_leaves_luma_alone():
    image = np.random.default_rng(2).uniform(0, 1, (40, 40, 3))
    blurred = denoise(image, 0.0, 1.5)
    weights = [0.299, 0.587, 0.114]
    assert np.allclose(blurred @ weights, image @ weights, atol=1e-5)
    assert (blurred - (blurred @ weights)[..., None]).std() < 0.4 * (image - (image @ weights)[..., None]).std()


def test_soft_core_is_odd_and_shrinks_below_its_threshold():
    detail = np.array([-0.5, -0.001, 0.0, 0.001, 0.5])
    shrunk = soft_core(detail, 0.01)
    assert np.allclose(shrunk, -shrunk[::-1])
    assert shrunk[3] < 2e-5
    assert shrunk[4] == pytest.approx(0.5, rel=1e-3)
    assert np.array_equal(soft_core(detail, 0.0), detail)


def test_tone_rises_from_0_to_1_and_brightens():
    ramp = np.linspace(0, 1, 101)
    curve = tone(ramp, 2.2, 0.25)
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(1)
    assert (np.diff(curve) > 0).all()
    assert (curve[5:-5] > ramp[5:-5]).all()
    assert tone(ramp, 1.0, 0.5)[25] < 0.25 < 0.75 < tone(ramp, 1.0, 0.5)[75]  # the S-curve steepens the middle


def test_the_s_curve_is_stronger_for_pictures_of_low_contrast():
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.standard_normal((32, 32, 1)), 3, axis=-1)
    flat, rich = (0.2 * np.exp(spread * grey) for spread in (0.1, 0.9))
    for image, stronger in ((flat, True), (np.clip(rich, 0, 1), False)):
        encoded = tone(image, 2.2, 0.0)
        change = np.abs(tone(image, 2.2, 0.3, 2.0) - encoded).mean() / np.abs(tone(image, 2.2, 0.3) - encoded).mean()
        assert (change > 1) == stronger
        assert 0.3 < change < 2
    assert np.array_equal(tone(flat, 2.2, 0.59, 9.0), tone(flat, 2.2, 0.6))  # at most
