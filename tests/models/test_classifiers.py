"""Classifiers: every front-end on every kind of architecture, and as a file."""

import copy
from itertools import cycle

import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from cama.core.errors import CamaError
from cama.models.classifiers import ARCHITECTURES, BasicBlock, Classifier, load_classifier, save_classifier
from cama.models.estimator import Estimator, save_estimator
from cama.models.frontends import FRONTENDS
from cama.settings.networks import ARCHITECTURE_NAMES, WITH_ESTIMATOR, ClassifierNetSpec
from cama.settings.spec import parse
from cama.storage.model_files import read_header, read_model, save_tensors
from tests.models.helpers import TINY_BODY, net_spec, pictures, tiny_classifier, tiny_estimator

LABELS = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")


# Each front-end on the small network, and each network on one of the front-ends.
PAIRS = [
    *((frontend, "small") for frontend in FRONTENDS),
    *zip(cycle(FRONTENDS), list(ARCHITECTURES)[1:], strict=False),
]


@pytest.mark.parametrize(("frontend", "architecture"), PAIRS)
def test_a_classifier_goes_forward_backward_and_through_a_file(frontend, architecture, tmp_path):
    classifier = tiny_classifier(frontend, architecture=architecture).train()
    images = pictures(2, 64).requires_grad_()
    classifier.frontend.calibrate(0.3 * pictures(2, 64))
    logits = classifier(images)
    assert logits.shape == (2, 3)
    nn.functional.cross_entropy(logits, torch.tensor([0, 2])).backward()
    gradients = {name: p.grad for name, p in classifier.named_parameters() if p.requires_grad}
    assert [name for name, g in gradients.items() if g is None or not torch.isfinite(g).all() or not g.any()] == []
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().max() > 0

    path = tmp_path / "f.safetensors"
    save_classifier(path, classifier, net_spec(frontend, architecture=architecture), LABELS, {"note": 7})
    loaded, labels = load_classifier(path)
    assert labels == LABELS
    assert read_header(path)["note"] == 7
    assert not loaded.training
    with torch.no_grad():
        expected, found = classifier.eval()(images), loaded(images)
    path.unlink()  # some are large
    assert torch.equal(expected, found)
    assert not torch.equal(expected[0], expected[1])


def shapes_only(architecture: str, frontend: str, classes: int = 3) -> Classifier:
    """A classifier whose tensors have shapes and no values, so that the large ones cost nothing."""
    with torch.device("meta"):
        estimator = Estimator(TINY_BODY) if frontend in WITH_ESTIMATOR else None
        return Classifier(classes, net_spec(frontend, architecture=architecture), estimator)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("frontend", FRONTENDS)
def test_every_front_end_fits_every_architecture_on_patches_and_on_whole_crops(frontend, architecture):
    classifier = shapes_only(architecture, frontend)
    assert classifier(torch.empty(1, 3, 240, 176, device="meta")).shape == (1, 3)
    logits = classifier(torch.empty(2, 3, 64, 64, device="meta"))
    assert logits.shape == (2, 3)
    logits.sum().backward()
    learns = {name: p.grad is not None for name, p in classifier.named_parameters()}
    assert learns == {name: not name.startswith("frontend.estimator") for name in learns}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("channels", [1, 9])
def test_every_architecture_takes_any_number_of_channels_and_of_classes(architecture, channels):
    with torch.device("meta"):
        net = ARCHITECTURES[architecture](channels, 7, 0.5, 4)
    assert net(torch.empty(2, channels, 64, 64, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_the_dropout_of_its_spec_before_its_last_layer(architecture):
    with torch.device("meta"):
        classifier = Classifier(5, ClassifierNetSpec(architecture=architecture, dropout=0.25))
    assert [part.p for part in classifier.modules() if isinstance(part, nn.Dropout)] == [0.25]


@pytest.mark.parametrize(("architecture", "layers"), [("densenet40", 40), ("densenet100", 100)])
def test_a_densenet_has_the_layers_of_its_name(architecture, layers):
    """Convolutions and the last layer, as Huang et al. (2017) count."""
    parts = list(shapes_only(architecture, "rgb").net.modules())
    assert sum(isinstance(part, nn.Conv2d) for part in parts) + 1 == layers
    assert sum(isinstance(part, nn.Linear) for part in parts) == 1


def test_densenet100_has_the_parameters_of_its_paper():
    """0.8 million for ten classes, with growth 12, bottlenecks and compression; 769,162 is the count that is known of it."""
    with torch.device("meta"):
        net = ARCHITECTURES["densenet100"](3, 10, 0.5, 4)
    assert sum(p.numel() for p in net.parameters()) == 769_162


def test_the_stem_of_a_resnet_keeps_the_resolution():
    net = tiny_classifier("rgb", architecture="resnet18").eval().net
    seen = []
    net.layer1.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[-1]))
    with torch.no_grad():
        net(pictures(1, 64))
    assert seen == [64]


