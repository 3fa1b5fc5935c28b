# Judges, which others trained, on the files that the target classifiers got.


use rule stage as fit_judge with:
    input:
        plan.code("fit_judge"),
        lambda wildcards: plan.reference_photographs(wildcards.judge),
        unpack(lambda wildcards: plan.reference_inputs(wildcards.judge)),
    output:
        out=plan.path("judges/{judge}.safetensors"),
    log:
        plan.log("judges/{judge}"),
    benchmark:
        plan.benchmark("judges/{judge}")
    resources:
        **resources(runtime=60, mem_mb=8000),
    params:
        stage="fit-judge",
        spec=plan.spec("fit_judge"),


use rule stage as judge with:
    input:
        plan.code("judge"),
        unpack(lambda wildcards: plan.judgement_inputs(wildcards.judge)),
        rows=plan.path("rows/{method}.csv"),
        attacked=plan.path("attacks/{method}.h5"),
    output:
        out=plan.path("judgements/{judge}/{method}.csv"),
    log:
        plan.log("judgements/{judge}/{method}"),
    benchmark:
        plan.benchmark("judgements/{judge}/{method}")
    resources:
        **resources(runtime=240, mem_mb=8000),
    params:
        stage="judge",
        spec=lambda wildcards: plan.spec("judge", **wildcards),
