"""Tables, against rates counted by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from cama.core.errors import CamaError
from cama.evaluation.rates import wilson
from cama.reporting.tables import (
    headline,
    paired_table,
    per_label_table,
    read_rows,
    summary_table,
    transfer_table,
    with_interval_kind,
)

COLUMNS = (
    "method,set,save,classifier,role,labels,photographs,transformations,clean_accuracy,targeted,targeted_low,targeted_high,"
    "chance,oracle,share_of_oracle,untargeted,untargeted_low,untargeted_high,psnr,psnr_p05,psnr_worst,ssim,ms_ssim,area_shift,"
    "targeted_where_right,targeted_where_right_low,targeted_where_right_high,"
    "untargeted_where_right,untargeted_where_right_low,untargeted_where_right_high,clean_accuracy_after_save"
)
ROW_COLUMNS = ["method", "run", "set", "save", "classifier", "photograph", "row", "column", "source", "target"]
ROW_COLUMNS += ["predicted", "psnr", "ssim", "ms_ssim", "area_shift", "labels", "known", "role"]
LABELS = {"f": 3, "g": 6}
ROLES = {"f": "same_family", "g": "expanded"}
MODELS = ("A", "B", "C")
SOURCES = {"in": {"a1": "A", "a2": "A", "b1": "B"}, "out": {"x1": "X", "x2": "X"}}
# what the classifier f says of the untouched photographs: it is wrong about a2
CLEAN = {"a1": "A", "a2": "B", "b1": "B", "x1": "C", "x2": "C"}
# and of cama's picture towards each target
CAMA = {
    ("a1", "B"): "B",
    ("a1", "C"): "A",
    ("a2", "B"): "B",
    ("a2", "C"): "A",
    ("b1", "A"): "A",
    ("b1", "C"): "C",
    ("x1", "A"): "A",
    ("x1", "B"): "A",
    ("x1", "C"): "C",
    ("x2", "A"): "C",
    ("x2", "B"): "C",
    ("x2", "C"): "C",
}
PSNR = {"a1": 30.0, "a2": 40.0, "b1": 50.0, "x1": 20.0, "x2": math.inf}


def rows_of(method: str, classifier: str = "f") -> pd.DataFrame:
    """Rows as the stage `evaluate` writes them."""
    rows = []
    for kind, photographs in SOURCES.items():
        for name, source in photographs.items():
            for target in (model for model in MODELS if model != source):
                said = CLEAN[name] if method == "identity" else CAMA[name, target]
                psnr = math.inf if method == "identity" else PSNR[name]
                place = (f"{source}/{name}.JPG", 16, 32)
                head = (method, 1, kind, "png", classifier, *place)
                rows.append(
                    (
                        *head,
                        source,
                        target,
                        said,
                        psnr,
                        0.9,
                        0.95,
                        0.5,
                        LABELS[classifier],
                        kind == "in",
                        ROLES[classifier],
                    )
                )
    return pd.DataFrame(rows, columns=ROW_COLUMNS)


@pytest.fixture
def rows(tmp_path) -> pd.DataFrame:
    """The rows of identity and cama under `f`, written and read back; and under `g`, which says always A."""
    paths = []
    for method in ("identity", "cama"):
        paths.append(tmp_path / f"{method}.csv")
        blind = rows_of(method, "g").assign(predicted="A")
        pd.concat([rows_of(method), blind]).to_csv(paths[-1], index=False, float_format="%.5g")
    return read_rows(paths)


@pytest.fixture
def transfer(rows) -> pd.DataFrame:
    return transfer_table(rows, 200, 1)


def cell(table: pd.DataFrame, **where: str) -> pd.Series:
    """The one row of `table` in which the columns have these values."""
    for key, value in where.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_rows_carry_what_the_same_classifier_said_of_the_untouched_photograph(rows):
    assert len(rows) == 2 * 2 * (3 * 2 + 2 * 3)
    for row in rows.itertuples():
        name = row.photograph.partition("/")[2].removesuffix(".JPG")
        assert row.clean == ("A" if row.classifier == "g" else CLEAN[name])


def test_after_the_targets_encoder_the_untouched_photograph_is_that_in_the_same_targets_file(tmp_path):
    identity, cama = rows_of("identity"), rows_of("cama")
    encoded = identity.assign(save="target", predicted=identity.target)  # the file alone persuades F
    paths = [tmp_path / "identity.csv", tmp_path / "cama.csv"]
    pd.concat([identity, encoded]).to_csv(paths[0], index=False)
    pd.concat([cama, cama.assign(save="target")]).to_csv(paths[1], index=False)
    rows = read_rows(paths)
    assert len(rows) == 4 * len(cama)
    delivered = rows[(rows.method == "cama") & (rows.save == "target")]
    assert (delivered.clean_saved == delivered.target).all()
    assert delivered.clean.tolist() == rows[(rows.method == "cama") & (rows.save == "png")].clean.tolist()
    table = transfer_table(rows, 100, 1)
    row = cell(table[table.save == "target"], method="cama", set="in", classifier="f")
    assert row.clean_accuracy == pytest.approx((1 / 2 + 1) / 2)
    assert row.clean_accuracy_after_save == 0
    assert cell(table[table.save == "target"], method="identity", set="in", classifier="f").targeted == 1


def test_crops_of_one_photograph_are_told_apart_but_are_one_photograph(tmp_path):
    first, second = rows_of("identity"), rows_of("identity").assign(column=64, predicted="C")
    paths = [tmp_path / "identity.csv", tmp_path / "cama.csv"]
    pd.concat([first, second]).to_csv(paths[0], index=False)
    pd.concat([rows_of("cama"), rows_of("cama").assign(column=64)]).to_csv(paths[1], index=False)
    rows = read_rows(paths)
    assert len(rows) == 4 * len(first)
    assert set(rows[rows.column == 64].clean) == {"C"}
    assert "A" in set(rows[rows.column == 32].clean)
    row = cell(transfer_table(rows, 100, 1), method="cama", set="in", classifier="f")
    assert (row.photographs, row.transformations) == (3, 12)
    assert row.clean_accuracy == pytest.approx((1 / 4 + 1 / 2) / 2)  # every second crop is called C


def test_the_transfer_table_has_exactly_its_columns_and_one_row_a_method_set_and_classifier(transfer):
    assert ",".join(transfer.columns) == COLUMNS
    keys = [(m, c, s) for m in ("identity", "cama") for c in ("f", "g") for s in ("in", "out")]
    assert sorted(zip(transfer.method, transfer.classifier, transfer.set, strict=True)) == sorted(keys)
    assert set(transfer.save) == {"png"}


def test_rates_in_distribution_by_hand(transfer):
    row = cell(transfer, method="cama", set="in", classifier="f")
    assert (row.labels, row.photographs, row.transformations) == (3, 3, 6)
    # each label counts the same, however many photographs it has
    assert row.clean_accuracy == pytest.approx((1 / 2 + 1) / 2)  # a1 of A's two; B's one
    assert row.targeted == pytest.approx((1 / 1 + 2 / 2 + 1 / 3) / 3)  # to A b1; to B a1 and a2; to C b1 alone
    assert row.untargeted == pytest.approx((2 / 4 + 2 / 2) / 2)  # of A those to B; of B both
    assert row.psnr == pytest.approx((30 + 40 + 50) / 3)
    assert row.psnr_p05 == pytest.approx(30)
    assert row.psnr_worst == pytest.approx(30)
    assert row.ssim == pytest.approx(0.9)
    assert row.ms_ssim == pytest.approx(0.95)
    assert row.area_shift == pytest.approx(0.5)
    assert "lpips" not in row
    for name in ("targeted", "untargeted"):
        # three photographs are few: not narrower than Wilson's interval for three trials
        assert row[f"{name}_low"] <= wilson(row[name] * 3, 3)[0]
        assert row[f"{name}_high"] >= wilson(row[name] * 3, 3)[1]
        assert 0 <= row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] <= 1
        assert row[f"{name}_low"] < row[f"{name}_high"]


def test_rates_of_the_untouched_photographs_by_hand(transfer):
    row = cell(transfer, method="identity", set="in", classifier="f")
    assert row.targeted == pytest.approx(1 / 6)  # a2, which it calls B, towards B
    assert row.untargeted == pytest.approx(1 / 4) == pytest.approx(1 - row.clean_accuracy)
    assert math.isnan(row.psnr)
    assert math.isnan(row.psnr_p05)


def test_out_of_distribution_has_no_clean_accuracy_and_no_untargeted_success(transfer):
    out = transfer[transfer.set == "out"]
    empty = ["clean_accuracy", "untargeted", "untargeted_low", "untargeted_high"]
    assert out[empty].isna().all(axis=None)
    assert not transfer.loc[transfer.set == "in", empty].isna().any(axis=None)
    row = cell(transfer, method="cama", set="out", classifier="f")
    assert (row.photographs, row.transformations) == (2, 6)
    assert row.targeted == pytest.approx(3 / 6)


def test_infinite_psnr_is_left_out_of_the_mean(transfer):
    row = cell(transfer, method="cama", set="out", classifier="f")
    assert row.psnr == pytest.approx(20)
    assert row.psnr_p05 == pytest.approx(20)


def test_the_low_psnr_is_the_fifth_percentile():
    rows = pd.concat([rows_of("cama").head(1)] * 101).assign(psnr=np.arange(101.0), clean="A", clean_saved="A")
    assert transfer_table(rows, 100, 1).psnr_p05.item() == pytest.approx(5)


def test_a_rate_without_variance_has_wilsons_interval_over_photographs(transfer):
    row = cell(transfer, method="identity", set="out", classifier="g")
    assert row.targeted == pytest.approx(1 / 3)  # always A: each photograph succeeds once in three
    row = transfer_table(rows_of("cama").assign(predicted="none", clean="A", clean_saved="A"), 100, 1).iloc[0]
    assert row.targeted == 0
    assert row.targeted_low == pytest.approx(0, abs=1e-12)
    # by hand, 0 of 3: z^2 / (3 + z^2)
    assert row.targeted_high == pytest.approx(1.959964**2 / (3 + 1.959964**2), rel=1e-5)
    assert row.targeted_high == wilson(0, 3)[1]


def test_tables_are_the_same_for_the_same_seed(rows):
    tables = [transfer_table(rows, 200, 1) for _ in range(2)]
    assert tables[0].equals(tables[1])


def test_labels_are_those_of_each_classifier(transfer):
    assert set(transfer[transfer.classifier == "f"].labels) == {3}
    assert set(transfer[transfer.classifier == "g"].labels) == {6}


def test_rates_towards_each_label_by_hand(rows):
    table = per_label_table(rows, 200, 1)
    assert len(table) == 2 * 2 * 2 * 3
    row = cell(table, method="cama", set="in", classifier="f", target="C")
    assert (row.transformations, row.targeted) == (3, pytest.approx(1 / 3))
    assert (row.targeted_low, row.targeted_high) == wilson(1, 3)
    assert cell(table, method="cama", set="in", classifier="f", target="B").targeted == 1
    assert cell(table, method="cama", set="out", classifier="f", target="B").targeted == 0


def test_the_summary_by_hand(rows):
    assert len(summary_table(rows, 200, 1)) == 8  # classifiers with other label sets stand apart
    table = summary_table(rows.assign(labels=3), 200, 1)
    assert len(table) == 4
    row = cell(table, method="cama", set="in")
    # f: 1, 1 and 1/3 towards A, B and C. g says always A: 1, 0 and 0
    assert row.photographs == 3
    assert row.targeted == pytest.approx((2 / 2 + 2 / 4 + 1 / 6) / 3)
    assert row.targeted_worst_classifier == pytest.approx(1 / 3)
    # A: both of 2; B: f twice of 4; C: f once of 6
    assert row.targeted_worst_label == pytest.approx(1 / 6)
    assert row.targeted_worst_cell == 0  # g, from A to C
    # away from A: f twice of 4, g never; away from B: both always
    assert row.untargeted == pytest.approx((2 / 8 + 1) / 2)
    assert row.roles == "1 same_family, 1 expanded"
    # f was right about a1 and b1, g about a1 and a2: of those rows to A 1 of 1, to B 1 of 3, to C 1 of 4 hit
    assert row.targeted_where_right == pytest.approx((1 + 1 / 3 + 1 / 4) / 3)
    # away from A: f 1 of 2 (a1 to C stays A), g 0 of 4; away from B: f 2 of 2
    assert row.untargeted_where_right == pytest.approx((1 / 6 + 1) / 2)
    assert row.targeted_where_right_low <= row.targeted_where_right <= row.targeted_where_right_high
    assert row.targeted_low <= row.targeted <= row.targeted_high
    out = cell(table, method="cama", set="out")
    assert math.isnan(out.targeted_where_right)
    assert math.isnan(out.untargeted_where_right)
    assert out.psnr == pytest.approx(20)
    from_b = summary_table(rows[(rows.set == "in") & (rows.source == "B") & (rows.classifier == "f")], 100, 1)
    assert cell(from_b, method="cama").targeted_worst_cell == 1


def test_rates_on_what_the_classifier_got_right_by_hand(transfer):
    row = cell(transfer, method="cama", set="in", classifier="f")
    # right about a1 and b1: towards B a1 (hit), towards A b1 (hit), towards C b1 (hit) and a1 (missed)
    assert row.targeted_where_right == pytest.approx((1 + 1 + 1 / 2) / 3)
    assert row.untargeted_where_right == pytest.approx((1 / 2 + 2 / 2) / 2)
    assert row.targeted_where_right_low <= row.targeted_where_right <= row.targeted_where_right_high
    assert math.isnan(cell(transfer, method="cama", set="out", classifier="f").targeted_where_right)


def test_a_classifier_that_knows_the_source_has_untargeted_rates_out_of_distribution_too():
    rows = rows_of("cama").assign(known=True, clean="X", clean_saved="X")
    row = cell(transfer_table(rows, 100, 1), set="out")
    assert row.clean_accuracy == 1
    assert row.untargeted == 1


def test_shares_of_patches_are_averaged(rows):
    shares = rows.assign(patches_targeted=np.where(rows.target == "A", 0.5, 0.25), patches_untargeted=np.nan)
    row = cell(transfer_table(shares, 100, 1), method="cama", set="in", classifier="f")
    assert row.patches_targeted == pytest.approx((0.5 + 0.25 + 0.25) / 3)
    assert row.patches_targeted_low <= row.patches_targeted <= row.patches_targeted_high
    assert math.isnan(row.patches_untargeted)


def test_every_save_stands_alone_and_is_compared_with_the_untouched_png(tmp_path):
    paths = []
    for method in ("identity", "cama"):
        paths.append(tmp_path / f"{method}.csv")
        saved = rows_of(method).assign(save="jpeg85", predicted="C")
        pd.concat([rows_of(method), saved]).to_csv(paths[-1], index=False)
    rows = read_rows(paths)
    assert list(rows[rows.save == "jpeg85"].clean) == list(rows[rows.save == "png"].clean)
    table = transfer_table(rows, 100, 1)
    assert cell(table, method="cama", set="in", save="jpeg85").targeted == pytest.approx(1 / 3)
    assert cell(table, method="cama", set="in", save="png").targeted == pytest.approx((1 + 1 + 1 / 3) / 3)


def test_several_trainings_are_averaged_and_widen_the_interval():
    rows = pd.concat([rows_of("cama")] * 20, ignore_index=True).assign(clean="A", clean_saved="A")
    rows["photograph"] = rows.photograph + (rows.index // 12).astype(str)
    bad = rows.assign(run=2, predicted="none")
    alone, both = (transfer_table(table, 300, 1).set_index("set").loc["in"] for table in (rows, pd.concat([rows, bad])))
    assert both.targeted == pytest.approx(alone.targeted / 2)
    assert both.targeted_low == 0  # both draws may be of the training that always fails
    assert both.targeted_high > alone.targeted_low
    assert both.targeted_high - both.targeted_low > 3 * (alone.targeted_high - alone.targeted_low)


def test_chance_and_the_oracle_stand_beside_every_cell(rows):
    """Chance of the method's own photographs, the oracle of the same F, set and label: nothing of another cell."""
    truth = rows[rows.method == "cama"].assign(method="oracle")
    truth["predicted"] = truth.target.where(truth.target != "C", "none")  # towards C it always fails, else never
    rows = pd.concat([rows, truth[truth.photograph != "A/a2.JPG"]])
    transfer, labels, summary = (make(rows, 100, 1) for make in (transfer_table, per_label_table, summary_table))
    row = cell(transfer, method="cama", set="in", classifier="f")
    assert (row.chance, row.oracle) == pytest.approx((1 / 6, 2 / 3))
    assert row.share_of_oracle == pytest.approx(row.targeted / (2 / 3))
    assert cell(transfer, method="cama", set="out", classifier="g").chance == pytest.approx(1 / 3)  # says always A
    for target, chance, oracle in (("A", 0, 1), ("B", 1 / 2, 1), ("C", 0, 0)):
        row = cell(labels, method="cama", set="in", classifier="f", target=target)
        assert (row.chance, row.oracle) == (chance, oracle)
        assert math.isnan(row.share_of_oracle) == (oracle == 0)
    assert (
        cell(transfer, method="oracle", set="in", classifier="f").chance == 0
    )  # without the one that f is wrong about
    assert summary.groupby(["set", "labels"]).oracle.nunique().eq(1).all()
    out = cell(summary, method="cama", set="out", labels=3)
    assert out.chance == cell(summary, method="identity", set="out", labels=3).targeted == pytest.approx(1 / 3)
    assert list(summary.columns[4:12]) == [
        *("photographs", "targeted", "targeted_low", "targeted_high"),
        *("chance", "oracle", "share_of_oracle", "targeted_worst_classifier"),
    ]