def test_the_gradients_of_a_narrow_network_are_those_of_exact_arithmetic():
    """Few channels in channels_last, whose strided 1 x 1 convolution crashed on processors with AVX2 alone."""
    torch.manual_seed(1)
    block, picture = BasicBlock(4, 8, 2), torch.rand(4, 4, 33, 32)
    exact = copy.deepcopy(block).double()
    block.to(memory_format=torch.channels_last)
    block(picture.contiguous(memory_format=torch.channels_last)).square().mean().backward()
    exact(picture.double()).square().mean().backward()
    assert block.shortcut[0].weight.grad.shape == (8, 4, 1, 1)
    for found, wanted in zip(block.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(found.grad.double(), wanted.grad, rtol=1e-2, atol=1e-5)


def test_parameters_of_the_small_and_of_the_paper_network_count_as_by_hand():
    def block(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + 9 * outputs * outputs + inputs * outputs + 3 * 2 * outputs

    small = sum(p.numel() for p in Classifier(4, ClassifierNetSpec(architecture="small")).parameters())
    assert small == 3 * 16 * 25 + 32 + block(16, 32) + block(32, 64) + block(64, 64) + 64 * 4 + 4
    # torchvision's ResNet-18 has 11,689,512 with a 7x7 stem and 1000 classes
    resnet = sum(p.numel() for p in Classifier(6, ClassifierNetSpec()).parameters())
    assert resnet == 11_689_512 - 3 * 64 * 49 + 3 * 64 * 9 - 513 * 1000 + 513 * 6


def test_an_unknown_architecture_is_an_error_that_names_the_known():
    with pytest.raises(CamaError, match="architecture: found 'resnet19', expected one of 'small', 'resnet18', "):
        parse(ClassifierNetSpec, {"architecture": "resnet19"}, "config")


def test_the_config_knows_the_architectures_that_are_registered():
    assert tuple(ARCHITECTURES) == ARCHITECTURE_NAMES


@pytest.mark.parametrize("frontend", ["rgb", *WITH_ESTIMATOR])
def test_a_file_carries_the_estimator_of_its_front_end_and_its_scale(frontend, tmp_path):
    path = tmp_path / "f.safetensors"
    save_classifier(path, tiny_classifier(frontend), net_spec(frontend), LABELS, {})
    loaded, _ = load_classifier(path)
    if frontend == "rgb":
        assert read_header(path)["estimator"] is None
    else:
        assert loaded.frontend.estimator.scale.item() == 0.25
        assert not any(p.requires_grad for p in loaded.frontend.estimator.parameters())


def one_line(error: pytest.ExceptionInfo, path: object) -> bool:
    return str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_with_more_labels_than_its_weights_have_is_refused(tmp_path):
    path = tmp_path / "f.safetensors"
    save_classifier(path, tiny_classifier("rgb"), net_spec("rgb"), (*LABELS, "Dorado_D5"), {})
    with pytest.raises(CamaError, match="do not fit") as error:
        load_classifier(path)
    assert one_line(error, path)


def test_an_unknown_key_in_the_header_is_refused(tmp_path):
    path = tmp_path / "f.safetensors"
    save_classifier(path, tiny_classifier("rgb"), net_spec("rgb"), LABELS, {"net": {"frontent": "rgb"}})
    with pytest.raises(CamaError, match="nearest known key is 'frontend'") as error:
        load_classifier(path)
    assert one_line(error, path)


def test_a_model_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "e0.safetensors"
    save_estimator(path, tiny_estimator(), {})
    with pytest.raises(CamaError, match="found a model of kind 'estimator', expected 'classifier'") as error:
        load_classifier(path)
    assert one_line(error, path)


def test_a_file_without_weights_is_refused(tmp_path):
    path = tmp_path / "f.safetensors"
    save_classifier(path, tiny_classifier("rgb"), net_spec("rgb"), LABELS, {})
    state, _ = read_model(path, "classifier")
    save_file(dict(state), path)
    with pytest.raises(CamaError, match="not a model file of this project") as error:
        load_classifier(path)
    assert one_line(error, path)


def test_a_file_of_an_architecture_that_is_gone_is_one_line(tmp_path):
    path = tmp_path / "f.safetensors"
    net = {"frontend": "rgb", "architecture": "resnet18-quarter", "dropout": 0.5, "width": 16}
    header = {"kind": "classifier", "net": net, "labels": list(LABELS), "estimator": None}
    save_tensors(path, tiny_classifier("rgb", architecture="resnet18").state_dict(), header)
    with pytest.raises(
        CamaError, match=r"f\.safetensors: architecture: found 'resnet18-quarter', expected one of 'small', [^\n]*$"
    ) as error:
        load_classifier(path)
    assert "\n" not in str(error.value)
    assert "'resnet18'" in str(error.value)  # and names those that there are
