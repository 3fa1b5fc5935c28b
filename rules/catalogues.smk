# The experiment on several catalogues of simulated cameras: the whole workflow once for each, as a module, and tables and a page over all.


for part, one in plan.catalogues.items():

    module:
        name: part
        snakefile:
            "../Snakefile"
        config:
            one.config.model_dump(mode="json")

    prefix = f"{part}_"

    use rule * from part as prefix*


use rule stage as join with:
    input:
        plan.code("join"),
        plan.pages(),
        **plan.join_inputs(),
    output:
        plan.joined_tables("md", "tex"),
        out=[report(path, **plan.caption(path)) for path in plan.joined_tables("csv")],
        page=report(plan.page(), **plan.caption(plan.page())),
    log:
        plan.log("join"),
    benchmark:
        plan.benchmark("join")
    resources:
        **resources(runtime=30, mem_mb=2000, share=12),
    params:
        stage="join",
        spec=plan.spec("join"),
        files=options("out"),
