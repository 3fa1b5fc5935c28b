# From cameras or a folder of photographs to patches.


use rule stage as simulate with:
    input:
        plan.scenes,
        plan.code("simulate"),
    output:
        out=directory(plan.path("photographs/{model}")),
        oracle=directory(plan.path("oracle/{model}")),
    log:
        plan.log("simulate/{model}"),
    benchmark:
        plan.benchmark("simulate/{model}")
    resources:
        **resources(runtime=30),
    params:
        stage="simulate",
        spec=lambda wildcards: plan.spec("simulate", model=wildcards.model),


use rule stage as manifest with:
    input:
        plan.photographs,
        plan.code("manifest"),
    output:
        out=plan.path("manifest.csv"),
        broken=plan.path("broken.csv"),
    log:
        plan.log("manifest"),
    benchmark:
        plan.benchmark("manifest")
    resources:
        **resources(runtime=60),
    params:
        stage="manifest",
        spec=plan.spec("manifest"),
        more=lambda wildcards: plan.manifest_options(),


use rule stage as split with:
    input:
        plan.code("split"),
        manifest=plan.path("manifest.csv"),
    output:
        out=plan.path("splits-unchecked.csv"),
    log:
        plan.log("split"),
    benchmark:
        plan.benchmark("split")
    params:
        stage="split",
        spec=plan.spec("split"),


use rule split as check_split with:
    input:
        plan.code("split"),
        splits=plan.path("splits-unchecked.csv"),
        started=plan.start_splits(),
    output:
        out=plan.path("splits.csv"),
    log:
        plan.log("check_split"),
    benchmark:
        plan.benchmark("check_split")
    params:
        stage="check-split",


use rule stage as patches with:
    input:
        plan.code("patches"),
        splits=plan.path("splits.csv"),
    output:
        out=plan.path("patches/{role}-{phase}.h5"),
    log:
        plan.log("patches/{role}-{phase}"),
    benchmark:
        plan.benchmark("patches/{role}-{phase}")
    resources:
        **resources(runtime=120, mem_mb=2000),
    params:
        stage="patches",
        spec=lambda wildcards: plan.spec("patches", **wildcards),
        more=lambda wildcards: plan.root_option(),


# How the cameras build their files, by the photographs of the adversary or by whole originals; of simulated ones the same.
use rule stage as profiles with:
    input:
        plan.code("profiles"),
        splits=plan.path("splits.csv"),
        originals=plan.originals,
    output:
        out=directory(plan.path("adversary/profiles")),
    log:
        plan.log("adversary/profiles"),
    benchmark:
        plan.benchmark("adversary/profiles")
    priority: 30  # it takes a moment, and a training may wait for it
    resources:
        **resources(runtime=60),
    params:
        stage="profiles",
        spec=plan.spec("profiles"),
        more=lambda wildcards: plan.root_option(),