def test_without_an_oracle_it_is_undefined(rows):
    table = transfer_table(rows, 100, 1)
    assert table[["oracle", "share_of_oracle"]].isna().all(axis=None)
    assert table.chance.notna().all()


def test_methods_are_paired_on_the_same_photographs_and_targets():
    cama = rows_of("cama").assign(clean="A", clean_saved="A")
    better = cama.assign(method="better", psnr=cama.psnr + 1)
    better.loc[(better.photograph == "A/a1.JPG") & (better.target == "C"), "predicted"] = "C"
    fewer = better[better.photograph != "B/b1.JPG"]  # photographs that only one of them attacked do not count
    for chosen, pairs, before, after in (
        (better, 6, (1 + 1 + 1 / 3) / 3, (1 + 1 + 2 / 3) / 3),
        (fewer, 4, (1 + 0) / 2, (1 + 1 / 2) / 2),
    ):
        row = cell(paired_table(pd.concat([cama, chosen]), "cama", 200, 1), method="better", set="in", classifier="all")
        assert row.pairs == pairs
        assert row.difference == pytest.approx(after - before)
        assert row.fewer_failures == pytest.approx((after - before) / (1 - before))
        assert row.psnr_difference == pytest.approx(1)
        assert math.isnan(row.difference_low)  # three photographs are too few


