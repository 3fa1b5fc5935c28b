"""The generated parts of the documentation are those that the code gives."""

import importlib.util
import json
import re
import tarfile
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
import yaml

from cama.reporting.joined import figures, joined_table, paired_figures
from cama.reporting.tables import ROW_COLUMNS
from cama.settings.config import Config
from cama.settings.judges import JudgeSpec, read_judge
from cama.settings.loading import load_config
from tests.reporting.test_joined_page import EVERY

PROJECT = Path(__file__).parents[2]
SETTINGS = PROJECT / "docs" / "settings.md"


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", PROJECT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_settings_are_up_to_date(generate):
    assert generate.config_tables() in SETTINGS.read_text()


def test_the_tables_of_rules_commands_and_results_are_up_to_date(generate):
    assert generate.rule_table() in generate.RUNNING.read_text()
    assert generate.command_tables() in generate.COMMANDS.read_text()
    assert generate.headline() in generate.README.read_text()
    text = generate.RESULTS.read_text()
    assert generate.success_rates([generate.CAMERAS]) in text
    assert generate.success_rates(generate.claim_archives()) in text
    assert generate.failures(generate.CAMERAS) in text


def test_the_readme_is_short_and_its_table_too(generate):
    assert len(generate.README.read_bytes()) <= 10_240
    rows = generate.headline().splitlines()[2:]
    assert 0 < len(rows) <= 8


def test_catalogues_are_joined_with_an_interval(generate, tmp_path):
    (tmp_path / "claim-plus").mkdir()
    for catalogue, targeted in enumerate((0.6, 0.7, 0.8)):
        head = "method,set,save,labels,targeted,targeted_low,targeted_high,chance,oracle"
        cells = [
            f"{method},{kind},target,4,{targeted},0,1,0.1,0.9"
            for method in ("cama-plus", "cama", "spectrum", "mi_fgsm-plus")
            for kind in ("in", "out")
        ]
        other = [line.replace("target,4", "png,4").replace(str(targeted), "0") for line in cells]
        (tmp_path / "summary.csv").write_text("\n".join([head, *cells, *other]) + "\n")
        with tarfile.open(tmp_path / "claim-plus" / f"catalogue-{catalogue}.tar.xz", "w:xz") as file:
            file.add(tmp_path / "summary.csv", "tables/summary.csv")
    row = generate.headline(tmp_path).splitlines()[2]
    # t of two degrees of freedom, 4.303, times 0.1 over the root of 3
    assert (
        "| simulated, 3 of 6 catalogues | `cama-plus` | 0.70 (0.45 to 0.95) | 0.70 (0.45 to 0.95) | 0.10, 0.10 | 0.90, 0.90 |"
        in row
    )


def test_methods_are_set_beside_each_other_on_the_photographs_that_both_have(generate, tmp_path):
    """cama-plus reaches the target on all of 12 photographs, the other, which has 10 of them, on a half, and on all of them
    under the F of another family.
    """
    rows = [
        (method, 0, "in", "target", f"{photograph}", 0, 0, "A", 36, 1, 1, 0, classifier, "standard", 4, True, said, "B")
        for method, photographs in {"cama-plus": 12, "other": 10}.items()
        for photograph in range(photographs)
        for classifier in ("prnu_lp", "cooccurrences")
        for said in ["A" if method == "other" and classifier == "prnu_lp" and photograph % 2 else "B"]
    ]
    pd.DataFrame(rows, columns=ROW_COLUMNS).to_csv(tmp_path / "all.csv", index=False)
    with tarfile.open(tmp_path / "catalogue.tar.xz", "w:xz") as file:
        file.add(tmp_path / "all.csv", "rows/all.csv")
    head, _, row = generate.beside_others([tmp_path / "catalogue.tar.xz"]).splitlines()
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert cells["in, target"].startswith("0.25 (0.")
    assert cells["in, target, other families |"].startswith("0.00")


def test_the_keys_of_judges_are_up_to_date_and_the_examples_valid(generate, tmp_path):
    text = (PROJECT / "docs" / "judges.md").read_text()
    assert generate.keys_table(JudgeSpec) in text
    examples = re.findall(r"```yaml\n(.*?)```", text, re.S)
    judges = [example for example in examples if "network:" in example]
    assert len(judges) == 2
    for number, example in enumerate(judges):
        (tmp_path / f"{number}.yaml").write_text(example)
    assert [read_judge(tmp_path / f"{number}.yaml").kind for number in range(2)] == ["classifier", "fingerprint"]
    (tmp_path / "overlay.yaml").write_text(next(example for example in examples if "examiner:" in example))
    config = load_config(PROJECT / "config.yaml", tmp_path / "overlay.yaml")
    assert config.examiner.judges == {"forensic": "judges/forensic.yaml"}


def test_the_leaderboard_is_up_to_date_and_shows_the_best_first(generate, tmp_path):
    text = (PROJECT / "docs" / "leaderboard.md").read_text()
    assert generate.leaderboard(PROJECT / "docs" / "results").strip() in text
    schema = json.loads((PROJECT / "docs" / "result.schema.json").read_text())
    for method, targeted, untouched in (("weak", 0.2, ["a"]), ("strong", 0.8, ["a"]), ("elsewhere", 0.9, ["b"])):
        cell = {"set": "in", "save": "target", "labels": 4, "chance": 0.1, "targeted": targeted}
        bounds = {"targeted_low": targeted - 0.1, "targeted_high": targeted + 0.1}
        record = {"format": "cama result", "version": 1, "method": method, "targets": ["A_1", "B_2"], "judges": []}
        record |= {"untouched": untouched, "versions": {}, "catalogues": 1, "figures": [{**cell, **bounds}]}
        jsonschema.validate(record, schema)
        (tmp_path / f"{method}.json").write_text(json.dumps(record))
    first, second = generate.leaderboard(tmp_path).split("## ")[1:]
    assert "elsewhere" in first
    assert second.index("0.80 (0.70 to 0.90)") < second.index("0.20 (0.10 to 0.30)")
    assert "[strong](results/strong.json)" in second


