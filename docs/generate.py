"""Write the generated parts of the documentation, which stand between `<!-- NAME: generated -->` and `<!-- NAME: end -->`.

`python docs/generate.py` writes the tables of what docs/measured holds, those of settings, of the keys of judges and of the
rules, the leaderboard, and the commands; a test fails where they are out of date.
The options add tables and pictures of finished runs, of benchmarks, and of what runs cost.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from PIL import Image

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "docs")]

from measured_tables import (  # noqa: E402
    MEASURED,
    beside_others,
    claim_archives,
    failures,
    headline,
    strengths,
    success_rates,
    with_bounds,
)
from settings_tables import keys_table, settings_tables  # noqa: E402

from cama.commands.declaration import Command  # noqa: E402
from cama.commands.main import GROUPS  # noqa: E402
from cama.reporting.formats import merge_intervals, to_markdown  # noqa: E402
from cama.reporting.joined import figures  # noqa: E402
from cama.reporting.joined_page import differences_table, headline_table  # noqa: E402
from cama.reporting.tables import read_rows  # noqa: E402
from cama.settings.judges import JudgeSpec  # noqa: E402
from cama.settings.loading import load_config  # noqa: E402
from cama.workflow.cost import costs, count_pictures, disk, hours, measured_rates  # noqa: E402

DOCS = PROJECT / "docs"
README = PROJECT / "README.md"
RESULTS, RUNNING, SCALE = (DOCS / f"{name}.md" for name in ("results", "running", "scale"))
SETTINGS, JUDGES, LEADERBOARD, COMMANDS = (
    DOCS / f"{name}.md" for name in ("settings", "judges", "leaderboard", "commands")
)
IMAGES, CAMERAS, SHIPPED = DOCS / "images", MEASURED / "cameras.tar.xz", MEASURED / "shipped" / "measured.tar.xz"
STRENGTHS = MEASURED / "shipped" / "strengths.tar.xz"
GPU_RESULT, SMALL_RESULT = DOCS / "gpu.json", DOCS / "gpu-small.json"  # of `cama paper-scale`

# ---- what the code itself gives


def config_tables() -> str:
    """Every key of the config, its value in `config.yaml`, its default and its meaning."""
    return settings_tables(load_config(PROJECT / "config.yaml"))


def rule_table() -> str:
    """The rules of the default, and after which others each runs."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--forceall", "--cores", "1"]
    text = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    ids = dict(re.findall(r"\b(id\d+)\[(\w+)\]", text))
    edges = {(ids[a], ids[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", text)}
    before = {rule: {a for a, b in edges if b == rule} for rule in ids.values()}
    rows = []
    while before:  # each after those that it needs
        rule = min(name for name, needed in before.items() if not needed & set(before))
        rows.append({"rule": f"`{rule}`", "after": ", ".join(f"`{name}`" for name in sorted(before.pop(rule)))})
    return to_markdown(pd.DataFrame(rows), 2)


def command_tables() -> str:
    """Each command, what it does, and an example."""

    def rows(commands: tuple[Command, ...], above: str) -> list[dict[str, str]]:
        found = []
        for one in commands:
            name = f"{above} {one.name}"
            found += rows(one.commands, name) or [
                {"command": f"`{name}`", "what it does": one.help, "example": f"`{name} {one.example}`"}
            ]
        return found

    parts = [
        f"## {title.capitalize()}\n\n{to_markdown(pd.DataFrame(rows(own, 'cama')), 2)}" for title, own in GROUPS.items()
    ]
    return "\n\n".join(parts)


def leaderboard(folder: Path) -> str:
    """A table for each experiment of which there are records in a folder, the best method first."""
    experiments: dict[tuple[str, ...], list[dict]] = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        experiments.setdefault(tuple(record["untouched"]), []).append({**record, "file": path.name})
    parts = []
    for records in experiments.values():
        rows = []
        for record in records:
            save, labels = record["figures"][0]["save"], min(one["labels"] for one in record["figures"])
            link = f"[{record['method']}](results/{record['file']})"
            scored = f"{record['pairs']} of {record['pairs_of']}" if "pairs" in record else "not said"
            shown = [one for one in record["figures"] if (one["save"], one["labels"]) == (save, labels)]
            rows += [{"method": link, "pairs": scored, **one} for one in shown]
        table = pd.DataFrame(rows).sort_values(["set", "targeted"], ascending=[True, False], kind="stable")
        shown = [name for name in ("method", "pairs", *SUMMARY[1:]) if name in table]
        about = (
            f"{len(records[0]['untouched'])} catalogues" if len(records[0]["untouched"]) > 1 else "One set of cameras"
        )
        parts += [f"## {about}: {', '.join(records[0]['targets'])}", to_markdown(merge_intervals(table[shown], 2), 2)]
    return "\n\n".join(parts) or "There are none yet."


# ---- tables of finished runs

SUMMARY = ["method", "set", "save", "targeted", "targeted_low", "targeted_high", "chance", "oracle"]
SUMMARY += ["targeted_worst_classifier", "targeted_worst_label", "psnr", "psnr_p05", "psnr_worst", "area_shift"]


def results_table(results: Path) -> str:
    """The summary of a run."""
    table = pd.read_csv(results / "tables" / "summary.csv")[SUMMARY].dropna(axis=1, how="all")
    return to_markdown(merge_intervals(table, 2), 2)


def joined_tables(results: Path, methods: list[str], saves: list[str]) -> list[str]:
    """What joined catalogues say after each save, and the differences from the baseline, in this order."""
    joined, paired = (pd.read_csv(results / "tables" / f"{name}.csv") for name in ("joined", "joined_paired"))
    parts = []
    for save in saves:
        table = headline_table(joined, {"method": methods, "save": [save]})
        table.insert(1, "save", save)
        parts.append(table)
    differences = differences_table(paired[paired.method != "oracle"], {"method": methods, "save": saves})
    return [to_markdown(pd.concat(parts), 2), to_markdown(differences, 2)]


def comparison_table(results: Path) -> str:
    """Each method in- and out-of-distribution under some saves, means over F of the known labels; in brackets chance, which is
    the untouched photographs' success in that cell, and the oracle's.
    """
    table = _of_known_labels(results, "summary").set_index(["method", "set", "save"])
    rows = []
    for method in table.index.unique("method"):
        first = table.loc[(method, "in", "target")]
        cells: dict[str, object] = {"method": method, "in, target": f"{with_bounds(first)} {_beside(first)}"}
        others = [("in", save) for save in ("png", "neutral", "jpeg85", "upload")]
        for kind, save in (*others, ("out", "target")):
            if (method, kind, save) in table.index:
                row = table.loc[(method, kind, save)]
                cells[f"{kind}, {save}"] = f"{row.targeted:.2f} {_beside(row)}"
        png = table.loc[(method, "in", "png")]
        about = {
            "in, png, dB": png.psnr,
            "area shift": f"{png.area_shift:.2f}",
            "photographs": f"{first.photographs:.0f}",
        }
        rows.append({**cells, **about})
    return to_markdown(pd.DataFrame(rows), 1)


def paired_table(results: Path, method: str = "cama-plus") -> str:
    """One method beside the baseline, for each F of the known labels, in-distribution as delivered."""
    table = pd.read_csv(results / "tables" / "paired.csv")
    chosen = table[(table.set == "in") & (table.save == "target") & (table.method == method)]
    chosen = chosen[chosen.labels == chosen.labels.min()]
    names = ("difference", "fewer_failures")
    columns = [f"{name}{bound}" for name in names for bound in ("", "_low", "_high")]
    return to_markdown(merge_intervals(chosen[["classifier", *columns]], 2))


def _of_known_labels(results: Path, name: str) -> pd.DataFrame:
    table = pd.read_csv(results / "tables" / f"{name}.csv")
    return table[table.labels == table.labels.min()]


def _beside(row: pd.Series) -> str:
    """Chance and the oracle's success in a row's cell, where the run has an oracle."""
    return f"[{', '.join(f'{value:.2f}' for value in (row.chance, row.oracle) if pd.notna(value))}]"


def reruns_table(claim: Path, reruns: Path) -> str:
    """Each training of cama in reruns of a claim's first catalogue, one folder a rerun, beside the claim's own training with
    the same seed, and whether each mean over F lies in the claim's prediction interval.
    """
    joined = _targeted_of_cama(pd.read_csv(claim / "tables" / "joined.csv")).set_index(["set", "save"])
    rows = []
    for folder in sorted(reruns.glob("*/catalogue-*")):
        first = _of_trainings(claim / folder.name)
        for (kind, save, training), again in _of_trainings(folder).items():
            low, high = joined.loc[(kind, save), ["rerun_low", "rerun_high"]]
            cells = {"rerun": folder.parent.name, "training": str(training), "set": kind, "save": save}
            cells |= {"in the claim": first[kind, save, training], "again": again}
            cells |= {"interval": f"{low:.2f} to {high:.2f}", "inside": "yes" if low <= again <= high else "**no**"}
            rows.append(cells)
    return to_markdown(pd.DataFrame(rows), 2)


def _of_trainings(results: Path) -> pd.Series:
    """The targeted success of each of cama's trainings, a mean over all F, by set, save and training."""
    rows = read_rows([results / "rows" / f"{name}.csv" for name in ("identity", "cama")])
    return _targeted_of_cama(figures(rows.assign(catalogue=0))).set_index(["set", "save", "run"]).value


def _targeted_of_cama(table: pd.DataFrame) -> pd.DataFrame:
    """Of a table of figures of any methods and F the targeted success of cama as a mean over all F."""
    return table[(table[["method", "role", "classifier", "figure"]] == ["cama", "all", "all", "targeted"]).all(axis=1)]


# ---- speed and cost

DRESDEN_PHOTOGRAPHS = 209  # of a device: the mean of the devices whose number was published


def bench_table(file: Path) -> str:
    """The result of `cama bench --json`, beside the original's figures."""
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


def cost_table(overlay: str) -> str:
    """What a config costs, one line for each kind of job."""
    config = load_config(PROJECT / "config.yaml", PROJECT / "config" / f"{overlay}.yaml")
    counts = count_pictures(config, None if config.dataset.kind == "simulated" else DRESDEN_PHOTOGRAPHS)
    rates = measured_rates(GPU_RESULT)
    rows = pd.DataFrame(
        {"what": row.what.split()[0], "jobs": row.jobs, "PFLOP": row.total / 1e15, "hours": hours(row, rates)}
        for row in costs(config, counts)
    )
    table = rows.groupby("what", sort=False).sum().reset_index()
    table.loc[len(table)] = ["**all**", *table[["jobs", "PFLOP", "hours"]].sum()]
    table["jobs"], table["hours"] = table.jobs.astype(int), [f"{value:.1f}" for value in table.hours]
    table["PFLOP"] = [f"{value:,.0f}" for value in table.PFLOP]
    room = ", ".join(f"{name} {size / 1e9:.0f} GB" for name, size in disk(config, counts).items())
    return f"{to_markdown(table, 1)}\nDisk: {room}."


def speeds_table(file: Path) -> str:
    """The steps that `cama paper-scale` measured."""
    result = json.loads(file.read_text())
    rows = []
    for name, part in result["parts"].items():
        speed, value = name.removeprefix("speed "), part["result"]
        if name.startswith("speed ") and "patches_per_s" in value:
            times = value["kernels"] or {}
            other = ", ".join(f"{kind} {ms:.1f}" for kind, ms in times.items() if kind != "all" and ms >= 0.05)
            row = {"step": speed, "patches/s": f"{value['patches_per_s']:,.0f}", "TFLOP/s": f"{value['tflops']:.0f}"}
            row |= {"of a product's rate": f"{value['share_of_product']:.0%}", "GB": f"{value['memory_gb']:.1f}"}
            rows.append(row | {"ms a step": f"{value['step_ms']:.1f}", "ms of the GPU's kernels": other})
    machine = result["machine"]
    product = result["parts"]["speed product"]["result"]["tflops"]
    about = f"{machine['device']}, {machine['precision']}, torch {machine['torch']}, batches of 128"
    return f"{to_markdown(pd.DataFrame(rows), 1)}\n{about}; a large product: {product:.0f} TFLOP/s."


def delivered_table(files: dict[str, Path]) -> str:
    """Success of methods as delivered, of several results of `cama paper-scale` by their name."""
    rows = []
    for networks, file in files.items():
        for name, part in json.loads(file.read_text())["parts"].items():
            for row in part["result"] if name.startswith("scores ") else []:
                as_it_is = name in ("scores identity", "scores oracle")  # which no target camera encodes
                if row["save"] == ("png" if as_it_is else "delivered"):
                    low, high = row["targeted"][1:]
                    worst = min(row["by_classifier"].values())
                    levels = [f"{row[key]:.1f}" if row[key] is not None else "" for key in ("psnr", "psnr_p05")]
                    cells = {"networks": networks, "method": name.removeprefix("scores "), "set": row["set"]}
                    cells |= {
                        "targeted": f"{row['targeted'][0]:.2f} ({low:.2f} to {high:.2f})",
                        "worst F": f"{worst:.2f}",
                    }
                    cells |= {
                        "untargeted": f"{row['untargeted']:.2f}" if row["set"] == "in" else "",
                        "dB, mean": levels[0],
                        "dB, 5th percentile": levels[1],
                    }
                    rows.append(cells)
    return to_markdown(pd.DataFrame(rows), 1)


# ---- pictures

DEFAULT_PLOTS = ("samples_cama_in", "success_psnr", "confusion", "per_label")
COMPARED_PLOTS = ("success_psnr", "paired", "per_label", "saves", "roc")


def copy_plots(results: Path, names: tuple[str, ...], prefix: str = "") -> None:
    """Copy plots of a run to docs/images; large ones, of photographs, become JPEGs."""
    IMAGES.mkdir(exist_ok=True)
    for name in names:
        target = IMAGES / f"{prefix}{name}.png"
        shutil.copy(results / "plots" / f"{name}.png", target)
        if target.stat().st_size > 400_000:
            Image.open(target).convert("RGB").save(target.with_suffix(".jpg"), quality=85)
            target.unlink()


# ---- writing


def fill(text: str, name: str, content: str) -> str:
    """Replace what stands between the markers of a generated part."""
    start, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    before, rest = text.split(start)
    return f"{before}{start}\n{content.strip()}\n{end}{rest.split(end)[1]}"


def main() -> None:
    """Write the parts that the options name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="folder of a finished run of the default config")
    parser.add_argument("--claim", type=Path, help="folder of a finished run of config/claim.yaml")
    parser.add_argument("--claim-plus", type=Path, help="folder of a finished run of config/claim-plus.yaml")
    parser.add_argument(
        "--beside", action="store_true", help="cama-plus beside each other method of docs/measured; a minute"
    )
    parser.add_argument("--compare", type=Path, help="folder of a finished run of config/compare.yaml")
    parser.add_argument("--ablation", type=Path, help="folder of a finished run of config/ablation.yaml")
    parser.add_argument("--bench", type=Path, help="what `cama bench --json` wrote, for docs/running.md")
    parser.add_argument("--reruns", type=Path, help="folder of reruns of the claim's first catalogue; with --claim")
    parser.add_argument("--gpu", action="store_true", help="what docs/gpu.json and docs/gpu-small.json say")
    parser.add_argument("--cost", action="store_true", help="what config/dresden.yaml and config/gpu.yaml cost")
    options = parser.parse_args()
    parts = [(SETTINGS, "settings", config_tables()), (RUNNING, "rules", rule_table())]
    parts += [(README, "headline", headline()), (COMMANDS, "commands", command_tables())]
    parts.append((JUDGES, "keys", keys_table(JudgeSpec)))
    parts += [
        (RESULTS, "cameras", success_rates([CAMERAS])),
        (RESULTS, "failures-cameras", failures(CAMERAS)),
        (RESULTS, "failures-shipped", failures(SHIPPED, "shipped")),
        (RESULTS, "shipped", success_rates([SHIPPED])),
        (
            RESULTS,
            "strengths",
            strengths(STRENGTHS, {"shipped": "38 (default)", "shipped-40": "40", "shipped-42": "42"}),
        ),
        (RESULTS, "measured-claim", success_rates(claim_archives())),
    ]
    parts.append((LEADERBOARD, "leaderboard", leaderboard(DOCS / "results")))
    if options.results:
        parts.append((RESULTS, "results", results_table(options.results)))
        copy_plots(options.results, DEFAULT_PLOTS)
    for name in ("claim", "claim-plus", "ablation"):
        if folder := getattr(options, name.replace("-", "_")):
            config = load_config(PROJECT / "config.yaml", PROJECT / "config" / f"{name}.yaml")
            saves = (
                config.evaluation.saves[:1] if name == "claim-plus" else config.evaluation.saves
            )  # of eleven methods
            tables = joined_tables(folder, list(config.attack.methods), list(saves))
            parts.append((RESULTS, name, "\n\n".join(tables)))
    if options.reruns and options.claim:
        parts.append((RUNNING, "reruns", reruns_table(options.claim, options.reruns)))
    elif options.reruns:
        parser.error("--reruns: found no --claim, expected the folder of the claim that they are held against")
    if options.beside:
        parts += [
            (RESULTS, "beside-cameras", beside_others([CAMERAS])),
            (RESULTS, "beside-claim", beside_others(claim_archives())),
        ]
    if options.compare:
        parts.append((RESULTS, "comparison", comparison_table(options.compare)))
        parts.append((RESULTS, "paired", paired_table(options.compare)))
        copy_plots(options.compare, COMPARED_PLOTS, "compare_")
    if options.bench:
        parts.append((RUNNING, "bench", bench_table(options.bench)))
    if options.cost:
        parts += [(SCALE, overlay, cost_table(overlay)) for overlay in ("dresden", "gpu")]
    if options.gpu:
        parts.append((SCALE, "speeds", speeds_table(GPU_RESULT)))
        networks = {"of the paper's size": GPU_RESULT, "of the default": SMALL_RESULT}
        parts.append((SCALE, "delivered", delivered_table(networks)))
    for file, name, content in parts:
        file.write_text(fill(file.read_text(), name, content))


if __name__ == "__main__":
    main()
