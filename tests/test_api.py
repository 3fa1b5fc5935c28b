"""The public API: its names, what it costs to import, and what each does."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cama
from tests.photo.helpers import LABELS, model_file

PROJECT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "scipy", "pandas", "h5py", "matplotlib", "pydantic", "PIL", "yaml"}


def picture(height: int = 80, width: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_importing_it_takes_nothing_heavy_and_little_time():
    code = "import sys, time; t = time.perf_counter(); import cama; print(time.perf_counter() - t, *sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    seconds, *modules = said.split()
    assert float(seconds) < 0.3
    assert not HEAVY & set(modules)


def test_every_name_is_there_and_documented():
    for name in cama.__all__:
        value = getattr(cama, name)
        if callable(value):
            assert inspect.getdoc(value), name
    assert set(cama.__all__) <= set(dir(cama))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cama.nothing  # noqa: B018


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(cama.__file__).read_text())
    seen = {
        alias.asname: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert {name: module for name, module in seen.items() if name} == cama._PUBLIC


def test_the_page_names_them_all():
    page = (PROJECT / "docs" / "python.md").read_text()
    assert [name for name in cama.__all__ if f"`{name}" not in page and name != "__version__"] == []


def test_a_model_changes_a_picture_as_anonymize_does_and_leaves_it_alone(tmp_path):
    model = cama.load_model(model_file(tmp_path))
    assert model.labels == LABELS
    assert model.card.startswith("# cama")
    image = picture()
    before = image.copy()
    changed = {target: model.transform(image, target) for target in LABELS}
    assert np.array_equal(image, before)
    for result in changed.values():
        assert result.dtype == np.uint8
        assert result.shape == image.shape
        assert 15 < cama.psnr(image, result) < 60
    assert not np.array_equal(changed[LABELS[0]], changed[LABELS[1]])


@pytest.mark.parametrize(
    ("image", "target", "words"),
    [
        (picture(), "Dorado_D5", "target: found 'Dorado_D5', expected one of Alcyon_A10"),
        (picture() / 255, LABELS[0], "picture: found float64 of shape (80, 96, 3), expected uint8"),
        (picture()[..., 0], LABELS[0], "found uint8 of shape (80, 96)"),
        ("photo.jpg", LABELS[0], "picture: found str"),
    ],
)
def test_a_model_refuses_what_is_no_picture_or_no_target(image, target, words, tmp_path):
    model = cama.load_model(model_file(tmp_path))
    with pytest.raises(cama.CamaError, match=re.escape(words)):
        model.transform(image, target)


def test_a_file_that_is_no_model_is_one_line(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"no")
    for name in ("m.safetensors", "gone.safetensors"):
        with pytest.raises(cama.CamaError, match=name):
            cama.load_model(tmp_path / name)


def test_pictures_are_scored_under_each_classifier(tmp_path):
    model_file(tmp_path)
    images = [picture(64, 64), picture(), picture()[::-1]]
    table = cama.score(images, [tmp_path / "e.safetensors"], device="cpu")
    assert list(table.columns) == ["picture", "classifier", "predicted", *(f"p_{label}" for label in LABELS)]
    assert table.picture.tolist() == [0, 1, 2]
    assert set(table.classifier) == {"e"}
    shares = table[[f"p_{label}" for label in LABELS]].to_numpy()
    assert np.allclose(shares.sum(1), 1, atol=1e-5)
    assert [LABELS[place] for place in shares.argmax(1)] == table.predicted.tolist()
    with pytest.raises(cama.CamaError, match=re.escape("pictures[1]: found float64")):
        cama.score([picture(), picture() / 2], [tmp_path / "e.safetensors"])


def test_a_rate_has_the_interval_of_its_photographs():
    names = [f"p{i // 4}" for i in range(80)]
    share, low, high = cama.success_rate([i % 2 == 0 for i in range(80)], names)
    assert share == low == high == 0.5  # each photograph has two of four
    share, low, high = cama.success_rate([i // 4 % 2 == 0 for i in range(80)], names)
    assert share == 0.5
    assert low < 0.35
    assert high > 0.65
    assert all(np.isnan(cama.success_rate([], [])))
    with pytest.raises(cama.CamaError, match="photographs: found 1, expected 2"):
        cama.success_rate([1, 0], ["a"])


GREY = np.zeros((64, 64), np.uint8)
MISUSES = [
    (lambda: cama.psnr(picture(), picture(64, 64)), "changed: found the shape (64, 64, 3), expected (80, 96, 3)"),
    (lambda: cama.psnr(picture() / 1, picture()), "image: found float64"),
    (lambda: cama.noise_residual(GREY), "image: found uint8 of shape (64, 64)"),
    (lambda: cama.device_fingerprint([]), "images: found none"),
    (lambda: cama.device_fingerprint([picture(), picture(64, 64)]), "images[1]: found the shape (64, 64, 3)"),
    (lambda: cama.pce(picture(), GREY), "image: found the shape (80, 96, 3), expected (64, 64, 3)"),
    (lambda: cama.score([picture(20, 64)], []), "pictures[0]: found 64x20 pixels, expected at least 64 a side"),
    (lambda: cama.score([picture()], [], device="gpu"), "compute: device: Input should be"),
    (lambda: cama.inspect("gone.jpg"), "gone.jpg: no such photograph"),
    (lambda: cama.load_config("gone.yaml"), "gone.yaml: no such config file"),
    (lambda: cama.load_config(), "load_config: found no file"),
]


@pytest.mark.parametrize(("call", "words"), MISUSES, ids=[words for _, words in MISUSES])
def test_a_misuse_is_one_line(call, words):
    with pytest.raises(cama.CamaError, match=re.escape(words)) as error:
        call()
    assert "\n" not in str(error.value)


def test_paths_may_be_texts(tmp_path):
    model_file(tmp_path)
    table = cama.score([picture()], str(tmp_path / "e.safetensors"), device="cpu")
    assert len(table) == 1
    assert cama.load_config(str(PROJECT / "config.yaml")).seed == 1
    photo = tmp_path / "photo.jpg"
    Image.fromarray(picture()).save(photo)
    record = cama.inspect(str(photo), classifiers=[str(tmp_path / "e.safetensors")])
    assert record["width"] == 96
    assert record["attribution"][0]["classifier"] == "e.safetensors"


def test_a_fingerprint_and_a_residual_are_those_of_the_forensics(tmp_path):
    images = [picture(128, 128), picture(128, 128)[::-1], picture(128, 128)[:, ::-1]]
    fingerprint = cama.device_fingerprint(iter(images))
    assert fingerprint.shape == (128, 128)
    assert cama.pce(images[0], fingerprint) > cama.pce(picture(128, 128)[::-1, ::-1], fingerprint)
    assert cama.noise_residual(images[0]).dtype == np.float32


def test_the_example_of_the_page_runs(tmp_path, monkeypatch):
    model_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save("photo.jpg")
    code, attack = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "python.md").read_text(), re.DOTALL)
    for name, here in (
        ("results/models/cama.safetensors", "model.safetensors"),
        ("results/classifiers/mislnet.safetensors", "e.safetensors"),
        ("Dorado_D5", LABELS[1]),
    ):
        assert name in code
        code = code.replace(name, here)
    names: dict = {}
    exec(code, names)
    assert names["changed"].shape == picture().shape
    exec(attack, names)
    coarse = names["Posterise"]({"step": 64}, LABELS, 0)(picture()[None], np.array([0]), np.array([-1]))
    assert coarse.shape == (1, *picture().shape)
    assert (coarse % 64 == 0).all()
