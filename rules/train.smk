# The networks of the adversary and of the examiner. Neither owner reads a network or a patch of the other.


use rule training as train_estimator with:
    input:
        plan.code("train_estimator"),
        patches=lambda wildcards: plan.patches(wildcards.owner),
        start=lambda wildcards: plan.estimator_start(wildcards.owner),
    output:
        out=plan.path("{owner}/estimator.safetensors"),
        curve=plan.path("{owner}/estimator.csv"),
    log:
        plan.log("{owner}/estimator"),
    benchmark:
        plan.benchmark("{owner}/estimator")
    priority: 20
    threads: plan.training_threads("estimator")
    resources:
        **plan.training_resources("estimator", runtime=720),
    params:
        stage="train-estimator",
        spec=lambda wildcards: plan.spec("estimator", owner=wildcards.owner),
        python=plan.python("estimator"),


# As E0 is trained, on noise that was added; only `purify` reads it.
use rule train_estimator as train_denoiser with:
    input:
        plan.code("train_estimator"),
        patches=plan.patches("adversary"),
    output:
        out=plan.path("adversary/denoiser.safetensors"),
        curve=plan.path("adversary/denoiser.csv"),
    log:
        plan.log("adversary/denoiser"),
    benchmark:
        plan.benchmark("adversary/denoiser")
    threads: plan.training_threads("denoiser")
    resources:
        **plan.training_resources("denoiser", runtime=720),
    params:
        spec=plan.spec("denoiser"),
        python=plan.python("denoiser"),


use rule training as train_evaluator with:
    input:
        plan.code("train_classifier"),
        patches=plan.patches("adversary"),
        estimator=lambda wildcards: plan.estimator("adversary", wildcards.evaluator),
        start=lambda wildcards: plan.evaluator_start(wildcards.evaluator),
    output:
        out=plan.path("adversary/evaluators/{evaluator}.safetensors"),
        curve=plan.path("adversary/evaluators/{evaluator}.csv"),
    log:
        plan.log("adversary/evaluators/{evaluator}"),
    benchmark:
        plan.benchmark("adversary/evaluators/{evaluator}")
    threads: plan.training_threads("evaluator")
    resources:
        **plan.training_resources("evaluator", runtime=1440),
    params:
        stage="train-classifier",
        spec=lambda wildcards: plan.spec("evaluator", name=wildcards.evaluator),
        python=plan.python("evaluator"),


use rule training as train_generator with:
    input:
        plan.code("train_generator"),
        unpack(lambda wildcards: plan.generator_inputs(wildcards.generator)),
        patches=plan.patches("adversary"),
    output:
        out=plan.path("adversary/generators/{generator}.safetensors"),
        discriminators=plan.path("adversary/discriminators/{generator}.safetensors"),
        curve=plan.path("adversary/generators/{generator}.csv"),
    log:
        plan.log("adversary/generators/{generator}"),
    benchmark:
        plan.benchmark("adversary/generators/{generator}")
    threads: plan.training_threads("generator")
    resources:
        **plan.training_resources("generator", runtime=2880),
    params:
        stage="train-generator",
        spec=lambda wildcards: plan.spec("generator", name=wildcards.generator),
        python=plan.python("generator"),


use rule training as train_classifier with:
    input:
        plan.code("train_classifier"),
        patches=lambda wildcards: plan.classifier_patches(wildcards.name),
        estimator=lambda wildcards: plan.estimator("examiner", wildcards.name),
    output:
        out=plan.path("classifiers/{name}.safetensors"),
        curve=plan.path("classifiers/{name}.csv"),
    log:
        plan.log("classifiers/{name}"),
    benchmark:
        plan.benchmark("classifiers/{name}")
    priority: 5
    threads: plan.training_threads("classifier")
    resources:
        **plan.training_resources("classifier", runtime=1440),
    params:
        stage="train-classifier",
        spec=lambda wildcards: plan.spec("classifier", name=wildcards.name),
        python=plan.python("classifier"),


# It begins as another F, and trains on what a second training of an attack, with another seed, made of the examiner's photographs.
use rule training as train_informed with:
    input:
        unpack(lambda wildcards: plan.informed_inputs(wildcards.informed)),
        plan.code("train_informed"),
    output:
        out=plan.path("classifiers/{informed}.safetensors"),
        curve=plan.path("classifiers/{informed}.csv"),
    log:
        plan.log("classifiers/{informed}"),
    benchmark:
        plan.benchmark("classifiers/{informed}")
    priority: 0
    threads: plan.training_threads("informed")
    resources:
        **plan.training_resources("informed", runtime=1440),
    params:
        stage="train-informed",
        spec=lambda wildcards: plan.spec("informed", name=wildcards.informed),
        python=plan.python("informed"),
