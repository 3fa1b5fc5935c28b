"""Tests of cama.reporting.model_card: a card says what was measured, and what was not."""

from cama.models.packaged import Header, Scores
from cama.photo.profile import learn_profile
from cama.reporting.model_card import model_card
from tests.photo.helpers import LABELS, SPEC, camera_file

ROW = {"method": "cama", "save": "png", "labels": 3, "photographs": 12, "psnr": 36.08}
RATE = {"targeted": 0.617, "targeted_low": 0.599, "targeted_high": 0.636, "chance": 0.123}
SUMMARY = [
    {**ROW, "set": kind, **RATE, "targeted_worst_classifier": 0.331, "targeted_worst_label": 0.373}
    for kind in ("in", "out")
]
TRANSFER = [
    {**ROW, "set": kind, "classifier": name, "role": role, "clean_accuracy": clean}
    for kind in ("in", "out")
    for name, role, clean in (
        ("rgb", "same_family", 1.0),
        ("con_conv", "other_family", 0.875),
        ("hunter", "informed", 0.5),  # in no mean
    )
]
PER_LABEL = [
    {
        **{"method": "cama", "save": "png", "set": "in", "classifier": name, "target": target},
        **{"targeted": rate * share, "chance": 0.3 * share},
    }
    for name, share in (("rgb", 1), ("con_conv", 1), ("hunter", 0))
    for target, rate in zip(LABELS, (0.2, 0.5, 0.8), strict=True)
]


def header(**changes: object) -> Header:
    values = {
        "name": "cama",
        "labels": list(LABELS),
        "generator": SPEC,
        "reach": 3,
        "evaluators": {"high": {"net": {"frontend": "rgb"}}},
        "judges": {"high": {"net": {"frontend": "rgb"}}},
        "held_out": False,
        "dataset": "simulated",
        "photographs": dict.fromkeys(LABELS, 5),
        "scores": Scores(summary=SUMMARY, transfer=TRANSFER, per_label=PER_LABEL),
        "versions": {"cama": "0.1.0"},
    }
    return Header(**{**values, **changes})


def test_a_card_gives_rates_with_intervals_beside_the_accuracy_of_the_classifiers():
    card = model_card(header())
    assert "| in-distribution | png | 3 | 12 | 0.62 (0.60 to 0.64) | 0.12 | 0.33 | 0.37 | 36.08 |" in card
    assert "| out-of-distribution | png | 3 | 12 | 0.62 (0.60 to 0.64) |" in card
    assert "Their accuracy on the 12 photographs of these cameras, untouched: rgb 1.00, con_conv 0.88." in card
    assert "| Borealis_B2 | 0.50 (0.30) |" in card
    assert (
        "**Fewer than untouched**, so that the change leads away from the target: Alcyon_A10, in-distribution." in card
    )
    assert "15 photographs of simulated, invented cameras" in card
    assert "Judges" not in card
    assert "{" not in card
    refined = model_card(header(psnr=38, refine=16, refine_by=["high"]))
    assert "of 16 gradient steps on E from there, by high in turn, and is scaled so that" in refined
    assert "38 dB" in refined
    assert "gradient steps" not in card
    judge = {"numbers": {"net": {"architecture": "numbers"}}}
    judged = model_card(header(judges=judge, held_out=True))
    assert "Judges that it was not trained with (numbers) chose among its states" in judged
    assert "nothing was measured against classifiers of real ones" in card
    assert "Container profiles\n\nNone" in card


def test_a_card_of_real_cameras_says_whose():
    card = model_card(header(dataset="vision"))
    assert "real cameras (vision)" in card
    assert "simulated" not in card


def test_the_psnr_of_its_pictures_is_said():
    assert "the whole picture has a PSNR of 36.5 dB before it is saved" in model_card(header(psnr=36.5))
    assert "as strong as G makes it, and no PSNR is held" in model_card(header())


def test_several_trainings_are_said():
    assert "Means over 3 trainings, of which the first is in this file." in model_card(header(runs=3))
    assert "trainings" not in model_card(header())


def test_what_was_not_measured_is_said():
    assert "## Measured\n\nNothing." in model_card(header(scores=Scores()))


def test_a_rate_without_an_interval_stands_alone():
    bare = [{k: v for k, v in row.items() if k not in ("targeted_low", "targeted_high")} for row in SUMMARY]
    card = model_card(header(scores=Scores(summary=bare, transfer=TRANSFER)))
    assert "| in-distribution | png | 3 | 12 | 0.62 | 0.12 | 0.33 |" in card


def test_the_oracle_stands_beside_where_there_is_one():
    with_oracle = [{**row, "oracle": 0.95} for row in SUMMARY]
    assert "| 0.62 (0.60 to 0.64) | 0.12 | 0.95 | 0.33 |" in model_card(
        header(scores=Scores(summary=with_oracle, transfer=TRANSFER))
    )
    assert "| oracle |" not in model_card(header())


def test_photographs_that_no_profile_counts_are_said(tmp_path):
    path = tmp_path / "0.jpg"
    path.write_bytes(camera_file(LABELS[0]))
    profile = learn_profile([path])
    assert f"Learnt from {LABELS[0]} 1 photographs. None of {LABELS[1]}" in model_card(
        header(profiles={LABELS[0]: profile})
    )
    odd = {label: profile.model_copy(update={"left_out": n}) for n, label in enumerate(LABELS[:2])}
    assert f"photographs. Left out as damaged, edited or another camera's: {LABELS[1]} 1." in model_card(
        header(profiles=odd)
    )
