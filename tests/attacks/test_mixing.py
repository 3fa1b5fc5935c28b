"""Mixtures of generators and a linear filter: what they compute, and how judges choose the shares."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from torch import nn

from cama.api import load_model
from cama.attacks.mixing import as_good_as_best, mix, shares
from cama.attacks.spectrum import filter_gains, filtered
from cama.attacks.tiles import reach, transform
from cama.commands.main import main
from cama.compute.psnr import psnr
from cama.compute.tensors import to_float
from cama.data.patches import Patches
from cama.models.classifiers import save_classifier
from cama.models.colour_filters import filter_channels, kernel
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import Generator, save_generator
from cama.models.mixture import Mixture, load_generator
from cama.models.packaged import load_header, read_parts, save_anonymizer
from cama.settings.networks import GeneratorSpec, MixtureNetSpec
from tests.attacks.test_spectrum import LABELS, SLOPES, coloured, patch_file
from tests.models.helpers import net_spec, shake, tiny_classifier
from tests.photo.helpers import LABELS as photo_labels
from tests.photo.helpers import model_file
from tests.training.conftest import CPU

MEMBER = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, output="residual", input="rgb")
SPEC = MixtureNetSpec(members=(MEMBER,), taps=15)


def member(change: float = 0.03, seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    return shake(Generator(3, MEMBER), change, seed).eval()


def mixture(generator: float, filtering: float, taps: int = 15) -> Mixture:
    """A mixture with these weights, whose filters blur a little, each target's otherwise."""
    made = Mixture(3, MixtureNetSpec(members=(MEMBER,), taps=taps)).eval()
    made.members[0].load_state_dict(member().state_dict())
    gains = np.linspace(0, 1, 17)[:, None] + np.linspace(0, 1, 17)
    for target in range(3):
        made.kernels[target] = torch.from_numpy(kernel(-(target + 1) / 4 * gains, taps)).float()
    made.weights[:] = torch.tensor([generator, filtering])
    return made


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return patch_file(tmp_path_factory.mktemp("mixing") / "adversary.h5")


@torch.no_grad()
def test_a_mixture_adds_weighted_changes():
    images, labels = to_float(coloured(0.5, 3, 48, 64)), torch.tensor([0, 2, 1])
    one, other = member()(images, labels) - images, mixture(0, 1)(images, labels) - images
    assert torch.equal(mixture(0, 0)(images, labels), images)
    assert torch.allclose(mixture(1, 0)(images, labels), images + one, atol=1e-6)
    assert torch.allclose(mixture(0.3, -2)(images, labels), images + 0.3 * one - 2 * other, atol=1e-5)
    each = [mixture(0.3, 2)(images[n : n + 1], labels[n : n + 1]) for n in range(3)]
    assert torch.allclose(mixture(0.3, 2)(images, labels), torch.cat(each), atol=1e-5)


@pytest.mark.parametrize("level", [0, 36])
def test_a_mixture_in_tiles_is_that_in_one_pass(level):
    picture = coloured(0.5, 1, 200, 176)[0]
    made = mixture(1, 1, taps=31)
    spec = MixtureNetSpec(members=(MEMBER,), taps=31)
    assert reach(spec) == 15
    whole = transform(picture, made, spec, 1, CPU, level)
    assert np.abs(transform(picture, made, spec, 1, CPU, level, tile=64).astype(int) - whole).max() <= 1
    assert psnr(picture, whole) < 45


@torch.no_grad()
def test_a_filter_of_few_taps_is_nearly_that_of_its_gain(patches):
    data = Patches.read(patches, "rgb")
    gains, strength = filter_gains(patches, data, 30)
    assert 0 < strength.alpha <= 3
    pictures = coloured(0, 4, 96, 96, seed=5)
    for gain in gains:
        kernels = torch.from_numpy(np.stack([kernel(gain[..., c], 31) for c in range(3)])).float()
        expected = filtered(pictures, gain) - pictures
        changed = filter_channels(to_float(pictures), kernels.expand(4, -1, -1, -1))
        found = (changed - to_float(pictures)).numpy() * 127.5
        error = np.moveaxis(found, 1, -1) - expected
        assert np.square(error).mean() < 0.03 * np.square(expected).mean()