def test_the_paired_table_begins_with_the_first_save():
    """Which is that of the plots, and not the first by the alphabet."""
    first = pd.concat([rows_of(name).assign(clean="A", clean_saved="A") for name in ("cama", "twin")])
    rows = pd.concat([first.assign(save="target"), first.assign(save="jpeg85")])
    found = paired_table(rows, "cama", 100, 1)
    assert list(found.save.unique()) == ["target", "jpeg85"]
    assert set(headline(found).set) == set(found.set)


def test_the_paired_table_has_each_classifier_and_all_of_them(rows):
    both = pd.concat([rows, rows[rows.method == "cama"].assign(method="twin")])
    table = paired_table(both, "cama", 100, 1)
    assert set(table.method) == {"twin"}  # neither the baseline nor the untouched photographs
    assert sorted(table[table.set == "in"].classifier) == ["all", "all", "f", "g"]  # `all` once a size of label set
    assert (table.difference == 0).all()
    assert (table.psnr_difference == 0).all()


def test_the_accuracy_after_the_same_save_stands_beside_that_of_the_untouched_png(tmp_path):
    saved = rows_of("identity").assign(save="jpeg85", predicted="A")
    path = tmp_path / "identity.csv"
    pd.concat([rows_of("identity"), saved]).to_csv(path, index=False)
    table = transfer_table(read_rows([path]), 100, 1)
    for save, after in (("png", 3 / 4), ("jpeg85", 1 / 2)):  # of A's photographs one or both, of B's one or none
        row = cell(table, set="in", save=save)
        assert row.clean_accuracy == pytest.approx(3 / 4)
        assert row.clean_accuracy_after_save == pytest.approx(after)


