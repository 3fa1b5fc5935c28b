"""The table of methods that choose the target of each photograph."""

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
    "6": ("C", "A", "A"),
}


def test_shares_are_of_photographs_over_all_classifiers():
    again = {name: (source, target, "A") for name, (source, target, _) in CHOSEN.items()}
    others = [
        rows(again, classifier="g"),
        rows(CHOSEN, role="informed", classifier="h"),
        rows(CHOSEN, labels=5, classifier="i"),
        rows(CHOSEN, method="cama"),
    ]
    (found,) = auto_table(pd.concat([rows(CHOSEN), *others]), ["auto"], 100, 1).to_dict("records")
    assert found["method"] == "auto"
    assert found["photographs"] == 6
    assert found["targeted"] == pytest.approx((4 + 1) / 12)
    assert found["targeted_low"] <= found["targeted"] <= found["targeted_high"]
    assert found["untargeted"] == pytest.approx((5 + 3) / 12)
    assert found["targets"] == 3


def test_the_source_is_guessed_from_the_target_of_the_other_photographs():
    found = auto_table(rows(CHOSEN), ["auto"], 100, 1).iloc[0]
    # of B's four: each A has two other A and a C, and C has three A; 4 and 6 stand alone: one of three sources
    assert found.source_guessed == pytest.approx((3 + 0 + 1 / 3 + 1 / 3) / 6)
    assert found.source_chance == pytest.approx(3 / 6)


def test_a_target_for_each_source_gives_it_away_and_one_for_all_does_not():
    sources = "AAABBBCCC"
    each = {str(number): (source, {"A": "B", "B": "C", "C": "A"}[source], "A") for number, source in enumerate(sources)}
    assert auto_table(rows(each), ["auto"], 100, 1).source_guessed.item() == 1
    one = {str(number): (source, "D", "A") for number, source in enumerate(sources)}
    assert auto_table(rows(one), ["auto"], 100, 1).source_guessed.item() < 0.4


def test_sources_that_f_does_not_know_have_no_untargeted_rate():
    found = auto_table(rows(CHOSEN, known=False, set="out"), ["auto"], 100, 1).iloc[0]
    assert pd.isna(found.untargeted)
    assert found.targeted == pytest.approx(4 / 6)
