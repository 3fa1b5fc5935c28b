# Each method on the test photographs. No attack reads a file of the examiner.


use rule stage as attack with:
    input:
        unpack(lambda wildcards: plan.attack_inputs(wildcards.method)),
        plan.code("attack"),
        lambda wildcards: plan.attack_files(wildcards.method),
        **plan.tests(),
    output:
        out=plan.path("attacks/{method}.h5"),
    log:
        plan.log("attacks/{method}"),
    benchmark:
        plan.benchmark("attacks/{method}")
    priority: 10
    resources:
        **resources(runtime=240, mem_mb=4000, share=0.5),
        gpu=plan.attack_gpus,
    params:
        stage="attack",
        spec=lambda wildcards: plan.spec("attack", method=wildcards.method),
        files=options("oracle"),
