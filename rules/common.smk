# What the rules share: the plan of the checked config, and the rule that they are made from.
import os
import sys

# Jobs run this interpreter, also where its environment was not activated.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()])
)

from cama.core.errors import CamaError
from cama.storage.finished_states import delete_finished
from cama.workflow.jobs import options, resources
from cama.workflow.plan import make_plan

try:
    plan = make_plan(config)
except CamaError as error:
    sys.exit(str(error))


wildcard_constraints:
    **plan.wildcards(),


# What all stages share; it is never run by itself. The names of a rule's inputs and outputs are options of its stage: what is
# read without being an option has no name. `params.more` adds options that are no inputs or outputs.
rule stage:
    log:
        plan.log("stage"),
    benchmark:
        plan.benchmark("stage")
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        **resources(runtime=10),
    params:
        python="python",
        files=options(),
        more=[],
    shell:
        "{params.python} -m cama stage {params.stage} --spec {params.spec:q} --threads {threads}"
        " {params.files:q} {params.more:q} 2>&1 | tee {log:q}"


# What all trainings share. Their state lies in a folder that is no output, since Snakemake deletes outputs when a job starts.
# Estimators come first, then the adversary's, because the longest chain of jobs goes through them, and then F, which scores wait for.
use rule stage as training with:
    priority: 10
    params:
        more=lambda wildcards, output: plan.state(output.out),