def test_a_kernel_leaves_the_mean_and_is_even():
    rng = np.random.default_rng(0)
    made = kernel(rng.normal(0, 0.2, (17, 17)), 15)
    assert made.sum() == pytest.approx(1)
    assert np.allclose(made, made[::-1, ::-1])
    assert np.allclose(made, made[::-1])
    identity = kernel(np.zeros((17, 17)), 15)
    assert identity[7, 7] == pytest.approx(1)


def test_shares_are_all_that_sum_to_one_the_most_even_first():
    found = list(shares(2, 4))
    assert found[0] == (0.5, 0.5)
    assert sorted(found) == [(0, 1), (0.25, 0.75), (0.5, 0.5), (0.75, 0.25), (1, 0)]
    assert len(list(shares(3, 4))) == 15
    assert all(sum(each) == pytest.approx(1) for each in shares(3, 3))


class Rough(nn.Module):
    """A judge that takes rough pictures for the second label, and smooth ones for the others."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        roughness = images.diff(dim=-1).square().mean((1, 2, 3)) * 127.5
        return torch.stack([-roughness, roughness, -roughness], dim=1)


def test_the_most_even_shares_are_kept_that_are_as_good_as_the_best():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 16)

    def scored(even: float, uneven: float) -> list:
        return [(even + rng.normal(0, 0.02, 16) + noise, (0.5, 0.5)), (uneven + noise, (1.0, 0.0))]

    assert as_good_as_best(scored(0.5, 0.5)) == (0.5, 0.5)
    assert as_good_as_best(scored(0.6, 0.5)) == (0.5, 0.5)
    assert as_good_as_best(scored(0.5, 0.6)) == (1.0, 0.0)  # whatever photographs have in common
    assert as_good_as_best([(np.array([0.4]), (0.5, 0.5)), (np.array([0.5]), (1.0, 0.0))]) == (1.0, 0.0)


def test_judges_choose_the_shares_of_each_target(patches):
    made, table = mix(patches, [member(0.1)], SPEC, [Rough()], 30, 4, CPU)
    assert list(table.columns) == ["target", "member_1", "filter", "judged", "chosen"]
    assert len(table) == 3 * 5
    assert (table.member_1 + table["filter"] == 1).all()
    assert (
        table[(table.target == "B") & table.chosen]["filter"].item() == 1
    )  # which makes it rough, as the judge likes it
    assert table.groupby("target").chosen.sum().tolist() == [1, 1, 1]
    assert table.judged.between(0, 1).all()
    # the shares of changes that are equally strong
    for target, row in enumerate(table[table.chosen].itertuples()):
        pictures = np.concatenate([coloured(SLOPES[n], 8, 32, 32, seed=2 * n + 1) for n in range(3) if n != target])
        with torch.no_grad():
            changes = made.changes(to_float(pictures), torch.full((len(pictures),), target))
        for share, weight, change in zip((row.member_1, row.filter), made.weights[target], changes, strict=True):
            assert (share > 0) == (weight > 0)
            if share:
                strength = float(weight * change.square().mean().sqrt()) * 127.5
                assert strength == pytest.approx(share * 255 * 10 ** (-30 / 20), rel=1e-3)


def test_the_stage_writes_a_generator_that_attacks_take(patches, tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        save_generator(tmp_path / f"{name}.safetensors", member(0.1, seed), MEMBER, LABELS, {})
    judge = shake(tiny_classifier("rgb"), 0.2).eval()
    save_classifier(tmp_path / "j.safetensors", judge, net_spec("rgb"), LABELS, {})
    spec = '{"mixture": {"members": ["a", "b"], "judges": ["j"], "parts": 2, "psnr": 30, "taps": 15}}'
    files = [str(tmp_path / f"{name}.safetensors") for name in "ab"]
    words = ["stage", "mix", "--spec", spec, "--patches", str(patches), "--members", *files]
    out, table = tmp_path / "mixture.safetensors", tmp_path / "mixture.csv"
    words += ["--judges", str(tmp_path / "j.safetensors"), "--out", str(out), "--table", str(table)]
    assert main(words) == 0
    made, net, labels = load_generator(out)
    assert isinstance(made, Mixture)
    assert labels == LABELS
    assert net == MixtureNetSpec(members=(MEMBER, MEMBER), taps=15)
    assert len(pd.read_csv(table)) == 3 * 6
    picture = coloured(0, 1, 64, 64)[0]
    assert 29.9 < psnr(picture, transform(picture, made, net, 1, CPU, 30)) < 36  # its members may take from each other
    again = tmp_path / "again.safetensors"
    assert main([*words[: words.index("--out")], "--out", str(again), "--table", str(table)]) == 0
    assert torch.equal(load_generator(again)[0].weights, made.weights)


def packaged(folder: Path) -> tuple[Path, Mixture]:
    """A model file whose generator is a mixture."""
    made = mixture(0.8, 1.5, taps=15)
    path = model_file(folder, judges=True, psnr=36)
    save_generator(folder / "g.safetensors", made, SPEC, photo_labels, {})
    tensors, parts = read_parts(folder / "g.safetensors", {"rgb": folder / "e.safetensors"})
    header = load_header(path).model_copy(update={"generator": SPEC})
    assert parts["generator"] == SPEC.model_dump(mode="json")
    save_anonymizer(path, tensors, header.model_copy(update={"judges": {}}))
    return path, made


def test_a_model_file_may_hold_a_mixture(tmp_path):
    path, made = packaged(tmp_path)
    picture = coloured(0.5, 1, 96, 128)[0]
    found = load_model(path, device="cpu", precision="float32").transform(picture, photo_labels[1])
    assert np.array_equal(found, transform(picture, fuse_batch_norms_(made), SPEC, 1, CPU, 36))


def test_a_mixture_as_onnx_gives_the_same_picture(tmp_path):
    path, made = packaged(tmp_path)
    assert main(["models", "export", str(path), "--onnx", str(tmp_path / "m.onnx")]) == 0
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    for label, height, width in ((0, 64, 64), (2, 96, 160)):
        images, labels = torch.rand(1, 3, height, width) * 2 - 1, torch.tensor([label])
        (found,) = session.run(None, {"images": images.numpy(), "labels": labels.numpy()})
        with torch.no_grad():
            expected = made(images, labels).numpy()
        assert np.abs(found - expected).max() < 1e-3
        assert np.abs(found - images.numpy()).max() > 0.02


def test_members_of_other_labels_and_other_inputs_are_refused(patches, tmp_path, capsys):
    save_generator(tmp_path / "a.safetensors", member(), MEMBER, LABELS, {})
    other = MEMBER.model_copy(update={"input": "remosaic"})
    save_generator(tmp_path / "r.safetensors", Generator(3, other), other, LABELS, {})
    save_generator(tmp_path / "l.safetensors", member(), MEMBER, ("A", "B", "D"), {})
    save_classifier(tmp_path / "j.safetensors", tiny_classifier("rgb").eval(), net_spec("rgb"), LABELS, {})
    for wrong, expected in (("r", "a generator of remosaiced pictures"), ("l", "found the labels ['A', 'B', 'D']")):
        words = ["--patches", patches, "--members", tmp_path / "a.safetensors", tmp_path / f"{wrong}.safetensors"]
        words += [
            "--judges",
            tmp_path / "j.safetensors",
            "--out",
            tmp_path / "o.safetensors",
            "--table",
            tmp_path / "t.csv",
        ]
        spec = '{"mixture": {"members": ["a", "b"], "judges": ["j"]}}'
        assert main(["stage", "mix", "--spec", spec, *map(str, words)]) == 1
        assert expected in capsys.readouterr().err
