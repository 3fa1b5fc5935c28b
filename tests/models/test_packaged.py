"""Tests of cama.models.packaged, packing and exported: a model file is whole, or refused with one line."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.models.classifiers import load_classifier, save_classifier
from cama.models.generator import Generator, load_generator, save_generator
from cama.models.packaged import load_anonymizer, load_header
from cama.models.packing import pack_networks
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
    made = load_anonymizer(model_file(tmp_path, psnr=36, refine=2))
    generator, _, known = load_generator(tmp_path / "g.safetensors")
    classifier, labels = load_classifier(tmp_path / "e.safetensors")
    assert tuple(made.header.labels) == labels == known == LABELS
    images, targets = pictures(2), torch.tensor([0, 2])
    changed, scores = made.generator(images.numpy(), targets.numpy()), made.judges["rgb"](images.numpy())
    with torch.no_grad():
        assert scores == pytest.approx(
            classifier(images).log_softmax(1).numpy(), abs=5e-3
        )  # weights are stored in half
        assert changed == pytest.approx(generator(images, targets).numpy(), abs=1e-3)
    assert not np.array_equal(changed, images.numpy())
    one = images[:1].clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(-classifier(one).log_softmax(1)[0, 2], one)
    found = made.gradients["rgb"](one.detach().numpy(), targets[1:].numpy())
    assert np.abs(found - expected.numpy()).max() < 0.01 * expected.abs().max()


@pytest.mark.parametrize("judges", [True, False])
def test_without_judges_the_classifiers_of_e_are_asked(judges, tmp_path):
    made = load_anonymizer(model_file(tmp_path, judges=judges))
    assert list(made.judges) == list(made.header.judges) == ["judge" if judges else "rgb"]
    assert made.header.held_out == judges
    assert made.gradients == {}  # nothing is refined


def test_the_estimator_of_a_residual_front_end_comes_along(tmp_path):
    g, e = tmp_path / "g.safetensors", tmp_path / "e.safetensors"
    spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3)
    save_generator(g, Generator(3, spec), spec, LABELS, {"spec": {"seed": 7}})
    save_classifier(e, tiny_classifier("prnu_lp"), net_spec("prnu_lp"), LABELS, {})
    networks, parts = pack_networks(g, {"high": e}, {}, 0, 0)
    assert parts["training"] == {"seed": 7}
    assert parts["evaluators"]["high"]["estimator"]["features"]
    assert set(networks) == {"generator", "judges.high"}


def test_a_classifier_of_other_labels_is_refused(tmp_path):
    model_file(tmp_path)
    e, g = tmp_path / "e.safetensors", tmp_path / "g.safetensors"
    spec = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3)
    save_generator(g, Generator(2, spec), spec, LABELS[:2], {})
    with pytest.raises(CamaError, match=r"e.safetensors: found the labels .*, expected "):
        pack_networks(g, {"rgb": e}, {}, 0, 0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"kind": "generator"}, "found a model of kind 'generator', expected 'anonymizer'"),
        ({"version": 9}, "version: "),
        ({"labels": ["A_1"]}, "labels: "),
        ({"evaluators": {}}, "evaluators: "),
        ({"evaluators": None}, "evaluators: Field required"),
        ({"generator": {"features": "many"}}, "generator.features: "),
        ({"generator": {"features": 1_000_000_000}}, "generator.features: "),
        ({"generator": {"blocks": 1_000_000}}, "generator.blocks: "),
        ({"version": 1}, "version: "),
        ({"judges": {}}, "judges: "),
        ({"reach": -1}, "reach: "),
        ({"headroom": 2}, "headroom: found 2 and no psnr, expected both"),
        ({"labels": ["Acme_A1", "Acme_A1"]}, "labels: found 'Acme_A1' more than once, expected each camera once"),
        (
            {"scores": {"summary": [{"targeted": "most"}]}},
            "summary: found the targeted success 'most', expected 0 to 1",
        ),
        ({"refine": 2, "psnr": 36}, "refine_by: found none for 2 steps, expected some of rgb"),
        ({"refine": 2, "psnr": 36, "refine_by": ["low"]}, "refine_by: found low for 2 steps, expected some of rgb"),
        (
            {"refine": 2, "psnr": 36, "refine_by": ["rgb"]},
            "found the networks generator, judges.rgb, expected generator, gradients.rgb, judges.rgb",
        ),
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


def other_ends(tensors):
    """The file with a judge in G's place."""
    return tensors | {"generator": tensors["judges.rgb"]}


