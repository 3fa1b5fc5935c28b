# What the rules share: the checked config, and helpers that know wildcards alone.
import os
import re
import sys
from pathlib import Path

sys.path.insert(
    0, workflow.basedir
)  # the package need not be installed where Snakemake runs
# jobs run this interpreter, also where its environment was not activated
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()])
)

# as modules, since single names would hide Snakemake's own
import cama.core.errors
import cama.workflow.code
import cama.settings.config
import cama.settings.stages
import cama.settings.spec

try:
    CONFIG = cama.settings.spec.parse(cama.settings.config.Config, config, "config")
except cama.core.errors.CamaError as error:
    sys.exit(str(error))

RESULTS = CONFIG.results
IN = list(CONFIG.models.in_distribution)
OUT = list(CONFIG.models.out_of_distribution)
F_NAMES = list(CONFIG.examiner.classifiers)
METHODS = CONFIG.attack.methods
SHOWN = list(CONFIG.plots.methods)
EVALUATORS = list(CONFIG.adversary.evaluators)
GENERATORS = {
    name: cama.settings.stages.run_names(name, generator.runs)
    for name, generator in CONFIG.adversary.generators.items()
}
KINDS = ["in", "out"] if OUT else ["in"]
SIMULATED = CONFIG.dataset.kind == "simulated"
PHASE = CONFIG.patches.phase
CONTROL = CONFIG.controls.random_phase
ROOT = f"{RESULTS}/photographs" if SIMULATED else CONFIG.dataset.root
GPU = 1 if CONFIG.compute.device == "cuda" else 0
TRAINING_THREADS = CONFIG.adversary.threads


wildcard_constraints:
    model="|".join(map(re.escape, IN + OUT)),
    role="adversary|examiner|test|examiner_outdist|test_outdist",
    phase="aligned|random",
    owner="adversary|examiner",
    evaluator="|".join(map(re.escape, EVALUATORS)) or "none",
    generator="|".join(map(re.escape, sum(GENERATORS.values(), []))) or "none",
    name="|".join(map(re.escape, F_NAMES)) or "none",
    method="|".join(map(re.escape, METHODS)),


if not SIMULATED and not Path(ROOT).is_dir():
    sys.exit(
        f"config: dataset.root: found no folder {ROOT!r}, expected one with photographs"
    )


def spec(stage, **wildcards):
    """A stage's settings as one string, which is what Snakemake compares."""
    return cama.settings.stages.stage_spec(CONFIG, stage, **wildcards)


def code(stage):
    """The package's files that a stage's results hang on."""
    return [
        os.path.relpath(path)
        for path in cama.workflow.code.code_files(f"cama.stages.{stage}")
    ]


def photographs():
    """What the manifest lists: the simulated cameras' folders, or every JPEG of the data set."""
    if SIMULATED:
        return expand(f"{RESULTS}/photographs/{{model}}", model=IN + OUT)
    found = sorted(
        str(p) for p in Path(ROOT).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")
    )
    for name in found:
        if re.search("[{}]|<[a-z][a-z0-9_]*>", name):
            sys.exit(
                f"config: dataset.root: found the name {name!r}, expected one without the braces or <...> that Snakemake reads"
            )
    return found


def patches(role, phase=PHASE):
    """The patch file of a role."""
    return f"{RESULTS}/patches/{role}-{phase}.h5"


def of_examiner(name, phase=PHASE):
    """The patch files that a target classifier trains on: with expanded labels those of the unknown models too."""
    roles = ["examiner"]
    if CONFIG.examiner.classifiers[name].labels == "expanded":
        roles.append("examiner_outdist")
    return [patches(role, phase) for role in roles]


def estimator_of(owner, nets, name):
    """The owner's own estimator, for the classifiers that need one."""
    needed = nets[name].net.needs_estimator
    return f"{RESULTS}/{owner}/estimator.safetensors" if needed else []


def examiners_estimator(name):
    """The examiner's own estimator, for the target classifiers that need one."""
    return estimator_of("examiner", CONFIG.examiner.classifiers, name)


def adversarys_estimator(name):
    """The adversary's E0, for the classifiers of E that need it."""
    return estimator_of("adversary", CONFIG.adversary.evaluators, name)


def evaluators(names):
    """Classifiers of E."""
    return [f"{RESULTS}/adversary/evaluators/{name}.safetensors" for name in names]


def generators(name):
    """All trainings of a generator."""
    return [
        f"{RESULTS}/adversary/generators/{run}.safetensors" for run in GENERATORS[name]
    ]


def of_generator(run):
    """The patch file that a generator's training draws from."""
    name, _ = cama.settings.stages.run_of(run)
    return patches("adversary", CONFIG.adversary.generators[name].phase or PHASE)


def evaluators_of(run):
    """The classifiers of E that a generator's training is judged by."""
    name, _ = cama.settings.stages.run_of(run)
    return evaluators(CONFIG.adversary.generators[name].evaluators)


