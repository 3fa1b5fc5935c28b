"""The report's page: HTML that escapes what it shows, with every table and picture inside."""

import base64

import numpy as np
import pandas as pd
import pytest

from cama.reporting.report_page import PSNR, render_report, short_summary, short_table

PICTURES = (
    "samples_a<b_in",
    "samples_a<b_out",
    "traces_a<b",
    "success_psnr",
    "per_label",
    "saves",
    "paired",
    "roc",
    "success_auc",
    "confusion",
)
RATE = {"targeted": [0.12345], "targeted_low": [0.1], "targeted_high": [np.nan]}
PSNRS = {"psnr": [34.56], "psnr_p05": [33.0], "psnr_worst": [30.04]}
INTERVAL = "over photographs alone"
SUMMARY = pd.DataFrame(
    {"method": ["a<b"], "save": ["target"], **RATE, **PSNRS, "roles": ["2 same_family"], "interval": [INTERVAL]}
)
HEADLINE = pd.Series(
    {
        **{"targeted": 0.5, "targeted_low": 0.25, "targeted_high": 0.75, "psnr": 34.56, "psnr_p05": 33.0},
        **{"save": "target", "psnr_worst": 30.04, "chance": 0.125, "oracle": 0.875},
        **{"targeted_worst_classifier": 0.1, "targeted_worst_label": 0.2},
    }
)


@pytest.fixture
def render(tmp_path):
    """Renders a page of small tables, some of the values replaced."""
    for name in (*PICTURES, "curves"):
        (tmp_path / f"{name}.png").write_bytes(f"\x89PNG {name}".encode())
    one = pd.DataFrame({"clean_accuracy": [0.12345, np.nan], "n": [3, 4], "F a_b": ["a<b", "c" * 61]})
    values = {
        "simulated": True,
        "one_body": False,
        "parts": ("out", "per_label", "saves", "paired", "detection", "devices"),
        "headlines": {"a<b": HEADLINE},
        "tables": {
            "summary": SUMMARY,
            "transfer": pd.DataFrame(
                {"classifier": ["rgb", "x"], "clean_accuracy": [0.12345, np.nan], "psnr": [1.0, 2]}
            ),
            "paired": pd.DataFrame(
                {"baseline": ["x&y"] * 2, "classifier": ["all", "rgb"], "difference": [0.111, 0.222]}
            ),
            "detection": pd.DataFrame({"auc": [0.95], "auc_low": [0.9], "auc_high": [1.0]}),
            "devices": pd.DataFrame({"fingerprint": ["own"], "match_before": [1.0]}),
        },
        "controls": pd.DataFrame({"control": ["accuracy"], "value": [0.5], "expected": [np.nan], "holds": [np.nan]}),
        "readers": pd.DataFrame({"classifier": ["reader"], "reads_scenes": [True]}),
        "cue_swap": pd.DataFrame({"part": ["sharpening"], "mean": [0.432]}),
        "photographs": one,
        "skipped": pd.DataFrame({"path": [], "reason": []}),
        "roles": pd.DataFrame({"role": ["test"], "photographs": [8]}),
        "cameras": pd.DataFrame({"name": ["Alcyon_A10"]}),
    }
    return lambda **changes: render_report(tmp_path, **{**values, **changes})


def test_a_table_shows_numbers_to_the_right_and_undefined_cells_empty(render):
    text = render()
    assert '<th class="number">clean accuracy</th><th class="number">n</th><th>F a_b</th>' in text
    assert '<td class="number">0.123</td><td class="number">3</td><td>a&lt;b</td>' in text
    assert f'<td class="number"></td><td class="number">4</td><td class="long">{"c" * 61}</td>' in text
    assert ">nan<" not in text


def test_the_first_save_is_seen_and_long_tables_are_folded(render):
    saves = pd.concat([SUMMARY, SUMMARY.assign(save="jpeg85", targeted=0.654)])
    many = pd.DataFrame({"classifier": ["rgb"] * 31, "clean_accuracy": 0.9})
    text = render(tables={"summary": saves, "transfer": many}, parts=())
    seen, all_saves = text.split("<details><summary>After every save: 2 rows</summary>")
    assert "0.12" in seen
    assert "0.65" not in seen
    assert "0.65" in all_saves
    assert "<details><summary>All 31 rows</summary>" in all_saves
    assert "<details>" not in render(parts=())


