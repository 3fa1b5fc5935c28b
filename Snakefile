# From photographs to tables, plots and a report. `snakemake --cores all` runs everything;
# each stage has a target of its own: data, adversary, examiner, attacks, evaluation, detection, tables, plots,
# controls, report, models.
import shutil

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "rules/common.smk"


rule all:
    default_target: True
    input:
        f"{RESULTS}/report/index.html",
        tables(),
        models(),


onsuccess:
    # the states of trainings whose results Snakemake has taken; until then a lost one could be written anew from its state
    for done in list(Path(RESULTS, "state").rglob("done")):
        shutil.rmtree(done.parent, ignore_errors=True)


include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/attack.smk"
include: "rules/evaluate.smk"
include: "rules/detect.smk"
include: "rules/report.smk"
