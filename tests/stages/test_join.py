"""The stage that joins catalogues, from rows as the stage `evaluate` writes them."""

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


@pytest.fixture
def rows(tmp_path) -> list[Path]:
    return [path for name in WON for path in write_rows(tmp_path / name, {"identity": set(), "cama": None})]


def test_the_joined_tables_are_written_in_three_forms(rows, tmp_path):
    join(JoinStageSpec(baseline="identity"), rows, tmp_path / "out")
    written = {f"{name}.{kind}" for name in ("joined", "joined_paired") for kind in ("csv", "md", "tex")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == written
    table = pd.read_csv(tmp_path / "out" / "joined.csv")
    of_cama = table[(table.method == "cama") & (table.figure == "targeted") & (table.classifier == "f")].iloc[0]
    assert (of_cama["mean"], of_cama.worst_catalogue) == (pytest.approx(1 / 3, abs=1e-5), "catalogue-2")
    gain = pd.read_csv(tmp_path / "out" / "joined_paired.csv").set_index(["figure", "classifier"])["mean"]
    assert gain["difference", "f"] == pytest.approx(1 / 3, abs=1e-5)
    assert "over catalogues and trainings" in (tmp_path / "out" / "joined.md").read_text()


def test_without_a_baseline_there_is_no_paired_table(rows, tmp_path):
    join(JoinStageSpec(), rows, tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {"joined"}


def test_catalogues_must_have_the_same_methods_and_names_of_their_own(rows, tmp_path):
    with pytest.raises(
        CamaError, match=r"catalogue-5: found rows of \['identity'\], expected those of \['cama', 'identity'\]"
    ):
        join(JoinStageSpec(), rows[:-1], tmp_path / "out")
    twin = write_rows(tmp_path / "elsewhere" / "catalogue-1", {"identity": set(), "cama": None})
    with pytest.raises(
        CamaError, match=r"--rows: found two catalogues named 'catalogue-1', expected names that differ"
    ):
        join(JoinStageSpec(), [*rows, *twin], tmp_path / "out")
