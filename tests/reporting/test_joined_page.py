"""The page of several catalogues: what it says of toy rows whose figures are counted by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from cama.reporting.joined import figures, joined_table, paired_figures
from cama.reporting.joined_page import PSNR, catalogues_table, differences_table, headline_table, render_joined
from tests.reporting.test_joined import BETTER, ROWS, WON, rows_of

UNTOUCHED = [rows_of(name, "identity", {("g", "A", "B")}).assign(psnr=np.inf) for name in WON]
TRUE = [rows_of(name, "oracle").assign(predicted=lambda rows: rows.target) for name in WON]
AGAIN = rows_of("catalogue-1", won=set(), run=2)
EVERY = pd.concat([*UNTOUCHED, ROWS, AGAIN, *BETTER, *TRUE], ignore_index=True)
EVERY.loc[(EVERY.classifier == "g") & (EVERY.source == "A") & (EVERY.target == "B"), "clean_saved"] = (
    "B"  # as UNTOUCHED
)
TARGETED = np.array([(1 / 2 + 1 / 6) / 2, 1 / 6, (1 / 3 + 1 / 2) / 2])  # cama's of each catalogue, over f and g
ORDER = {"method": ["identity", "cama", "better", "oracle"], "save": ["png"]}


def page(rows: pd.DataFrame, baseline: str = "", **more: pd.DataFrame) -> str:
    tables = {"joined": joined_table(figures(rows)), **more}
    if baseline:
        tables["joined_paired"] = joined_table(paired_figures(rows, baseline))
    reports = {name: f"../{name}/report/index.html" for name in rows.catalogue.unique()}
    return " ".join(render_joined(rows, figures(rows), tables, baseline, reports).split())


def bounds(values: np.ndarray, width: float) -> list[float]:
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) * width
    return [values.mean() - half, values.mean() + half]


def test_the_headline_has_both_intervals_beside_chance_and_oracle():
    later = EVERY.assign(save="jpeg85", predicted="A")
    unknown = EVERY.assign(set="out", known=False, labels=3)
    more = EVERY[EVERY.classifier == "f"].assign(
        labels=6, classifier="h", predicted="B"
    )  # knows more cameras: not here
    table = headline_table(joined_table(figures(pd.concat([EVERY, later, unknown, more]))), ORDER)
    assert list(zip(table.set, table.method, strict=True)) == [(k, m) for k in ("in", "out") for m in ORDER["method"]]
    row = table[(table.set == "in") & (table.method == "cama")].iloc[0]
    low, high = bounds(TARGETED, 1 / math.sqrt(3))
    assert row.targeted == f"{TARGETED.mean():.2f} ({max(low, 0):.2f} to {high:.2f})"
    low, high = bounds(TARGETED, math.sqrt(1 + 1 / 3))
    assert row.rerun == f"{max(low, 0):.2f} to {high:.2f}"
    assert row.lowest == "0.17 (catalogue-2)"
    assert row["deviation of trainings"] == pytest.approx(np.std([1 / 3, 0], ddof=1))
    assert (row.chance, row.oracle) == (pytest.approx(1 / 12), 1)
    assert row.share_of_oracle == pytest.approx(TARGETED.mean())
    assert (row["worst F"], row["worst cell"]) == (pytest.approx((1 / 6 + 1 / 6 + 1 / 3) / 3), 0)
    assert row[PSNR] == "30.5 / 30.0"
    assert row["area shift"] == pytest.approx(0.5)
    untouched = table.iloc[0]
    assert untouched.targeted == "0.08"  # all agree
    assert pd.isna(untouched.rerun)


def test_a_run_without_oracle_or_second_trainings_has_no_such_columns():
    table = headline_table(joined_table(figures(pd.concat([*UNTOUCHED, ROWS]))), ORDER)
    assert not {"oracle", "share_of_oracle", "deviation of trainings"} & set(table)
    text = page(pd.concat([*UNTOUCHED, ROWS]))
    assert "<i>oracle</i>" not in text
    assert "<i>Deviation of trainings</i>" not in text


def test_each_catalogue_stands_with_its_photographs_trainings_and_success():
    table = catalogues_table(EVERY, figures(EVERY))
    assert list(table.index) == list(WON)
    assert list(table.photographs_in) == [6, 6, 6]
    assert list(table.trainings) == ["2 of cama, 1 of the others", "1 of each method", "1 of each method"]
    assert list(table.cama) == pytest.approx(list(TARGETED))  # the second training of one is no draw like the others
    assert list(table.columns[2:]) == ORDER["method"]
    text = page(EVERY)
    assert text.startswith("<!doctype html> <html")
    assert "over 3 catalogues of cameras</h1>" in text
    assert '<td><a href="../catalogue-2/report/index.html">catalogue-2</a></td><td class="number">6</td>' in text
    assert '<td>1 of each method</td><td class="number">0.08</td><td class="number">0.17</td>' in text


def test_differences_from_the_baseline_are_there_where_there_is_one():
    table = differences_table(joined_table(paired_figures(EVERY, "cama")), ORDER)
    assert list(table.method) == ["better", "oracle"]
    gained = np.array([1 / 6 / 2] * 3)  # f towards A: one source of two, in each catalogue
    assert table.difference[0] == f"{gained.mean():.2f}"
    assert table.lowest[0] == "0.08 (catalogue-1)"
    assert table.psnr_difference[0] == "-1.00"
    low, high = bounds(1 - TARGETED, 1 / math.sqrt(3))
    assert table.difference[1] == f"{1 - TARGETED.mean():.2f} ({low:.2f} to {high:.2f})"
    assert "<h2>Beside cama</h2>" in page(EVERY, "cama")
    assert "Beside" not in page(EVERY)


def test_untouched_photographs_can_be_the_baseline_which_have_no_psnr():
    rows = pd.concat([*UNTOUCHED, ROWS])
    table = differences_table(joined_table(paired_figures(rows, "identity")), ORDER)
    assert list(table.method) == ["cama"]
    assert "psnr_difference" not in table
    assert "<h2>Beside identity</h2>" in page(rows, "identity")


def test_the_page_says_what_the_intervals_are_or_that_there_are_none():
    text = page(EVERY)
    assert "Over catalogues <b>and trainings</b>" in text
    assert "with the 95% interval of the mean" in text
    two = page(EVERY[EVERY.catalogue != "catalogue-5"])
    assert "There are no intervals: they need three catalogues." in two
    assert "with the 95% interval of the mean" not in two
    assert "<th>rerun</th>" not in two


def test_all_figures_are_there_in_a_part_for_each_method():
    text = page(EVERY)
    joined = joined_table(figures(EVERY))
    for method in ORDER["method"]:
        part = text.partition(f"<summary>{method}: ")[2].partition("</table>")[0]
        assert part.startswith(f"{(joined.method == method).sum()} rows")
        assert part.count("<tr>") == 1 + (joined.method == method).sum()
    assert "<td>targeted_worst_label</td>" in text
    assert ">nan<" not in text


def test_other_tables_are_shown_where_they_are_joined():
    controls = pd.DataFrame({"control": ["a<b"], "catalogues": [3], "mean": [0.5]})
    text = page(EVERY, joined_controls=controls)
    assert '<td>a&lt;b</td><td class="number">3</td><td class="number">0.500</td>' in text
    for heading, table in (("Controls", "controls"), ("detected?", "detection"), ("read scenes", "scene_readers")):
        assert (f"{heading}</h2>" in text) == (table == "controls")
        assert f"{heading}</h2>" in page(EVERY, **{f"joined_{table}": controls})
