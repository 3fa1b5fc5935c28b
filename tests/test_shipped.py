"""The model file that comes with cama."""

import hashlib
import json
import re
import tarfile
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from PIL import Image

from cama.commands.main import main
from cama.jpeg.exif_writing import minimal_exif
from cama.models.packaged import GRADIENTS, load_header, read_network
from cama.settings.loading import load_config
from cama.shipped import SHIPPED
from tests.photo.helpers import camera_file

PROJECT = Path(__file__).parents[1]
CONFIG = load_config(PROJECT / "config.yaml", PROJECT / "config" / "shipped.yaml")
SUM = SHIPPED.with_suffix(".sha256")


@pytest.fixture(scope="module")
def header():
    return load_header(SHIPPED)


def test_it_is_the_file_whose_hash_was_written_down():
    assert SUM.read_text() == f"{hashlib.sha256(SHIPPED.read_bytes()).hexdigest()}  {SHIPPED.name}\n"
    assert SHIPPED.stat().st_size < 1_500_000


def test_it_is_what_its_config_trains(header):
    method = CONFIG.attack.methods["shipped"]
    generator = CONFIG.adversary.generators[method.generator]
    assert set(header.labels) == set(CONFIG.models.in_distribution)
    how = header.psnr, header.headroom, header.refine, header.refine_by
    assert how == (method.psnr, method.headroom, method.refine, list(method.evaluators))
    assert list(header.judges) == list(generator.judges)
    assert header.held_out
    assert header.generator.features == generator.generator.features
    assert set(header.profiles) == set(header.labels)


def test_files_towards_each_camera_begin_as_its_own_do(header):
    for profile in header.profiles.values():
        assert profile.order[:3] == ["SOI", "APP1 Exif", "DQT"]
        assert minimal_exif(profile.exif, profile.photographs, 640, 480, b"")


def test_it_knows_its_cameras_by_the_names_in_exif(header):
    names = {
        "EOS 600D": "Canon_600D",
        "EOS REBEL T3i": "Canon_600D",
        "EOS REBEL T3": "Canon_1100D",
        "EOS REBEL T4i": "",
    }
    assert {name: header.target_of("Canon", f"Canon {name}") for name in names} == names


def test_its_gradients_scatter_no_slices(header):
    """Which takes half as long again as the gradient of a strided convolution."""
    assert header.refine_by
    for name in header.refine_by:
        graph = onnx.load_from_string(read_network(SHIPPED, f"{GRADIENTS}{name}")[0]).graph
        assert "ScatterND" not in {node.op_type for node in graph.node}


def test_its_card_says_whose_photographs_they_are(header):
    assert (header.credits, header.licence) == (CONFIG.card.credits, CONFIG.card.licence)
    assert header.credits in header.card
    assert "Of each camera model one body was there" in header.card


@pytest.mark.parametrize(("kind", "name"), [("in", "in-distribution"), ("out", "out-of-distribution")])
def test_its_card_says_what_was_measured(header, kind, name):
    """As the rows that are kept give it, with an interval, and towards each camera."""
    with tarfile.open(PROJECT / "docs" / "measured" / "shipped" / "measured.tar.xz") as archive:
        table = pd.read_csv(archive.extractfile("tables/summary.csv"))
    kept = table[(table.method == "shipped") & (table.set == kind)].set_index("save")
    measured = {row["save"]: row for row in header.scores.summary if row["set"] == kind}
    assert set(measured) == set(kept.index) == {"target", "png"}
    for save, row in measured.items():
        assert row["targeted"] == pytest.approx(kept.targeted[save], abs=1e-4)
        assert row["targeted_low"] < row["targeted"] < row["targeted_high"]
    delivered = kept.loc["target"]
    rate = f"{delivered.targeted:.2f} ({delivered.targeted_low:.2f} to {delivered.targeted_high:.2f})"
    assert f"| {name} | target | 6 | {delivered.photographs} | {rate} |" in header.card
    for label in header.labels:
        assert re.search(rf"^\| {label} (\| 0\.\d\d \(0\.\d\d\) ){{2}}\|$", header.card, re.MULTILINE)
    assert "leads away from the target: Canon_600D, out-of-distribution." in header.card


@pytest.mark.parametrize("size", [(128, 160), (333, 257)])
def test_a_photograph_is_changed_by_it_right_after_the_install(size, tmp_path, capsys):
    photo, out = tmp_path / "photo.jpg", tmp_path / "out.jpg"
    photo.write_bytes(camera_file("Alcyon_A10", size=size))
    assert main(["anonymize", str(photo), "--out", str(out), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["results"]
    assert record["target"] in load_header(SHIPPED).labels
    assert record["held_out"]
    before, after = (np.asarray(Image.open(path).convert("RGB"), int) for path in (photo, out))
    assert before.shape == after.shape
    assert 30 < record["psnr"] < 40  # 38 dB, less what the target's encoder loses
