# Each method on the test photographs. No attack has any of the examiner's files among its inputs.


rule attack:
    input:
        inside=patches("test"),
        outside=patches("test_outdist"),
        adversary=lambda wildcards: sum(attack_inputs(wildcards.method).values(), []),
        oracle=lambda wildcards: (
            expand(f"{RESULTS}/oracle/{{model}}", model=IN + OUT)
            if METHODS[wildcards.method].kind == "oracle"
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
    threads: lambda wildcards: threads_of(wildcards.method)
    resources:
        mem_mb=memory(share=0.5),
        runtime=by_attempt(240),
        gpu=lambda wildcards: GPU if attack_inputs(wildcards.method) else 0,
    params:
        spec=lambda wildcards: spec("attack", method=wildcards.method),
        adversary=lambda wildcards: options(attack_inputs(wildcards.method)),
        oracle=lambda wildcards: (
            ["--oracle", f"{RESULTS}/oracle"]
            if METHODS[wildcards.method].kind == "oracle"
            else []
        ),
    shell:
        "python -m cama stage attack --spec {params.spec:q} --threads {threads} --inside {input.inside:q}"
        " --outside {input.outside:q} {params.adversary:q} {params.oracle:q} --out {output:q} 2>&1 | tee {log:q}"


rule attacks:
    input:
        expand(f"{RESULTS}/attacks/{{method}}.h5", method=METHODS),
