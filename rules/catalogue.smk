# The experiment on one catalogue of cameras, or on one data set: all stages, and a target for each.


include: "data.smk"
include: "train.smk"
include: "attack.smk"
include: "evaluate.smk"
include: "judge.smk"
include: "detect.smk"
include: "report.smk"


rule data:
    input:
        [plan.patches(role) for role in ("adversary", "test", "test_outdist")],
        *plan.tests().values(),
        [plan.classifier_patches(name) for name in plan.config.examiner.classifiers],


rule adversary:
    input:
        plan.evaluators(),
        plan.all_generators(),


rule examiner:
    input:
        plan.classifiers(),


rule attacks:
    input:
        plan.attacked(),


rule evaluation:
    input:
        plan.rows(),


rule detection:
    input:
        plan.detections(),
        plan.devices(),


rule models:
    input:
        plan.model_files(),
