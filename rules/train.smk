# The adversary's and the examiner's networks. Nothing of the one is an input of the other.
# Priority goes to the longest path. State for resuming lies in an undeclared folder: Snakemake deletes declared outputs when a job starts.


rule train_estimator:
    input:
        patches=lambda wildcards: patches(wildcards.owner),
        code=code("train_estimator"),
    output:
        model=f"{RESULTS}/{{owner}}/estimator.safetensors",
        curve=f"{RESULTS}/{{owner}}/estimator.csv",
    log:
        f"{RESULTS}/logs/{{owner}}/estimator.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{owner}}/estimator.tsv"
    priority: 10
    conda:
        "../envs/cama.yaml"
    threads: each_process("estimator", 1)
    resources:
        mem_mb=memory("estimator"),
        runtime=by_attempt(720),
        gpu=each_process("estimator", GPU),
    params:
        python=lambda wildcards: launch(training_of("estimator", wildcards)),
        spec=lambda wildcards: spec("estimator", owner=wildcards.owner),
        state=lambda wildcards: f"{RESULTS}/state/{wildcards.owner}/estimator",
    shell:
        "{params.python} -m cama stage train-estimator --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " --out {output.model:q} --curve {output.curve:q} --state {params.state:q} 2>&1 | tee {log:q}"


rule train_evaluator:
    input:
        patches=patches("adversary"),
        estimator=lambda wildcards: adversarys_estimator(wildcards.evaluator),
        code=code("train_classifier"),
    output:
        model=f"{RESULTS}/adversary/evaluators/{{evaluator}}.safetensors",
        curve=f"{RESULTS}/adversary/evaluators/{{evaluator}}.csv",
    log:
        f"{RESULTS}/logs/adversary/evaluators/{{evaluator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/adversary/evaluators/{{evaluator}}.tsv"
    priority: 10
    conda:
        "../envs/cama.yaml"
    threads: each_process("evaluator", 1)
    resources:
        mem_mb=memory("evaluator"),
        runtime=by_attempt(1440),
        gpu=each_process("evaluator", GPU),
    params:
        python=lambda wildcards: launch(training_of("evaluator", wildcards)),
        spec=lambda wildcards: spec("evaluator", name=wildcards.evaluator),
        estimator=lambda wildcards, input: (
            ["--estimator", input.estimator] if input.estimator else []
        ),
        state=lambda wildcards: f"{RESULTS}/state/adversary/evaluators/{wildcards.evaluator}",
    shell:
        "{params.python} -m cama stage train-classifier --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " {params.estimator:q} --out {output.model:q} --curve {output.curve:q}"
        " --state {params.state:q} 2>&1 | tee {log:q}"


rule train_generator:
    input:
        patches=lambda wildcards: of_generator(wildcards.generator),
        evaluators=lambda wildcards: evaluators_of(wildcards.generator),
        code=code("train_generator"),
    output:
        generator=f"{RESULTS}/adversary/generators/{{generator}}.safetensors",
        discriminators=f"{RESULTS}/adversary/discriminators/{{generator}}.safetensors",
        curve=f"{RESULTS}/adversary/generators/{{generator}}.csv",
    log:
        f"{RESULTS}/logs/adversary/generators/{{generator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/adversary/generators/{{generator}}.tsv"
    priority: 10
    conda:
        "../envs/cama.yaml"
    threads: each_process("generator", TRAINING_THREADS)
    resources:
        mem_mb=memory("generator"),
        runtime=by_attempt(2880),
        gpu=each_process("generator", GPU),
    params:
        python=lambda wildcards: launch(training_of("generator", wildcards)),
        spec=lambda wildcards: spec("generator", name=wildcards.generator),
        state=lambda wildcards: f"{RESULTS}/state/adversary/generators/{wildcards.generator}",
    shell:
        "{params.python} -m cama stage train-generator --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " --evaluators {input.evaluators:q} --out {output.generator:q}"
        " --discriminators {output.discriminators:q} --curve {output.curve:q}"
        " --state {params.state:q} 2>&1 | tee {log:q}"


rule train_classifier:
    input:
        patches=lambda wildcards: of_examiner(wildcards.name),
        estimator=lambda wildcards: examiners_estimator(wildcards.name),
        code=code("train_classifier"),
    output:
        model=f"{RESULTS}/classifiers/{{name}}.safetensors",
        curve=f"{RESULTS}/classifiers/{{name}}.csv",
    log:
        f"{RESULTS}/logs/classifiers/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/classifiers/{{name}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: each_process("classifier", 1)
    resources:
        mem_mb=memory("classifier"),
        runtime=by_attempt(1440),
        gpu=each_process("classifier", GPU),
    params:
        python=lambda wildcards: launch(training_of("classifier", wildcards)),
        spec=lambda wildcards: spec("classifier", name=wildcards.name),
        estimator=lambda wildcards, input: (
            ["--estimator", input.estimator] if input.estimator else []
        ),
        state=lambda wildcards: f"{RESULTS}/state/classifiers/{wildcards.name}",
    shell:
        "{params.python} -m cama stage train-classifier --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " {params.estimator:q} --out {output.model:q} --curve {output.curve:q}"
        " --state {params.state:q} 2>&1 | tee {log:q}"


# The control: one F once more, on crops of random phase.
use rule train_classifier as train_control with:
    input:
        patches=lambda wildcards: of_examiner(wildcards.name, "random"),
        estimator=lambda wildcards: examiners_estimator(wildcards.name),
        code=code("train_classifier"),
    output:
        model=f"{RESULTS}/controls/{{name}}.safetensors",
        curve=f"{RESULTS}/controls/{{name}}.csv",
    log:
        f"{RESULTS}/logs/controls/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/controls/{{name}}.tsv"
    params:
        python=lambda wildcards: launch(training_of("classifier", wildcards)),
        spec=lambda wildcards: spec("classifier", name=wildcards.name),
        estimator=lambda wildcards, input: (
            ["--estimator", input.estimator] if input.estimator else []
        ),
        state=lambda wildcards: f"{RESULTS}/state/controls/{wildcards.name}",


rule adversary:
    input:
        evaluators(EVALUATORS),
        expand(
            f"{RESULTS}/adversary/generators/{{generator}}.safetensors",
            generator=sum(GENERATORS.values(), []),
        ),


rule examiner:
    input:
        expand(f"{RESULTS}/classifiers/{{name}}.safetensors", name=F_NAMES),
