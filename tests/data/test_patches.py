from itertools import pairwise

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from cama.compute.device import Compute
from cama.compute.tensors import symmetry
from cama.core.errors import CamaError
from cama.data.arrays import standard_deviation
from cama.data.crops import FIELDS, crop_origins, extract, grid_origins
from cama.data.patches import Patches, Sampler, join, turn_on_device
from cama.forensics.mosaic import remosaic
from cama.forensics.residual import noise_residual
from cama.settings.data import PatchesSpec
from cama.settings.training import ComputeSpec
from cama.storage.images import read_rgb

CPU = Compute(ComputeSpec(device="cpu"))
LABELS = ("Make_A", "Make_B", "Make_C")
pytestmark = pytest.mark.filterwarnings("ignore:Level value")  # crops as small as these have no four wavelet levels


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of four small JPEG files, and their rows of a split."""
    root = tmp_path_factory.mktemp("photographs")
    rows = []
    for index, (model, part) in enumerate(
        [("Make_A", "train"), ("Make_B", "train"), ("Make_B", "validation"), ("Make_C", "train")]
    ):
        noise = np.random.default_rng(index).uniform(0, 255, (100 + 7 * index, 150, 3))
        picture = np.clip(128 + 4 * (gaussian_filter(noise, (1.5, 1.5, 0)) - 128), 0, 255).astype(np.uint8)
        name = f"{model}_0_{index}.JPG"
        Image.fromarray(picture).save(root / name, quality=90)
        rows.append((name, model, part, f"scene{index}", index % 2))
    return root, pd.DataFrame(rows, columns=["path", "model", "part", "scene", "device"])


def spec(phase="aligned", crops=2, crop=32, size=16):
    return PatchesSpec(size=size, crop=crop, crops=crops, phase=phase)


def cut_file(photographs, tmp_path, patches, whole=False, seed=5, name="patches.h5", fields=tuple(FIELDS)):
    root, rows = photographs
    out = tmp_path / name
    extract(rows, root, LABELS, patches, whole, seed, fields, out)
    return out


def test_shapes_types_and_chunks_of_one_patch(photographs, tmp_path):
    with h5py.File(cut_file(photographs, tmp_path, spec())) as file:
        for name in FIELDS:
            assert file[name].shape == (4 * 2 * 4, 16, 16, 3)
            assert file[name].chunks == (1, 16, 16, 3)
        assert file["rgb"].dtype == file["remosaic"].dtype == np.uint8
        assert file["residual"].dtype == np.float16


def test_only_the_fields_that_are_asked_for_are_stored(photographs, tmp_path):
    with h5py.File(cut_file(photographs, tmp_path, spec(), fields=("rgb", "residual"))) as file:
        assert set(file) & set(FIELDS) == {"rgb", "residual"}


def test_every_patch_has_its_label_part_and_origin(photographs, tmp_path):
    patches = Patches.read(cut_file(photographs, tmp_path, spec()), "rgb")
    _, rows = photographs
    assert patches.labels == LABELS
    for row, label in zip(rows.itertuples(), (0, 1, 1, 2), strict=True):
        mine = patches.photograph == row.path
        assert mine.sum() == 8
        assert set(patches.label[mine]) == {label}
        assert set(patches.validation[mine]) == {row.part == "validation"}
        assert set(patches.scene[mine]) == {row.scene}
        assert set(patches.device[mine]) == {row.device}
        assert len({tuple(origin) for origin in patches.origin[mine]}) == 8


@pytest.mark.parametrize("phase", ["aligned", "random"])
def test_origins_recut_the_same_pixels_from_the_decoded_photograph(photographs, tmp_path, phase):
    root, _ = photographs
    patches = Patches.read(cut_file(photographs, tmp_path, spec(phase)), "rgb")
    for pixels, path, (row, column) in zip(patches.arrays["rgb"], patches.photograph, patches.origin, strict=True):
        again = read_rgb(root / path)[row : row + 16, column : column + 16]
        assert np.array_equal(pixels.numpy(), again)


@pytest.mark.parametrize("phase", ["aligned", "random"])
def test_all_fields_of_a_patch_show_the_same_place(photographs, tmp_path, phase):
    """Patches laid at their origins make up the whole crops, which are cut from the same places."""
    patches = Patches.read(cut_file(photographs, tmp_path, spec(phase)), *FIELDS)
    crops = Patches.read(cut_file(photographs, tmp_path, spec(phase), whole=True, name="whole.h5"), *FIELDS)
    for name in FIELDS:
        for index, origin in enumerate(crops.origin):
            rows = slice(4 * index, 4 * index + 4)
            laid = torch.full_like(crops.arrays[name][index], 77)
            for pixels, (y, x) in zip(patches.arrays[name][rows], patches.origin[rows] - origin, strict=True):
                laid[y : y + 16, x : x + 16] = pixels
            assert torch.equal(laid, crops.arrays[name][index])


def test_whole_crops_with_their_signals(photographs, tmp_path):
    root, _ = photographs
    crops = Patches.read(cut_file(photographs, tmp_path, spec(crops=1, crop=64), whole=True), *FIELDS)
    assert crops.arrays["rgb"].shape == (4, 64, 64, 3)
    for index, (row, column) in enumerate(crops.origin):
        image = read_rgb(root / crops.photograph[index])[row : row + 64, column : column + 64]
        assert np.array_equal(crops.arrays["rgb"][index], image)
        assert np.array_equal(crops.arrays["remosaic"][index], remosaic(image))
        residual = crops.arrays["residual"][index].float().numpy()
        assert np.abs(residual - noise_residual(image)).max() < 0.01
        assert residual.std() > 0.3


def test_aligned_crops_lie_on_the_jpeg_grid_and_random_ones_anywhere():
    aligned = [origin for seed in range(40) for origin in crop_origins(200, 230, spec(crops=4), seed)]
    assert len(aligned) == 160
    assert all(row % 16 == 0 and column % 16 == 0 for row, column in aligned)
    shifted = [origin for seed in range(40) for origin in crop_origins(200, 230, spec("random", crops=4), seed)]
    assert {row % 16 for row, _ in shifted} == set(range(16))
    assert {column % 16 for _, column in shifted} == set(range(16))


@pytest.mark.parametrize("phase", ["aligned", "random"])
@pytest.mark.parametrize("shape", [(48, 48), (49, 63), (79, 80), (130, 97)])
def test_crops_lie_inside(phase, shape):
    for seed in range(20):
        origins = crop_origins(*shape, spec(phase, crops=100), seed)
        assert len(set(origins)) == len(origins)
        assert all(0 <= row <= shape[0] - 32 and 0 <= column <= shape[1] - 32 for row, column in origins)


@pytest.mark.parametrize("phase", ["aligned", "random"])
@pytest.mark.parametrize("shape", [(300, 200), (97, 400), (352, 352)])
def test_the_first_crops_are_those_of_the_middle(phase, shape):
    reach = 40 if phase == "aligned" else 56  # half a cell of the grid, its rounding to 16, and the random shift
    for seed in range(20):
        for row, column in crop_origins(*shape, spec(phase, crops=2), seed):
            assert abs(row + 16 - shape[0] / 2) <= reach
            assert abs(column + 16 - shape[1] / 2) <= reach


def test_a_single_crop_lies_in_the_middle():
    """Also where an even number of them would fit."""
    for side in (64, 128, 200, 352):
        ((row, column),) = crop_origins(side, 64, spec(crops=1), 0)
        assert column == 16
        assert 0 <= (side - 32) / 2 - row < 16
        ((row, _),) = crop_origins(side, 64, spec("random", crops=1), 0)
        assert abs(row - (side - 32) / 2) <= 24


def test_crops_of_random_phase_never_overlap():
    for seed in range(20):
        origins = np.array(crop_origins(200, 230, spec("random", crops=99), seed))
        apart = np.abs(origins[:, None] - origins[None]).max(axis=2)
        assert (apart[~np.eye(len(origins), dtype=bool)] >= 32).all()


def test_aligned_crops_do_not_overlap():
    origins = crop_origins(200, 230, spec(crops=100), 0)
    assert len(origins) == 6 * 7
    for values in ({row for row, _ in origins}, {column for _, column in origins}):
        assert all(high - low >= 32 for low, high in pairwise(sorted(values)))


def test_the_phase_is_drawn_from_the_seed_and_the_photograph(photographs, tmp_path):
    def origins(seed, name):
        return Patches.read(cut_file(photographs, tmp_path, spec("random", crops=1), True, seed, name)).origin

    one, again, other = origins(5, "a.h5"), origins(5, "b.h5"), origins(6, "c.h5")
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert len({tuple(at) for at in one % 16}) > 1


def test_the_stored_hash_is_that_of_the_content(photographs, tmp_path):
    def stored(patches, name):
        with h5py.File(cut_file(photographs, tmp_path, patches, name=name)) as file:
            return file.attrs["sha256"]

    assert stored(spec(), "a.h5") == stored(spec(), "b.h5")
    assert stored(spec(), "a.h5") != stored(spec("random"), "c.h5")


@pytest.mark.parametrize(("phase", "crop"), [("aligned", 112), ("random", 96)])
def test_a_photograph_too_small_for_its_crop_is_an_error_that_names_it(photographs, tmp_path, phase, crop):
    """96 would fit 100 rows, but not with 16 more for the random phase."""
    with pytest.raises(CamaError, match=r"Make_A_0_0\.JPG.*150x100"):
        cut_file(photographs, tmp_path, spec(phase, crop=crop))
    assert list(tmp_path.iterdir()) == []  # nor is a half-written file left


def test_what_is_no_patch_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CamaError, match=r"nowhere\.h5"):
        Patches.read(tmp_path / "nowhere.h5", "rgb")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(CamaError, match=r"text\.h5"):
        Patches.read(tmp_path / "text.h5", "rgb")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["rgb"] = np.zeros(3)
    with pytest.raises(CamaError, match=r"other\.h5"):
        Patches.read(tmp_path / "other.h5", "rgb")


def numbered(labels, validation, names=LABELS):
    """Patches 4x4 whose pixels are all different and tell which patch they are of."""
    count = len(labels)
    pixels = (np.arange(16)[None, :] + 16 * np.arange(count)[:, None]).reshape(count, 4, 4, 1).repeat(3, axis=-1)
    return Patches(
        {"rgb": torch.from_numpy(pixels.astype(np.uint8)), "residual": torch.from_numpy(pixels.astype(np.float16))},
        np.array(labels),
        np.array(validation, bool),
        np.array([f"{i}.JPG" for i in range(count)]),
        np.array([""] * count),
        np.zeros((count, 2), int),
        np.zeros(count, int),
        tuple(names),
    )


# class 0 has eight patches, class 1 two and class 2 three, one of each for validation
UNEVEN = numbered([0] * 8 + [1] * 2 + [2] * 3, [True] + [False] * 7 + [False, True] + [False, False, True])
VALIDATION = {0, 9, 12}


def which(batch):
    return (batch.amin(dim=(1, 2, 3)).long() // 16).tolist()


def test_batches_are_balanced_over_classes_of_any_size():
    sampler = Sampler(UNEVEN, ["rgb"], 12, 1, CPU)
    for step in range(10):
        (images,), labels = sampler.draw(step)
        assert images.shape == (12, 4, 4, 3)
        assert images.dtype == torch.uint8
        assert labels.bincount(minlength=3).tolist() == [4, 4, 4]
        assert UNEVEN.label[which(images)].tolist() == labels.tolist()


def test_a_batch_that_the_classes_do_not_divide_differs_by_one_at_most():
    counts = Sampler(UNEVEN, ["rgb"], 11, 1, CPU).draw(0)[1].bincount(minlength=3)
    assert counts.sum() == 11
    assert counts.max() - counts.min() == 1


def test_all_training_patches_are_drawn_and_no_other():
    sampler = Sampler(UNEVEN, ["rgb"], 12, 1, CPU)
    drawn = {patch for step in range(60) for patch in which(sampler.draw(step)[0][0])}
    assert drawn == set(range(13)) - VALIDATION


def test_a_batch_depends_on_seed_and_step_alone():
    one, again, other = (Sampler(UNEVEN, ["rgb"], 12, seed, CPU) for seed in (1, 1, 2))
    for step in range(5):
        one.draw(step)
    (images,), labels = one.draw(7)
    (repeated,), labels_again = again.draw(7)
    assert torch.equal(images, repeated)
    assert torch.equal(labels, labels_again)
    assert not torch.equal(images, one.draw(8)[0][0])
    assert not torch.equal(images, other.draw(7)[0][0])


def test_all_fields_are_turned_alike_in_every_way():
    sampler = Sampler(UNEVEN, ["rgb", "residual"], 12, 1, CPU)
    seen = set()
    for step in range(40):
        (images, residuals), _ = sampler.draw(step)
        assert residuals.dtype == torch.float16
        assert torch.equal(images.float(), residuals.float())
        for patch, image in zip(which(images), images, strict=True):
            planes = UNEVEN.arrays["rgb"][patch].movedim(-1, 0).numpy()
            turns = [turn for turn in range(8) if np.array_equal(symmetry(planes, turn), image.movedim(-1, 0))]
            assert len(turns) == 1
            seen |= set(turns)
    assert seen == set(range(8))


@pytest.mark.parametrize("kind", [np.uint8, np.float16])
def test_patches_on_a_gpu_are_turned_as_those_in_memory(kind):
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3)).astype(kind)
    turns = np.arange(40) % 8
    expected = np.stack([symmetry(image.transpose(2, 0, 1), turn) for image, turn in zip(images, turns, strict=True)])
    found = turn_on_device(torch.from_numpy(images), turns)
    assert found.dtype == torch.from_numpy(images).dtype
    assert np.array_equal(found.movedim(-1, 1).numpy(), expected)


def test_what_fits_on_the_gpu_is_held_and_drawn_there(monkeypatch):
    """On the device `meta`, which every machine has, and which computes shapes alone."""
    compute = Compute(ComputeSpec(device="cpu"))
    compute.device = torch.device("meta")
    size = UNEVEN.arrays["rgb"].nbytes
    for room, expected in ((size, "meta"), (size - 1, "cpu")):
        monkeypatch.setattr(compute, "free_gpu_memory", lambda room=room: room)
        (rgb,), labels = Sampler(UNEVEN, ["rgb"], 12, 1, compute).draw(0)
        assert rgb.device.type == expected
        assert rgb.shape == (12, *UNEVEN.arrays["rgb"].shape[1:])
        assert labels.device.type == "cpu"


def test_a_class_without_training_patches_is_an_error_that_names_it():
    with pytest.raises(CamaError, match="Make_C"):
        Sampler(numbered([0, 1, 2], [False, False, True]), ["rgb"], 4, 1, CPU)
    with pytest.raises(CamaError, match="Make_B"):
        Sampler(numbered([0, 2], [False, False]), ["rgb"], 4, 1, CPU)


def test_joined_files_keep_each_patch_under_its_own_name():
    inside = numbered([0, 1, 1], [False, True, False], ("Make_A", "Make_B"))
    outside = numbered([2, 0], [False, False], ("Make_A", "Make_B", "Make_C"))
    swapped = numbered([0, 1], [False, False], ("Make_C", "Make_A"))
    both = join([inside, outside, swapped])
    assert both.labels == ("Make_A", "Make_B", "Make_C")
    names = [part.labels[label] for part in (inside, outside, swapped) for label in part.label]
    assert [both.labels[label] for label in both.label] == names
    assert list(both.validation) == [False, True, *[False] * 5]
    pixels = [part.arrays["rgb"] for part in (inside, outside, swapped)]
    assert torch.equal(both.arrays["rgb"], torch.cat(pixels))
    assert len(both.photograph) == len(both.origin) == 7
    assert join([inside]) is inside


def test_patches_that_do_not_fit_in_memory_are_drawn_alike_from_their_files(photographs, tmp_path):
    paths = [cut_file(photographs, tmp_path, spec(crops=count), name=f"{count}.h5") for count in (1, 2)]
    fields = ("rgb", "residual")
    held, streamed, partly = (
        join([Patches.read(path, *fields, memory=memory) for path, memory in zip(paths, limits, strict=True)])
        for limits in ((10_000_000, 10_000_000), (1000, 1000), (10_000_000, 1000))
    )
    assert isinstance(held.arrays["rgb"], torch.Tensor)
    assert not isinstance(streamed.arrays["rgb"], torch.Tensor)
    assert len(streamed.arrays["rgb"]) == len(held.arrays["rgb"]) == len(held.label)
    samplers = [Sampler(patches, fields, 32, 3, CPU) for patches in (held, streamed, partly)]
    for step in range(5):
        (first, labels), *others = (sampler.draw(step) for sampler in samplers)
        for other, labels_too in others:
            assert torch.equal(labels, labels_too)
            assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(first, other, strict=True))
    expected = held.arrays["residual"].double().std().item()
    for patches in (held, streamed, partly):
        assert standard_deviation(patches.arrays["residual"], block=7) == pytest.approx(expected, rel=1e-9)


def test_a_streamed_patch_that_is_damaged_is_seen_when_it_is_drawn(photographs, tmp_path):
    path = cut_file(photographs, tmp_path, spec())
    image = Patches.read(path, "rgb").arrays["rgb"][5].numpy().tobytes()
    data = bytearray(path.read_bytes())
    data[data.index(image) + 9] ^= 1
    path.write_bytes(data)
    streamed = Patches.read(path, "rgb", memory=0).arrays["rgb"]
    streamed.take(np.array([4, 6]))
    with pytest.raises(CamaError, match=r"patches\.h5: damaged"):
        streamed.take(np.array([5]))


@pytest.mark.parametrize(
    ("length", "size", "count", "expected"),
    [
        (10, 4, None, [1, 5]),
        (8, 4, None, [0, 4]),
        (100, 10, 3, [35, 45, 55]),
        (9, 4, 1, [2]),
        (3, 4, None, []),
        (4, 4, 9, [0]),
    ],
)
def test_grid_origins_are_centred(length, size, count, expected):
    assert grid_origins(length, size, count) == expected
