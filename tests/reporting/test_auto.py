"""The table of methods that choose one target for each source camera."""

import pandas as pd
import pytest

from cama.reporting.auto import auto_table


def rows(chosen: dict[str, tuple[str, str, str]], **columns: object) -> pd.DataFrame:
    """Rows of a method: photograph to its source, its target and what F says."""
    table = [
        {"photograph": name, "source": source, "target": target, "predicted": predicted}
        for name, (source, target, predicted) in chosen.items()
    ]
    shared = {"method": "auto", "set": "in", "save": "png", "run": 1, "row": 0, "column": 0}
    shared |= {"classifier": "f", "role": "same_family", "labels": 3, "known": True}
    return pd.DataFrame(table).assign(**{**shared, **columns})


CHOSEN = {
    "1": ("A", "B", "B"),
    "2": ("A", "B", "A"),
    "3": ("A", "B", "C"),
    "4": ("B", "C", "C"),
    "5": ("C", "B", "B"),
    "6": ("C", "B", "B"),
}


def only(table: pd.DataFrame) -> pd.Series:
    (row,) = auto_table(table, 100, 1).to_dict("records")
    return pd.Series(row)


def test_shares_are_of_photographs_over_all_classifiers():
    again = {name: (source, target, "A") for name, (source, target, _) in CHOSEN.items()}
    others = [
        rows(again, classifier="g"),
        rows(CHOSEN, role="informed", classifier="h"),
        rows(CHOSEN, labels=5, classifier="i"),
    ]
    found = only(pd.concat([rows(CHOSEN), *others]))
    assert found["photographs"] == 6
    assert found.targeted == pytest.approx((4 + 0) / 12)
    assert found.targeted_low <= found.targeted <= found.targeted_high
    assert found.untargeted == pytest.approx((5 + 3) / 12)
    assert found.targets == 2


def test_each_method_set_and_save_has_a_row():
    table = pd.concat([rows(CHOSEN), rows(CHOSEN, save="target"), rows(CHOSEN, set="out"), rows(CHOSEN, method="b")])
    found = auto_table(table, 100, 1)
    assert len(found) == len(found.drop_duplicates(["method", "set", "save"])) == 4


def test_who_knows_the_choices_guesses_the_source_from_the_target():
    found = only(rows(CHOSEN))
    assert found.source_guessed == pytest.approx(
        (3 + 1) / 6
    )  # of B's five photographs three are of A; C has one of B's
    assert found.source_chance == pytest.approx(3 / 6)


def test_several_crops_and_runs_are_no_further_photographs():
    crops = pd.concat([rows(CHOSEN), rows(CHOSEN, row=64)])
    assert only(crops).source_guessed == only(rows(CHOSEN)).source_guessed
    other = {name: (source, "D", predicted) for name, (source, _, predicted) in CHOSEN.items()}
    runs = only(pd.concat([rows(CHOSEN), rows(other, run=2)]))
    assert runs.source_guessed == pytest.approx((4 / 6 + 3 / 6) / 2)


def test_a_target_for_each_source_gives_it_away_and_one_for_all_does_not():
    sources = "AAABBBCCC"
    each = {str(number): (source, {"A": "B", "B": "C", "C": "A"}[source], "A") for number, source in enumerate(sources)}
    assert only(rows(each)).source_guessed == 1
    one = {str(number): (source, "D", "A") for number, source in enumerate(sources)}
    assert only(rows(one)).source_guessed == only(rows(one)).source_chance == pytest.approx(1 / 3)


def test_sources_that_f_does_not_know_have_no_untargeted_rate():
    found = only(rows(CHOSEN, known=False, set="out"))
    assert pd.isna(found.untargeted)
    assert found.targeted == pytest.approx(4 / 6)
