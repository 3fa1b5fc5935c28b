"""The classifiers that are no networks, used like them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cama
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.core.seeds import derive_seed
from cama.data.patches import Sampler
from cama.forensics.cues import cue_numbers, cue_of
from cama.models.classifiers import load_classifier, save_classifier
from cama.models.linear import LinearModel
from cama.photo.attribution import attribute, load_attributor
from cama.settings.networks import NON_NEURAL, ClassifierNetSpec
from cama.settings.spec import parse
from cama.settings.training import ClassifierSpec, ComputeSpec, TrainingSpec
from cama.storage.checkpoints import Checkpoint
from cama.storage.model_files import read_tensors, save_tensors
from cama.training.classifier import predict, train_classifier
from tests.training.conftest import CPU, camera_patches

NET = ClassifierNetSpec(architecture="cooccurrences")
SPEC = ClassifierSpec(net=NET, training=TrainingSpec(steps=10, batch=18))


@pytest.fixture(scope="module", params=NON_NEURAL)
def net(request) -> ClassifierNetSpec:
    return ClassifierNetSpec(architecture=request.param)


@pytest.fixture(scope="module")
def trained(net, tmp_path_factory):
    spec, state = SPEC.model_copy(update={"net": net}), Checkpoint(tmp_path_factory.mktemp("state"), {})
    return train_classifier("F", camera_patches(side=64), spec, None, CPU, 1, state)


@pytest.fixture
def file(net, trained, tmp_path):
    save_classifier(tmp_path / "f.safetensors", trained[0], net, camera_patches().labels, {})
    return tmp_path / "f.safetensors"


def test_it_learns_to_tell_the_cameras_apart_on_patches_and_on_larger_crops(trained):
    classifier, curve = trained
    assert list(curve.columns) == ["step", "loss", "accuracy"]
    assert curve.step.tolist() == [10]
    assert curve.accuracy[0] > 0.95
    for unseen in (camera_patches(6, seed=9, side=64), camera_patches(3, seed=8, side=150)):
        found = predict(classifier, unseen.arrays["rgb"], CPU)
        assert (found.argmax(1) == unseen.label).mean() > 0.85
        assert np.exp(found).sum(1) == pytest.approx(np.ones(len(found)), abs=1e-4)


@pytest.mark.parametrize("labels", [2, 3])
def test_it_answers_as_scikit_learn_does(labels, tmp_path):
    everything = camera_patches()
    chosen = everything.label < labels
    arrays = {"rgb": everything.arrays["rgb"][torch.from_numpy(chosen)]}
    about = {
        name: getattr(everything, name)[chosen]
        for name in ("label", "validation", "photograph", "scene", "origin", "device")
    }
    patches = replace(everything, arrays=arrays, labels=everything.labels[:labels], **about)
    classifier, _ = train_classifier("F", patches, SPEC, None, CPU, 1, Checkpoint(tmp_path, {}))

    sampler = Sampler(patches, ("rgb",), SPEC.training.batch, derive_seed(1, "batches"), CPU)
    drawn = [sampler.draw(step) for step in range(SPEC.training.steps)]
    features = classifier.net.features(CPU.images(torch.cat([images[0] for images, _ in drawn]))).numpy()
    analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    fitted = make_pipeline(StandardScaler(), analysis).fit(features, torch.cat([numbers for _, numbers in drawn]))
    unseen = camera_patches(3, seed=5).arrays["rgb"]
    expected = fitted.predict_proba(classifier.net.features(CPU.images(unseen)).numpy())
    assert np.exp(predict(classifier, unseen, CPU)) == pytest.approx(expected, abs=1e-3)


def test_it_computes_in_float32_whatever_the_networks_compute_in(trained):
    classifier, _ = trained
    images = camera_patches(2, seed=3).arrays["rgb"]
    coarse = Compute(ComputeSpec(device="cpu", precision="bfloat16"))
    assert np.array_equal(predict(classifier, images, coarse), predict(classifier, images, CPU))


def test_it_is_a_model_file_like_the_others(trained, file):
    loaded, labels = load_classifier(file)
    images = camera_patches(2, seed=3).arrays["rgb"]
    assert labels == camera_patches().labels
    assert np.array_equal(predict(loaded, images, CPU), predict(trained[0], images, CPU))

    picture = camera_patches(1, side=64, seed=3).arrays["rgb"][1].numpy()
    shares = cama.score([picture], [file], device="cpu").iloc[0]
    (found,) = attribute(picture, [load_attributor(file)])
    assert shares.predicted == next(iter(found["probabilities"])) == labels[1]
    assert found["probabilities"] == pytest.approx({label: shares[f"p_{label}"] for label in labels}, abs=1e-3)


def test_a_file_with_other_features_is_refused(file):
    tensors, header = read_tensors(file)
    save_tensors(file, {**tensors, "net.weight": tensors["net.weight"][:, 1:]}, header)
    with pytest.raises(CamaError, match=r"f.safetensors: the weights do not fit .*net.weight: found \[3, \d+\]"):
        load_classifier(file)


def test_the_numbers_of_a_large_picture_are_the_mean_of_its_parts_and_what_is_left_over_has_none():
    large = camera_patches(1, side=150).arrays["rgb"].numpy()
    parts = [[cue_of(cue_numbers, one[y : y + 64, x : x + 64]) for y in (0, 64) for x in (0, 64)] for one in large]
    found = LinearModel(3, "numbers").features(CPU.images(torch.from_numpy(large))).numpy()
    assert found == pytest.approx(np.mean(parts, axis=1), rel=1e-4)
    small = large[:, :48, :40]
    found = LinearModel(3, "numbers").features(CPU.images(torch.from_numpy(small.copy()))).numpy()
    assert found == pytest.approx(np.array([cue_of(cue_numbers, one) for one in small]), rel=1e-4)


def test_too_few_patches_of_a_camera_are_an_error_that_names_it(tmp_path):
    few = SPEC.model_copy(update={"training": TrainingSpec(steps=1, batch=4)})
    with pytest.raises(CamaError, match=r"training of F: found 1 drawn patches of .*, expected at least 2"):
        train_classifier("F", camera_patches(), few, None, CPU, 1, Checkpoint(tmp_path, {}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"net": {"frontend": "con_conv"}}, "net: frontend: found 'con_conv', expected 'rgb' for cooccurrences"),
        (
            {"training": {"steps": 2000, "batch": 64}},
            "training: found 128000 patches (steps x batch), expected at most 100000 for cooccurrences",
        ),
        ({"training": {"steps": 9, "processes": 2}}, "training.processes: found 2, expected 1 for cooccurrences"),
    ],
)
def test_settings_that_mean_nothing_to_it_are_refused(values, message):
    base = {"training": {"steps": 9, "batch": 4}, **values}
    net = {"architecture": "cooccurrences", **values.get("net", {})}
    with pytest.raises(CamaError) as error:
        parse(ClassifierSpec, {**base, "net": net}, "config")
    assert str(error.value) == f"config: {message}"