def attack_inputs(method):
    """What a method needs beside the test photographs, all of it the adversary's; keys are the command's options."""
    chosen = METHODS[method]
    found = {}
    if chosen.generator:
        found["model"] = generators(chosen.generator)
    if chosen.evaluators:
        found["evaluators"] = evaluators(chosen.evaluators)
        found["match"] = [f"{RESULTS}/attacks/{chosen.match_psnr_of}.h5"]
    return found


def detect_inputs(method):
    """What a method needs to attack other pictures too, its bound once known: of several trainings the first."""
    found = {k: v for k, v in attack_inputs(method).items() if k != "match"}
    return found | ({"model": found["model"][:1]} if "model" in found else {})


def options(inputs):
    """Files as options of a command."""
    return [word for name, paths in inputs.items() for word in (f"--{name}", *paths)]


def detections():
    """The scores of all detectors."""
    return expand(
        f"{RESULTS}/detections/{{method}}.csv", method=CONFIG.detection.methods
    )


def device_matches():
    """All comparisons with device fingerprints."""
    return expand(f"{RESULTS}/devices/{{method}}.csv", method=CONFIG.detection.devices)


def by_attempt(first):
    """Minutes or megabytes of a job, more with each attempt."""
    return lambda wildcards, attempt: attempt * first


def launch(training):
    """The start of a training's command: this Python, or torch's launcher where it runs on several processes."""
    if training.processes == 1:
        return ["python"]
    launcher = "-m torch.distributed.run --standalone --nproc-per-node"
    return ["python", *launcher.split(), str(training.processes)]


def training_of(kind, wildcards):
    """How a network is trained."""
    if kind == "estimator":
        return getattr(CONFIG, wildcards.owner).estimator.training
    if kind == "generator":
        name, _ = cama.settings.stages.run_of(wildcards.generator)
        return CONFIG.adversary.generators[name].training
    if kind == "evaluator":
        return CONFIG.adversary.evaluators[wildcards.evaluator].training
    return CONFIG.examiner.classifiers[wildcards.name].training


def each_process(kind, amount):
    """Threads or GPUs of a training on several processes."""
    return lambda wildcards: amount * training_of(kind, wildcards).processes


def memory(kind=None, first=4000, share=2):
    """Megabytes for a job that holds a share of what its input files take, and up to where trainings stream them: for each
    process of a training of this kind, and more with each attempt.
    """

    def megabytes(wildcards, input, attempt):
        processes = training_of(kind, wildcards).processes if kind else 1
        return attempt * processes * int(min(first + share * input.size_mb, 64_000))

    return megabytes


def threads_of(method):
    """Attacks with networks compute with the threads of a training."""
    return TRAINING_THREADS if attack_inputs(method) else 1


def tables():
    """All tables."""
    return expand(
        f"{RESULTS}/tables/{{table}}.{{kind}}", table=TABLES, kind=["csv", "md", "tex"]
    )


def models():
    """The model files: one for each method that is a trained generator."""
    learned = [method for method, settings in METHODS.items() if settings.generator]
    return expand(f"{RESULTS}/models/{{method}}.safetensors", method=learned)


TRACES = ["detection"] if CONFIG.detection.methods else []
TRACES += ["devices"] if CONFIG.detection.devices else []
TABLES = ["summary", "transfer", "per_label"]
TABLES += ["paired"] if CONFIG.tables.baseline else []
TABLES += TRACES


def plots():
    """All plots that the methods of the config give."""
    names = ["success_psnr", "confusion", "curves"]
    names += ["per_label"] if SHOWN else []
    names += ["roc"] if CONFIG.detection.methods else []
    names += ["paired"] if CONFIG.tables.baseline else []
    names += ["saves"] if len(CONFIG.evaluation.saves) > 1 else []
    names += [f"samples_{method}_{kind}" for method in SHOWN for kind in KINDS]
    return expand(f"{RESULTS}/plots/{{plot}}.png", plot=names)


def curves():
    """The training curves of all that the methods and the target classifiers hang on."""
    trained = list(dict.fromkeys(m.generator for m in METHODS.values() if m.generator))
    used = [CONFIG.adversary.generators[name] for name in trained] + list(
        METHODS.values()
    )
    streams = list(dict.fromkeys(name for block in used for name in block.evaluators))
    adversary = [f"evaluators/{name}" for name in streams] + [
        f"generators/{run}" for name in trained for run in GENERATORS[name]
    ]
    adversary = (
        ["estimator"] if any(map(adversarys_estimator, streams)) else []
    ) + adversary
    examiner = ["estimator"] if any(map(examiners_estimator, F_NAMES)) else []
    return [
        *(f"{RESULTS}/adversary/{name}.csv" for name in adversary),
        *(f"{RESULTS}/examiner/{name}.csv" for name in examiner),
        *(f"{RESULTS}/classifiers/{name}.csv" for name in F_NAMES),
    ]


def control_inputs():
    """The classifier of the crop phase control, on either phase, and the test crops of the other phase."""
    if not CONTROL or PHASE == "random":
        return {}
    return {
        "aligned": f"{RESULTS}/classifiers/{CONTROL}.safetensors",
        "random": f"{RESULTS}/controls/{CONTROL}.safetensors",
        "random_test": patches("test", "random"),
    }