def test_a_photograph_that_was_attacked_and_never_seen_untouched_is_an_error(tmp_path):
    paths = [tmp_path / "identity.csv", tmp_path / "cama.csv"]
    rows_of("identity")[rows_of("identity").photograph != "A/a1.JPG"].to_csv(paths[0], index=False)
    rows_of("cama").to_csv(paths[1], index=False)
    with pytest.raises(CamaError, match=r"found A/a1\.JPG under cama, and not under identity"):
        read_rows(paths)


# ---- roles


def test_the_role_of_each_classifier_stands_in_its_row_of_the_transfer_table(transfer):
    assert dict(zip(transfer.classifier, transfer.role, strict=True)) == ROLES


def test_rows_without_the_role_are_refused(tmp_path):
    rows_of("identity").drop(columns="role").to_csv(tmp_path / "identity.csv", index=False)
    with pytest.raises(CamaError, match=r"identity.csv: found no column 'role'"):
        read_rows([tmp_path / "identity.csv"])


def test_informed_classifiers_have_rows_of_their_own_and_are_in_no_mean(tmp_path):
    paths = []
    for method in ("identity", "cama"):
        paths.append(tmp_path / f"{method}.csv")
        informed = rows_of(method).assign(classifier="h", role="informed")
        informed["predicted"] = informed.source  # never fooled
        pd.concat([rows_of(method), informed]).to_csv(paths[-1], index=False)
    rows = read_rows(paths)
    alone = rows[rows.classifier == "f"]
    pd.testing.assert_frame_equal(summary_table(rows, 100, 1), summary_table(alone, 100, 1))
    assert cell(transfer_table(rows, 100, 1), method="cama", set="in", classifier="h").targeted == 0
    changed = rows[rows.method == "cama"].assign(method="better", predicted=rows.target)
    paired = paired_table(pd.concat([rows, changed]), "cama", 100, 1)
    every = cell(paired, method="better", set="in", classifier="all")
    assert (every.pairs, every.difference) == (
        cell(paired, method="better", set="in", classifier="f").pairs,
        cell(paired, method="better", set="in", classifier="f").difference,
    )
    assert cell(paired, method="better", set="in", classifier="h").difference == 1


# ---- what intervals are over


def test_each_row_says_whether_its_interval_is_over_trainings_too(rows):
    again = rows[rows.method == "cama"].assign(method="twice")
    both = pd.concat([rows, again, again.assign(run=2)])
    found = with_interval_kind(summary_table(both, 100, 1), both)
    kinds = {"identity": "photographs alone", "cama": "photographs alone", "twice": "photographs and trainings"}
    assert {row.method: row.interval.removeprefix("over ") for row in found.itertuples()} == kinds
    for baseline, method in (("cama", "twice"), ("twice", "cama")):
        paired = with_interval_kind(paired_table(both, baseline, 100, 1), both)
        assert cell(paired, method=method, set="in", classifier="f").interval == "over photographs and trainings"
