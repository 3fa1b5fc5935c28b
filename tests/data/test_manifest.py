import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cama.core.errors import CamaError
from cama.data.manifest import build_manifest, read_table

MODELS = ("Alpha_One", "Beta_Two_X")


def jpeg(seed=0, width=48, height=40, mode="RGB"):
    picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Four good photographs of two models, written in no order, one in a folder below and one in small letters."""
    root = tmp_path / "photographs"
    (root / "sub").mkdir(parents=True)
    names = ("Beta_Two_X_0_7.JPG", "Alpha_One_1_12.jpg", "sub/Alpha_One_0_3.JPG", "Alpha_One_0_20.jpeg")
    for seed, name in enumerate(names):
        (root / name).write_bytes(jpeg(seed, 48 + seed, 40 + seed))
    (root / "notes.txt").write_text("not a photograph")
    return root


def build(folder, models=MODELS, skip=False, smallest=32, kind="dresden"):
    return build_manifest([folder], folder.parent, models, kind, skip, smallest)


def fault(folder, **settings):
    """The one line that building the manifest fails with."""
    with pytest.raises(CamaError) as caught:
        build(folder, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rows_are_sorted_by_name_and_true(folder):
    manifest, broken = build(folder)
    assert list(manifest.path) == [
        "photographs/Alpha_One_0_20.jpeg",
        "photographs/Alpha_One_1_12.jpg",
        "photographs/Beta_Two_X_0_7.JPG",
        "photographs/sub/Alpha_One_0_3.JPG",
    ]
    assert list(manifest.model) == ["Alpha_One", "Alpha_One", "Beta_Two_X", "Alpha_One"]
    assert list(manifest.device) == [0, 1, 0, 0]
    assert list(manifest.number) == [20, 12, 7, 3]
    assert list(manifest.width) == [51, 49, 48, 50]
    assert list(manifest.height) == [43, 41, 40, 42]
    assert set(manifest.scene) == {""}
    assert broken.empty
    for row in manifest.itertuples():
        assert row.sha256 == hashlib.sha256((folder.parent / row.path).read_bytes()).hexdigest()


def test_the_order_does_not_depend_on_the_file_system(folder, monkeypatch):
    expected, _ = build(folder)
    listed = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: sorted(listed(self, pattern), reverse=True))
    assert build(folder)[0].equals(expected)


def test_several_folders_make_one_manifest(folder):
    other = folder.parent / "others"
    other.mkdir()
    (other / "Beta_Two_X_1_9.JPG").write_bytes(jpeg(9))
    manifest, _ = build_manifest([folder, other], folder.parent, MODELS, "dresden", False, 32)
    assert len(manifest) == 5
    assert manifest.path[0] == "others/Beta_Two_X_1_9.JPG"


def test_scenes_of_simulated_photographs_are_their_numbers(folder):
    manifest, _ = build(folder, kind="simulated")
    assert list(manifest.scene) == ["20", "12", "7", "3"]


def test_photographs_of_other_models_are_left_out(folder):
    (folder / "Gamma_Three_0_1.JPG").write_bytes(b"not even a picture")
    manifest, broken = build(folder, skip=True)
    assert len(manifest) == 4
    assert broken.empty


def broken_files():
    whole = jpeg()
    return {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "cut_short": whole[:-200],
        "no_picture": b"plain text, not a photograph",
        "grey": jpeg(mode="L"),
        "cmyk": jpeg(mode="CMYK"),
        "small": jpeg(width=48, height=31),
        "narrow": jpeg(width=31, height=48),
    }


@pytest.mark.parametrize("kind", sorted(broken_files()))
def test_a_broken_photograph_is_an_error_that_names_it(folder, kind):
    path = folder / "Alpha_One_0_99.JPG"
    path.write_bytes(broken_files()[kind])
    assert str(path) in fault(folder)


@pytest.mark.parametrize(
    ("kind", "word"),
    [("empty", "empty"), ("grey", "mode L"), ("cmyk", "mode CMYK"), ("small", "48x31"), ("narrow", "31x48")],
)
def test_the_error_says_what_was_found(folder, kind, word):
    (folder / "Alpha_One_0_99.JPG").write_bytes(broken_files()[kind])
    assert word in fault(folder)


def test_the_smallest_side_is_large_enough(folder):
    (folder / "Alpha_One_0_99.JPG").write_bytes(jpeg(width=40, height=40))
    assert len(build(folder, smallest=40)[0]) == 5
    (folder / "Alpha_One_0_99.JPG").write_bytes(jpeg(width=48, height=39))
    assert "48x39" in fault(folder, smallest=40)


def test_a_bad_name_is_an_error_that_names_the_file(folder):
    (folder / "IMG_0001.JPG").write_bytes(jpeg())
    assert str(folder / "IMG_0001.JPG") in fault(folder)


def test_a_missing_folder_is_an_error_that_names_it(tmp_path):
    assert str(tmp_path / "nowhere") in fault(tmp_path / "nowhere")


def test_a_folder_without_photographs_is_an_error_that_names_it(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    assert str(tmp_path) in fault(tmp_path)


def test_a_model_without_photographs_is_an_error_that_names_it(folder):
    assert "Delta_Four" in fault(folder, models=(*MODELS, "Delta_Four"))


def test_a_model_whose_photographs_are_all_broken_is_an_error(folder):
    (folder / "Delta_Four_0_1.JPG").write_bytes(b"")
    assert "Delta_Four" in fault(folder, models=(*MODELS, "Delta_Four"), skip=True)


def test_broken_photographs_are_skipped_with_their_reasons(folder):
    for number, content in enumerate(broken_files().values()):
        (folder / f"Alpha_One_5_{number:02d}.JPG").write_bytes(content)
    (folder / "IMG_0001.JPG").write_bytes(jpeg())
    manifest, broken = build(folder, skip=True)
    assert len(manifest) == 4
    assert 5 not in set(manifest.device)
    expected = [f"photographs/Alpha_One_5_{number:02d}.JPG" for number in range(len(broken_files()))]
    assert list(broken.path) == [*expected, "photographs/IMG_0001.JPG"]
    reasons = dict(zip(broken_files(), broken.reason, strict=False))
    assert "empty" in reasons["empty"]
    assert "mode L" in reasons["grey"]
    assert "mode CMYK" in reasons["cmyk"]
    assert "48x31" in reasons["small"]
    assert "cannot be decoded" in reasons["truncated"]
    assert "convention" in broken.reason.iloc[-1]


def test_a_table_is_read_as_it_was_written(folder, tmp_path):
    """Scenes stay texts, an unknown one empty, and a model that looks like a number or NaN stays a text."""
    for kind in ("dresden", "simulated"):
        manifest, _ = build(folder, kind=kind)
        manifest.loc[0, "model"] = "NA"
        manifest.to_csv(tmp_path / "manifest.csv", index=False)
        again = read_table(tmp_path / "manifest.csv")
        assert again.to_dict("list") == manifest.to_dict("list")


def test_a_missing_table_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CamaError, match=r"nowhere\.csv"):
        read_table(tmp_path / "nowhere.csv")
