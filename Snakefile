# From photographs to tables, plots and a report. `snakemake --cores all` makes everything, and
# each stage has a target of its own: data, adversary, examiner, attacks, evaluation, detection, tables, plots,
# controls, report, models.
#
# As a module of another workflow, where this package is installed. Files go to `results` of the config, since Snakemake's `prefix` is
# not supported; `--workflow-profile path/to/profiles/default` brings the settings of one machine along:
#   configfile: "path/to/config.yaml"
#   configfile: "an-overlay.yaml"
#   module cama:
#       snakefile: "path/to/Snakefile"
#       config: config
#   use rule * from cama
#   onsuccess: cama.onsuccess()
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/attack.smk"
include: "rules/evaluate.smk"
include: "rules/detect.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        plan.page(),
        plan.tables(),
        plan.model_files(),


rule data:
    input:
        [plan.patches(role) for role in ("adversary", "test", "test_outdist")],
        *plan.tests().values(),
        [plan.classifier_patches(name) for name in plan.config.examiner.classifiers],


rule adversary:
    input:
        plan.evaluators(),
        plan.all_generators(),


rule examiner:
    input:
        plan.classifiers(),


rule attacks:
    input:
        plan.attacked(),


rule evaluation:
    input:
        plan.rows(),


rule detection:
    input:
        plan.detections(),
        plan.devices(),


rule models:
    input:
        plan.model_files(),


# States of trainings are deleted only now: until the run has ended, a lost result can be made again from its state.
onsuccess:
    delete_finished(Path(plan.path("state")))
