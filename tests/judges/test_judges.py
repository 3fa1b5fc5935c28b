"""Tests of cama.judges: classifiers and fingerprint extractors that others trained, and ONNX files that mean harm."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from cama.core.errors import CamaError
from cama.judges import isolated
from cama.judges import judge as judge_module
from cama.judges.fingerprints import KIND, fit_fingerprints, load_fingerprints, normalised
from cama.judges.isolated import OnnxNetwork
from cama.judges.judge import Judge
from cama.judges.patches import cut, network_input, probabilities, vote
from cama.settings.judges import JudgeSpec, read_judge
from cama.storage.model_files import save_tensors
from tests.judges.networks import (
    LABELS,
    absolute_network,
    colour_network,
    coloured,
    endless_network,
    foreign_network,
    greedy_network,
    many_inputs,
    narrow_network,
    scattered_network,
    two_outputs,
    write_judge,
)


def spec(**settings) -> JudgeSpec:
    return JudgeSpec(**{"network": "n.onnx", "labels": LABELS, **settings})


# ---- patches and votes


@pytest.mark.parametrize(("patch", "shape"), [(32, (12, 32, 32, 3)), (50, (2, 50, 50, 3)), (0, (1, 96, 128, 3))])
def test_patches_lie_side_by_side_on_the_grid_of_blocks(patch, shape):
    places = np.stack(np.mgrid[:96, :128], -1).astype(np.uint8)
    picture = np.concatenate([places, places[..., :1]], -1)
    patches = cut(picture, spec(patch=patch))
    assert patches.shape == shape
    assert not (patches[:, 0, 0, :2] % 16).any()
    assert len({tuple(one[0, 0]) for one in patches}) == len(patches)


def test_of_many_patches_some_are_taken_evenly():
    picture = np.repeat(np.arange(16, dtype=np.uint8)[:, None, None] * 16, 3, 2).repeat(16, 0).repeat(256, 1)
    rows = cut(picture, spec(patch=16, most=16))[:, 0, 0, 0] // 16
    assert np.diff(np.sort(rows)).max() <= 2
    assert {0, 15} <= set(rows.tolist())


def test_the_patch_in_the_centre_begins_on_the_grid_of_blocks():
    picture = np.stack([*np.mgrid[:100, :150], np.zeros((100, 150))], -1).astype(np.uint8)
    (patch,) = cut(picture, spec(patch=40, patches="centre"))
    assert tuple(patch[0, 0, :2]) == (16, 48)


def test_a_picture_smaller_than_a_patch_is_refused():
    with pytest.raises(CamaError, match="found a picture of 128x96 pixels, expected at least 100 a side"):
        cut(coloured(0), spec(patch=100))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", ["rgb", "bgr", "luma"])
def test_the_input_is_as_the_judge_wants_it(layout, channels):
    patch = np.array([10, 20, 30], np.uint8).reshape(1, 1, 1, 3).repeat(4, 1).repeat(5, 2)
    colours = {"rgb": [10, 20, 30], "bgr": [30, 20, 10], "luma": [10 * 0.299 + 20 * 0.587 + 30 * 0.114]}[channels]
    mean = [0.1] * len(colours)
    found = network_input(
        patch, spec(layout=layout, channels=channels, range=(-1, 1), mean=mean, deviation=[2.0] * len(mean))
    )
    expected = (np.array(colours) / 127.5 - 1 - 0.1) / 2
    assert found.dtype == np.float32
    assert found.shape == ((1, len(colours), 4, 5) if layout == "nchw" else (1, 4, 5, len(colours)))
    assert np.allclose(found[0, :, 0, 0] if layout == "nchw" else found[0, 0, 0], expected, atol=1e-6)


def test_scores_become_probabilities():
    logits = np.array([[1.0, 2.0, 800.0], [0.0, 0.0, 0.0]])
    assert np.allclose(probabilities(logits, "logits"), softmax(logits, 1))
    shares = softmax(np.array([[1.0, 2.0, 3.0]]), 1)
    assert np.allclose(probabilities(np.log(shares), "logarithms"), shares)
    assert np.allclose(probabilities(1.01 * shares, "probabilities"), shares)
    for wrong in (-shares, 2 * shares):
        with pytest.raises(CamaError, match="scores that are no probabilities"):
            probabilities(wrong, "probabilities")


def test_patches_vote_by_their_mean_or_by_majority():
    shares = np.array([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.0, 1.0, 0.0]])
    assert np.allclose(vote(shares, "mean"), [0.4, 0.6, 0])
    assert np.allclose(vote(shares, "majority"), [2 / 3, 1 / 3, 0])


# ---- classifiers


@pytest.mark.parametrize("settings", [{}, {"patch": 32, "vote": "majority"}, {"patch": 48, "patches": "centre"}])
def test_an_onnx_classifier_names_cameras(tmp_path, settings):
    judge = Judge(write_judge(tmp_path / "colours.yaml", **settings))
    assert (judge.name, judge.labels, judge.measure) == ("colours", LABELS, "probability")
    for channel in range(3):
        scores = judge.scores(coloured(channel))
        assert scores.argmax() == channel
        assert scores.sum() == pytest.approx(1)


def test_its_scores_are_those_of_the_network(tmp_path):
    picture = coloured(1)
    expected = softmax(8 * picture.mean((0, 1)) / 255)
    assert np.allclose(Judge(write_judge(tmp_path / "j.yaml")).scores(picture), expected, atol=1e-6)
    # of the same network the channels in another order
    assert np.allclose(
        Judge(write_judge(tmp_path / "j.yaml", channels="bgr")).scores(picture), expected[::-1], atol=1e-6
    )


@pytest.mark.parametrize("count", [1, 5])
def test_a_network_for_a_fixed_number_of_patches_is_asked_for_so_many(tmp_path, count):
    colour_network(tmp_path / "fixed.onnx", [count, 3, 32, 32])
    fixed = Judge(write_judge(tmp_path / "j.yaml", network="fixed.onnx", patch=32))
    assert len(cut(coloured(2), fixed.spec)) == 12
    free = Judge(write_judge(tmp_path / "k.yaml", patch=32))
    assert np.allclose(fixed.scores(coloured(2)), free.scores(coloured(2)), atol=1e-6)


def test_logarithms_of_nothing_are_probabilities_of_nothing():
    with np.errstate(divide="ignore"):
        logs = np.log(np.array([[0.0, 0.25, 0.75]]))
    assert np.allclose(probabilities(logs, "logarithms"), [[0, 0.25, 0.75]])
    for scores, output in ((logs, "logits"), (np.full((1, 3), -np.inf), "logarithms")):
        with pytest.raises(CamaError, match="found scores that are not finite"):
            probabilities(scores, output)


def test_after_a_picture_that_a_network_cannot_take_it_takes_others(tmp_path):
    network = OnnxNetwork(narrow_network(tmp_path / "n.onnx"))
    for _ in range(2):
        with pytest.raises(CamaError, match=r"n.onnx: cannot be run as a network \(.*\)"):
            network(np.zeros((1, 3, 4, 4), np.float32))
        assert network(np.zeros((1, 3, 9, 9), np.float32)).shape == (1, 3, 2, 2)
    network.close()
    assert network(np.zeros((1, 3, 9, 9), np.float32)).shape == (1, 3, 2, 2)


def test_many_patches_are_asked_in_parts(tmp_path, monkeypatch):
    judge = Judge(write_judge(tmp_path / "j.yaml", patch=32))
    whole = judge.scores(coloured(1))
    monkeypatch.setattr(judge_module, "VALUES", 2 * 3 * 32 * 32)
    assert np.allclose(judge.scores(coloured(1)), whole)


def test_a_callable_is_a_judge(tmp_path, package):
    judge = Judge(write_judge(tmp_path / "j.yaml", callable="brightest", output="probabilities", patch=32))
    assert [judge.scores(coloured(channel)).argmax() for channel in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fails", "fails failed .ZeroDivisionError: .*zero."),
        ("misshapen_judge", r"misshapen_judge: found an answer of shape \[\] for 1 patches, expected one for each"),
        ("unknown", "callable: found 'unknown', expected a cama.judges: brightest, "),
    ],
)
def test_a_faulty_callable_is_named(tmp_path, package, name, expected):
    with pytest.raises(CamaError, match=f"j.yaml: {expected}"):
        Judge(write_judge(tmp_path / "j.yaml", callable=name)).scores(coloured(0))


# ---- fingerprints


def pattern(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (96, 128, 3))


def photograph(camera: int, number: int) -> np.ndarray:
    """A smooth picture with the pattern of a camera."""
    rng = np.random.default_rng([camera, number])
    smooth = rng.uniform(60, 180, 3) + rng.uniform(-20, 20, (1, 128, 1)) * np.linspace(0, 1, 96)[:, None, None]
    return (smooth + pattern(camera) + rng.normal(0, 3, (96, 128, 3))).clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("attribution", ["correlation", "linear"])
@pytest.mark.parametrize("cameras", [2, 3])
def test_a_fingerprint_extractor_attributes_photographs(tmp_path, attribution, cameras):
    judge = Judge(write_judge(tmp_path / "f.yaml", kind="fingerprint", patch=64, attribution=attribution))
    judge.learn({f"C_{one}": [photograph(one, number) for number in range(8)] for one in range(cameras)})
    assert judge.labels == tuple(f"C_{one}" for one in range(cameras))
    for camera in range(cameras):
        for number in range(8, 11):
            assert judge.scores(photograph(camera, number)).argmax() == camera
    # and from its file
    judge.fingerprints.save(tmp_path / "f.safetensors")
    again = Judge(tmp_path / "f.yaml", load_fingerprints(tmp_path / "f.safetensors"))
    picture = photograph(1, 20)
    assert np.array_equal(again.scores(picture), judge.scores(picture))


def test_fingerprints_of_other_shapes_than_their_labels_are_refused(tmp_path):
    path = tmp_path / "f.safetensors"
    tensors = {"weights": np.zeros((2, 4, 4)), "offsets": np.zeros(3)}
    save_tensors(path, tensors, {"kind": KIND, "labels": ["A", "B"], "attribution": "linear"})
    with pytest.raises(
        CamaError, match=r"found weights of shape \[2, 4, 4\] and offsets of \[3\], expected those of 2 labels"
    ):
        load_fingerprints(path)


def test_correlation_is_that_of_numpy():
    rng = np.random.default_rng(0)
    residuals = {f"C_{one}": [rng.normal(one, 1, (8, 8)) for _ in range(3)] for one in range(2)}
    found = fit_fingerprints(residuals, lambda picture: picture, "correlation")
    other = rng.normal(0, 1, (8, 8))
    expected = [np.corrcoef(np.mean(few, 0).ravel(), other.ravel())[0, 1] for few in residuals.values()]
    assert np.allclose(found.scores(other), expected, atol=1e-6)


def test_a_constant_residual_has_no_direction():
    assert not normalised(np.full((4, 4), 3.0)).any()


def test_too_few_references_are_refused():
    with pytest.raises(CamaError, match="found 1 references of B, expected 2 or more"):
        fit_fingerprints({"A": [pattern(0)] * 2, "B": [pattern(1)]}, lambda p: p[..., 0], "correlation")
    with pytest.raises(CamaError, match="found references of A, expected 2 or more"):
        fit_fingerprints({"A": [pattern(0)] * 2}, lambda p: p[..., 0], "correlation")


# ---- files that are wrong


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (two_outputs, "found 2 outputs .y, z., expected one"),
        (foreign_network, "cannot be run as a network .*Divination"),
        (scattered_network, "cannot be run as a network .its weights, or a part of it, lie in another file"),
        (absolute_network, "cannot be run as a network .its weights, or a part of it, lie in another file"),
        (greedy_network, "cannot be run as a network"),
        (many_inputs, "found 3000 inputs .x0, x1, x2, x3., expected one"),
        (lambda path: path.write_bytes(b"no network"), "cannot be run as a network .it is no ONNX file."),
        (lambda path: path.write_bytes(b""), "found 0 bytes, expected 1 to"),
        (lambda path: None, "no such network, expected an ONNX file"),
    ],
)
def test_a_network_that_means_harm_or_is_none_is_one_line(tmp_path, make, expected, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the library would look for other files
    make(tmp_path / "n.onnx")
    with pytest.raises(CamaError, match=f"n.onnx: {expected}") as error:
        Judge(write_judge(tmp_path / "j.yaml", network="n.onnx")).scores(coloured(0))
    assert "\n" not in str(error.value)


@pytest.mark.skipif(sys.platform != "linux", reason="found no Linux, whose limits of memory are the ones that hold")
def test_a_network_has_a_limit_of_memory(tmp_path, monkeypatch):
    network = OnnxNetwork(greedy_network(tmp_path / "n.onnx"))
    started = time.monotonic()
    with pytest.raises(CamaError, match="cannot be run"):
        network(np.zeros((1, 3, 64, 64), np.float32))  # 491 GB
    assert time.monotonic() - started < 30


def test_a_network_has_a_limit_of_time(tmp_path, monkeypatch):
    monkeypatch.setattr(isolated, "SECONDS", 2)
    with pytest.raises(CamaError, match="it takes more than 2 s"):
        OnnxNetwork(endless_network(tmp_path / "n.onnx"))(np.zeros((1, 3, 4, 4), np.float32))


@pytest.mark.skipif(os.name != "posix", reason="found no POSIX system, whose signals are the ones that are sent")
def test_the_process_of_a_network_ends_when_its_parent_is_killed(tmp_path):
    endless_network(tmp_path / "n.onnx")
    program = (
        "import numpy as np, pathlib, threading\n"
        "from cama.judges.isolated import OnnxNetwork\n"
        f"network = OnnxNetwork(pathlib.Path({str(tmp_path / 'n.onnx')!r}))\n"
        "print(network._process.pid, flush=True)\n"
        "network(np.zeros((1, 3, 4, 4), np.float32))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        time.sleep(1)  # it computes by now
        parent.kill()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the network's process goes on")


def test_python_files_beside_a_network_are_not_run(tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    assert Judge(write_judge(tmp_path / "j.yaml")).scores(coloured(0)).argmax() == 0
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.name != "posix", reason="found no POSIX system, which has pipes with names")
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "a\0b"])
def test_what_is_no_file_is_no_network(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CamaError, match=r"no such network|could not be read"):
        Judge(write_judge(tmp_path / "j.yaml", network=name))


def test_the_process_of_a_network_ends_with_it(tmp_path):
    network = OnnxNetwork(colour_network(tmp_path / "n.onnx"))
    process = network._process
    assert process.poll() is None
    del network
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"labels": ["A_a", "B_b"]}, r"found scores of shape \[1, 3\], expected \[1, 2\]: one for each of its labels"),
        ({"layout": "nhwc"}, r"the network takes inputs \['n', 3, 'h', 'w'\], found \[96, 128, 3\] for each patch"),
        ({"channels": "luma"}, r"the network takes inputs .* found \[1, 96, 128\] for each patch"),
        ({"output": "probabilities", "range": [-1, 0]}, "found scores that are no probabilities"),
    ],
)
def test_a_network_that_does_not_fit_its_file_is_named(tmp_path, settings, expected):
    with pytest.raises(CamaError, match=f"j.yaml: {expected}"):
        Judge(write_judge(tmp_path / "j.yaml", **settings)).scores(coloured(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("network: n.onnx\nlabel: [A_a, B_b]", "unknown key 'label', the nearest known key is 'labels'"),
        ("labels: [A_a, B_b]", "network, callable: found neither, expected one of the two"),
        ("network: n\ncallable: c\nlabels: [A, B]", "network, callable: found 'n' and 'c', expected one of the two"),
        ("network: n.onnx", r"labels: found \[\], expected 2 or more, each once"),
        ("network: n.onnx\nlabels: [A, A]", r"labels: found \['A', 'A'\], expected 2 or more"),
        ("network: n.onnx\nlabels: [A, B]\nmean: [1]", "mean: found 1 values, expected 3 for the channels rgb"),
        ("network: n.onnx\nlabels: [A, B]\nrange: [1, 1]", r"range: found \[1.0, 1.0\], expected two values"),
        ("network: n.onnx\nlabels: [A, B]\nreferences: r", "references: found some, which only a fingerprint"),
        ("network: n.onnx\nkind: fingerprint", "patch, patches, vote: found 0, centre, mean, expected a side"),
        ("network: n.onnx\nkind: fingerprint\npatch: 64\nlabels: [A, B]", r"labels: found \['A', 'B'\], expected none"),
        ("callable: c\nlabels: [A, B]\nchannels: luma", "channels: found 'luma', which only a network has"),
        ("", "found an empty file, expected the keys"),
        ("- 1", "found a list, expected the keys and values of a judge"),
        ("a: &a [1, 2]\nlabels: *a", "not the YAML file of a judge .found an alias"),
        ("labels: [" + "A, " * 400_000 + "]", "found a file of .* bytes, expected at most"),
        (
            "network: n.onnx\nlabels: [A, B]\nattribution: linear",
            "attribution: found 'linear', which only a fingerprint has",
        ),
        ("network: n.onnx\nlabels: [A, B]\npatch: yes", "patch: Input should be a valid integer"),
        (
            "network: n.onnx\nlabels: [A, B]\nrange: [1.0e+300, 1]",
            "range.0: Input should be less than or equal to 1000000",
        ),
        ("a: [", "not the YAML file of a judge"),
        ("a: !!python/object:os.system 1", "not the YAML file of a judge"),
    ],
)
def test_a_wrong_yaml_file_is_one_line(tmp_path, text, expected):
    (tmp_path / "j.yaml").write_text(text)
    with pytest.raises(CamaError, match=f"^{re.escape(str(tmp_path / 'j.yaml'))}: {expected}") as error:
        read_judge(tmp_path / "j.yaml")
    assert "\n" not in str(error.value)


def test_a_missing_yaml_file_is_named():
    with pytest.raises(CamaError, match=r"gone\.yaml: no such judge, expected its YAML file"):
        read_judge(Path("gone.yaml"))
