# Tables, plots, controls and the report, all recomputed from rows.


rule tables:
    input:
        rows=expand(f"{RESULTS}/rows/{{method}}.csv", method=METHODS),
        detections=detections(),
        devices=device_matches(),
        code=code("tables"),
    output:
        [
            report(
                f"{RESULTS}/tables/{table}.csv",
                category="Tables",
                caption=f"captions/{'traces' if table in TRACES else 'tables'}.rst",
            )
            for table in TABLES
        ],
        expand(f"{RESULTS}/tables/{{table}}.{{kind}}", table=TABLES, kind=["md", "tex"]),
    log:
        f"{RESULTS}/logs/tables.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=memory(first=2000, share=12),
        runtime=by_attempt(30),
    params:
        spec=spec("tables"),
        more=lambda wildcards, input: options(
            {name: input[name] for name in ("detections", "devices") if input[name]}
        ),
        out=lambda wildcards, output: os.path.dirname(output[0]),
    shell:
        "python -m cama stage tables --spec {params.spec:q} --threads {threads} --rows {input.rows:q}"
        " {params.more:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule plots:
    input:
        rows=expand(f"{RESULTS}/rows/{{method}}.csv", method=METHODS),
        detections=detections(),
        tables=tables(),
        curves=curves(),
        attacked=expand(f"{RESULTS}/attacks/{{method}}.h5", method=SHOWN),
        inside=patches("test"),
        outside=patches("test_outdist"),
        code=code("plots"),
    output:
        [
            report(
                path,
                category="Plots",
                caption=f"captions/{Path(path).stem.partition('_')[0]}.rst",
                labels={"plot": Path(path).stem},
            )
            for path in plots()
        ],
    log:
        f"{RESULTS}/logs/plots.log",
    benchmark:
        f"{RESULTS}/benchmarks/plots.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=memory(first=2000, share=0.5),
        runtime=by_attempt(30),
    params:
        spec=spec("plots"),
        tables=lambda wildcards, input: os.path.dirname(input.tables[0]),
        more=lambda wildcards, input: options(
            {name: input[name] for name in ("attacked", "detections") if input[name]}
            | (
                {"paired": [f"{RESULTS}/tables/paired.csv"]}
                if CONFIG.tables.baseline
                else {}
            )
        ),
        out=lambda wildcards, output: os.path.dirname(output[0]),
    shell:
        "python -m cama stage plots --spec {params.spec:q} --threads {threads} --rows {input.rows:q}"
        " --tables {params.tables:q} --curves {input.curves:q} {params.more:q} --inside {input.inside:q}"
        " --outside {input.outside:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule controls:
    input:
        **control_inputs(),
        splits=f"{RESULTS}/splits.csv",
        inside=patches("test"),
        code=code("controls"),
    output:
        report(
            expand(
                f"{RESULTS}/controls/{{table}}.csv",
                table=["controls", "photographs", "cameras"],
            ),
            category="Controls",
            caption="captions/controls.rst",
        ),
    log:
        f"{RESULTS}/logs/controls.log",
    benchmark:
        f"{RESULTS}/benchmarks/controls.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=memory(first=2000, share=0.5),
        runtime=by_attempt(30),
        gpu=GPU if CONTROL else 0,
    params:
        spec=spec("controls"),
        root=lambda wildcards: ROOT,
        phases=[
            word
            for name, path in control_inputs().items()
            for word in (f"--{name.replace('_', '-')}", path)
        ],
        out=lambda wildcards, output: os.path.dirname(output[0]),
    shell:
        "python -m cama stage controls --spec {params.spec:q} --threads {threads} --splits {input.splits:q}"
        " --root {params.root:q} --inside {input.inside:q} {params.phases:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule report:
    input:
        splits=f"{RESULTS}/splits.csv",
        broken=f"{RESULTS}/broken.csv",
        tables=tables(),
        plots=plots(),
        controls=expand(
            f"{RESULTS}/controls/{{table}}.csv",
            table=["controls", "photographs", "cameras"],
        ),
        code=code("report"),
    output:
        report(
            f"{RESULTS}/report/index.html",
            category="Report",
            caption="captions/report.rst",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        spec=spec("report"),
        tables=lambda wildcards, input: os.path.dirname(input.tables[0]),
        plots=lambda wildcards, input: os.path.dirname(input.plots[0]),
        controls=lambda wildcards, input: os.path.dirname(input.controls[0]),
    shell:
        "python -m cama stage report --spec {params.spec:q} --threads {threads} --splits {input.splits:q}"
        " --broken {input.broken:q} --tables {params.tables:q} --plots {params.plots:q}"
        " --controls {params.controls:q} --out {output:q} 2>&1 | tee {log:q}"


# Of several trainings the first goes into the model file, with what was measured over all, and their number.
rule package:
    input:
        model=lambda wildcards: generators(METHODS[wildcards.method].generator),
        evaluators=lambda wildcards: evaluators_of(METHODS[wildcards.method].generator),
        splits=f"{RESULTS}/splits.csv",
        tables=tables(),
        code=code("package"),
    output:
        f"{RESULTS}/models/{{method}}.safetensors",
    log:
        f"{RESULTS}/logs/models/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/models/{{method}}.tsv"
    conda:
        "../envs/cama.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        spec=lambda wildcards: spec("package", method=wildcards.method),
        root=lambda wildcards: ROOT,
        tables=lambda wildcards, input: os.path.dirname(input.tables[0]),
    shell:
        "python -m cama stage package --spec {params.spec:q} --threads {threads} --model {input.model:q}"
        " --evaluators {input.evaluators:q} --splits {input.splits:q} --root {params.root:q}"
        " --tables {params.tables:q} --out {output:q} 2>&1 | tee {log:q}"


rule models:
    input:
        models(),
