"""The stage that joins catalogues, from rows as the stage `evaluate` writes them and from other tables of each."""

import re
from pathlib import Path

import pandas as pd
import pytest

from cama.core.errors import CamaError
from cama.settings.stages import JoinStageSpec
from cama.stages.join import join
from tests.reporting.test_joined import WON, rows_of


def write_rows(folder: Path, methods: dict[str, set | None]) -> list[Path]:
    """Rows of these methods, each of which wins these cells; what is joined later is left out."""
    paths = []
    (folder / "rows").mkdir(parents=True)
    for method, won in methods.items():
        rows = rows_of(folder.name, method, won).drop(columns=["catalogue", "clean", "clean_saved"])
        paths.append(folder / "rows" / f"{method}.csv")
        rows.to_csv(paths[-1], index=False)
    return paths


def join_rows(folder: Path, rows: list[Path], baseline: str = "", **tables: list[Path]) -> Path:
    """Joins rows and tables to the folder `out`, and to a page beside it. Returns `out`."""
    none = dict.fromkeys(("controls", "readers", "detection"))
    out, page = folder / "out", folder / "report" / "index.html"
    join(JoinStageSpec(baseline=baseline), rows, **{**none, **tables}, out=out, page=page)
    return out


@pytest.fixture
def rows(tmp_path) -> list[Path]:
    return [path for name in WON for path in write_rows(tmp_path / name, {"identity": set(), "cama": None})]


@pytest.fixture
def tables(tmp_path) -> dict[str, list[Path]]:
    """The other tables of each catalogue, by the option of the stage."""
    paths: dict[str, list[Path]] = {"controls": [], "readers": [], "detection": []}
    for number, name in enumerate(WON):
        written = {
            "controls": {"control": ["colours"], "value": [0.1 * number], "expected": ["at most 0.1"]}
            | {"holds": ["no" if number == 2 else "yes"]},
            "readers": {
                **{"classifier": ["f"], "clean_accuracy": [1.0], "blurred_accuracy": [0.5], "chance": [0.25]},
                **{"remaining": [0.3 * number], "reads_scenes": [number == 2]},
            },
            "detection": {**{"method": ["cama"], "question": ["attacked"], "set": ["in"]}, "detector": ["numbers"]}
            | {"auc": [0.9 - 0.1 * number]},
        }
        places = {"controls": "controls/controls", "readers": "controls/scene_readers", "detection": "tables/detection"}
        for option, place in places.items():
            path = tmp_path / name / f"{place}.csv"
            path.parent.mkdir(exist_ok=True)
            pd.DataFrame(written[option]).to_csv(path, index=False)
            paths[option].append(path)
    return paths


def test_the_joined_tables_are_written_in_three_forms(rows, tmp_path):
    out = join_rows(tmp_path, rows, "identity")
    written = {f"{name}.{kind}" for name in ("joined", "joined_paired") for kind in ("csv", "md", "tex")}
    assert {path.name for path in out.iterdir()} == written
    table = pd.read_csv(out / "joined.csv")
    of_cama = table[(table.method == "cama") & (table.figure == "targeted") & (table.classifier == "f")].iloc[0]
    assert (of_cama["mean"], of_cama.worst_catalogue) == (pytest.approx(1 / 3, abs=1e-5), "catalogue-2")
    gain = pd.read_csv(out / "joined_paired.csv").set_index(["figure", "classifier"])["mean"]
    assert gain["difference", "f"] == pytest.approx(1 / 3, abs=1e-5)
    assert "over catalogues and trainings" in (out / "joined.md").read_text()


def test_without_a_baseline_there_is_no_paired_table(rows, tmp_path):
    assert {path.stem for path in join_rows(tmp_path, rows).iterdir()} == {"joined"}
    assert "Beside" not in (tmp_path / "report" / "index.html").read_text()


def test_what_else_each_catalogue_measured_is_joined_and_shown(rows, tables, tmp_path):
    out = join_rows(tmp_path, rows, **tables)
    names = ("joined", "joined_controls", "joined_scene_readers", "joined_detection")
    assert {path.name for path in out.iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("csv", "md", "tex")
    }
    control = pd.read_csv(out / "joined_controls.csv").iloc[0]
    assert list(control) == ["colours", 3, pytest.approx(0.1), 0, pytest.approx(0.2), "at most 0.1", "2 of 3"]
    reader = pd.read_csv(out / "joined_scene_readers.csv").iloc[0]
    assert (reader.catalogues, reader.read_scenes, reader.remaining_highest) == (3, 1, pytest.approx(0.6))
    detector = pd.read_csv(out / "joined_detection.csv").iloc[0]
    assert list(detector[["mean", "lowest", "highest"]]) == pytest.approx([0.8, 0.7, 0.9])
    page = (tmp_path / "report" / "index.html").read_text()
    for heading in ("Can the attack be detected?", "Controls", "Which classifiers read scenes"):
        assert f"<h2>{heading}</h2>" in page


def test_the_page_links_to_the_report_of_each_catalogue(rows, tmp_path):
    join_rows(tmp_path, rows)
    page = tmp_path / "report" / "index.html"
    links = re.findall(r'href="([^"]*)"', page.read_text())
    found = [(page.parent / link).resolve() for link in links]
    assert found == [(tmp_path / name / "report" / "index.html").resolve() for name in WON]


def test_tables_must_be_one_of_each_catalogue(rows, tables, tmp_path):
    for wrong in (tables["controls"][1:], [*tables["controls"], tables["controls"][0]]):
        with pytest.raises(
            CamaError, match=r"--controls: found tables of \[.*\], expected one of each of \['catalogue-1', "
        ):
            join_rows(tmp_path, rows, controls=wrong)
    assert not (tmp_path / "out").exists()


def test_catalogues_must_have_the_same_methods_and_names_of_their_own(rows, tmp_path):
    with pytest.raises(
        CamaError, match=r"catalogue-5: found rows of \['identity'\], expected those of \['cama', 'identity'\]"
    ):
        join_rows(tmp_path, rows[:-1])
    twin = write_rows(tmp_path / "elsewhere" / "catalogue-1", {"identity": set(), "cama": None})
    with pytest.raises(
        CamaError, match=r"--rows: found two catalogues named 'catalogue-1', expected names that differ"
    ):
        join_rows(tmp_path, [*rows, *twin])
