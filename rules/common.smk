# What the rules share: the checked config, and helpers that know wildcards alone.
import os
import re
import sys
from pathlib import Path

sys.path.insert(
    0, workflow.basedir
)  # the package need not be installed where Snakemake runs

# as modules, since single names would hide Snakemake's own
import cama.config
import cama.imports

try:
    CONFIG = cama.config.parse(cama.config.Config, config, "config")
except cama.config.CamaError as error:
    sys.exit(str(error))

RESULTS = CONFIG.results
IN = list(CONFIG.models.in_distribution)
OUT = list(CONFIG.models.out_of_distribution)
F_NAMES = list(CONFIG.examiner.classifiers)
METHODS = list(CONFIG.attack.methods)
SIMULATED = CONFIG.dataset.kind == "simulated"
PHASE = CONFIG.patches.phase
CONTROL = CONFIG.controls.random_phase
ROOT = f"{RESULTS}/photographs" if SIMULATED else CONFIG.dataset.root
GPU = 1 if CONFIG.compute.device == "cuda" else 0
TRAINING_THREADS = 2  # a fixed number, so that a larger machine gives the same weights


wildcard_constraints:
    model="|".join(map(re.escape, IN + OUT)),
    role="adversary|examiner|test|examiner_outdist|test_outdist",
    phase="aligned|random",
    owner="adversary|examiner",
    stream="high|low",
    name="|".join(map(re.escape, F_NAMES)) or "none",
    method="|".join(METHODS),


if not SIMULATED and not Path(ROOT).is_dir():
    sys.exit(
        f"config: dataset.root: found no folder {ROOT!r}, expected one with photographs"
    )


def spec(stage, **wildcards):
    """A stage's settings as one string, which is what Snakemake compares."""
    return cama.config.stage_spec(CONFIG, stage, **wildcards)


def code(stage):
    """The package's files that a stage's results hang on."""
    return [
        os.path.relpath(path)
        for path in cama.imports.code_files(f"cama.stages.{stage}")
    ]


def photographs():
    """What the manifest lists: the simulated cameras' folders, or every JPEG of the data set."""
    if SIMULATED:
        return expand(f"{RESULTS}/photographs/{{model}}", model=IN + OUT)
    return sorted(
        str(p) for p in Path(ROOT).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")
    )


def patches(role, phase=PHASE):
    """The patch file of a role."""
    return f"{RESULTS}/patches/{role}-{phase}.h5"


def estimator_of(name):
    """The examiner's own estimator, for the target classifiers that need one."""
    needs = CONFIG.examiner.classifiers[name].net.frontend.startswith("prnu_lp")
    return f"{RESULTS}/examiner/estimator.safetensors" if needs else []


def tables():
    """All tables."""
    return expand(
        f"{RESULTS}/tables/{{table}}.{{kind}}",
        table=["transfer", "per_label", "summary"],
        kind=["csv", "md"],
    )


def plots():
    """All plots that the methods of the config give."""
    names = ["success_psnr", "confusion", "curves"]
    names += ["samples_in", "samples_out", "per_label"] if "cama" in METHODS else []
    return expand(f"{RESULTS}/plots/{{plot}}.png", plot=names)


def curves():
    """All training curves."""
    found = [
        f"{RESULTS}/adversary/{net}.csv"
        for net in ("estimator", "evaluator_high", "evaluator_low", "cama")
    ]
    found = found if "cama" in METHODS else []
    found += (
        [f"{RESULTS}/examiner/estimator.csv"] if any(map(estimator_of, F_NAMES)) else []
    )
    return found + expand(f"{RESULTS}/classifiers/{{name}}.csv", name=F_NAMES)


def control_inputs():
    """The classifier of the crop phase control, on either phase, and the test crops of the other phase."""
    if not CONTROL or PHASE == "random":
        return {}
    return {
        "aligned": f"{RESULTS}/classifiers/{CONTROL}.safetensors",
        "random": f"{RESULTS}/controls/{CONTROL}.safetensors",
        "random_test": patches("test", "random"),
    }