def test_rates_stand_with_their_intervals(render):
    assert "<td>0.950 (0.900 to 1.000)</td>" in render()


def test_the_page_carries_its_pictures_and_captions(render):
    text = render()
    for name in (*PICTURES, "curves"):
        assert base64.b64encode(f"\x89PNG {name}".encode()).decode() in text
    assert text.count("<img ") == text.count("<figcaption>") == 11
    assert "<figcaption>a&lt;b. In-distribution photographs: x, x&#39; for each target camera," in text


def test_a_page_stands_alone_and_escapes_names(render):
    text = render()
    assert text.startswith("<!doctype html>\n")
    assert text.endswith("</html>\n")
    assert "http" not in text
    assert "a<b" not in text
    assert "<h2>Beside x&amp;y</h2>" in text


def test_the_headline_gives_success_beside_distortion(render):
    text = " ".join(render().split())
    assert "a&lt;b reached a mean targeted success of <b>0.50</b> (95% interval 0.25 to 0.75)" in text
    assert (
        "under the save <code>target</code>, at a mean PSNR of <b>34.6 dB</b> (fifth percentile 33.0, worst 30.0)"
        in text
    )
    assert "; on its worst classifier 0.10, for its worst label 0.20." in text
    assert (
        "a share of 0.12 of the untouched photographs for the target camera, and a share of 0.88 of what that camera"
        in text
    )
    real = " ".join(render(headlines={"a<b": HEADLINE.replace(0.875, np.nan)}).split())
    assert "a share of 0.12 of the untouched photographs for the target camera.</p>" in real


def test_the_note_depends_on_whether_the_cameras_are_real(render):
    assert "promise nothing against classifiers of real cameras" in render()
    assert '<td>sharpening</td><td class="number">0.432</td>' in render()
    real = render(simulated=False, cameras=None, cue_swap=None)
    assert "The photographs are real." in real
    assert "body" not in real.partition("<body>")[2].replace("</body>", "")
    assert "of <b>body and outing</b>" in render(simulated=False, one_body=True, cameras=None, cue_swap=None)
    for word in ("simulated", "imulated photographs", "ever compressed", "<i>Nothing</i>"):
        assert word not in real


def test_the_controls_say_which_classifiers_read_scenes(render):
    text = render()
    assert "<td>reader</td><td>True</td>" in text
    assert "over the F alone that do not read scenes" not in text
    summary = SUMMARY.assign(**{f"targeted_without_scene_readers{bound}": [0.1] for bound in ("", "_low", "_high")})
    text = render(tables={"summary": summary, "transfer": SUMMARY}, parts=())
    assert "over the F alone that do not read scenes" in text
    assert "<td>0.10 (0.10 to 0.10)</td>" in text


def test_the_controls_that_do_not_hold_are_marked(render):
    found = pd.DataFrame(
        {
            "control": ["a<b", "kept", "free"],
            **{"value": [0.756, 0.5, 0.9], "expected": ["at most 0.70", "at most 0.60", np.nan]},
            "holds": ["no", "yes", np.nan],
        }
    )
    text = render(controls=found)
    assert "<b>1 of 2 controls with an expectation does not hold</b>" in text
    assert "<li>a&lt;b: 0.756, expected at most 0.70</li>" in text
    assert text.count("<li>") == 1
    assert '<td>kept</td><td class="number">0.500</td><td>at most 0.60</td><td>yes</td>' in text
    kept = render(controls=found[1:])
    assert "All 1 controls with an expectation hold." in kept
    assert "<li>" not in kept
    assert "with an expectation" not in render()


