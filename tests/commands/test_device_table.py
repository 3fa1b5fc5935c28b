"""The command `device-table`."""

import numpy as np
import pandas as pd
import pytest

from cama.commands.device_table import COLUMNS, TREATMENTS, cropped, resized
from cama.commands.main import main
from tests.commands.helpers import refusal
from tests.jpeg.helpers import scene


def test_a_photograph_resembles_its_own_device_until_it_is_bent(tmp_path, capsys):
    words = ["--cameras", 1, "--height", 512, "--width", 640, "--references", 10, "--photographs", 2]
    assert main(["device-table", *map(str, words), "--out", str(tmp_path / "d.csv")]) == 0
    table = pd.read_csv(tmp_path / "d.csv")
    assert list(table.columns) == COLUMNS
    assert len(table) == len(TREATMENTS) * 2 * 2 * 2
    whole = table[table.treatment == "none"].groupby(["bent", "device"]).pce.median()
    assert whole[0, "own"] > 5 > 3 > max(abs(whole[0, "other"]), abs(whole[1, "own"]))
    assert "('none', 100, 0)" in capsys.readouterr().out


def test_a_crop_is_of_the_middle_and_a_smaller_picture_of_all():
    picture = scene(96, 128)
    assert np.array_equal(cropped(picture, 50), picture[24:72, 32:96])
    assert resized(picture, 50).shape == (48, 64, 3)
    assert abs(resized(picture, 50).mean() - picture.mean()) < 1


@pytest.mark.parametrize(("option", "expected"), [("cameras", 1), ("references", 2), ("height", 256)])
def test_too_little_is_one_line(option, expected, tmp_path, capsys):
    said = refusal(capsys, "device-table", f"--{option}", 0, "--out", tmp_path / "d.csv")
    assert said.endswith(f"--{option}: found 0, expected at least {expected}")
