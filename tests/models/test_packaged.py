"""Tests of cama.models.packaged and cama.models.onnx: a model file is whole, or refused with one line."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.models.classifiers import load_classifier, save_classifier
from cama.models.generator import Generator, save_generator
from cama.models.packaged import load_anonymizer, load_header, read_parts
from cama.settings.networks import GeneratorSpec
from cama.storage.model_files import read_model, save_tensors
from tests.models.helpers import net_spec, pictures, shake, tiny_classifier
from tests.photo.helpers import LABELS, model_file


def rewritten(path, tensors=lambda t: t, **header):
    """The model file with another header or other tensors."""
    state, old = read_model(path, "anonymizer")
    save_tensors(path, tensors(state), {key: value for key, value in {**old, **header}.items() if value is not None})
    return path


def test_a_model_file_holds_the_networks_that_went_into_it(tmp_path):
    made = load_anonymizer(model_file(tmp_path))
    classifier, labels = load_classifier(tmp_path / "e.safetensors")
    assert tuple(made.header.labels) == labels == LABELS
    images = pictures(2)
    with torch.no_grad():
        assert torch.allclose(made.evaluator(images)["rgb"], classifier(images).log_softmax(1), atol=1e-5)
        changed = made.generator(images, torch.tensor([0, 2]))
    assert not torch.equal(changed, images)
    assert not made.generator.training


def test_the_estimator_of_a_residual_front_end_comes_along(tmp_path):
    g, e = tmp_path / "g.safetensors", tmp_path / "e.safetensors"
    spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3)
    save_generator(g, Generator(3, spec), spec, LABELS, {"spec": {"seed": 7}})
    save_classifier(e, tiny_classifier("prnu_lp"), net_spec("prnu_lp"), LABELS, {})
    tensors, parts = read_parts(g, {"high": e, "low": e})
    assert parts["training"] == {"seed": 7}
    assert parts["evaluators"]["high"]["estimator"]["features"]
    assert any(name.startswith("evaluators.low.frontend.estimator.") for name in tensors)


def test_an_evaluator_of_other_labels_is_refused(tmp_path):
    model_file(tmp_path)
    spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3)
    save_generator(tmp_path / "g.safetensors", Generator(2, spec), spec, LABELS[:2], {})
    with pytest.raises(CamaError, match=r"e.safetensors: found the labels .*, expected .* as in .*g.safetensors"):
        read_parts(tmp_path / "g.safetensors", {"rgb": tmp_path / "e.safetensors"})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"kind": "generator"}, "found a model of kind 'generator', expected 'anonymizer'"),
        ({"version": 9}, "version: "),
        ({"labels": ["A_1"]}, "labels: "),
        ({"labels": ["A_1", "B_2"]}, "the weights do not fit the network that its header describes"),
        ({"evaluators": {}}, "evaluators: "),
        ({"evaluators": None}, "evaluators: Field required"),
        ({"generator": {"features": "many"}}, "generator.features: "),
        ({"generator": {"features": 4096, "blocks": 256, "downsamplings": 4}}, "the weights do not fit"),
        ({"generator": {"features": 1_000_000_000}}, "generator.features: "),
        ({"generator": {"blocks": 1_000_000}}, "generator.blocks: "),
        ({"labels": [f"A_{i}" for i in range(1_000_000)]}, "the weights do not fit"),
        ({"psnr": 61}, "psnr: found 61, expected the PSNR in dB, 20 to 60, or 0"),
        ({"psnr": -36}, "psnr: found -36, expected the PSNR in dB"),
        ({"psnr": float("nan")}, "psnr: found nan, expected the PSNR in dB"),
        ({"psnr": "high"}, "psnr: Input should be a valid number"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"profiles": {"Corvus_C300": {"kind": "container profile"}}}, "profiles.Corvus_C300.camera: Field required"),
    ],
)
def test_a_header_that_is_not_as_it_should_be_is_one_line(header, expected, tmp_path, capsys):
    path = rewritten(model_file(tmp_path), **header)
    assert main(["anonymize", "a.jpg", "--model", str(path), "--to", LABELS[0]]) == 1
    said = capsys.readouterr().err
    assert f"cama anonymize: {path}: " in said
    assert expected in said
    assert said.count("\n") == 1


def test_missing_weights_are_one_line(tmp_path):
    def without(tensors):
        return {name: value for name, value in tensors.items() if not name.startswith("evaluators.")}

    with pytest.raises(CamaError, match="the weights do not fit"):
        load_anonymizer(rewritten(model_file(tmp_path), without))


def test_a_training_file_is_no_model_file(tmp_path, capsys):
    model_file(tmp_path)
    assert main(["models", "show", str(tmp_path / "e.safetensors")]) == 1
    assert "found a model of kind 'classifier', expected 'anonymizer'" in capsys.readouterr().err


def test_show_prints_the_card_or_the_header(tmp_path, capsys):
    path = model_file(tmp_path)
    assert main(["models", "show", str(path)]) == 0
    assert capsys.readouterr().out == load_header(path).card
    assert main(["models", "show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == list(LABELS)


def test_a_card_does_not_command_the_terminal(tmp_path, capsys):
    path = rewritten(model_file(tmp_path), card="# model\x1b[2J\n\nfine \ud800\n")
    assert main(["models", "show", str(path)]) == 0
    assert capsys.readouterr().out == "# model?[2J\n\nfine ?\n"


def test_a_model_file_keeps_the_order_of_its_evaluators(tmp_path):
    model_file(tmp_path)
    spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3)
    save_generator(tmp_path / "g.safetensors", Generator(3, spec), spec, LABELS, {})
    names = ["high", "rgb", "con_conv"]
    tensors, parts = read_parts(tmp_path / "g.safetensors", dict.fromkeys(names, tmp_path / "e.safetensors"))
    path = rewritten(tmp_path / "model.safetensors", lambda _: tensors, **parts)
    assert list(load_anonymizer(path).evaluator.names) == list(load_header(path).evaluators) == names


def test_pictures_that_are_refined_are_refined_at_a_level(tmp_path):
    with pytest.raises(CamaError, match="refine: found 3 and no psnr"):
        load_header(rewritten(model_file(tmp_path), refine=3))


def test_a_generator_whose_pictures_are_refined_is_not_exported_alone(tmp_path, capsys):
    path, out = model_file(tmp_path, psnr=36, refine=3), tmp_path / "g.onnx"
    assert main(["models", "export", str(path), "--onnx", str(out)]) == 1
    assert "found pictures that are refined on E" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("label", ["maps", "modulation"])
@pytest.mark.parametrize(
    ("output", "downsamplings", "matched"),
    [("residual", 0, False), ("direct", 2, False), ("filters", 0, False), ("residual", 0, True)],
)
def test_onnx_gives_the_same_picture(label, output, downsamplings, matched, tmp_path):
    settings = {"output": output, "label": label, "matched": matched}
    spec = GeneratorSpec(features=8, downsamplings=downsamplings, blocks=1, kernel=5, **settings)
    torch.manual_seed(0)
    model_file(tmp_path)
    generator = shake(Generator(3, spec), 0.05).eval()
    if matched:
        generator.matched.normal_(0, 0.02)
    save_generator(tmp_path / "g.safetensors", generator, spec, LABELS, {})
    tensors, parts = read_parts(tmp_path / "g.safetensors", {"rgb": tmp_path / "e.safetensors"})
    path = rewritten(tmp_path / "model.safetensors", lambda _: tensors, generator=parts["generator"], psnr=36)
    out = tmp_path / "g.onnx"
    assert main(["models", "export", str(path), "--onnx", str(out)]) == 0
    session = onnxruntime.InferenceSession(out)
    told = session.get_modelmeta().custom_metadata_map
    assert (json.loads(told["labels"]), told["input"], told["psnr"]) == (list(LABELS), spec.input, "36")
    for count, height, width in ((1, 64, 64), (1 if generator.filtering else 3, 96, 160)):
        images, labels = torch.rand(count, 3, height, width) * 2 - 1, 2 - torch.arange(count)
        (found,) = session.run(None, {"images": images.numpy(), "labels": labels.numpy()})
        with torch.no_grad():
            expected = generator(images, labels).numpy()
        assert np.abs(found - expected).max() < 1e-3
        assert np.abs(found - images.numpy()).max() > 0.02


# ---- files of earlier versions

# the header of a model file as version 0.1.0 wrote it, whose training's settings had other names
OLD_TRAINING = {
    "learned": {
        "average": 0.5,
        "handling": {"jpeg": 0.5, "jpeg_quality": [75, 95], "resample": 0.0, "round": True},
        "psnr": {"end": 0.0, "start": 0.0, "until": 1.0},
        "weights": {"pixel": {"end": 3.0, "start": 1.0, "until": 1.0}},
    },
    "name": "plus",
    "seed": 7,
    "threads": 2,
}
OLD_HEADER = {
    "kind": "anonymizer",
    "version": 1,
    "name": "plus",
    "labels": list(LABELS),
    "generator": {
        **{"features": 4, "downsamplings": 0, "blocks": 1, "kernel": 3},
        **{"output": "residual", "input": "rgb", "label": "maps"},
    },
    "evaluators": {
        "rgb": {
            "estimator": None,
            "net": {"architecture": "small", "dropout": 0.5, "frontend": "rgb", "width": 4},
        }
    },
    "dataset": "simulated",
    "photographs": dict.fromkeys(LABELS, 7),
    "runs": 2,
    "training": OLD_TRAINING,
    "profiles": {},
    "scores": {"summary": [{"method": "plus", "targeted": 0.5}], "transfer": [], "per_label": []},
    "versions": {"cama": "0.1.0", "torch": "2.15.0"},
    "inputs": {"splits.csv": "8247c62e"},
    "card": "# plus",
}


def test_a_model_file_of_before_loads(tmp_path):
    path = tmp_path / "old.safetensors"
    generator = Generator(3, GeneratorSpec(**OLD_HEADER["generator"])).state_dict()
    classifier = tiny_classifier("rgb").state_dict()
    tensors = {f"generator.{name}": value for name, value in generator.items()}
    save_tensors(path, tensors | {f"evaluators.rgb.{name}": value for name, value in classifier.items()}, OLD_HEADER)
    made = load_anonymizer(path)
    assert made.header.model_dump(mode="json") == OLD_HEADER | {
        "psnr": 0,
        "refine": 0,
        "judges": {},
        "credits": "",
        "licence": "",
        "generator": {**OLD_HEADER["generator"], "detail": 0, "filters": 8, "taps": 7, "matched": False},
    }
    assert all(torch.equal(value, generator[name]) for name, value in made.generator.state_dict().items())
    assert made.evaluator.names == ("rgb",)
