"""The recorded quartiles of real photographs."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from cama.core.errors import CamaError
from cama.forensics.statistics import GREY, photograph_statistics, real_reference
from cama.stages.reference import reference
from cama.storage.images import read_rgb
from tests.real_photographs import CAMERAS, needs_cameras


def test_quartiles_are_those_of_the_middle_of_each_photograph(tmp_path):
    rng = np.random.default_rng(0)
    figures = []
    for index in range(5):
        path = tmp_path / "photographs" / f"{index % 2}" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = gaussian_filter(rng.normal(100 + 10 * index, 40, (320, 352, 3)), (index / 2, index / 2, 0))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=95)
        figures.append(photograph_statistics(read_rgb(path)[32:288, 48:304]))
    reference(tmp_path / "photographs", tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert found.keys() == figures[0].keys()
    for name, quartiles in found.items():
        values = np.quantile([one[name] for one in figures], [0.25, 0.5, 0.75])
        assert list(quartiles) == ["lower", "median", "upper"]
        assert list(quartiles.values()) == pytest.approx(values.tolist(), abs=1e-4)


def test_a_folder_without_photographs_is_an_error(tmp_path):
    with pytest.raises(CamaError, match="found no JPEG file"):
        reference(tmp_path, tmp_path / "out.json")


def test_what_is_recorded_has_the_figures_that_are_compared():
    recorded = real_reference()
    assert recorded.keys() == photograph_statistics(np.random.default_rng(0).integers(0, 256, (256, 256, 3))).keys()
    assert all(one["lower"] < one["median"] < one["upper"] for one in recorded.values())


@needs_cameras
def test_what_is_recorded_is_of_these_photographs():
    """Two figures, which need no residual."""
    crops = [read_rgb(path)[384:640, 384:640] @ GREY for path in sorted(CAMERAS.rglob("*.jpg"))]
    for name, values in (("mean_level", [crop.mean() for crop in crops]), ("contrast", [crop.std() for crop in crops])):
        quartiles = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        assert list(real_reference()[name].values()) == pytest.approx(quartiles, abs=1e-3)
