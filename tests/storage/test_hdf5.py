"""HDF5 files: what they hold comes back, and damage is seen."""

import hashlib
import os
import tracemalloc

import h5py
import numpy as np
import pytest

from cama.core.errors import CamaError
from cama.storage import hdf5
from cama.storage.hdf5 import check_content, content_hash, open_hdf5, read_rows, read_values, write_hdf5

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
TEXTS = ["a", "", "é", "long " * 20, "e"]


def written(path, images=IMAGES, note="x"):
    with write_hdf5(path) as file:
        file.create_images("images", 2, images.shape[1:], np.uint8)
        file.put_images("images", 0, images[:3])
        file.put_images("images", 3, images[3:])
        file.write_values("label", np.arange(len(images)))
        file.write_texts("name", TEXTS)
        file.write_values("none", np.zeros((0, 2)))
        file.write_attribute("note", note)
    return path


def everything(path):
    file = open_hdf5(path, "images")
    rows = [read_rows(file, "images", row) for row in range(len(IMAGES))]
    return {name: read_values(file, name).tolist() for name in file} | {"rows": np.array(rows).tolist()}


def long_ago(path):
    """The file, modified so long ago that it is kept."""
    os.utime(path, (1e9, 1e9))
    return path


def flipped(path, place):
    """The file, one bit of it flipped in place."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    return path


def test_values_and_texts_come_back(tmp_path):
    file = open_hdf5(written(tmp_path / "a.h5"), "images", "label", "name")
    assert np.array_equal(read_values(file, "images"), IMAGES)
    assert np.array_equal(read_rows(file, "images", slice(1, 3)), IMAGES[1:3])
    assert np.array_equal(read_rows(file, "images", 4), IMAGES[4])
    assert read_values(file, "label").tolist() == [0, 1, 2, 3, 4]
    assert read_values(file, "name").tolist() == TEXTS
    assert read_values(file, "none").shape == (0, 2)
    assert file["images"].chunks == (1, 8, 8, 3)


def test_the_hash_is_that_of_the_content(tmp_path):
    first = content_hash(written(tmp_path / "a.h5"))
    assert first == content_hash(written(tmp_path / "b.h5"))
    assert first != content_hash(written(tmp_path / "c.h5", images=255 - IMAGES))
    assert first != content_hash(written(tmp_path / "d.h5", note="y"))
    plain = tmp_path / "a.txt"
    plain.write_bytes(b"abc")
    assert content_hash(plain) == hashlib.sha256(b"abc").hexdigest()


def test_every_flipped_bit_is_seen_or_changes_nothing(tmp_path):
    """Some bytes of the format have no meaning, such as those between its structures."""
    path = written(tmp_path / "a.h5")
    whole, expected = path.read_bytes(), everything(path)
    rng = np.random.default_rng(0)
    seen = 0
    for place in rng.integers(0, len(whole), 1000):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            assert everything(path) == expected
        except CamaError as error:
            seen += 1
            assert "a.h5" in str(error)
            assert "damaged" in str(error)
    assert seen > 50


def test_a_flipped_bit_of_an_image_is_seen_when_it_alone_is_read(tmp_path):
    path = written(tmp_path / "a.h5")
    data = bytearray(path.read_bytes())
    data[data.index(IMAGES[2].tobytes()) + 50] ^= 4
    path.write_bytes(data)
    file = open_hdf5(path)
    assert np.array_equal(read_rows(file, "images", 1), IMAGES[1])
    with pytest.raises(CamaError, match=r"a\.h5: damaged: 'images' cannot be read"):
        read_rows(file, "images", 2)


def test_a_file_is_checked_whole_in_bounded_memory(tmp_path):
    path = tmp_path / "a.h5"
    block = np.random.default_rng(1).integers(0, 256, (8, 1 << 20), dtype=np.uint8)
    with write_hdf5(path) as file:
        file.create_images("images", 80, block.shape[1:], np.uint8)
        for first in range(0, 80, 8):
            file.put_images("images", first, block)
    tracemalloc.start()
    check_content(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20 < path.stat().st_size
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CamaError, match=r"a\.h5: damaged: 'images'"):
        check_content(path)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_is_one_line(tmp_path, share):
    path = written(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CamaError, match=r"a\.h5"):
        everything(path)


def test_what_is_missing_or_foreign_is_one_line(tmp_path):
    with pytest.raises(CamaError, match=r"none\.h5: no such HDF5 file"):
        open_hdf5(tmp_path / "none.h5")
    with pytest.raises(CamaError, match="found no data set 'residual'"):
        open_hdf5(written(tmp_path / "a.h5"), "residual")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["images"] = IMAGES
    with pytest.raises(CamaError, match=r"b\.h5: not a file of this project"):
        open_hdf5(tmp_path / "b.h5", "images")


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="stop"), write_hdf5(tmp_path / "a.h5") as file:
        file.write_values("x", np.zeros(1000))
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


# ---- what is kept of a file


def test_a_file_is_opened_once_until_it_is_another(tmp_path):
    path = long_ago(written(tmp_path / "a.h5"))
    first = open_hdf5(path)
    assert open_hdf5(path, "images") is first
    assert open_hdf5(tmp_path / ".." / tmp_path.name / "a.h5") is first
    with pytest.raises(CamaError, match="found no data set 'residual'"):
        open_hdf5(path, "residual")
    digest = content_hash(path)
    long_ago(written(path, images=255 - IMAGES))
    assert content_hash(path) != digest
    assert np.array_equal(read_values(open_hdf5(path), "images"), 255 - IMAGES)
    path.unlink()
    with pytest.raises(CamaError, match=r"a\.h5: no such HDF5 file"):
        content_hash(path)


def test_damage_done_in_place_to_an_open_file_is_seen_when_it_is_asked_for_again(tmp_path):
    path = long_ago(written(tmp_path / "a.h5"))
    names = open_hdf5(path)
    flipped(path, path.read_bytes().index(b"note"))  # the name of an attribute, which HDF5 has read already
    with pytest.raises(CamaError, match=r"a\.h5: not a file of this project, or damaged"):
        open_hdf5(path)
    assert not names


def test_a_file_that_was_replaced_can_still_be_read_by_whoever_has_it(tmp_path):
    path = long_ago(written(tmp_path / "a.h5"))
    old = open_hdf5(path)
    long_ago(written(path, IMAGES[::-1]))
    assert np.array_equal(read_rows(open_hdf5(path), "images", 0), IMAGES[-1])
    assert np.array_equal(read_rows(old, "images", 0), IMAGES[0])


def test_a_change_that_puts_size_and_time_back_is_seen(tmp_path):
    plain = tmp_path / "a.txt"
    for text in ("abc", "xyz"):
        plain.write_text(text)
        long_ago(plain)
        assert content_hash(plain) == hashlib.sha256(text.encode()).hexdigest()


def test_a_file_that_was_closed_is_opened_anew(tmp_path):
    path = long_ago(written(tmp_path / "a.h5"))
    open_hdf5(path).close()
    assert np.array_equal(read_rows(open_hdf5(path), "images", 0), IMAGES[0])


def test_a_file_that_was_just_written_is_not_kept(tmp_path):
    """It may change again within a tick of the clock, and keep its size and its time."""
    path = written(tmp_path / "a.h5")
    assert open_hdf5(path) is not open_hdf5(path)
    plain = tmp_path / "a.txt"
    for text in ("abc", "xyz"):
        plain.write_text(text)
        assert content_hash(plain) == hashlib.sha256(text.encode()).hexdigest()


def test_the_files_kept_open_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "MOST_KEPT", 2)
    monkeypatch.setattr(hdf5, "_opened", hdf5._PerFile(hdf5._open, h5py.File.close))
    paths = [long_ago(written(tmp_path / f"{name}.h5")) for name in "abc"]
    first = open_hdf5(paths[0])
    second, _ = (open_hdf5(path) for path in paths[1:])
    assert open_hdf5(paths[1]) is second
    assert open_hdf5(paths[0]) is not first
    assert np.array_equal(read_rows(first, "images", 0), IMAGES[0])  # whoever has it may go on
