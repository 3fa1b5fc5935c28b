"""Patches of a classifier's training after real saves on grids of any place, and after rounding."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cama.compute import processes
from cama.compute.device import Compute
from cama.data import patches as patches_module
from cama.data.patches import Patches, Sampler
from cama.settings.training import ClassifierSpec, ComputeSpec, OptimiserSpec, ResavesSpec, TrainingSpec
from cama.storage.checkpoints import Checkpoint
from cama.training.classifier import train_classifier
from cama.training.resaves import changes
from tests.models.helpers import net_spec
from tests.training.conftest import CPU, camera_patches

BOTH_SPEC = ResavesSpec(jpeg=0.5, jpeg_quality=(70, 90), rounding=0.5)
BOTH = changes(BOTH_SPEC)


def textures(count: int, side: int = 64) -> np.ndarray:
    """Grey patches (count, side, side, 3), uint8, of soft noise."""
    noise = np.random.default_rng(0).uniform(0, 255, (count, side, side, 1)).repeat(3, axis=3)
    soft = gaussian_filter(noise, (0, 1, 1, 0)) - 127.5
    return np.clip(128 + 2 * soft, 0, 255).astype(np.uint8)


def changed(spec: ResavesSpec, images: np.ndarray) -> np.ndarray:
    """Patches (count, S, S, 3) as the spec changes them."""
    change = changes(spec)
    assert change is not None
    return change(images, np.arange(len(images)))


def differences(spec: ResavesSpec, count: int = 64, images: np.ndarray | None = None) -> np.ndarray:
    """What the spec changes of patches, (count, S, S, 3)."""
    images = textures(count) if images is None else images
    return changed(spec, images).astype(int) - images


def sampled(count: int = 40) -> Patches:
    images = torch.from_numpy(textures(count, 16))
    names, none = np.arange(count).astype(str), np.zeros(count, int)
    arrays = {"rgb": images, "residual": images.half()}
    return Patches(arrays, none, none.astype(bool), names, names, np.zeros((count, 2), int), none, ("Make_A",))


def test_nothing_is_changed_by_default():
    assert changes(ResavesSpec()) is None


@pytest.mark.parametrize("spec", [ResavesSpec(jpeg=0.3), ResavesSpec(rounding=0.3)])
def test_a_share_is_the_share_of_the_patches(spec):
    assert differences(spec, 300).any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.08)


def test_rounding_changes_values_by_one_at_most_and_half_of_them():
    found = differences(ResavesSpec(rounding=1))
    values, counts = np.unique(found, return_counts=True)
    assert values.tolist() == [-1, 0, 1]
    assert counts / found.size == pytest.approx([0.25, 0.5, 0.25], abs=0.01)
    for extreme in (0, 255):
        flat = np.full((4, 16, 16, 3), extreme, np.uint8)
        assert set(np.unique(flat + differences(ResavesSpec(rounding=1), images=flat))) == {extreme, abs(extreme - 1)}


def test_a_save_changes_more_at_a_lower_quality():
    low, high = (np.abs(differences(ResavesSpec(jpeg=1, jpeg_quality=(q, q)))).mean() for q in (70, 98))
    assert 0 < high < low / 2 < 5


def test_the_grid_of_a_save_lies_at_any_place():
    """What is so saved has steps between the blocks: where most of them are tells the grid of each patch."""
    grey = textures(400)
    saved = changed(ResavesSpec(jpeg=1, jpeg_quality=(70, 70)), grey)[..., 0].astype(float)
    places = []
    for axis in (1, 2):
        steps = np.abs(np.diff(saved, 3, axis=axis)).mean(axis=3 - axis)
        by_column = np.stack([steps[:, column::8].mean(axis=1) for column in range(8)], axis=1)
        places.append(by_column.argmax(axis=1))
        assert set(places[-1]) == set(range(8))
        assert np.bincount(places[-1]).max() < 0.25 * len(grey)
    assert len(set(zip(*places, strict=True))) > 50


def test_chroma_is_kept_whole_in_about_half_of_the_saves():
    """Colour that changes from pixel to pixel is lost with 4:2:0 alone."""
    board = np.indices((64, 64)).sum(axis=0) % 2
    image = np.stack([90 + 70 * board, np.full((64, 64), 125), 160 - 70 * board], axis=2).astype(np.uint8)
    images = np.repeat(image[None], 200, axis=0)
    lost = np.abs(differences(ResavesSpec(jpeg=1, jpeg_quality=(97, 97)), images=images)).mean(axis=(1, 2, 3)) > 10
    assert 0.4 < lost.mean() < 0.6


def test_a_batch_depends_on_seed_and_step_alone_and_on_no_other_process(monkeypatch):
    whole = Sampler(sampled(), ["rgb"], 8, 1, CPU, BOTH)
    whole.draw(1)
    (images,), _ = whole.draw(5)
    (again,), _ = Sampler(sampled(), ["rgb"], 8, 1, CPU, BOTH).draw(5)
    assert torch.equal(images, again)
    assert not torch.equal(images, Sampler(sampled(), ["rgb"], 8, 1, CPU).draw(5)[0][0])
    monkeypatch.setattr(patches_module.processes, "count", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        (share,), _ = Sampler(sampled(), ["rgb"], 8, 1, CPU, BOTH).draw(5)
        assert torch.equal(share, images[rank::2])


def test_patches_that_are_saved_are_not_held_on_a_gpu(monkeypatch):
    compute = Compute(ComputeSpec(device="cpu"))
    compute.device = torch.device("meta")  # which computes shapes alone
    monkeypatch.setattr(compute, "free_gpu_memory", lambda: 10**9)
    assert Sampler(sampled(), ["rgb"], 8, 1, compute).draw(0)[0][0].device.type == "meta"
    assert Sampler(sampled(), ["rgb"], 8, 1, compute, BOTH).draw(0)[0][0].device.type == "cpu"


def test_a_training_that_stops_between_saves_ends_in_the_same_classifier(tmp_path):
    """And in another than without them."""
    nets = []
    for name, steps, augmentation in (
        ("whole", (6,), BOTH_SPEC),
        ("resumed", (3, 6), BOTH_SPEC),
        ("plain", (6,), ResavesSpec()),
    ):
        for until in steps:
            spec = ClassifierSpec(
                net=net_spec("con_conv"),
                training=TrainingSpec(steps=until, batch=8),
                optimiser=OptimiserSpec(name="adam"),
                augmentation=augmentation,
            )
            checkpoint = Checkpoint(tmp_path / name, {})
            net, _ = train_classifier("F", camera_patches(), spec, None, CPU, 1, checkpoint)
        nets.append(torch.cat([value.flatten().float() for value in net.state_dict().values()]))
    assert torch.equal(nets[0], nets[1])
    assert not torch.equal(nets[0], nets[2])
