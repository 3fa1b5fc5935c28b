import numpy as np
import pytest

from cama.simulation.sensor import DevicePattern, Optics, Sensor, capture, expose

FLAT = Optics(blur=0.5, vignetting=0.0, red_scale=1.0, blue_scale=1.0)
EVEN = (1.0, 1.0, 1.0)


def flawless(height, width):
    return DevicePattern(np.ones((height, width), np.float32), np.zeros((height, width), np.float32))


def even_light(level, height=256, width=256):
    return np.full((height, width, 3), level, np.float32)


def test_noise_variance_grows_linearly_with_light():
    sensor = Sensor("RGGB", EVEN, shot_noise=2e-4, read_noise=1e-3)
    levels = np.array([0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
    rng = np.random.default_rng(0)
    raws = [capture(even_light(level), sensor, flawless(256, 256), rng) for level in levels]
    assert [raw.mean() for raw in raws] == pytest.approx(levels, abs=2e-4)
    variances = np.array([raw.var() for raw in raws])
    slope, intercept = np.polyfit(levels, variances, 1)
    assert slope == pytest.approx(2e-4, rel=0.05)
    assert intercept == pytest.approx(1e-6, abs=1e-6)
    assert np.abs(variances - slope * levels - intercept).max() < 0.05 * variances.max()


@pytest.mark.parametrize("strength", [0.003, 0.01])
def test_prnu_multiplies_light_with_the_spread_asked(strength):
    device = DevicePattern.draw(1, strength, 0.0, 256, 256)
    still = Sensor("RGGB", EVEN, shot_noise=0.0, read_noise=0.0)
    for level in (0.3, 0.6):
        raw = capture(even_light(level), still, device, np.random.default_rng(0))
        assert raw.std() / level == pytest.approx(strength, rel=0.03)
        assert raw.mean() == pytest.approx(level, rel=1e-3)


def test_dark_pattern_adds_whatever_the_light():
    device = DevicePattern.draw(1, 0.0, 3e-3, 128, 128)
    still = Sensor("RGGB", EVEN, shot_noise=0.0, read_noise=0.0)
    for level in (0.2, 0.7):
        raw = capture(even_light(level, 128, 128), still, device, np.random.default_rng(0))
        assert np.abs(raw - level - device.dark).max() < 1e-3


def test_a_device_is_its_seed():
    one, again, other = (DevicePattern.draw(seed, 0.005, 2e-4, 64, 64) for seed in (7, 7, 8))
    assert np.array_equal(one.gain, again.gain)
    assert np.array_equal(one.dark, again.dark)
    assert abs(np.corrcoef(one.gain.ravel(), other.gain.ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(one.gain.ravel(), one.dark.ravel())[0, 1]) < 0.1


def test_an_even_scene_without_vignetting_stays_even():
    optics = Optics(blur=0.6, vignetting=0.0, red_scale=1.001, blue_scale=0.999)
    irradiance = expose(np.full((96, 128, 3), 0.4, np.float32), optics)
    assert irradiance.shape == (48, 64, 3)
    assert np.allclose(irradiance, 0.4, atol=1e-6)


def test_vignetting_takes_its_share_at_the_corners_and_nothing_in_the_middle():
    optics = Optics(blur=0.5, vignetting=0.2, red_scale=1.0, blue_scale=1.0)
    irradiance = expose(np.ones((130, 194, 3), np.float32), optics)
    corners = irradiance[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.allclose(corners, 0.8, atol=1e-5)
    assert np.allclose(irradiance[32, 48], 1, atol=1e-5)


def test_chromatic_aberration_magnifies_about_the_centre():
    scene = np.zeros((256, 256, 3), np.float32)
    scene[58:62, 178:182] = 1
    irradiance = expose(scene, Optics(blur=0.5, vignetting=0.0, red_scale=1.04, blue_scale=0.96)).astype(float)
    rows, columns = np.mgrid[0:128, 0:128] - 63.5
    places = [
        np.array([(plane * rows).sum(), (plane * columns).sum()]) / plane.sum()
        for plane in np.moveaxis(irradiance, -1, 0)
    ]
    assert np.allclose(places[1], [29.5 - 63.5, 89.5 - 63.5], atol=0.05)
    assert np.allclose(places[0], 1.04 * places[1], atol=0.1)
    assert np.allclose(places[2], 0.96 * places[1], atol=0.1)


def test_blur_spreads_a_point_by_its_radius_and_keeps_its_light():
    scene = np.zeros((128, 128, 3), np.float32)
    scene[64:66, 64:66] = 1  # one pixel of the sensor
    irradiance = expose(scene, Optics(blur=1.5, vignetting=0.0, red_scale=1.0, blue_scale=1.0))[..., 1].astype(float)
    rows = np.arange(64) - 32
    profile = irradiance.sum(axis=1)
    assert irradiance.sum() == pytest.approx(1, rel=1e-3)
    assert np.sqrt((profile * rows**2).sum()) == pytest.approx(1.5, rel=0.1)


def test_each_pixel_sees_its_own_colour_through_its_response():
    sensor = Sensor("GBRG", (0.5, 1.0, 0.8), shot_noise=0.0, read_noise=0.0)
    light = np.zeros((4, 4, 3), np.float32) + np.array([0.2, 0.4, 0.5], np.float32)
    raw = capture(light, sensor, flawless(4, 4), np.random.default_rng(0))
    assert np.allclose(raw[:2, :2], [[0.4, 0.4], [0.1, 0.4]], atol=2e-4)


@pytest.mark.parametrize("level", [0.0, 0.5, 3.0])
def test_raw_values_are_12_bit_steps_from_0_to_1(level):
    sensor = Sensor("BGGR", (0.6, 1.0, 0.7), shot_noise=3e-4, read_noise=1e-2)
    device = DevicePattern.draw(1, 0.01, 1e-3, 64, 64)
    raw = capture(even_light(level, 64, 64), sensor, device, np.random.default_rng(0))
    assert raw.dtype == np.float32
    assert raw.shape == (64, 64)
    assert raw.min() >= 0
    assert raw.max() <= 1
    assert np.abs(raw * 4095 - np.rint(raw * 4095)).max() < 1e-3
    assert raw.std() > 0
