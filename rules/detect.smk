# What an attack leaves in a photograph: whether it shows that it was attacked, and by which device it was taken.


# Those who learn to see an attack learn from the examiner's photographs, of which no attack reads anything.
use rule stage as examples with:
    input:
        unpack(lambda wildcards: plan.example_inputs(wildcards.attacker)),
        plan.code("examples"),
        **plan.delivery_inputs(),
        splits=plan.path("splits.csv"),
    output:
        out=plan.path("examples/{attacker}.h5"),
    log:
        plan.log("examples/{attacker}"),
    benchmark:
        plan.benchmark("examples/{attacker}")
    resources:
        **resources(runtime=240, mem_mb=4000, share=0.5),
        gpu=plan.attack_gpus,
    params:
        stage="examples",
        spec=lambda wildcards: plan.spec("examples", attacker=wildcards.attacker),
        more=lambda wildcards: plan.root_option(),


use rule stage as detect with:
    input:
        plan.code("detect"),
        **(plan.tests() | plan.delivery_inputs()),
        examples=plan.path("examples/{method}.h5"),
        attacked=plan.path("attacks/{method}.h5"),
    output:
        out=plan.path("detections/{method}.csv"),
        curve=plan.path("detections/curves/{method}.csv"),
    log:
        plan.log("detections/{method}"),
    benchmark:
        plan.benchmark("detections/{method}")
    resources:
        **resources(runtime=720, mem_mb=4000, share=4),
        gpu=plan.gpus,
    params:
        stage="detect",
        spec=lambda wildcards: plan.spec("detect", method=wildcards.method),
        more=lambda wildcards, output: plan.state(output.out),


use rule stage as devices with:
    input:
        plan.code("devices"),
        **plan.tests(),
        attacked=plan.path("attacks/{method}.h5"),
    output:
        out=plan.path("devices/{method}.csv"),
    log:
        plan.log("devices/{method}"),
    benchmark:
        plan.benchmark("devices/{method}")
    resources:
        **resources(runtime=240, mem_mb=2000, share=0.5),
    params:
        stage="devices",
        spec=lambda wildcards: plan.spec("devices", method=wildcards.method),