def without_numbers(tensors):
    """The file with a network whose weights are not all numbers in G's place."""
    import onnx

    graph = onnx.load_from_string(tensors["generator"].tobytes())
    for one in graph.graph.initializer:
        if one.data_type == onnx.TensorProto.FLOAT and one.name.endswith("bias"):
            one.CopyFrom(onnx.numpy_helper.from_array(np.full(one.dims, np.nan, np.float32), one.name))
    return tensors | {"generator": np.frombuffer(graph.SerializeToString(), np.uint8)}


def smaller(tensors):
    """The file with a network that gives a narrower picture in G's place."""
    from onnx import TensorProto, helper

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "rows", "columns"])
    labels = helper.make_tensor_value_info("labels", TensorProto.INT64, [1])
    changed = helper.make_tensor_value_info("changed", TensorProto.FLOAT, None)
    node = helper.make_node("AveragePool", ["images"], ["changed"], kernel_shape=[1, 2])
    graph = helper.make_graph([node], "smaller", [images, labels], [changed])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return tensors | {"generator": np.frombuffer(model.SerializeToString(), np.uint8)}


def no_onnx(tensors):
    return tensors | {"generator": np.frombuffer(b"no network", np.uint8)}


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (other_ends, "generator: found the inputs images and outputs scores, expected images, labels and changed"),
        (no_onnx, "generator cannot be run"),
        (without_numbers, "generator: found an output that is no number"),
        (smaller, "generator: found an output of the shape (1, 3, 64, 63), expected (1, 3, 64, 64)"),
    ],
)
def test_a_network_that_is_none_is_one_line(damage, expected, tmp_path):
    made = load_anonymizer(rewritten(model_file(tmp_path), damage))
    with pytest.raises(CamaError) as error:
        made.generator(np.zeros((1, 3, 64, 64), np.float32), np.zeros(1, np.int64))
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


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


def test_steps_go_by_the_classifiers_in_the_order_of_the_header(tmp_path):
    model_file(tmp_path)
    names = ["high", "con_conv"]
    networks, parts = pack_networks(
        tmp_path / "g.safetensors", dict.fromkeys(names, tmp_path / "e.safetensors"), {}, 36, 1
    )
    tensors = {name: np.frombuffer(data, np.uint8) for name, data in networks.items()}
    path = rewritten(tmp_path / "model.safetensors", lambda _: tensors, **parts)
    assert list(load_anonymizer(path).gradients) == list(load_header(path).evaluators) == names


def test_pictures_that_are_refined_are_refined_at_a_level(tmp_path):
    with pytest.raises(CamaError, match="refine: found 3 and no psnr"):
        load_header(rewritten(model_file(tmp_path), refine=3))


@pytest.mark.parametrize("more", [{"refine": 3}, {"headroom": 2}])
def test_a_generator_that_does_not_do_all_of_the_work_is_not_exported_alone(more, tmp_path, capsys):
    path, out = model_file(tmp_path, psnr=36, **more), tmp_path / "g.onnx"
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
    networks, parts = pack_networks(tmp_path / "g.safetensors", {"rgb": tmp_path / "e.safetensors"}, {}, 36, 0)
    tensors = {name: np.frombuffer(data, np.uint8) for name, data in networks.items()}
    path = rewritten(tmp_path / "model.safetensors", lambda _: tensors, **parts)
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
