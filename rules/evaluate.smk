# Where the two owners meet: the adversary's pictures under the examiner's classifiers, one row for each.


use rule stage as evaluate with:
    input:
        plan.code("evaluate"),
        plan.config.evaluation.lpips or [],
        **(plan.tests() | plan.delivery_inputs()),
        attacked=plan.path("attacks/{method}.h5"),
        classifiers=lambda wildcards: plan.classifiers(wildcards.method),
    output:
        out=plan.path("rows/{method}.csv"),
    log:
        plan.log("rows/{method}"),
    benchmark:
        plan.benchmark("rows/{method}")
    resources:
        **resources(runtime=240, mem_mb=4000, share=0.5),
        gpu=plan.gpus,
    params:
        stage="evaluate",
        spec=lambda wildcards: plan.spec("evaluate", method=wildcards.method),
