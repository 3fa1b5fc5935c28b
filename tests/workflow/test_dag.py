"""What depends on what, read from the graph of the default config's jobs, and what the jobs ask for."""

import re
import shlex

import pytest

from cama.commands.main import parser
from cama.settings.loading import load_config
from tests.judges.networks import write_judge
from tests.workflow.conftest import PROJECT, Workflow, checkout

NODE = re.compile(r'^\s*(\d+)\[label = "(.*?)"', re.MULTILINE)
EDGE = re.compile(r"^\s*(\d+) -> (\d+)", re.MULTILINE)


KNOWN = load_config(PROJECT / "config.yaml").models.in_distribution
CHOSEN = {"kind": "learned", "generator": "cama", "auto": True}
PURIFY = {"attack": {"methods": {"purify": {"kind": "purify", "psnr": 36}, "chosen": CHOSEN}}}


def ancestors(workflow: Workflow, overlay: dict | None = None) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Labels of the DAG's jobs, and of each job all that it depends on."""
    dot = workflow.run("--dag", "dot", "--forceall", overlay=overlay).stdout
    labels = dict(NODE.findall(dot))
    parents: dict[str, set[str]] = {node: set() for node in labels}
    for parent, child in EDGE.findall(dot):
        parents[child].add(parent)

    def above(node: str) -> set[str]:
        found = set(parents[node])
        for parent in parents[node]:
            found |= above(parent)
        return found

    return labels, {node: above(node) for node in labels}


def test_no_target_classifier_and_generator_share_a_trained_ancestor():
    labels, above = ancestors(Workflow(PROJECT))
    trained = {node for node, label in labels.items() if label.startswith("train_")}
    generators = [node for node in trained if labels[node].startswith("train_generator")]
    classifiers = [node for node in trained if labels[node].startswith("train_classifier")]
    assert len(classifiers) == 3
    behind = [(above[generator] & trained) | {generator} for generator in generators]
    # E0, two classifiers of E, G with D, and a judge of cama's two trainings
    assert sorted(len(nodes) for nodes in behind) == [4, 4, 5, 5]
    for classifier in classifiers:
        assert not ((above[classifier] & trained) | {classifier}) & set.union(*behind)


def test_an_informed_classifier_learns_from_a_training_that_no_attack_uses():
    labels, above = ancestors(Workflow(PROJECT))
    (informed,) = [node for node, label in labels.items() if label.startswith("train_informed")]
    attacks = [node for node, label in labels.items() if label.startswith("attack")]
    learnt = [node for node in above[informed] if labels[node].startswith("train_generator")]
    assert ["~2" in labels[node] for node in learnt] == [True]
    assert not set(learnt) & set.union(*(above[attack] for attack in attacks))


def test_no_attack_and_no_profile_depends_on_anything_of_the_examiner(tmp_path):
    """Nor on the examples that detectors learn from, which are the examiner's photographs."""
    judges = {"colours": write_judge(tmp_path / "c.yaml", labels=list(KNOWN))}
    judges["residuals"] = write_judge(tmp_path / "r.yaml", kind="fingerprint", patch=64)
    judged = {"examiner": {"judges": {name: str(path) for name, path in judges.items()}}}
    labels, above = ancestors(checkout(tmp_path), {**PURIFY, **judged})
    jobs = "train_classifier|train_informed|owner: examiner|^examples|^detect|^judge|^fit_judge"
    examiner = {n for n, text in labels.items() if re.search(jobs, text)}
    examiner |= {n for n, text in labels.items() if text.startswith("patches") and "role: examiner" in text}
    attacks = [node for node, label in labels.items() if label.startswith(("attack", "devices", "profiles"))]
    assert len([node for node in examiner if labels[node].startswith(("examples", "detect"))]) == 3
    assert len([node for node in examiner if labels[node].startswith(("judge", "fit_judge"))]) == 2 * 7 + 1
    assert len(attacks) == 10
    for attack in attacks:
        assert not above[attack] & examiner
    (purify,) = [node for node in attacks if "method: purify" in labels[node]]
    assert [labels[node] for node in above[purify] if labels[node].startswith("train")] == ["train_denoiser"]


def test_which_classifiers_read_scenes_is_decided_without_any_attack():
    labels, above = ancestors(Workflow(PROJECT))
    (controls,), (tables,) = ([node for node in labels if labels[node] == rule] for rule in ("controls", "tables"))
    of_attacks = ("attack", "evaluate", "train_generator", "train_evaluator")
    assert not [labels[node] for node in above[controls] if labels[node].startswith(of_attacks)]
    assert controls in above[tables]


def test_the_controls_take_the_photographs_that_serve_as_scenes(tmp_path):
    workflow, folder = checkout(tmp_path), tmp_path / "scenes"
    folder.mkdir()
    for number in range(13):
        (folder / f"{number}.jpg").touch()
    said = workflow.run("--dry-run", overlay={"simulation": {"scenes": str(folder)}}).stdout
    inputs = re.findall(r"^rule (\w+):\n    input: (.*)$", said, re.MULTILINE)
    assert {rule for rule, files in inputs if f"{folder}/12.jpg" in files} == {"simulate", "controls"}


def test_jobs_that_compute_with_networks_ask_for_a_gpu_where_one_is_to_be_used(tmp_path):
    workflow = checkout(tmp_path)
    for device in ("cuda", "cpu"):
        said = workflow.run("--dry-run", overlay={"compute": {"device": device}, **PURIFY}).stdout
        asking = {
            rule
            for rule, resources in re.findall(
                r"^rule (\w+):\n.*?^    resources: (.*?)$", said, re.MULTILINE | re.DOTALL
            )
            if "gpu=1" in resources
        }
        names = ("estimator", "denoiser", "evaluator", "generator", "classifier", "informed")
        trainings = {f"train_{name}" for name in names}
        others = {"controls", "attack", "evaluate", "examples", "detect"}
        assert asking == (trainings | others if device == "cuda" else set())


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> list[str]:
    """What a dry run of the tiny config with `purify` prints of each job of a stage."""
    workflow = checkout(tmp_path_factory.mktemp("planned"))
    said = workflow.run("--dry-run", "--forceall", "--printshellcmds", overlay=PURIFY).stdout
    return [block for block in re.split(r"^(?=rule )", said, flags=re.MULTILINE) if "\nShell command: python" in block]


def test_every_command_is_one_that_its_stage_takes(planned):
    """The names of inputs and outputs are the options of the stages, which would not take another."""
    assert len(planned) == 53
    for block in planned:
        command = re.search(r"^Shell command: python -m cama (.*) 2>&1 \| tee '?(\S+?)'?$", block, re.MULTILINE)
        assert command is not None, block
        options = vars(parser().parse_args(shlex.split(command[1])))
        assert options["spec"].startswith('{"')
        assert options["threads"] >= 1
        assert f"    log: {command[2]}\n" in block


def test_every_job_has_a_log_a_benchmark_and_resources(planned):
    for block in planned:
        for field in ("log: results/logs/", "benchmark: results/benchmarks/", "runtime=", "mem_mb="):
            assert field in block
