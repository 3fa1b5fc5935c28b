# What an attack leaves to be seen: whether it was attacked, and by which device it was taken.


rule detect:
    input:
        patches=patches("adversary"),
        inside=patches("test"),
        outside=patches("test_outdist"),
        attacked=f"{RESULTS}/attacks/{{method}}.h5",
        adversary=lambda wildcards: sum(detect_inputs(wildcards.method).values(), []),
        code=code("detect"),
    output:
        scores=f"{RESULTS}/detections/{{method}}.csv",
        curve=f"{RESULTS}/detections/curves/{{method}}.csv",
    log:
        f"{RESULTS}/logs/detections/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/detections/{{method}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=memory(),
        runtime=by_attempt(720),
        gpu=GPU,
    params:
        spec=lambda wildcards: spec("detect", method=wildcards.method),
        adversary=lambda wildcards: options(detect_inputs(wildcards.method)),
        state=lambda wildcards: f"{RESULTS}/state/detections/{wildcards.method}",
    shell:
        "python -m cama stage detect --spec {params.spec:q} --threads {threads} --patches {input.patches:q}"
        " --inside {input.inside:q} --outside {input.outside:q} --attacked {input.attacked:q} {params.adversary:q}"
        " --curve {output.curve:q} --state {params.state:q} --out {output.scores:q} 2>&1 | tee {log:q}"


rule devices:
    input:
        inside=patches("test"),
        outside=patches("test_outdist"),
        attacked=f"{RESULTS}/attacks/{{method}}.h5",
        code=code("devices"),
    output:
        f"{RESULTS}/devices/{{method}}.csv",
    log:
        f"{RESULTS}/logs/devices/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/devices/{{method}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=memory(first=2000, share=0.5),
        runtime=by_attempt(240),
    params:
        spec=lambda wildcards: spec("devices", method=wildcards.method),
    shell:
        "python -m cama stage devices --spec {params.spec:q} --threads {threads} --inside {input.inside:q}"
        " --outside {input.outside:q} --attacked {input.attacked:q} --out {output:q} 2>&1 | tee {log:q}"


rule detection:
    input:
        detections(),
        device_matches(),
