"""Write the generated parts of the README and of docs/: the config table, the rule graph and figures of runs.

`python docs/generate.py` rewrites the first two; `--results results` copies tables and pictures from a finished run too.
A test fails when the first two drift.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from pydantic import BaseModel

PROJECT = Path(__file__).parents[1]
README = PROJECT / "README.md"
RUNNING, SCALE = PROJECT / "docs" / "running.md", PROJECT / "docs" / "scale.md"
DEVICE = 209  # photographs of a Dresden device: the mean of those whose number was published
ASSUMED = 100e12  # operations a second of the GPU in docs/scale.md
COMPARED = ("success_psnr", "paired", "per_label", "saves", "roc")
PICTURES = ("samples_cama_in", "success_psnr", "confusion", "per_label")
SUMMARY = (
    "method",
    "set",
    "targeted",
    "targeted_low",
    "targeted_high",
    "targeted_worst_classifier",
    "targeted_worst_label",
    "psnr",
    "ssim",
)

sys.path.insert(0, str(PROJECT))

from cama.reporting.formats import to_markdown, with_intervals  # noqa: E402
from cama.settings.config import load_config  # noqa: E402
from cama.settings.training import Ramp  # noqa: E402
from cama.workflow.cost import costs, counted, disk  # noqa: E402


def config_table() -> str:
    """Every key of `config.yaml`, its value there, and its meaning."""
    lines = ["| key | in `config.yaml` | meaning |", "| --- | --- | --- |"]
    for key, value, text in _keys(load_config(PROJECT / "config.yaml"), ""):
        lines.append(f"| `{key}` | {value} | {text} |")
    return "\n".join(lines)


def _keys(block: BaseModel, prefix: str) -> list[tuple[str, str, str]]:
    rows = []
    for name, field in type(block).model_fields.items():
        value: Any = getattr(block, name)
        if isinstance(value, Ramp):
            rows.append((f"{prefix}{name}", str(value), field.description or ""))
        elif isinstance(value, BaseModel):
            rows += _keys(value, f"{prefix}{name}.")
        elif isinstance(value, dict) and isinstance(next(iter(value.values()), None), BaseModel):
            first = next(iter(value))
            rows.append((f"{prefix}{name}", ", ".join(value), (field.description or "") + "; each has the keys below"))
            rows += _keys(value[first], f"{prefix}{name}.{first}.")
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            rows.append((f"{prefix}{name}", f"{len(value)}", (field.description or "") + "; each has the keys below"))
            rows += _keys(value[0], f"{prefix}{name}.0.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, (tuple, dict)) else str(value)
            rows.append((f"{prefix}{name}", shown, field.description or ""))
    return rows


def rule_graph() -> str:
    """The graph of rules as Mermaid, which GitHub draws."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--forceall", "--cores", "1"]
    text = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    ids = dict(re.findall(r"\b(id\d+)\[(\w+)\]", text))
    edges = sorted({(ids[a], ids[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", text)})
    return "\n".join(["```mermaid", "flowchart TD", *(f"    {a} --> {b}" for a, b in edges), "```"])


def results_table(results: Path) -> str:
    """The summary of a finished run."""
    table = pd.read_csv(results / "tables" / "summary.csv")
    return to_markdown(table[list(SUMMARY)])


def comparison_table(results: Path) -> str:
    """Each method in- and out-of-distribution after some saves, means over F of the known labels."""
    table = pd.read_csv(results / "tables" / "summary.csv")
    table = table[table.labels == table.labels.min()].set_index(["method", "set", "save"])
    rows = []
    for method in table.index.unique("method"):
        plain = table.loc[(method, "in", "png")]
        bounds = f"({plain.targeted_low:.2f} to {plain.targeted_high:.2f})"
        cells: dict[str, object] = {"method": method, "in, png": f"{plain.targeted:.2f} {bounds}"}
        for kind, save in (("in", "jpeg95"), ("in", "jpeg85"), ("out", "png"), ("out", "jpeg85")):
            if save in table.index.unique("save"):
                cells[f"{kind}, {save}"] = f"{table.loc[(method, kind, save)].targeted:.2f}"
        rows.append({**cells, "in, dB": plain.psnr})
    return to_markdown(pd.DataFrame(rows), 1)


def paired_table(results: Path, method: str) -> str:
    """One method beside the baseline, for each F of the known labels, in-distribution after an 8-bit save."""
    table = pd.read_csv(results / "tables" / "paired.csv")
    chosen = table[(table.set == "in") & (table.save == "png") & (table.method == method)]
    chosen = chosen[chosen.labels == chosen.labels.min()]
    names = ("difference", "fewer_failures")
    columns = [f"{name}{bound}" for name in names for bound in ("", "_low", "_high")]
    return to_markdown(with_intervals(chosen[["classifier", *columns]], 2))


def ablation_table(results: Path) -> str:
    """Each lever's mean over F of the known labels, its difference from cama on the same photographs, and its distortion."""
    read = (pd.read_csv(results / "tables" / f"{name}.csv") for name in ("summary", "paired"))
    summary, paired = (table[table.labels == table.labels.min()] for table in read)
    summary = summary.set_index(["method", "set", "save"])
    paired = paired[(paired.save == "png") & (paired.classifier == "all")].set_index(["method", "set"])
    levers = [
        method for method in summary.index.unique("method") if not pd.isna(summary.loc[(method, "in", "png")].psnr)
    ]
    rows = []
    for method in levers:
        cells: dict[str, object] = {"method": method}
        for kind in ("in", "out"):
            plain = summary.loc[(method, kind, "png")]
            cells[f"{kind}, png"] = f"{plain.targeted:.2f} ({plain.targeted_low:.2f} to {plain.targeted_high:.2f})"
            if (method, kind) in paired.index:
                one = paired.loc[(method, kind)]
                spread = f"({one.difference_low:+.2f} to {one.difference_high:+.2f})"
                cells[f"{kind}, beside cama"] = f"{one.difference:+.2f} {spread}"
        cells["in, jpeg85"] = f"{summary.loc[(method, 'in', 'jpeg85')].targeted:.2f}"
        rows.append({**cells, "in, dB": summary.loc[(method, "in", "png")].psnr})
    return to_markdown(pd.DataFrame(rows).fillna(""), 1)


def bench_table(file: Path) -> str:
    """What `cama bench --json` wrote, beside the original's figures."""
    result = json.loads(file.read_text())
    rows = [
        {
            "row": row["name"],
            "what": row["about"],
            "unit": row["unit"],
            "original": "" if row["original"] is None else f"{row['original']:,g}",
            "here": f"{row['figure']:,.3g}" if row["figure"] < 1000 else f"{row['figure']:,.0f}",
            "of a product's rate": "" if row["share"] is None else f"{row['share']:.0%}",
        }
        for row in result["rows"]
    ]
    machine = result["machine"]
    about = f"{machine['precision']}, torch {machine['torch'].partition('+')[0]}, processor with {', '.join(machine['flags'])}"
    return f"{to_markdown(pd.DataFrame(rows), 2)}\n{about}; a large product: {machine['tflops']:.2f} TFLOP/s."


def precision_table(results: Path) -> str:
    """Accuracies and success in the two precisions of config/precision.yaml: mean, lowest and highest of three trainings."""
    rows = []
    found = [_by_training(results, name) for name in ("bfloat16", "float32")]
    for what in found[0]:
        fast, exact = (one[what] for one in found)
        cells = [f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})" for values in (fast, exact)]
        difference = f"{100 * (fast.mean() - exact.mean()):+.1f}"
        rows.append({"what": what, "bfloat16": cells[0], "float32": cells[1], "difference, points": difference})
    return to_markdown(pd.DataFrame(rows), 3)


def _by_training(results: Path, precision: str) -> dict[str, pd.Series]:
    """Of each front-end the accuracies of its trainings, and the success of each of cama's, in-distribution."""
    rows = pd.read_csv(results / precision / "rows" / "cama.csv")
    table = pd.read_csv(results / precision / "tables" / "transfer.csv")
    clean = table[(table.method == "identity") & (table.set == "in")].set_index("classifier").clean_accuracy
    kinds = clean.index.str.replace(r"-\d$", "", regex=True)
    accuracies = {f"accuracy of {kind}": clean[kinds == kind] for kind in kinds.unique()}
    inside = rows[rows.set == "in"]
    success = (inside.predicted == inside.target).groupby(inside.run).mean()
    return {**accuracies, "targeted success of cama, mean over all": success}


def cost_table(overlay: str) -> str:
    """What a config costs, a line each kind of job."""
    config = load_config(PROJECT / "config.yaml", PROJECT / "config" / f"{overlay}.yaml")
    counts = counted(config, None if config.dataset.kind == "simulated" else DEVICE)
    rows = pd.DataFrame(
        {"what": row.what.split()[0], "jobs": row.jobs, "PFLOP": row.total / 1e15} for row in costs(config, counts)
    )
    table = rows.groupby("what", sort=False).sum().reset_index()
    table.loc[len(table)] = ["**all**", table.jobs.sum(), table.PFLOP.sum()]
    table["hours"] = [f"{1e15 * value / ASSUMED / 3600:.1f}" for value in table.PFLOP]
    table["PFLOP"] = [f"{value:,.0f}" for value in table.PFLOP]
    room = ", ".join(f"{name} {size / 1e9:.0f} GB" for name, size in disk(config, counts).items())
    return f"{to_markdown(table, 1)}\nDisk: {room}."


def fill(text: str, name: str, content: str) -> str:
    """Replace what stands between the markers of a generated part."""
    start, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    before, rest = text.split(start)
    return f"{before}{start}\n{content.strip()}\n{end}{rest.split(end)[1]}"


def main() -> None:
    """Rewrite them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="folder of a finished run of the default config")
    parser.add_argument("--compare", type=Path, help="folder of a finished run of config/compare.yaml")
    parser.add_argument("--unseen", type=Path, help="folder of a finished run of config/unseen.yaml over it")
    parser.add_argument("--ablation", type=Path, help="folder of a finished run of config/ablation.yaml")
    parser.add_argument("--bench", type=Path, help="what `cama bench --json` wrote, for docs/running.md")
    parser.add_argument("--precision", type=Path, help="folder of the two runs of config/precision.yaml")
    parser.add_argument("--cost", action="store_true", help="what config/dresden.yaml and config/gpu.yaml cost")
    options = parser.parse_args()
    results = options.results
    text = fill(fill(README.read_text(), "config", config_table()), "rules", rule_graph())
    if results is not None:
        text = fill(text, "results", results_table(results))
        for name in PICTURES:
            target = PROJECT / "docs" / "images" / f"{name}.png"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(results / "plots" / f"{name}.png", target)
            if target.stat().st_size > 400_000:  # photographs: a palette would show, JPEG does not
                Image.open(target).convert("RGB").save(target.with_suffix(".jpg"), quality=85)
                target.unlink()
    if options.compare:
        text = fill(text, "comparison", comparison_table(options.compare))
        text = fill(text, "paired", paired_table(options.compare, "cama-plus"))
        for name in COMPARED:
            shutil.copy(options.compare / "plots" / f"{name}.png", PROJECT / "docs" / "images" / f"compare_{name}.png")
    if options.unseen:
        text = fill(text, "unseen", comparison_table(options.unseen))
        text = fill(text, "unseen_paired", paired_table(options.unseen, "cama-plus"))
    if options.ablation:
        text = fill(text, "ablation", ablation_table(options.ablation))
    README.write_text(text)
    running = RUNNING.read_text()
    if options.bench:
        running = fill(running, "bench", bench_table(options.bench))
    if options.precision:
        running = fill(running, "precision", precision_table(options.precision))
    RUNNING.write_text(running)
    if options.cost:
        scale = SCALE.read_text()
        for overlay in ("dresden", "gpu"):
            scale = fill(scale, overlay, cost_table(overlay))
        SCALE.write_text(scale)


if __name__ == "__main__":
    main()
