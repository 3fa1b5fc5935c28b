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
    threads: 1
    resources:
        mem_mb=4000,
        runtime=720,
        gpu=GPU,
    params:
        spec=lambda wildcards: spec("estimator", owner=wildcards.owner),
        state=lambda wildcards: f"{RESULTS}/state/{wildcards.owner}/estimator",
    shell:
        "python -m cama train-estimator --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " --out {output.model:q} --curve {output.curve:q} --state {params.state:q} 2>&1 | tee {log:q}"


rule train_evaluator:
    input:
        patches=patches("adversary"),
        estimator=f"{RESULTS}/adversary/estimator.safetensors",
        code=code("train_classifier"),
    output:
        model=f"{RESULTS}/adversary/evaluator_{{stream}}.safetensors",
        curve=f"{RESULTS}/adversary/evaluator_{{stream}}.csv",
    log:
        f"{RESULTS}/logs/adversary/evaluator_{{stream}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/adversary/evaluator_{{stream}}.tsv"
    priority: 10
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=1440,
        gpu=GPU,
    params:
        spec=lambda wildcards: spec("evaluator", stream=wildcards.stream),
        state=lambda wildcards: f"{RESULTS}/state/adversary/evaluator_{wildcards.stream}",
    shell:
        "python -m cama train-classifier --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " --estimator {input.estimator:q} --out {output.model:q} --curve {output.curve:q}"
        " --state {params.state:q} 2>&1 | tee {log:q}"


rule train_cama:
    input:
        patches=patches("adversary"),
        high=f"{RESULTS}/adversary/evaluator_high.safetensors",
        low=f"{RESULTS}/adversary/evaluator_low.safetensors",
        code=code("train_cama"),
    output:
        generator=f"{RESULTS}/adversary/generator.safetensors",
        discriminator=f"{RESULTS}/adversary/discriminator.safetensors",
        curve=f"{RESULTS}/adversary/cama.csv",
    log:
        f"{RESULTS}/logs/adversary/cama.log",
    benchmark:
        f"{RESULTS}/benchmarks/adversary/cama.tsv"
    priority: 10
    conda:
        "../envs/cama.yaml"
    threads: TRAINING_THREADS
    resources:
        mem_mb=4000,
        runtime=2880,
        gpu=GPU,
    params:
        spec=spec("cama"),
        state=f"{RESULTS}/state/adversary/cama",
    shell:
        "python -m cama train-cama --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " --high {input.high:q} --low {input.low:q} --out {output.generator:q}"
        " --discriminator {output.discriminator:q} --curve {output.curve:q}"
        " --state {params.state:q} 2>&1 | tee {log:q}"


rule train_classifier:
    input:
        patches=patches("examiner"),
        estimator=lambda wildcards: estimator_of(wildcards.name),
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
    threads: 1
    resources:
        mem_mb=4000,
        runtime=1440,
        gpu=GPU,
    params:
        spec=lambda wildcards: spec("classifier", name=wildcards.name),
        estimator=lambda wildcards, input: (
            ["--estimator", input.estimator] if input.estimator else []
        ),
        state=lambda wildcards: f"{RESULTS}/state/classifiers/{wildcards.name}",
    shell:
        "python -m cama train-classifier --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " {params.estimator:q} --out {output.model:q} --curve {output.curve:q}"
        " --state {params.state:q} 2>&1 | tee {log:q}"


# The control: one F once more, on crops of random phase.
use rule train_classifier as train_control with:
    input:
        patches=patches("examiner", "random"),
        estimator=lambda wildcards: estimator_of(wildcards.name),
        code=code("train_classifier"),
    output:
        model=f"{RESULTS}/controls/{{name}}.safetensors",
        curve=f"{RESULTS}/controls/{{name}}.csv",
    log:
        f"{RESULTS}/logs/controls/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/controls/{{name}}.tsv"
    params:
        spec=lambda wildcards: spec("classifier", name=wildcards.name),
        estimator=lambda wildcards, input: (
            ["--estimator", input.estimator] if input.estimator else []
        ),
        state=lambda wildcards: f"{RESULTS}/state/controls/{wildcards.name}",


rule adversary:
    input:
        f"{RESULTS}/adversary/generator.safetensors",


rule examiner:
    input:
        expand(f"{RESULTS}/classifiers/{{name}}.safetensors", name=F_NAMES),
