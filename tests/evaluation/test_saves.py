"""Tests of cama.evaluation.saves."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cama.core.errors import CamaError
from cama.evaluation.saves import saved, saved_as, scaled
from cama.jpeg.imitation import Imitation, load_imitations
from cama.photo.profile import learn_profile
from tests.jpeg.helpers import scene
from tests.photo.helpers import camera_file


def pillows(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(buffer))


def test_neutral_is_quality_92_and_the_others_are_as_their_names_say():
    picture = scene(48, 64)
    assert np.array_equal(saved(picture, "neutral"), pillows(picture, 92))
    assert np.array_equal(saved(picture, "jpeg85"), pillows(picture, 85))
    assert np.array_equal(saved(picture, "png"), picture)
    with pytest.raises(CamaError, match="save: found 'tiff'"):
        saved(picture, "tiff")


def test_an_upload_is_shrunk_to_two_thirds_by_lanczos_and_saved_at_80():
    picture = scene(256, 320)
    small = np.asarray(Image.fromarray(picture).resize((213, 171), Image.Resampling.LANCZOS))
    assert np.array_equal(scaled(picture, "upload"), small)
    assert np.array_equal(saved(picture, "upload"), pillows(small, 80))
    assert scaled(picture, "jpeg85") is picture


def test_a_targets_own_encoder_decodes_to_what_the_camera_would_have_stored(tmp_path):
    path = tmp_path / "d.jpg"
    path.write_bytes(camera_file("Dorado_D5", quality=71, subsampling="4:2:0"))
    picture = scene(48, 64)
    found = saved_as(picture, Imitation(learn_profile([path])), 1)
    assert np.array_equal(found, pillows(picture, 71))


def test_a_target_without_a_profile_is_one_line(tmp_path):
    path = tmp_path / "d.jpg"
    path.write_bytes(camera_file("Dorado_D5"))
    found = {"Dorado_D5": learn_profile([path])}
    assert list(load_imitations(Path("p"), found, ("Dorado_D5",))) == ["Dorado_D5"]
    with pytest.raises(
        CamaError, match=r"^p: found no container profile of Eridan_E7, expected one, for the save 'target'$"
    ):
        load_imitations(Path("p"), found, ("Dorado_D5", "Eridan_E7"))
    with pytest.raises(CamaError, match=r"^--profiles: found none, expected the folder"):
        load_imitations(None, found, ("Dorado_D5",))
    (coding,) = found["Dorado_D5"].codings
    grey = coding.value.model_copy(update={"components": coding.value.components[:1]})
    broken = found["Dorado_D5"].model_copy(update={"codings": [coding.model_copy(update={"value": grey})]})
    with pytest.raises(
        CamaError, match=r"^p/Dorado_D5.json: found a profile that cannot be imitated \(.*found 1 components"
    ):
        load_imitations(Path("p"), {"Dorado_D5": broken}, ("Dorado_D5",))