def keys(schema: dict) -> set[str]:
    """The names of all keys in a JSON schema."""
    blocks = [schema, *schema["$defs"].values()]
    return {key for block in blocks if block["title"] != "Ramp" for key in block["properties"]}


def test_every_key_has_a_row_with_its_meaning(generate):
    rows = [line.strip("| ").split(" | ") for line in generate.config_tables().splitlines() if line.startswith("| `")]
    assert {row[0].strip("`").rpartition(".")[2] for row in rows} >= keys(Config.model_json_schema()) - INLINE
    assert not [row for row in rows if len(row) < 3 or not row[-1]]


INLINE = {"denoiser", "loss_weights", "generator", "augmentation"}  # blocks of one place, whose own keys have rows


def test_the_tables_hold_the_value_of_the_config_the_default_and_the_choices(generate):
    lines = generate.config_tables().splitlines()
    assert [line.split(" | ")[1:3] for line in lines if line.startswith("| `crop` ")] == [["`256`", "`512`"]]
    assert "loss_weights.pixel` | `3` | `10` |" in "\n".join(lines)
    assert any(line.startswith("| `policy` | `device+scene` | `device` ") and "`image`" in line for line in lines)
    steps = "`{steps: 700, batch: 32, processes: 1}` | `{steps: 234375, batch: 128, processes: 1}`"
    assert any(steps in line for line in lines)


def test_every_link_leads_to_a_heading(generate):
    text = SETTINGS.read_text()
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    assert len(headings) == len(set(headings))
    anchors = {re.sub(r"[^a-z0-9_\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]*)\)", text)
    assert len(links) > 20
    assert set(links) <= anchors
    for target in re.findall(r"\]\(([^#)]+)", text):
        assert (SETTINGS.parent / target).exists()


def test_the_example_of_an_overlay_is_valid_and_each_overlay_is_described(tmp_path):
    text = SETTINGS.read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    (tmp_path / "example.yaml").write_text(example)
    config = load_config(PROJECT / "config.yaml", tmp_path / "example.yaml")
    assert set(config.examiner.classifiers) == {"finite_difference", "cooccurrences"}
    assert set(config.attack.methods) >= set(yaml.safe_load(example)["attack"]["methods"]) - {"spectrum"}
    named = set(re.findall(r"^\| `([a-z-]+\.yaml)` ", text, re.M))
    assert named == {path.name for path in (PROJECT / "config").glob("*.yaml")}


def test_the_table_of_bench_has_a_row_for_each_and_may_lack_the_original(generate, tmp_path):
    machine = {"precision": "bfloat16", "torch": "2.15.0+cpu", "flags": ["avx2"], "tflops": 2.284}
    row = {"name": "net", "about": "a step", "unit": "patches/s", "figure": 37190.4, "original": 1971, "share": 0.25}
    rows = [row, {**row, "name": "other", "figure": 0.0568, "original": None, "share": None}]
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"machine": machine, "rows": rows}))
    head, _, first, second, *_, about = generate.bench_table(file).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, first, second)]
    assert cells == [
        ["row", "what", "unit", "original", "here", "of a product's rate"],
        ["net", "a step", "patches/s", "1,971", "37,190", "25%"],
        ["other", "a step", "patches/s", "", "0.0568", ""],
    ]
    assert about == "bfloat16, torch 2.15.0, processor with avx2; a large product: 2.28 TFLOP/s."


def test_chance_and_the_oracle_stand_in_each_cell_of_the_comparison(generate, tmp_path):
    head = "method,set,save,labels,targeted,targeted_low,targeted_high,chance,oracle,psnr,photographs,area_shift"
    rows = "cama,in,target,4,0.6,0.5,0.7,0.1,0.9,35.2,120,0.9", "cama,in,png,4,0.5,0.4,0.6,0.1,0.9,36.04,120,0.25"
    outside = "cama,out,target,4,0.4,0.3,0.5,0.25,,36,60,0.3"
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "summary.csv").write_text("\n".join([head, *rows, outside]) + "\n")
    table = generate.comparison_table(tmp_path).splitlines()
    assert table[0] == "| method | in, target | in, png | out, target | in, png, dB | area shift | photographs |"
    assert (
        table[2] == "| cama | 0.60 (0.50 to 0.70) [0.10, 0.90] | 0.50 [0.10, 0.90] | 0.40 [0.25] | 36.0 | 0.25 | 120 |"
    )


def test_joined_tables_have_each_save_and_the_differences_from_the_baseline(generate, tmp_path):
    every = pd.concat([EVERY, EVERY.assign(save="jpeg85", predicted="A")])
    (tmp_path / "tables").mkdir()
    joined_table(figures(every)).to_csv(tmp_path / "tables" / "joined.csv", index=False)
    joined_table(paired_figures(every, "identity")).to_csv(tmp_path / "tables" / "joined_paired.csv", index=False)
    methods = list(EVERY.method.unique())
    table, differences = (part.splitlines() for part in generate.joined_tables(tmp_path, methods, ["png", "jpeg85"]))
    cells = [[cell.strip() for cell in line.split("|")[1:4]] for line in table[2:]]
    assert cells == [["in", save, method] for save in ("png", "jpeg85") for method in methods]
    assert len(differences) == 2 + 2 * (len(methods) - 2)  # but the baseline and the oracle