def test_the_page_leaves_out_what_the_run_has_not(render):
    tables = {"summary": SUMMARY, "transfer": SUMMARY}
    text = render(parts=(), tables=tables)
    assert text.count("<img ") == 5  # the method's samples and traces, success against PSNR, confusion, training curves
    for heading in ("Beside", "detected?", "identified?"):
        assert heading not in text
    empty = render(tables={**tables, "paired": pd.DataFrame({"baseline": [], "classifier": []})}, parts=("paired",))
    assert "Beside" not in empty


def test_the_paired_table_shows_the_rows_over_all_classifiers(render):
    text = render()
    assert "0.111" in text
    assert "0.222" not in text


def test_lpips_is_said_to_be_missing_where_it_is(render):
    assert "LPIPS was not measured" in render()
    measured = {"summary": SUMMARY.assign(lpips=0.1), "transfer": SUMMARY}
    assert "LPIPS was not measured" not in render(tables=measured, parts=())


WIDE = pd.DataFrame(
    {
        **{"method": ["a", "b"], "set": ["in"] * 2, "save": ["png"] * 2, "labels": [4, 4], "photographs": [9, 9]},
        **{"targeted": [0.111, 0.5], "targeted_low": [0.1, np.nan], "targeted_high": [0.2, np.nan]},
        **{"untargeted": [0.9, 0.8], "untargeted_low": [0.8, 0.7], "untargeted_high": [1.0, 0.9]},
        **{"chance": [0.01, 0.02], "oracle": [np.nan] * 2, "share_of_oracle": [np.nan] * 2},
        **{
            "targeted_worst_classifier": [0.3, 0.4],
            "targeted_worst_label": [0.2, 0.3],
            "targeted_worst_cell": [0.0, 0.1],
        },
        **{"targeted_where_right": [0.5] * 2, "psnr": [35.67, np.nan], "psnr_p05": [34.5, np.nan]},
        **{
            "psnr_worst": [30.0, np.nan],
            "ssim": [0.9] * 2,
            "area_shift": [0.25, 0.5],
            "roles": ["2 same_family, 1 expanded"] * 2,
        },
        "interval": ["over photographs and trainings", "over photographs alone"],
    }
)


def test_the_summary_of_the_page_has_what_a_reader_needs_and_names_the_file_with_the_rest(render):
    short = short_summary(WIDE)
    shown = ["method", "set", "save", "targeted", "untargeted", "chance", "worst F", "worst label", "worst cell"]
    assert list(short.columns) == [
        *shown,
        "area shift",
        PSNR,
        "roles",
    ]  # no `labels`, which are all 4, and no empty oracle
    assert list(short.targeted) == ["0.11 (0.10 to 0.20)", "0.50"]
    assert list(short[PSNR]) == ["35.7 / 34.5 / 30.0", ""]
    assert short.roles[0] == "2 same family, 1 expanded"
    assert list(short_summary(WIDE.assign(labels=[4, 6])).labels) == [4, 6]
    text = " ".join(render(tables={"summary": WIDE, "transfer": SUMMARY}, parts=()).split())
    assert "over photographs and trainings (a), or over photographs alone (b), and say nothing of other cameras" in text
    assert "are in <code>tables/summary.csv</code>" in text
    assert '<td>0.11 (0.10 to 0.20)</td><td class="number">0.90</td>' in text
    assert "intervals are over photographs alone, and say" in " ".join(render().split())


def test_a_short_table_has_the_columns_of_the_page_alone(render):
    short = short_table(WIDE, {"ssim": "likeness", "targeted": "targeted", "none": "none"})
    assert list(short.columns) == ["likeness", "targeted"]
    text = render()
    assert '<th>classifier</th><th class="number">clean accuracy</th></tr>' in text  # of `transfer`, without its PSNR


def test_skipped_photographs_are_counted_and_listed(render):
    assert "<p>0 photographs were skipped" in render()
    assert "<th>reason</th>" not in render()
    text = render(skipped=pd.DataFrame({"path": ["<x>.jpg"], "reason": ["too small"]}))
    assert "<p>1 photographs were skipped" in text
    assert "<td>&lt;x&gt;.jpg</td><td>too small</td>" in text
