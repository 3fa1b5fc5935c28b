"""Photographs of cameras that have one part of another camera's pipeline."""

import io
from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from cama.simulation.catalogue import draw_catalogue
from cama.simulation.scenes import render_scene
from cama.simulation.swaps import PARTS, SINGLE_PARTS, swaps, with_part

GROUPS = ("optics", "sensor", "processing", "habits")
A, B = (draw_catalogue(seed, ["Alcyon_A10"])["Alcyon_A10"] for seed in (3, 4))
A = replace(A, processing=replace(A.processing, demosaicing="bilinear", subsampling="4:2:0"))
B = replace(B, processing=replace(B.processing, demosaicing="malvar", subsampling="4:4:4"))
SCENE = render_scene(1, 128, 128)


def read(file: bytes) -> tuple[np.ndarray, tuple[tuple[int, ...], ...], str]:
    """Pixels, quantisation tables and subsampling of a JPEG file."""
    with Image.open(io.BytesIO(file)) as image:
        tables = tuple(tuple(table) for table in image.quantization.values())
        return np.array(image), tables, ("4:4:4", "4:2:2", "4:2:0")[JpegImagePlugin.get_sampling(image)]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return swaps(A, B, SCENE, 7)


def test_the_parts_are_the_whole_of_a_camera_and_share_nothing():
    own = [field.name for field in fields(A) if field.name not in ("name", *GROUPS)]
    grouped = [f"{group}.{field.name}" for group in GROUPS for field in fields(getattr(A, group))]
    assert sorted(name for part in SINGLE_PARTS.values() for name in part) == sorted(own + grouped)


def test_a_camera_takes_the_fields_of_a_part_alone():
    assert with_part(A, B, "nothing") == A
    assert with_part(A, B, "everything") == replace(B, name=A.name)
    demosaicing = replace(A, processing=replace(A.processing, demosaicing="malvar"))
    assert with_part(A, B, "demosaicing") == demosaicing
    encoder = {name: getattr(A.processing, name) for name in ("luma_table", "chroma_table", "subsampling")}
    processing, habits = replace(B.processing, **encoder), replace(B.habits, tables=A.habits.tables)
    assert with_part(A, B, "everything but JPEG") == replace(B, name=A.name, processing=processing, habits=habits)


def test_the_encoder_is_that_of_the_part(files):
    assert list(files) == list(PARTS)
    pixels, tables, sampling = read(files["nothing"])
    assert pixels.shape == (64, 64, 3)
    assert sampling == "4:2:0"
    others = [read(file)[1] for part, file in files.items() if part not in ("JPEG tables", "everything")]
    assert set(others) == {tables}
    assert tables in A.habits.tables
    assert read(files["JPEG tables"])[1] in B.habits.tables
    assert read(files["JPEG tables"])[2] == "4:2:0"
    assert read(files["JPEG subsampling"])[2] == "4:4:4"


def test_noise_and_chance_are_alike_so_that_only_the_part_differs(files):
    assert swaps(A, B, SCENE, 7) == files
    assert swaps(A, B, SCENE, 8)["nothing"] != files["nothing"]
    assert swaps(A, A, SCENE, 7) == dict.fromkeys(PARTS, files["nothing"])
    assert swaps(B, A, SCENE, 7)["nothing"] == files["everything"]
    pixels = read(files["nothing"])[0].astype(float)
    for part in SINGLE_PARTS:
        assert files[part] != files["nothing"], part
        assert np.corrcoef(pixels.ravel(), read(files[part])[0].ravel())[0, 1] > 0.9  # it is the same scene
