# Where the two owners meet: the adversary's pictures under the examiner's classifiers, one row for each.


rule evaluate:
    input:
        attacked=f"{RESULTS}/attacks/{{method}}.h5",
        inside=patches("test"),
        outside=patches("test_outdist"),
        classifiers=expand(f"{RESULTS}/classifiers/{{name}}.safetensors", name=F_NAMES),
        lpips=CONFIG.evaluation.lpips or [],
        code=code("evaluate"),
    output:
        f"{RESULTS}/rows/{{method}}.csv",
    log:
        f"{RESULTS}/logs/rows/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rows/{{method}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=memory(share=0.5),
        runtime=by_attempt(240),
        gpu=GPU,
    params:
        spec=lambda wildcards: spec("evaluate", method=wildcards.method),
    shell:
        "python -m cama stage evaluate --spec {params.spec:q} --threads {threads} --attacked {input.attacked:q}"
        " --inside {input.inside:q} --outside {input.outside:q} --classifiers {input.classifiers:q}"
        " --out {output:q} 2>&1 | tee {log:q}"


rule evaluation:
    input:
        expand(f"{RESULTS}/rows/{{method}}.csv", method=METHODS),
