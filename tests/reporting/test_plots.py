"""Plots: pictures with something in them, for small inputs too."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from PIL import Image

from cama.reporting import plots

TWO = ("Alcyon_A10", "Borealis_B2")
THREE = (*TWO, "Corvus_C300")
DPI = 50
MANY = ("identity", *(f"method{i}" for i in range(20)))


def picture(path: Path) -> np.ndarray:
    """The PNG at `path`, which must show something and stand alone in its folder."""
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert not pyplot.get_fignums()  # every figure is closed
    pixels = np.array(Image.open(path).convert("RGB"))
    assert min(pixels.shape[:2]) > 60
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    assert 0.005 < (pixels != 255).any(2).mean() < 0.999
    return pixels


def rows_of(models: tuple[str, ...], methods: tuple[str, ...] = ("identity", "jpeg", "cama")) -> pd.DataFrame:
    """Rows under two classifiers: untouched photographs are known, cama's pictures taken for their target."""
    rows = [
        {
            **{"method": method, "set": kind, "save": "png", "classifier": classifier, "photograph": source},
            **{"source": source, "target": target, "predicted": target if method == "cama" else source},
        }
        for method in methods
        for kind in ("in", "out")
        for classifier in ("rgb", "con_conv")
        for source in (models if kind == "in" else ("Eridan_E7",))
        for target in models
        if target != source
    ]
    return pd.DataFrame(rows)


def transfer_of(methods: tuple[str, ...], kinds: tuple[str, ...] = ("in", "out")) -> pd.DataFrame:
    """A transfer table of one classifier of either label set and an informed one, the untouched photographs without a PSNR."""
    roles = {"rgb": "same_family", "expanded": "expanded", "knowing": "informed"}
    return pd.DataFrame(
        [
            {
                **{"method": method, "set": kind, "classifier": classifier, "labels": labels, "targeted": value},
                **{"targeted_low": value / 2, "targeted_high": value + 0.2},
                **{"psnr": np.nan if method == "identity" else 30.0 + i, "role": roles[classifier]},
            }
            for i, method in enumerate(methods)
            for kind in kinds
            for classifier, labels, value in (("rgb", 2, 0.1 * i), ("expanded", 3, 0.9), ("knowing", 2, 0.0))
        ]
    )


def means_of(methods: tuple[str, ...], kinds: tuple[str, ...] = ("in", "out")) -> pd.DataFrame:
    """A summary: a success 0.05 above that of `transfer_of`."""
    table = transfer_of(methods, kinds).query("role != 'informed'").drop(columns=["classifier", "role"])
    table[["targeted", "targeted_low", "targeted_high"]] += 0.05
    return table


def paired_of(methods: tuple[str, ...], kinds: tuple[str, ...] = ("in", "out")) -> pd.DataFrame:
    """A paired table in which method i differs by i tenths minus 0.2, a tenth to either side, and on F rgb by 0.05 less; a
    method `few` has no bounds.
    """
    return pd.DataFrame(
        [
            {
                **{"method": method, "baseline": "cama", "set": kind, "save": "png", "labels": labels},
                **{"classifier": classifier, "difference": middle, "difference_low": middle - reach},
                **{"difference_high": middle + reach, "psnr_difference": 1.5 * i},
            }
            for kind in kinds
            for i, method in enumerate(methods)
            for classifier, labels, middle in (
                ("rgb", 2, 0.1 * i - 0.25),
                ("all", 2, 0.1 * i - 0.2),
                ("all", 3, 0.9),
            )
            for reach in [np.nan if method == "few" else 0.099]
        ]
    )


def per_label_of(models: tuple[str, ...], kinds: tuple[str, ...] = ("in", "out")) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"method": method, "set": kind, "classifier": classifier, "target": target, "targeted": 0.3 * index}
            for method in ("jpeg", "cama")
            for kind in kinds
            for classifier in ("rgb", "con_conv")
            for index, target in enumerate(models)
        ]
    )


def history(steps: int, columns: tuple[str, ...]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"step": np.arange(1, steps + 1), **{name: rng.uniform(0, 1, steps) for name in columns}})


@pytest.mark.parametrize("count", [1, 3, 4])
def test_curves(count, tmp_path):
    names = ["E0", "E_H", "cama", "rgb"][:count]
    histories = {name: history(30, ("loss", "accuracy", "psnr")) for name in names}
    plots.curves(histories, tmp_path / "curves.png", DPI)
    assert picture(tmp_path / "curves.png").shape[1] == 180 * min(count, 3)


