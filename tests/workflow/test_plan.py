"""Which files and jobs a config asks for: the tiny config's, the default's, and those of single settings."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace as Named

import pytest

from cama.core.errors import CamaError
from cama.settings.attacks import MethodSpec
from cama.settings.loading import load_config
from cama.settings.stages import EvaluateStageSpec, PatchesStageSpec, stage_spec
from cama.settings.training import InformedSpec
from cama.workflow.code_inputs import PACKAGE
from cama.workflow.jobs import MOST_MB, options, resources
from cama.workflow.plan import Plan, make_plan
from tests.judges.networks import write_judge
from tests.workflow.conftest import PROJECT, TINY

TINY_PLAN = Plan(load_config(PROJECT / "config.yaml", TINY))
DEFAULT = Plan(load_config(PROJECT / "tests/settings/base.yaml"))


def changed(**blocks: dict) -> Plan:
    """The plan of the tiny config with other values, some of which would not fit together in a file."""
    config = TINY_PLAN.config
    parts = {name: getattr(config, name).model_copy(update=values) for name, values in blocks.items()}
    return Plan(config.model_copy(update=parts))


def test_making_a_plan_imports_nothing_slow():
    code = "import sys, cama.workflow.plan, cama.storage.finished_states; print(*{'torch', 'numpy', 'pandas'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.split() == []


# ---- paths


def test_all_paths_are_below_the_results():
    assert DEFAULT.path("rows/{method}.csv") == "results/rows/{method}.csv"
    assert DEFAULT.paths("rows/{}.csv", ["a", "b"]) == ["results/rows/a.csv", "results/rows/b.csv"]
    assert DEFAULT.log("rows/{method}") == "results/logs/rows/{method}.log"
    assert DEFAULT.benchmark("split") == "results/benchmarks/split.tsv"
    moved = Plan(DEFAULT.config.model_copy(update={"results": "elsewhere/y"}))
    assert moved.page() == "elsewhere/y/report/index.html"


@pytest.mark.parametrize(
    ("results", "output", "state"),
    [
        ("results", "results/adversary/estimator.safetensors", "results/state/adversary/estimator"),
        ("results", "results/classifiers/rgb-2.safetensors", "results/state/classifiers/rgb-2"),
        ("y", "y/adversary/generators/plus~2.safetensors", "y/state/adversary/generators/plus~2"),
        ("a/b", "a/b/detections/cama.csv", "a/b/state/detections/cama"),
    ],
)
def test_the_state_of_a_training_is_named_as_its_output(results, output, state):
    plan = Plan(DEFAULT.config.model_copy(update={"results": results}))
    assert plan.state(output) == ["--state", state]


# ---- photographs and patches


def test_simulated_photographs_are_a_folder_a_model():
    folders = [f"results/photographs/{model}" for model in ("Alcyon_A10", "Borealis_B2", "Eridan_E7")]
    assert TINY_PLAN.photographs == folders
    assert TINY_PLAN.manifest_options() == ["--photographs", *folders, "--root", "results/photographs"]
    assert len(DEFAULT.photographs) == 6


def test_photographs_that_serve_as_scenes_are_inputs(tmp_path):
    values = TINY_PLAN.config.model_dump(mode="json")
    assert make_plan(values).scenes == []
    values["simulation"]["scenes"] = str(tmp_path / "scenes")
    with pytest.raises(
        CamaError, match=r"^simulation.scenes: found no folder '.*scenes', expected one with photographs$"
    ):
        make_plan(values)
    (tmp_path / "scenes" / "more").mkdir(parents=True)
    names = [f"more/{index}.png" for index in range(12)] + ["notes.txt"]
    for name in names:
        (tmp_path / "scenes" / name).touch()
    with pytest.raises(CamaError, match=r"found 12 pictures in '.*scenes', expected at least 13, one for each device$"):
        make_plan(values)
    (tmp_path / "scenes" / "a.JPG").touch()
    found = make_plan(values).scenes
    assert found == sorted(str(tmp_path / "scenes" / name) for name in [*names[:-1], "a.JPG"])
    (tmp_path / "scenes" / "{a}.webp").touch()
    with pytest.raises(
        CamaError, match=r"^config: simulation.scenes: found the name '.*{a}.webp', expected one without"
    ):
        make_plan(values)


def folder_values(root: Path) -> dict:
    """Config values for a folder of photographs, as Snakemake hands them over."""
    values = TINY_PLAN.config.model_dump(mode="json")
    values["dataset"] = {"kind": "folder", "root": str(root)}
    values["split"]["policy"] = "device"
    del values["attack"]["methods"]["oracle"]
    return values


def test_photographs_of_a_folder_are_its_jpegs(tmp_path):
    for name in ("b/2.JPEG", "b/1.jpg", "a/3.Jpg", "a/notes.txt", "a/4.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    plan = make_plan(folder_values(tmp_path))
    assert plan.photographs == [f"{tmp_path}/{name}" for name in ("a/3.Jpg", "b/1.jpg", "b/2.JPEG")]
    assert plan.manifest_options() == ["--photographs", str(tmp_path), "--root", str(tmp_path)]
    assert plan.root_option() == ["--root", str(tmp_path)]


def test_links_are_followed_and_what_systems_leave_is_no_photograph(tmp_path):
    for name in ("elsewhere/1.jfif", "root/a/._1.jpg", "root/a/@eaDir/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    root = tmp_path / "root"
    (root / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "c.jpg").symlink_to(tmp_path / "nowhere")
    assert make_plan(folder_values(root)).photographs == [f"{root}/b/1.jfif"]


@pytest.mark.parametrize("name", ["{x}.jpg", "a}.jpg", "<b>.jpg"])
def test_a_name_that_snakemake_would_read_is_an_error_of_one_line(tmp_path, name):
    (tmp_path / "< x >.jpg").touch()  # which it does not read
    assert make_plan(folder_values(tmp_path)).photographs
    (tmp_path / name).touch()
    with pytest.raises(CamaError, match=r"config: dataset.root: found the name .*, expected one without") as error:
        make_plan(folder_values(tmp_path))
    assert "\n" not in str(error.value)


def test_originals_are_the_photographs_of_their_folder(tmp_path, monkeypatch):
    root = tmp_path / "photographs"
    root.mkdir()
    values = folder_values(root)
    (root / "1.jpg").touch()
    monkeypatch.chdir(root)
    assert make_plan(values).originals == []  # not the working folder's
    values["dataset"] = values["dataset"] | {"originals": str(tmp_path / "whole")}
    for make in (lambda: None, (tmp_path / "whole").mkdir):
        make()
        with pytest.raises(CamaError, match=r"^config: dataset.originals: found no photographs in .*whole', expected"):
            make_plan(values)
    (tmp_path / "whole" / "a.jpg").touch()
    (tmp_path / "whole" / "README.md").touch()
    assert make_plan(values).originals == [str(tmp_path / "whole" / "a.jpg")]


def test_a_folder_that_is_not_there_and_a_wrong_config_are_errors_of_one_line(tmp_path):
    with pytest.raises(CamaError, match=r"^config: dataset.root: found no folder .*nowhere', expected one with photo"):
        make_plan(folder_values(tmp_path / "nowhere"))
    with pytest.raises(CamaError, match=r"^config: unknown key 'plots.dpj', the nearest known key is 'dpi'$"):
        make_plan(TINY_PLAN.config.model_dump(mode="json") | {"plots": {"dpj": 3}})
    assert make_plan(TINY_PLAN.config.model_dump(mode="json")) == TINY_PLAN


def test_patch_files_are_named_by_role_and_phase():
    assert DEFAULT.patches("adversary") == "results/patches/adversary-aligned.h5"
    assert changed(patches={"phase": "random"}).patches("test") == "results/patches/test-random.h5"
    own = changed(examiner={"phase": "random"})
    assert (own.patches("test"), own.patches("adversary")) == (
        "results/patches/test-random.h5",
        "results/patches/adversary-aligned.h5",
    )
    assert DEFAULT.tests() == {
        "inside": ["results/patches/test-aligned.h5"],
        "outside": ["results/patches/test_outdist-aligned.h5"],
    }


# ---- trainings


def test_a_generator_has_a_model_for_each_of_its_trainings():
    assert TINY_PLAN.runs == {"cama": ["cama"], "plus": ["plus", "plus~2"]}
    plus = [f"results/adversary/generators/{run}.safetensors" for run in ("plus", "plus~2")]
    assert TINY_PLAN.generators("plus") == plus
    assert TINY_PLAN.all_generators() == ["results/adversary/generators/cama.safetensors", *plus]


def test_a_generator_trains_with_its_own_evaluators():
    assert TINY_PLAN.generator_evaluators("plus~2") == TINY_PLAN.evaluators(["low", "rgb"])


def test_networks_are_named_by_owner():
    evaluators = [f"results/adversary/evaluators/{name}.safetensors" for name in ("high", "low", "held_out", "rgb")]
    assert TINY_PLAN.evaluators() == evaluators
    assert TINY_PLAN.evaluators(["low"]) == evaluators[1:2]
    targets = ("prnu_lp", "rgb", "expanded", "knowing")
    assert TINY_PLAN.classifiers() == [f"results/classifiers/{name}.safetensors" for name in targets]


def test_expanded_labels_train_on_the_unknown_models_too():
    assert TINY_PLAN.classifier_patches("rgb") == ["results/patches/examiner-aligned.h5"]
    assert TINY_PLAN.classifier_patches("expanded") == [
        "results/patches/examiner-aligned.h5",
        "results/patches/examiner_outdist-aligned.h5",
    ]


def test_front_ends_of_the_residual_need_the_owners_estimator():
    assert TINY_PLAN.estimator("adversary", "high") == ["results/adversary/estimator.safetensors"]
    assert TINY_PLAN.estimator("examiner", "prnu_lp") == ["results/examiner/estimator.safetensors"]
    assert TINY_PLAN.estimator("adversary", "rgb") == TINY_PLAN.estimator("examiner", "rgb") == []


TRAININGS = [
    ("estimator", {"owner": "adversary"}, "adversary.estimator"),
    ("estimator", {"owner": "examiner"}, "examiner.estimator"),
    ("evaluator", {"evaluator": "low"}, "adversary.evaluators.low"),
    ("generator", {"generator": "plus~2"}, "adversary.generators.plus"),
    ("classifier", {"name": "expanded"}, "examiner.classifiers.expanded"),
    ("informed", {"informed": "knowing"}, "examiner.informed.knowing"),
]


@pytest.mark.parametrize(("kind", "wildcards", "key"), TRAININGS)
def test_a_training_takes_threads_memory_gpus_and_a_launcher_for_each_process(kind, wildcards, key):
    values = TINY_PLAN.config.model_dump(mode="json")
    values["adversary"]["threads"] = 2
    block = values
    for part in key.split("."):
        block = block[part]
    job, inputs, each = Named(**wildcards), Named(size_mb=10), 2 if kind == "generator" else 1
    alone = make_plan(values)
    assert alone.python(kind)(job) == ["python"]
    assert alone.training_threads(kind)(job) == each
    assert alone.training_resources(kind, 60)["gpu"](job) == 0
    assert alone.training_resources(kind, 60)["mem_mb"](job, inputs, 1) == 4020
    block["training"]["processes"] = 2
    both = make_plan(values | {"compute": {"device": "cuda"}})
    assert both.python(kind)(job) == ["python", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert both.training_threads(kind)(job) == 2 * each
    assert both.training_resources(kind, 60)["gpu"](job) == 2
    assert both.training_resources(kind, 60)["mem_mb"](job, inputs, 3) == 3 * 2 * 4020
    assert both.training_resources(kind, 60)["runtime"](job, 3) == 180


# ---- attacks


@pytest.mark.parametrize(
    ("method", "inputs", "networks"),
    [
        ("identity", {}, False),
        ("jpeg", {}, False),
        ("oracle", {"oracle": [f"results/oracle/{name}" for name in TINY_PLAN.models]}, False),
        ("cama", {"model": TINY_PLAN.generators("cama")}, True),
        ("plus", {"model": TINY_PLAN.generators("plus"), "evaluators": TINY_PLAN.evaluators(["low", "rgb"])}, True),
        ("pgd", {"evaluators": TINY_PLAN.evaluators(["high", "rgb"])}, True),
    ],
)
def test_attacks_need_networks_of_the_adversary_alone(method, inputs, networks):
    assert TINY_PLAN.attack_inputs(method) == inputs
    assert TINY_PLAN.uses_networks(method) == networks
    gpu, job = changed(compute={"device": "cuda"}), Named(method=method)
    assert gpu.attack_gpus(job) == int(networks)
    assert TINY_PLAN.attack_gpus(job) == 0
    assert gpu.gpus == 1


def test_purification_needs_a_denoiser_of_the_adversary_alone():
    plan = changed(attack={"methods": {"purify": MethodSpec(kind="purify", psnr=36)}}, examiner={"informed": {}})
    denoiser = {"model": ["results/adversary/denoiser.safetensors"]}
    assert plan.attack_inputs("purify") == denoiser
    assert plan.example_inputs("purify") == denoiser
    assert plan.uses_networks("purify")
    assert "results/adversary/denoiser.csv" in plan.curves()
    assert "results/adversary/denoiser.csv" not in TINY_PLAN.curves()
    assert plan.training("denoiser", Named()) == plan.config.adversary.denoiser.training


def test_the_linear_attack_needs_the_patches_of_the_adversary_alone():
    plan = changed(attack={"methods": {"linear": MethodSpec(kind="spectrum", psnr=36)}})
    patches = {"patches": ["results/patches/adversary-aligned.h5"]}
    assert plan.attack_inputs("linear") == plan.example_inputs("linear") == patches
    assert not plan.uses_networks("linear")


def test_examples_need_the_first_training_of_a_generator_or_what_else_the_attack_needs():
    assert TINY_PLAN.example_inputs("cama") == {"model": TINY_PLAN.generators("cama")[:1]}
    plus = {"model": TINY_PLAN.generators("plus")[:1], "evaluators": TINY_PLAN.evaluators(["low", "rgb"])}
    assert TINY_PLAN.example_inputs("plus") == plus
    assert TINY_PLAN.example_inputs("pgd") == {"evaluators": TINY_PLAN.evaluators(["high", "rgb"])}
    assert TINY_PLAN.example_inputs("jpeg") == {}
    gpu = changed(compute={"device": "cuda"})
    assert (gpu.attack_gpus(Named(attacker="cama")), gpu.attack_gpus(Named(attacker="jpeg"))) == (1, 0)


def test_an_informed_classifier_needs_the_pictures_of_one_more_training():
    start = ["results/classifiers/prnu_lp.safetensors"]
    assert TINY_PLAN.informed_inputs("knowing") == {
        "patches": TINY_PLAN.classifier_patches("prnu_lp"),
        "examples": ["results/examples/cama~2.h5"],
        "start": start,
    }
    assert TINY_PLAN.example_inputs("cama~2") == {"model": ["results/adversary/generators/cama~2.safetensors"]}
    assert TINY_PLAN.attackers == ["cama", "cama~2"]
    assert TINY_PLAN.classifiers()[-1] == "results/classifiers/knowing.safetensors"
    further = InformedSpec(classifier="expanded", method="plus")
    more = changed(examiner={"informed": {"knowing": further}})
    assert more.attackers == ["cama", "plus~3"]  # of two that are measured
    assert re.fullmatch(more.wildcards()["generator"], "plus~3")
    assert more.informed_inputs("knowing")["patches"] == more.classifier_patches("expanded")


def test_a_model_file_needs_all_trainings_and_their_evaluators():
    assert TINY_PLAN.package_inputs("plus") == {
        "model": TINY_PLAN.generators("plus"),
        "evaluators": TINY_PLAN.evaluators(["low", "rgb"]),
        "judges": [],
    }
    assert TINY_PLAN.package_inputs("cama")["judges"] == TINY_PLAN.evaluators(["held_out"])
    assert TINY_PLAN.model_files() == [f"results/models/{name}.safetensors" for name in ("cama", "plus")]


def test_with_a_margin_windows_around_the_crops_are_attacked_on_any_crop_phase():
    assert names(TINY_PLAN.tests()["inside"]) == ["test-aligned"]
    wide = changed(patches={"margin": 16, "phase": "random"})
    assert wide.tests() == {
        "inside": ["results/patches/test-whole.h5"],
        "outside": ["results/patches/test_outdist-whole.h5"],
    }
    assert wide.plot_inputs()["inside"] == wide.tests()["inside"]
    spec = PatchesStageSpec.model_validate_json(wide.spec("patches", role="test", phase="whole"))
    assert (spec.patches.crop, spec.patches.phase) == (160, "aligned")
    cut = PatchesStageSpec.model_validate_json(wide.spec("patches", role="test", phase="random"))
    assert (cut.patches.crop, cut.patches.phase, cut.patches.margin) == (128, "random", 0)
    assert EvaluateStageSpec.model_validate_json(wide.spec("evaluate", method="cama")).crop == 128
    assert wide.config.smallest == 160
    assert re.fullmatch(wide.wildcards()["phase"], "whole")


def test_patches_hold_what_some_stage_reads():
    def stored(role, plan=TINY_PLAN):
        return PatchesStageSpec.model_validate_json(plan.spec("patches", role=role, phase="random")).fields

    assert stored("examiner") == ("rgb", "residual")
    assert stored("test") == stored("test_outdist") == stored("examiner_outdist") == ("rgb",)
    inputs = {name: spec.generator.input for name, spec in TINY_PLAN.config.adversary.generators.items()}
    assert set(inputs.values()) == {"rgb", "remosaic"}
    assert stored("adversary") == ("rgb", "remosaic", "residual")
    known = {name: spec for name, spec in TINY_PLAN.config.adversary.generators.items() if inputs[name] == "rgb"}
    assert stored("adversary", changed(adversary={"generators": known})) == ("rgb", "residual")


def test_the_targets_encoder_needs_the_profiles():
    assert TINY_PLAN.delivery_inputs() == {"profiles": ["results/adversary/profiles"]}
    assert DEFAULT.delivery_inputs() == {}


# ---- results


def test_each_method_has_pictures_and_rows_and_some_have_detectors_and_devices():
    methods = ["identity", "cama", "oracle", "jpeg", "plus", "pgd"]
    assert TINY_PLAN.attacked() == [f"results/attacks/{method}.h5" for method in methods]
    assert TINY_PLAN.attacked([]) == []
    assert TINY_PLAN.rows() == [f"results/rows/{method}.csv" for method in methods]
    assert (TINY_PLAN.detections(), DEFAULT.detections()) == (["results/detections/cama.csv"], [])
    assert (TINY_PLAN.devices(), DEFAULT.devices()) == (["results/devices/cama.csv"], [])


def names(paths: list[str]) -> list[str]:
    return [Path(path).stem for path in paths]


def test_the_tables_are_those_that_the_config_gives():
    assert names(DEFAULT.tables("csv")) == ["summary", "transfer", "per_label"]
    assert names(TINY_PLAN.tables("csv")) == ["summary", "transfer", "per_label", "paired", "detection", "devices"]
    assert sorted(TINY_PLAN.tables()) == sorted(TINY_PLAN.tables("csv") + TINY_PLAN.tables("md", "tex"))
    assert len(TINY_PLAN.tables()) == 18


def test_the_plots_are_those_that_the_config_gives():
    always = ["success_psnr", "confusion", "curves"]
    samples = ["samples_cama_in", "samples_cama_out", "traces_cama"]
    assert names(DEFAULT.plots()) == [*always, "per_label", *samples]
    assert names(TINY_PLAN.plots()) == [*always, "per_label", "roc", "success_auc", "paired", "saves", *samples]
    nothing_shown = changed(plots={"methods": ()}, detection={"methods": ()}, tables={"baseline": ""})
    assert names(nothing_shown.plots()) == [*always, "saves"]
    known = changed(models={"out_of_distribution": ()})
    assert names(known.plots())[-2:] == ["samples_cama_in", "traces_cama"]


def test_plots_show_pictures_detections_and_the_paired_table_where_there_are_any():
    shown = {**TINY_PLAN.tests(), "attacked": ["results/attacks/cama.h5"], "profiles": ["results/adversary/profiles"]}
    shown |= {"detections": ["results/detections/cama.csv"], "paired": ["results/tables/paired.csv"]}
    assert TINY_PLAN.plot_inputs() == shown
    assert DEFAULT.plot_inputs() == {name: shown[name] for name in ("inside", "outside", "attacked")} | {
        "detections": [],
        "paired": [],
    }


def test_curves_are_of_the_networks_that_are_used():
    assert [path.removeprefix("results/") for path in TINY_PLAN.curves()] == [
        "adversary/estimator.csv",
        *(f"adversary/evaluators/{name}.csv" for name in ("high", "low", "rgb", "held_out")),
        *(f"adversary/generators/{run}.csv" for run in ("cama", "plus", "plus~2")),
        "examiner/estimator.csv",
        "adversary/generators/cama~2.csv",
        *(f"classifiers/{name}.csv" for name in ("prnu_lp", "rgb", "expanded", "knowing")),
    ]
    methods = {"identity": TINY_PLAN.config.attack.methods["identity"]}
    classifiers = {"rgb": TINY_PLAN.config.examiner.classifiers["rgb"]}
    least = changed(attack={"methods": methods}, examiner={"classifiers": classifiers, "informed": {}})
    assert least.curves() == ["results/classifiers/rgb.csv"]


def test_every_result_that_the_report_of_snakemake_shows_has_a_caption():
    every = [*TINY_PLAN.tables("csv"), *TINY_PLAN.plots(), *TINY_PLAN.controls(), TINY_PLAN.page()]
    every += TINY_PLAN.joined_tables("csv")
    found = {path.removeprefix("results/"): TINY_PLAN.caption(path) for path in every}
    assert found["tables/transfer.csv"] == {"category": "Tables", "caption": "captions/tables.rst"}
    assert found["tables/devices.csv"]["caption"] == "captions/detectability.rst"
    assert found["tables/joined_paired.csv"]["caption"] == "captions/joined.rst"
    samples = found["plots/samples_cama_in.png"]
    assert samples["caption"] == "captions/samples.rst"
    assert samples["labels"] == {"plot": "samples_cama_in"}
    assert found["controls/cameras.csv"]["caption"] == "captions/controls.rst"
    assert found["report/index.html"]["category"] == "Report"
    written = {f"captions/{path.name}" for path in (PROJECT / "rules" / "captions").iterdir()}
    assert {caption["caption"] for caption in found.values()} == written


# ---- several catalogues


def test_one_catalogue_has_no_folder_of_its_own_and_nothing_to_join():
    assert list(DEFAULT.catalogues.values()) == [DEFAULT]
    assert not DEFAULT.joined
    assert DEFAULT.results() == [DEFAULT.page(), *DEFAULT.tables(), *DEFAULT.model_files()]
    assert DEFAULT.states() == [Path("results/state")]


def test_each_of_several_catalogues_has_a_plan_and_the_joined_tables_come_from_what_all_have():
    both = changed(simulation={"catalogue_seeds": (1, 7)})
    assert both.joined
    assert list(both.catalogues) == ["catalogue_1", "catalogue_7"]
    first, second = both.catalogues.values()
    assert second.page() == "results/catalogue-7/report/index.html"
    folders = ("results/catalogue-1", "results/catalogue-7")
    assert both.join_inputs() == {
        "rows": first.rows() + second.rows(),
        "controls": [f"{folder}/controls/controls.csv" for folder in folders],
        "readers": [f"{folder}/controls/scene_readers.csv" for folder in folders],
        "detection": [f"{folder}/tables/detection.csv" for folder in folders],
    }
    assert both.pages() == [first.page(), second.page()]
    names = ("joined", "joined_paired", "joined_controls", "joined_scene_readers", "joined_detection")
    joined = [f"results/tables/{name}.{kind}" for name in names for kind in ("csv", "md", "tex")]
    assert both.joined_tables() == joined
    assert both.page() == "results/report/index.html"
    assert both.results() == [*first.results(), *second.results(), *joined, both.page()]
    least = changed(tables={"baseline": ""}, detection={"methods": ()}, simulation={"catalogue_seeds": (1, 7)})
    names = ("joined", "joined_controls", "joined_scene_readers")
    assert least.joined_tables("csv") == [f"results/tables/{name}.csv" for name in names]
    assert least.join_inputs()["detection"] == []
    assert both.states() == [Path("results/catalogue-1/state"), Path("results/catalogue-7/state")]
    assert (first.runs["plus"], second.runs["plus"]) == (["plus", "plus~2"], ["plus"])


# ---- jobs


def test_specs_are_those_of_the_settings():
    assert DEFAULT.spec("attack", method="cama") == stage_spec(DEFAULT.config, "attack", method="cama")


@pytest.mark.parametrize("stage", ["train_generator", "tables"])
def test_code_is_the_stages_own_and_is_named_from_here(stage, monkeypatch, tmp_path):
    monkeypatch.chdir(PACKAGE.parent)
    here = DEFAULT.code(stage)
    assert f"cama/stages/{stage}.py" in here
    assert not [path for path in here if "plan.py" in path or path.startswith("cama/settings")]
    monkeypatch.chdir(tmp_path)
    assert [Path(path).resolve() for path in DEFAULT.code(stage)] == [PACKAGE.parent / path for path in here]


def test_wildcards_take_the_names_of_the_config_alone():
    patterns = TINY_PLAN.wildcards()
    assert patterns["generator"] == r"cama|plus|plus\~2|cama\~2"
    assert (patterns["attacker"], patterns["informed"]) == (r"cama|cama\~2", "knowing")
    assert patterns["evaluator"] == r"high|low|held_out|rgb"
    assert patterns["method"] == "identity|cama|oracle|jpeg|plus|pgd"
    assert patterns["owner"] == "adversary|examiner"
    assert changed(adversary={"generators": {}}, examiner={"informed": {}}).wildcards()["generator"] == "none"
    models = DEFAULT.config.models.model_copy(update={"out_of_distribution": ("Make_A.1 (b)",)})
    assert changed(models=models.model_dump()).wildcards()["model"].endswith(r"|Make_A\.1\ \(b\)")


def test_memory_grows_with_the_inputs_up_to_where_they_are_streamed_and_with_each_attempt():
    found = resources(runtime=30, mem_mb=2000, share=0.5)
    assert found["mem_mb"](None, Named(size_mb=100), 1) == 2050
    assert found["mem_mb"](None, Named(size_mb=100), 2) == 4100
    assert found["mem_mb"](None, Named(size_mb=10**9), 1) == MOST_MB
    assert found["runtime"](None, 3) == 90
    assert resources(runtime=10)["mem_mb"](None, None, 1) == 1000  # whatever the inputs are


def test_named_files_are_options_of_the_stage():
    inputs = {"rows": ["a/x.csv", "a/y.csv"], "tables": ["t/s.csv", "t/s.md"], "detections": [], "random_test": "r.h5"}
    outputs = {"out": ["d/one.png", "d/two.png"], "curve": "d/curve.csv"}
    words = [
        "--rows",
        "a/x.csv",
        "a/y.csv",
        "--tables",
        "t",
        "--random-test",
        "r.h5",
        "--out",
        "d",
        "--curve",
        "d/curve.csv",
    ]
    assert options("tables", "out")(None, inputs, outputs) == words
    assert options()(None, inputs, outputs)[3:6] == ["--tables", "t/s.csv", "t/s.md"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, "gone.yaml: no such judge, expected its YAML file"),
        ({"labels": ["Alcyon_A10", "Other_O1"]}, "labels: found Alcyon_A10, Other_O1, expected Borealis_B2 among them"),
        ({"label": ["Alcyon_A10"]}, "unknown key 'label', the nearest known key is 'labels'"),
    ],
)
def test_a_judge_that_does_not_fit_is_one_line_before_any_job(tmp_path, settings, expected):
    path = write_judge(tmp_path / "j.yaml", **settings) if settings else tmp_path / "gone.yaml"
    values = {**load_config(PROJECT / "config.yaml").model_dump(mode="json")}
    values["examiner"]["judges"] = {"theirs": str(path)}
    with pytest.raises(CamaError, match=expected) as error:
        make_plan(values)
    assert "\n" not in str(error.value)


def test_trainings_may_begin_as_the_networks_of_another_run(tmp_path):
    names = ["estimator", *(f"evaluators/{name}" for name in ("high", "low", "rgb", "held_out"))]
    names += [f"{kind}/{name}" for kind in ("generators", "discriminators") for name in ("cama", "plus")]
    for name in names:
        path = tmp_path / "adversary" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    values = load_config(PROJECT / "config.yaml", TINY).model_dump(mode="json")
    values["adversary"]["start"] = str(tmp_path)
    with pytest.raises(
        CamaError, match=r"config: adversary.start: found no .*/splits.csv, expected the results of a run"
    ):
        make_plan(values)
    (tmp_path / "splits.csv").touch()
    plan = make_plan(values)
    assert plan.start_splits() == [f"{tmp_path}/splits.csv"]
    assert plan.estimator_start("adversary") == [f"{tmp_path}/adversary/estimator.safetensors"]
    assert plan.estimator_start("examiner") == []
    assert plan.evaluator_start("high") == [f"{tmp_path}/adversary/evaluators/high.safetensors"]
    both = [f"{tmp_path}/adversary/{kind}/plus.safetensors" for kind in ("generators", "discriminators")]
    assert plan.generator_inputs("plus")["start"] == plan.generator_inputs("plus~2")["start"] == both
    assert TINY_PLAN.generator_inputs("plus")["start"] == []
    (tmp_path / "adversary" / "estimator.safetensors").unlink()
    with pytest.raises(CamaError, match=r"found no .*/estimator.safetensors"):
        make_plan(values)
    for spec in values["adversary"]["evaluators"].values():  # none reads residuals then
        spec["net"]["frontend"] = "rgb"
    assert make_plan(values)
    (tmp_path / "adversary" / "evaluators" / "low.safetensors").unlink()
    with pytest.raises(
        CamaError, match=r"config: adversary.start: found no .*low.safetensors, expected the results of a run"
    ):
        make_plan(values)
