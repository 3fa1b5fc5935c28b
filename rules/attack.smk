# Each method on the test photographs. No attack has any of the examiner's files among its inputs.


rule attack:
    input:
        inside=patches("test"),
        outside=patches("test_outdist"),
        model=lambda wildcards: (
            f"{RESULTS}/adversary/generator.safetensors"
            if wildcards.method == "cama"
            else []
        ),
        oracle=lambda wildcards: (
            expand(f"{RESULTS}/oracle/{{model}}", model=IN + OUT)
            if wildcards.method == "oracle"
            else []
        ),
        code=code("attack"),
    output:
        f"{RESULTS}/attacks/{{method}}.h5",
    log:
        f"{RESULTS}/logs/attacks/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/attacks/{{method}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: lambda wildcards: TRAINING_THREADS if wildcards.method == "cama" else 1
    resources:
        mem_mb=4000,
        runtime=240,
        gpu=lambda wildcards: GPU if wildcards.method == "cama" else 0,
    params:
        spec=lambda wildcards: spec("attack", method=wildcards.method),
        model=lambda wildcards, input: ["--model", input.model] if input.model else [],
        oracle=lambda wildcards: (
            ["--oracle", f"{RESULTS}/oracle"] if wildcards.method == "oracle" else []
        ),
    shell:
        "python -m cama attack --spec {params.spec:q} --threads {threads} --inside {input.inside:q}"
        " --outside {input.outside:q} {params.model:q} {params.oracle:q} --out {output:q} 2>&1 | tee {log:q}"


rule attacks:
    input:
        expand(f"{RESULTS}/attacks/{{method}}.h5", method=METHODS),
