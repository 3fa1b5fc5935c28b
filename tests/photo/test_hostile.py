"""Files that are damaged, of other kinds, or made to harm: a clear line or a correct result, soon, from both commands."""

import io
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cama.commands.main import main
from cama.jpeg.segments import DQT, Jpeg, read_segments
from cama.photo.inspect import inspect
from cama.storage.images import read_rgb
from tests.jpeg.damaged_files import CASES
from tests.jpeg.helpers import jpeg, many_scans, scene, with_frame
from tests.photo.helpers import LABELS, camera_file, model_file
from tests.real_photographs import needs_photographs, photographs

SOON = 20.0  # seconds, of which a slow machine may need most to import torch


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    """A small file that says it is enormous."""
    return with_frame(jpeg(), lambda frame: frame[:1] + struct.pack(">HH", 65_500, 65_500) + frame[5:])


GREY = Image.fromarray(scene()).convert("L")
OTHERS = {
    "gif": saved(GREY, "GIF"),
    "bmp": saved(Image.fromarray(scene()), "BMP"),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    "text": b"once upon a time",
    "empty": b"",
    "12 bits": with_frame(jpeg(), lambda frame: b"\x0c" + frame[1:]),
    "1x1": jpeg(scene(1, 1)),
    "bomb": bomb(),
    "many scans": many_scans(8000, 3000),
    "no tables": Jpeg(tuple(s for s in read_segments(jpeg()).segments if s.marker != DQT)).to_bytes(),
}
INSPECTED = {
    "cmyk",
    "grey",
    "1x1",
    "12 bits",
    "bomb",
    "many scans",
    "no tables",
}  # the container says something all the same


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_file(tmp_path_factory.mktemp("model"))


def one_line(arguments: list[str], capsys: pytest.CaptureFixture) -> tuple[int, str]:
    """Status and error of a command that must end soon, and either well or with one line."""
    begun = time.monotonic()
    status = main(arguments)
    assert time.monotonic() - begun < SOON
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if not line.startswith("parts: ")]
    assert len(lines) == (1 if status else 0), said
    assert "the program failed" not in said
    return status, said


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_other_kinds_are_one_line(name, ending, model, tmp_path, capsys):
    path = tmp_path / f"a{ending}"
    path.write_bytes(OTHERS[name])
    status, said = one_line(["inspect", str(path)], capsys)
    assert status == (0 if name in INSPECTED else 1)
    out = tmp_path / "out.jpg"
    status, said = one_line(
        ["anonymize", str(path), "--model", str(model), "--to", LABELS[0], "--out", str(out)], capsys
    )
    assert status == 1
    assert f"cama anonymize: {path}: " in said
    assert not out.exists()


@pytest.mark.parametrize("name", CASES)
def test_damaged_files_are_told_and_those_that_decode_whole_anonymized(name, model, tmp_path, capsys):
    path, out = tmp_path / "a.jpg", tmp_path / "out.jpg"
    path.write_bytes(CASES[name].data)
    assert main(["inspect", str(path)]) == 0
    table = capsys.readouterr().out
    assert ("DECODES" in table) == (CASES[name].decodes != "whole")
    assert ("\ndamaged " in table) == bool(CASES[name].words)
    record = inspect(path)
    assert record["decodes"] == CASES[name].decodes
    assert bool(record["damage"]) == bool(CASES[name].words)
    assert record["trailing_bytes"] + sum(segment["bytes"] for segment in record["segments"]) == record["bytes"]
    command = ["anonymize", str(path), "--model", str(model), "--to", LABELS[0], "--out", str(out)]
    status, said = one_line(command, capsys)
    assert (status == 0) == out.exists() == (CASES[name].decodes == "whole")
    assert status == 0 or said.startswith(f"cama anonymize: {path}: its picture decodes ")
    if out.exists():
        assert len(read_segments(out.read_bytes()).to_bytes()) == out.stat().st_size
        assert read_rgb(out).shape == (record["height"], record["width"], 3)


def test_a_very_wide_picture_is_written(model, tmp_path, capsys):
    picture = np.tile(scene(64, 1000), (1, 30, 1))
    (tmp_path / "a.jpg").write_bytes(jpeg(picture))
    out = tmp_path / "out.jpg"
    command = ["anonymize", str(tmp_path / "a.jpg"), "--model", str(model), "--to", LABELS[0], "--out", str(out)]
    assert main(command) == 0
    assert read_rgb(out).shape == (64, 30_000, 3)
    assert one_line(["inspect", str(out)], capsys)[0] == 0


def damaged(data: bytes, count: int, rng: np.random.Generator) -> list[bytes]:
    """The file cut at some places, and copies with one byte changed, as many as `count` says."""
    cuts = [data[:at] for at in np.linspace(0, len(data) - 1, min(20, count)).astype(int)]
    flips = []
    for at in rng.integers(0, len(data), count):
        flips.append(data[:at] + bytes([data[at] ^ rng.integers(1, 256)]) + data[at + 1 :])
    return cuts + flips


def check_damaged(data: bytes, count: int, model: Path, folder: Path, capsys: pytest.CaptureFixture) -> None:
    path, out = folder / "a.jpg", folder / "out.jpg"
    commands = (
        ["inspect", str(path)],
        ["anonymize", str(path), "--model", str(model), "--to", LABELS[0], "--out", str(out)],
    )
    for copy in damaged(data, count, np.random.default_rng(0)):
        path.write_bytes(copy)
        for command in commands:
            status, _ = one_line(command, capsys)
            assert status in (0, 1)
        assert out.exists() == (status == 0)
        out.unlink(missing_ok=True)


def test_a_damaged_file_is_one_line_or_a_result(model, tmp_path, capsys):
    check_damaged(camera_file("Alcyon_A10", size=(64, 80)), 80, model, tmp_path, capsys)


@needs_photographs
def test_a_damaged_real_file_is_one_line_or_a_result(model, tmp_path, capsys):
    """Its own header, with all that its camera wrote, over a small picture."""
    path = photographs("natural")[0]
    whole = read_segments(path.read_bytes())
    head = [part for part in whole.segments if part.name.startswith("APP")]
    shown = Image.open(path).convert("RGB").resize((96, 64), Image.Resampling.BOX)  # as its previews show it
    small = read_segments(jpeg(np.asarray(shown), subsampling="4:2:2")).segments
    data = Jpeg((small[0], *head, *[part for part in small[1:] if not part.name.startswith("APP")])).to_bytes()
    check_damaged(data, 15, model, tmp_path, capsys)