def test_curves_of_a_training_with_one_record(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    plots.curves({"F": history(1, ("loss",)), "E0": history(3, ("loss",))}, tmp_path / "curves.png", DPI)
    marks = [axis.lines[0].get_marker() for axis in shown[0].axes[:2]]
    plots.plt.close(shown[0])
    assert marks == ["o", "None"]  # a line of one record would not be seen


def test_curves_leave_out_an_infinite_psnr(tmp_path):
    plain, infinite = history(9, ("loss", "psnr")), history(9, ("loss", "psnr"))
    infinite.loc[0, "psnr"] = np.inf
    shown = []
    for name, table in (("a", plain), ("b", infinite)):
        path = tmp_path / name / "curves.png"
        plots.curves({"cama": table}, path, DPI)
        shown.append(picture(path))
    assert np.array_equal(*shown)


@pytest.mark.parametrize("models", [TWO, THREE])
def test_confusion(models, tmp_path):
    plots.confusion(rows_of(models), ["identity", "cama"], tmp_path / "confusion.png", DPI)
    picture(tmp_path / "confusion.png")


def test_confusion_shows_what_the_classifiers_say(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    rows = rows_of(THREE, ("identity", "cama"))
    wrong = (rows.method == "identity") & (rows.classifier == "rgb") & (rows.source == "Alcyon_A10")
    rows.loc[wrong, "predicted"] = "Corvus_C300"
    plots.confusion(rows, ["identity", "cama"], tmp_path / "c.png", DPI)
    panels = [axis.images[0].get_array() for axis in shown[0].axes]
    pyplot.close(shown[0])
    assert len(panels) == 4  # identity and cama, under each of two classifiers
    assert np.array_equal(panels[0], [[0, 0, 1], [0, 1, 0], [0, 0, 1]])
    assert all(np.array_equal(panel, np.eye(3)) for panel in panels[1:])


def test_confusion_has_a_line_for_each_shown_method(tmp_path):
    heights = []
    for name, methods in (("a", ["identity"]), ("b", ["identity", "cama"])):
        path = tmp_path / name / "confusion.png"
        plots.confusion(rows_of(TWO), methods, path, DPI)
        heights.append(picture(path).shape[0])
    assert heights == [125, 250]


@pytest.mark.parametrize("kinds", [("in",), ("in", "out")])
@pytest.mark.parametrize("methods", [MANY, ("identity", "jpeg"), ("identity",)])
def test_success_against_psnr(methods, kinds, tmp_path):
    plots.success_against_psnr(transfer_of(methods, kinds), means_of(methods, kinds), ["cama"], tmp_path / "s.png", DPI)
    assert picture(tmp_path / "s.png").shape[1] == 230 * len(kinds)


def test_success_against_psnr_shows_means_with_intervals_and_each_classifier(tmp_path, monkeypatch):
    shown, methods = [], ("identity", "jpeg", "cama")
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    plots.success_against_psnr(
        transfer_of(methods, ("in",)), means_of(methods, ("in",)), ["cama"], tmp_path / "s.png", DPI
    )
    containers, lines = shown[0].axes[0].containers, shown[0].axes[0].lines
    dots = [line.get_xydata().tolist() for line in lines if line not in [c[0] for c in containers]]
    pyplot.close(shown[0])
    assert [c.get_label() for c in containers] == ["jpeg", "cama"]  # the untouched have no PSNR
    points, _, (bars,) = containers[1]
    assert np.allclose(points.get_xydata(), [[32, 0.25]])
    assert np.allclose(bars.get_segments()[0], [[32, 0.15], [32, 0.45]])
    assert np.allclose(dots, [[[31, 0.1]], [[32, 0.2]]])


@pytest.mark.parametrize("kinds", [("in",), ("in", "out")])
@pytest.mark.parametrize("methods", [("jpeg",), MANY])
def test_paired(methods, kinds, tmp_path):
    plots.paired(paired_of(methods, kinds), [*methods[-2:], "absent"], tmp_path / "p.png", DPI)
    picture(tmp_path / "p.png")


def test_paired_colours_what_an_interval_decides(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    methods = ("worse", "perhaps", "same", "few", "best")
    plots.paired(paired_of(methods, ("in",)), ["best"], tmp_path / "p.png", DPI)
    above, below = shown[0].axes
    pyplot.close(shown[0])
    assert [text.get_text() for text in above.get_yticklabels()] == list(reversed(methods))
    dots = [line for line in above.lines if line.get_marker() == "o"]
    found = {round(dot.get_xdata()[0], 9): (dot.get_color(), dot.get_markerfacecolor()) for dot in dots}
    grey, red, blue = ("#888888",) * 2, ("#c2410c",) * 2, ("#2c7fb8",) * 2
    assert found == {-0.2: red, -0.1: red, 0.0: grey, 0.1: ("#888888", "white"), 0.2: blue}
    assert [text.get_text() for text in above.texts] == ["+6.0 dB", "+4.5 dB", "+3.0 dB", "+1.5 dB", "+0.0 dB"]
    assert [text.get_text() for text in below.get_yticklabels()] == ["rgb"]
    assert below.get_title() == "best on each F, in-distribution"


def test_every_method_looks_its_own(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    plots.success_against_psnr(transfer_of(MANY, ("in",)), means_of(MANY, ("in",)), ["cama"], tmp_path / "s.png", DPI)
    looks = [(c[0].get_color(), c[0].get_marker()) for c in shown[0].axes[0].containers]
    pyplot.close(shown[0])
    assert len(set(looks)) == len(looks) == len(MANY) - 1


def test_the_methods_that_are_shown_have_the_strong_colours(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    plots.success_against_psnr(transfer_of(MANY, ("in",)), means_of(MANY, ("in",)), [MANY[-1]], tmp_path / "s.png", DPI)
    colours = {c.get_label(): c[0].get_color() for c in shown[0].axes[0].containers}
    pyplot.close(shown[0])
    assert colours[MANY[-1]] == plots.COLOURS[0]


@pytest.mark.parametrize("models", [TWO, THREE])
@pytest.mark.parametrize("kinds", [("in",), ("in", "out")])
def test_per_label(models, kinds, tmp_path):
    plots.per_label(per_label_of(models, kinds), ["cama", "jpeg"], tmp_path / "l.png", DPI)
    picture(tmp_path / "l.png")


def test_per_label_shows_the_methods_asked_for_in_the_order_of_the_table(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    table = per_label_of(THREE, ("in",))
    table.loc[table.method == "jpeg", "targeted"] = 1
    plots.per_label(table, ["cama"], tmp_path / "l.png", DPI)
    axis = shown[0].axes[0]
    found = axis.images[0].get_array(), [text.get_text() for text in axis.get_yticklabels()]
    pyplot.close(shown[0])
    assert np.allclose(found[0], [[0, 0.3, 0.6]] * 2)
    assert found[1] == ["rgb", "con_conv"]


def sample(models: tuple[str, ...], source: str, step: int = 2) -> dict:
    rng = np.random.default_rng(0)
    image = rng.integers(50, 200, (32, 32, 3), dtype=np.uint8)
    return {"source": source, "image": image, "changed": {m: image + np.uint8(step) for m in models if m != source}}


@pytest.mark.parametrize("models", [TWO, THREE])
@pytest.mark.parametrize("count", [1, 2])
def test_sample_grid(models, count, tmp_path):
    samples = [sample(models, models[index]) for index in range(count)]
    plots.sample_grid(samples, list(models), 8, "samples", tmp_path / "g.png", DPI)
    picture(tmp_path / "g.png")


def test_a_sample_grid_amplifies_differences_around_grey(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    given = sample(TWO, "Eridan_E7")
    given["changed"]["Borealis_B2"] = given["image"] - np.uint8(30)
    plots.sample_grid([given], list(TWO), 8, "samples", tmp_path / "g.png", DPI)
    below = [axis.images[0].get_array() for axis in shown[0].axes[4:]]
    pyplot.close(shown[0])
    assert set(np.unique(below[0])) == {143}  # 127.5 + 8 * 2, cut to a byte
    assert set(np.unique(below[1])) == {0}  # 127.5 - 240, clipped


def test_a_plot_has_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        plots.per_label(per_label_of(TWO), ["cama"], tmp_path / name / "l.png", DPI)
    assert (tmp_path / "a" / "l.png").read_bytes() == (tmp_path / "b" / "l.png").read_bytes()


def test_dots_an_inch_decide_the_size(tmp_path):
    sizes = []
    for dpi in (50, 100):
        path = tmp_path / str(dpi) / "l.png"
        plots.per_label(per_label_of(TWO), ["cama"], path, dpi)
        sizes.append(picture(path).shape[0])
    assert sizes[1] == 2 * sizes[0]


def test_short_names_leave_out_the_make():
    assert plots.without_make("Olympus_mju_1050SW") == "mju 1050SW"
    assert plots.without_make("Fairphone") == "Fairphone"


def test_saves_and_rocs(tmp_path):
    rows = [
        {
            **{"method": method, "set": kind, "save": save, "labels": labels, "targeted": 0.5},
            **{"targeted_low": 0.4, "targeted_high": 0.6},
        }
        for method in ("identity", "jpeg", "cama")
        for kind in ("in", "out")
        for save in ("png", "jpeg85")
        for labels in (3, 6)
    ]
    plots.saves(pd.DataFrame(rows), ["cama"], tmp_path / "a" / "saves.png", DPI)
    picture(tmp_path / "a" / "saves.png")
    rng = np.random.default_rng(0)
    scores = pd.DataFrame({"method": "cama", "set": "in", "attacked": [0, 1] * 20, "score": rng.normal(0, 1, 40)})
    scores = scores.assign(detector="numbers", question="attacked")
    best = pd.DataFrame([{"method": "cama", "question": "attacked", "set": "in", "detector": "numbers", "best": True}])
    plots.roc(scores, best, [], tmp_path / "b" / "roc.png", DPI)
    picture(tmp_path / "b" / "roc.png")


def test_each_question_has_a_line_of_panels_with_the_best_detector_of_each_method_that_it_is_asked_of(
    tmp_path, monkeypatch
):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    asked = [("cama", "attacked"), ("cama", "target"), ("median", "attacked")]
    blind, sharp = [0, 0, 0, 0], [0, 0, 1, 1]
    scores = pd.concat(
        pd.DataFrame({"attacked": [0, 0, 1, 1], "score": values}).assign(
            method=method, question=question, set=kind, detector=detector
        )
        for method, question in asked
        for kind in ("in", "out")
        for detector, values in (("blind", blind), ("sharp", sharp))
    )
    table = scores.drop_duplicates(["method", "question", "set", "detector"]).assign(
        best=lambda rows: rows.detector == "sharp"
    )
    plots.roc(scores, table, [], tmp_path / "roc.png", DPI)
    axes = shown[0].axes
    lines = [[line.get_label() for line in axis.lines if not line.get_label().startswith("_")] for axis in axes]
    areas = [np.trapezoid(line.get_ydata(), line.get_xdata()) for axis in axes for line in axis.lines[:-1]]
    pyplot.close(shown[0])
    assert lines == [["cama", "median"], ["cama", "median"], ["cama"], ["cama"]]
    assert areas == pytest.approx([1] * 6)


def test_saves_show_each_method_after_each_save_for_the_smaller_label_set(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    rows = [
        {"method": method, "set": "in", "save": save, "labels": labels, "targeted": value + 0.01 * labels}
        for method, values in (("identity", (0, 0)), ("cama", (0.9, 0.4)))
        for save, value in zip(("png", "jpeg85"), values, strict=True)
        for labels in (6, 3)
    ]
    plots.saves(pd.DataFrame(rows).assign(targeted_low=0.0, targeted_high=1.0), [], tmp_path / "s.png", DPI)
    axis = shown[0].axes[0]
    lines = {line.get_label(): list(line.get_ydata()) for line in axis.lines}
    ticks = [text.get_text() for text in axis.get_xticklabels()]
    pyplot.close(shown[0])
    assert lines == {"untouched": pytest.approx([0.03, 0.03]), "cama": pytest.approx([0.93, 0.43])}
    assert ticks == ["png", "jpeg85"]


def test_success_stands_against_the_best_detector_with_informed_classifiers_hollow(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "save", lambda figure, path, dpi: shown.append(figure))
    each = {"labels": 3, "targeted_low": 0.4, "targeted_high": 0.9}
    rows = [("identity", np.nan, 0.1), ("cama-36", 0.9, 0.8), ("cama-40", 0.7, 0.6), ("median", 1.0, 0.0)]
    summary = pd.DataFrame(
        [
            {**each, "method": method, "set": kind, "targeted": success, "auc_attacked": area, "auc_target": area - 0.1}
            for method, area, success in rows
            for kind in ("in", "out")
        ]
    )
    table = pd.DataFrame([{"method": "cama-36", "set": "in", "role": "informed", "targeted": 0.3}])
    plots.success_against_detection(summary, table, ["cama-36"], tmp_path / "s.png", DPI)
    first, _, third, _ = shown[0].axes
    curves = [line.get_xydata().tolist() for line in first.lines if line.get_linestyle() == "-"]
    assert curves == [[[0.7, 0.6], [0.9, 0.8]], [[1.0, 0.0]]]
    hollow = [line.get_xydata().tolist() for line in first.lines if line.get_fillstyle() == "none"]
    assert [points for points in hollow if points] == [[[0.9, 0.3]]]
    assert third.lines[0].get_xdata().tolist() == pytest.approx([0.6, 0.8])
    pyplot.close(shown[0])
    monkeypatch.undo()
    plots.success_against_detection(summary, table, [], tmp_path / "drawn" / "s.png", DPI)
    picture(tmp_path / "drawn" / "s.png")
