"""Tables with and without the F that read scenes, of the rows of test_tables: `f` errs now and then, and `g` says always A."""

import pandas as pd
import pytest

from cama.reporting.scene_readers import WITHOUT, mark_scene_readers, means_without_scene_readers
from cama.reporting.tables import read_rows, summary_table, transfer_table
from tests.reporting.test_tables import rows_of


@pytest.fixture
def rows(tmp_path) -> pd.DataFrame:
    paths = []
    for method in ("identity", "cama"):
        paths.append(tmp_path / f"{method}.csv")
        blind = rows_of(method, "g").assign(predicted="A", labels=3)
        pd.concat([rows_of(method), blind]).to_csv(paths[-1], index=False)
    return read_rows(paths)


def test_each_f_that_reads_scenes_is_marked_beside_its_role(rows):
    transfer = transfer_table(rows, 100, 1)
    marked = mark_scene_readers(transfer, {"g"})
    assert list(marked.columns[4:6]) == ["role", "reads_scenes"]
    assert dict(zip(marked.classifier, marked.reads_scenes, strict=True)) == {"f": False, "g": True}
    assert marked.drop(columns="reads_scenes").equals(transfer)
    untried = mark_scene_readers(transfer.assign(role="informed"), {"g"})
    assert untried.reads_scenes.isna().all()


def test_means_stand_without_them_too(rows):
    summary = summary_table(rows, 100, 1)
    alone = summary_table(rows[rows.classifier == "f"], 100, 1)
    found = means_without_scene_readers(summary, rows, {"g", "unscored"}, 100, 1)
    assert found[summary.columns].equals(summary)
    for bound in ("", "_low", "_high"):
        assert found[f"{WITHOUT}{bound}"].equals(alone[f"targeted{bound}"])
    assert not found[WITHOUT].equals(found.targeted)


def test_nothing_is_added_where_none_reads_scenes_and_nothing_known_where_all_do(rows):
    summary = summary_table(rows, 100, 1)
    assert means_without_scene_readers(summary, rows, {"unscored"}, 100, 1) is summary
    found = means_without_scene_readers(summary, rows, {"f", "g"}, 100, 1)
    assert found[[WITHOUT, f"{WITHOUT}_low", f"{WITHOUT}_high"]].isna().all(axis=None)
