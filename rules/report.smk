# Tables, plots, controls and the report, all made from rows alone, and the model files.


use rule stage as tables with:
    input:
        plan.code("tables"),
        **plan.table_inputs(),
    output:
        plan.tables("md", "tex"),
        out=[report(path, **plan.caption(path)) for path in plan.tables("csv")],
    log:
        plan.log("tables"),
    benchmark:
        plan.benchmark("tables")
    resources:
        **resources(runtime=30, mem_mb=2000, share=12),
    params:
        stage="tables",
        spec=plan.spec("tables"),
        files=options("out"),


use rule stage as plots with:
    input:
        plan.code("plots"),
        **plan.plot_inputs(),
        rows=plan.rows(),
        tables=plan.tables(),
        curves=plan.curves(),
    output:
        out=[report(path, **plan.caption(path)) for path in plan.plots()],
    log:
        plan.log("plots"),
    benchmark:
        plan.benchmark("plots")
    resources:
        **resources(runtime=30, mem_mb=2000, share=0.5),
    params:
        stage="plots",
        spec=plan.spec("plots"),
        files=options("tables", "out"),


use rule stage as controls with:
    input:
        [*plan.scenes, *plan.code("controls")],
        splits=plan.path("splits.csv"),
        inside=plan.patches("test"),
        classifiers=plan.uninformed_classifiers(),
    output:
        out=[report(path, **plan.caption(path)) for path in plan.controls()],
    log:
        plan.log("controls"),
    benchmark:
        plan.benchmark("controls")
    resources:
        **resources(runtime=30, mem_mb=2000, share=0.5),
        gpu=plan.gpus,
    params:
        stage="controls",
        spec=plan.spec("controls"),
        files=options("out"),
        more=lambda wildcards: plan.root_option(),


use rule stage as report with:
    input:
        plan.code("report"),
        splits=plan.path("splits.csv"),
        broken=plan.path("broken.csv"),
        tables=plan.tables(),
        plots=plan.plots(),
        controls=plan.controls(),
    output:
        out=report(plan.page(), **plan.caption(plan.page())),
    log:
        plan.log("report"),
    benchmark:
        plan.benchmark("report")
    resources:
        **resources(runtime=10),
    params:
        stage="report",
        spec=plan.spec("report"),
        files=options("tables", "plots", "controls"),


# Of several trainings the model file holds the first, what was measured over all, and their number.
use rule stage as package with:
    input:
        plan.code("package"),
        unpack(lambda wildcards: plan.package_inputs(wildcards.method)),
        splits=plan.path("splits.csv"),
        profiles=plan.path("adversary/profiles"),
        tables=plan.tables(),
    output:
        out=plan.path("models/{method}.safetensors"),
    log:
        plan.log("models/{method}"),
    benchmark:
        plan.benchmark("models/{method}")
    resources:
        **resources(runtime=60, mem_mb=2000),
    params:
        stage="package",
        spec=lambda wildcards: plan.spec("package", method=wildcards.method),
        files=options("tables"),
