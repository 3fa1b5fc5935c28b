import io

import numpy as np
import pytest
import torch
from PIL import Image

from cama.compute.tensors import symmetry, to_bytes, to_float
from cama.core.errors import CamaError
from cama.storage.images import read_rgb, save_and_decode


def picture(height=40, width=56, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_every_value_survives_the_way_to_float_and_back():
    values = np.arange(256, dtype=np.uint8)
    images = np.stack([values, values[::-1], np.roll(values, 9)], axis=-1).reshape(1, 16, 16, 3)
    floats = to_float(images)
    assert floats.shape == (1, 3, 16, 16)
    assert floats.dtype == torch.float32
    assert floats.min() == -1
    assert floats.max() == 1
    assert np.array_equal(to_bytes(floats), images)


def test_channels_become_planes():
    images = np.zeros((2, 4, 5, 3), np.uint8)
    images[1, 2, 3] = [0, 255, 51]
    assert to_float(images)[1, :, 2, 3].tolist() == pytest.approx([-1, 1, -0.6])


def test_floats_are_rounded_and_clamped_not_wrapped():
    levels = torch.tensor(
        [-3.0, -1.2, 254.4 / 127.5 - 1, 254.6 / 127.5 - 1, 1.01, 7.0, 0.0, 2.5 / 127.5 - 1, 3.5 / 127.5 - 1]
    )
    images = levels.reshape(1, 1, 3, 3).expand(1, 3, 3, 3)
    found = to_bytes(images)[0, :, :, 0].ravel()
    assert found[:6].tolist() == [0, 0, 254, 255, 255, 255]
    assert found[6] in (127, 128)
    assert to_bytes(images).dtype == np.uint8


def test_low_precision_and_gradients_are_taken():
    images = torch.full((1, 3, 2, 2), 0.5, dtype=torch.bfloat16, requires_grad=True)
    assert to_bytes(images).tolist() == np.full((1, 2, 2, 3), 191).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_only_bytes_become_floats(dtype):
    with pytest.raises(TypeError, match="uint8"):
        to_float(np.zeros((1, 2, 2, 3), dtype))


def test_the_eight_symmetries_differ_and_keep_every_pixel():
    image = np.arange(3 * 5 * 5).reshape(3, 5, 5)
    turned = [symmetry(image, index) for index in range(8)]
    assert np.array_equal(turned[0], image)
    assert len({tuple(t.flatten().tolist()) for t in turned}) == 8
    for t in turned:
        assert t.shape == image.shape
        for plane, expected in zip(t, image, strict=True):
            assert np.array_equal(np.sort(plane.flatten()), expected.flatten())


def test_symmetries_form_a_group():
    image = np.arange(16).reshape(4, 4)
    members = {tuple(symmetry(image, index).flatten().tolist()) for index in range(8)}
    for first in range(8):
        for second in range(8):
            assert tuple(symmetry(symmetry(image, first), second).flatten().tolist()) in members


def test_symmetry_acts_alike_on_a_batch():
    images = np.random.default_rng(0).random((4, 3, 6, 6))
    for index in range(8):
        assert np.array_equal(symmetry(images, index)[2, 1], symmetry(images[2, 1], index))


def test_png_delivers_exactly_and_jpeg_by_its_quality():
    image = picture()
    assert np.array_equal(save_and_decode(image, "png"), image)
    errors = []
    for save in ("jpeg95", "jpeg50"):
        delivered = save_and_decode(image, save)
        assert delivered.shape == image.shape
        assert delivered.dtype == np.uint8
        errors.append(np.abs(delivered.astype(int) - image).mean())
    assert 0 < errors[0] < errors[1]


@pytest.mark.parametrize("save", ["jpeg", "gif", "", "jpegx", "jpeg-5", "PNG"])
def test_an_unknown_way_to_save_is_an_error_that_names_it(save):
    with pytest.raises(CamaError, match=f"'{save}'"):
        save_and_decode(picture(), save)


def test_a_photograph_is_read_as_its_pixels(tmp_path):
    image = picture()
    Image.fromarray(image).save(tmp_path / "a.png")
    found = read_rgb(tmp_path / "a.png")
    assert np.array_equal(found, image)
    assert found.dtype == np.uint8


def test_orientation_in_exif_does_not_turn_the_pixels(tmp_path):
    """A turn would move the sensor's pattern and the JPEG grid."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
    assert read_rgb(tmp_path / "a.jpg").shape == (40, 56, 3)


def jpeg(mode="RGB"):
    buffer = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"text", r"cannot be decoded as a photograph \(of no known format\)$"),
        (jpeg()[:-300], "cannot be decoded"),
        (jpeg("L"), "mode L"),
        (jpeg("CMYK"), "mode CMYK"),
    ],
    ids=["empty", "text", "truncated", "grey", "cmyk"],
)
def test_what_is_no_rgb_photograph_is_one_line_that_names_it(tmp_path, content, word):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(CamaError, match=word) as caught:
        read_rgb(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_photograph_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "nowhere.jpg", tmp_path):
        with pytest.raises(CamaError, match=path.name):
            read_rgb(path)
