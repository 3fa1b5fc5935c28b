# From cameras or a folder of photographs to patches.


rule simulate:
    input:
        code=code("simulate"),
    output:
        photographs=directory(f"{RESULTS}/photographs/{{model}}"),
        oracle=directory(f"{RESULTS}/oracle/{{model}}"),
    log:
        f"{RESULTS}/logs/simulate/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{model}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(30),
    params:
        spec=lambda wildcards: spec("simulate", model=wildcards.model),
    shell:
        "python -m cama stage simulate --spec {params.spec:q} --threads {threads}"
        " --out {output.photographs:q} --oracle {output.oracle:q} 2>&1 | tee {log:q}"


rule manifest:
    input:
        photographs=photographs(),
        code=code("manifest"),
    output:
        manifest=f"{RESULTS}/manifest.csv",
        broken=f"{RESULTS}/broken.csv",
    log:
        f"{RESULTS}/logs/manifest.log",
    benchmark:
        f"{RESULTS}/benchmarks/manifest.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(60),
    params:
        spec=spec("manifest"),
        folders=photographs() if SIMULATED else ROOT,
        root=lambda wildcards: ROOT,
    shell:
        "python -m cama stage manifest --spec {params.spec:q} --threads {threads} --photographs {params.folders:q}"
        " --root {params.root:q} --out {output.manifest:q} --broken {output.broken:q} 2>&1 | tee {log:q}"


rule split:
    input:
        manifest=f"{RESULTS}/manifest.csv",
        code=code("split"),
    output:
        f"{RESULTS}/splits-unchecked.csv",
    log:
        f"{RESULTS}/logs/split.log",
    benchmark:
        f"{RESULTS}/benchmarks/split.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        spec=spec("split"),
    shell:
        "python -m cama stage split --spec {params.spec:q} --threads {threads}"
        " --manifest {input.manifest:q} --out {output:q} 2>&1 | tee {log:q}"


rule check_split:
    input:
        splits=f"{RESULTS}/splits-unchecked.csv",
        code=code("split"),
    output:
        f"{RESULTS}/splits.csv",
    log:
        f"{RESULTS}/logs/check_split.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_split.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        spec=spec("split"),
    shell:
        "python -m cama stage check-split --spec {params.spec:q} --threads {threads}"
        " --splits {input.splits:q} --out {output:q} 2>&1 | tee {log:q}"


rule patches:
    input:
        splits=f"{RESULTS}/splits.csv",
        code=code("patches"),
    output:
        f"{RESULTS}/patches/{{role}}-{{phase}}.h5",
    log:
        f"{RESULTS}/logs/patches/{{role}}-{{phase}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/patches/{{role}}-{{phase}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(120),
    params:
        spec=lambda wildcards: spec(
            "patches", role=wildcards.role, phase=wildcards.phase
        ),
        root=lambda wildcards: ROOT,
    shell:
        "python -m cama stage patches --spec {params.spec:q} --threads {threads}"
        " --splits {input.splits:q} --root {params.root:q} --out {output:q} 2>&1 | tee {log:q}"


rule data:
    input:
        [patches(role) for role in ("adversary", "test", "test_outdist")],
        [of_examiner(name) for name in F_NAMES],
