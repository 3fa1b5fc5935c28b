# From photographs to tables, plots and a report. `snakemake --cores all` makes everything, and
# each stage has a target of its own: data, adversary, examiner, attacks, evaluation, detection, tables, plots,
# controls, report, models. With several catalogues of cameras each has these targets, as catalogue_SEED_data and so on.
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
from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "rules/common.smk"


if plan.joined:

    include: "rules/catalogues.smk"

else:

    include: "rules/catalogue.smk"


rule all:
    default_target: True
    input:
        plan.results(),


# States of trainings are deleted only now: until the run has ended, a lost result can be made again from its state.
onsuccess:
    for state in plan.states():
        delete_finished(state)
