"""Every collected photograph that goes wrong elsewhere, through both commands: what a person expects of each."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.jpeg.segments import read_segments
from cama.photo.inspect import inspect
from cama.storage.images import read_rgb
from tests.photo.helpers import LABELS, model_file
from tests.real_photographs import CASES, needs_cases

pytestmark = needs_cases

PERSON = {"A. Nobody"}
WITHOUT_ARTIST = r"black|white|grey|cmyk|icc-.*|copy-[bc].*|phone|picture|scan|screenshot"
DAMAGED = ("no-end", "no-end-trailer", "junk-between", "zero-for-ff", "start-twice", "tables-twice", "truncated")
DIFFERS = "thumbnail-of-before-.*"
SAME = r"thumbnail-(turned|toned|night|letterboxed|grey|with-exif).*"
ALL = sorted(path.name for path in CASES.glob("*") if path.suffix != ".md") if CASES.is_dir() else ["none"]


@pytest.mark.parametrize("name", ALL)
def test_what_a_file_holds_is_told(name):
    record = inspect(CASES / name)
    stem = Path(name).stem
    persons = {leak["value"] for leak in record["leaks"] if leak["tells"] == "person"}
    assert persons == (set() if re.fullmatch(WITHOUT_ARTIST, stem) else PERSON)
    models = {leak["value"] for leak in record["leaks"] if leak["where"].endswith("Model")}
    assert models == ({"X10"} if stem.startswith("model-") else {"Acme X10"} if persons else set())
    assert bool(record.get("damage")) == (stem in DAMAGED)
    assert record.get("decodes", "whole") == ("partly" if stem == "truncated" else "whole")
    verdicts = {thumbnail["verdict"] for thumbnail in record["thumbnails"]}
    if re.fullmatch(DIFFERS, stem):
        assert verdicts == {"differs"}
        left, top, right, bottom = record["thumbnails"][0]["box"]
        assert 0 <= left < right <= record["width"] and 0 <= top < bottom <= record["height"]
    elif re.fullmatch(SAME, stem):
        assert verdicts == {"same"}
    else:
        assert verdicts <= {"undecided" if stem == "truncated" else "same"}
    ignored = [warning for warning in record["warnings"] if "colour profile was ignored" in warning]
    assert bool(ignored) == stem.startswith("icc-")
    if stem == "thumbnail-with-exif":
        inner = {leak["value"] for leak in record["thumbnails"][0]["leaks"]}
        assert any("at home" in value for value in inner) and inner >= PERSON
    if stem == "unequal-quality":
        assert record["coding"]["standard_quality"] is None


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_file(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("name", ALL)
def test_what_decodes_whole_is_anonymized_upright_and_nothing_of_it_remains(name, model, tmp_path, capsys):
    out = tmp_path / "out.jpg"
    command = ["anonymize", str(CASES / name), "--model", str(model), "--to", LABELS[0], "--out", str(out), "--json"]
    status = main(command)
    (record,) = json.loads(capsys.readouterr().out)["results"]
    if name == "truncated.jpg":
        assert (status, out.exists(), record["output"]) == (1, False, None)
        assert record["error"].startswith(f"{CASES / name}: its picture decodes only in part: at byte ")
        return
    assert (status, record["error"], record["output"]) == (0, None, str(out))
    told = inspect(out)
    assert (told["leaks"], told["damage"], told["faults"], told["trailing_bytes"]) == ([], [], [], 0)
    assert read_segments(out.read_bytes()).to_bytes() == out.read_bytes()
    before = inspect(CASES / name)
    turned = name.startswith("orientation-")
    assert read_rgb(out).shape[:2] == (
        (before["width"], before["height"]) if turned else (before["height"], before["width"])
    )


@pytest.mark.parametrize("other", ["copy-b-other-metadata.jpg", "copy-c-saved-again.jpg"])
def test_a_copy_is_no_reference(other):
    with pytest.raises(CamaError, match="a copy of the photograph is no reference"):
        inspect(CASES / "copy-a.jpg", references=[CASES / other])


def test_black_beside_white_decides_nothing(capsys):
    assert main(["inspect", str(CASES / "black.jpg"), "--reference", str(CASES / "white.jpg"), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["results"]
    assert record["fingerprint"] == {"references": 1, "pce": None, "match": None}
    assert np.ptp(read_rgb(CASES / "black.jpg")) < 3
