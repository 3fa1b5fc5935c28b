"""Tests of cama.photo.colour: pictures come to sRGB, and a profile that does not fit is ignored with a warning."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from cama.jpeg.segments import Segment, read_segments
from cama.photo.colour import ADOBE, SRGB, ProfileError, from_cicp, from_gamma, join_profile, profile_transform
from cama.photo.decoding import read_srgb
from tests.jpeg.helpers import jpeg, scene

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
# red and green exchanged, which changes every picture that is not grey
SWAPPED = PROFILE.replace(b"rXYZ", b"tmpX").replace(b"gXYZ", b"rXYZ").replace(b"tmpX", b"gXYZ")


def icc(space: bytes, pcs: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    """An ICC profile of version 2 with these tags (ICC.1, section 7)."""
    head = struct.pack(">4sI4s4s4s12s4s", b"lcms", 0x02100000, kind, space, pcs, bytes(12), b"acsp")
    head = head.ljust(64, b"\0") + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    body, table, at = b"", struct.pack(">I", len(tags)), 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value.ljust(-(-len(value) // 4) * 4, b"\0")
    whole = head.ljust(124, b"\0") + table + body
    return struct.pack(">I", len(whole) + 4) + whole


def grey_profile(gamma: float) -> bytes:
    white = b"XYZ " + bytes(4) + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return icc(b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def black_profile() -> bytes:
    """Of RGB colours that all are black."""
    white = b"XYZ " + bytes(4) + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    curve, black = b"curv" + bytes(8), b"XYZ " + bytes(16)
    colours = {name + kind: value for name in (b"r", b"g", b"b") for kind, value in ((b"XYZ", black), (b"TRC", curve))}
    return icc(b"RGB ", b"XYZ ", {b"wtpt": white, **colours})


def cmyk_profile() -> bytes:
    """Every ink takes a quarter of the lightness, in a table of two points an ink."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(16, 4)
    lab = np.stack([255 * (1 - corners.sum(1) / 4), np.full(16, 128), np.full(16, 128)], 1).round().astype(np.uint8)
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + lab.tobytes() + ramp * 3
    return icc(b"CMYK", b"Lab ", {b"A2B0": table}, b"prtr")


def segments(*parts: tuple[int, int, bytes]) -> bytes:
    """A JPEG with parts (number, count, data) of a profile."""
    start, *rest = read_segments(jpeg(scene(), quality=100, subsampling="4:4:4")).segments
    held = [Segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + data) for number, count, data in parts]
    return b"".join(segment.to_bytes() for segment in (start, *held, *rest))


@pytest.fixture
def read(tmp_path):
    def read(data: bytes) -> tuple[np.ndarray, list[str]]:
        (tmp_path / "a.jpg").write_bytes(data)
        picture, _, warnings = read_srgb(tmp_path / "a.jpg")
        return picture, warnings

    return read


PLAIN = segments()
HALF = len(SWAPPED) // 2
BROKEN = {
    "Lab": [(1, 1, LAB)],
    "grey": [(1, 1, grey_profile(2.2))],
    "CMYK": [(1, 1, cmyk_profile())],
    "link": [(1, 1, SWAPPED[:12] + b"link" + SWAPPED[16:])],
    "empty": [(1, 1, b"")],
    "garbage": [(1, 1, bytes(range(256)) * 4)],
    "truncated": [(1, 1, SWAPPED[:-200])],
    "only a header": [(1, 1, struct.pack(">I", 128) + SWAPPED[4:128])],
    "no tags": [(1, 1, struct.pack(">I", 132) + SWAPPED[4:128] + bytes(4))],
    "all black": [(1, 1, black_profile())],
    "second missing": [(1, 2, SWAPPED[:HALF])],
    "first missing": [(2, 2, SWAPPED[HALF:])],
    "middle missing": [(1, 3, SWAPPED[:HALF]), (3, 3, SWAPPED[HALF:])],
    "wrong count": [(1, 3, SWAPPED[:HALF]), (2, 3, SWAPPED[HALF:])],
    "counts differ": [(1, 2, SWAPPED[:HALF]), (2, 3, SWAPPED[HALF:])],
    "double": [(1, 2, SWAPPED[:HALF]), (2, 2, SWAPPED[HALF:]), (2, 2, SWAPPED[HALF:])],
    "twice whole": [(1, 1, SWAPPED), (1, 1, SWAPPED)],
    "from zero": [(0, 2, SWAPPED[:HALF]), (1, 2, SWAPPED[HALF:])],
    "zero of zero": [(0, 0, SWAPPED)],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_profile_that_does_not_fit_is_ignored_with_a_warning(name, read):
    picture, (warning,) = read(segments(*BROKEN[name]))
    assert warning.startswith("its colour profile was ignored: ")
    assert np.array_equal(picture, read(PLAIN)[0])


def test_parts_of_a_profile_are_joined_by_their_numbers(read):
    picture, warnings = read(segments((1, 2, SWAPPED[:HALF]), (2, 2, SWAPPED[HALF:])))
    assert warnings == []
    assert np.abs(picture.astype(int) - read(PLAIN)[0]).mean() > 10
    again, (warning,) = read(segments((2, 2, SWAPPED[HALF:]), (1, 2, SWAPPED[:HALF])))
    assert np.array_equal(again, picture)
    assert "in the wrong order" in warning


def test_a_short_part_is_a_part_that_is_missing():
    assert join_profile([b"ICC_PROFILE\0"])[0] == b""
    assert join_profile([]) == (b"", "")


def saved(picture: Image.Image, path, **options) -> tuple[np.ndarray, list[str]]:
    picture.save(path, quality=100, **options)
    found, _, warnings = read_srgb(path)
    return found, warnings


def test_grey_pictures_obey_profiles_of_grey_and_of_rgb(tmp_path):
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(8, 0).repeat(8, 1))
    plain, _ = saved(grey, tmp_path / "a.jpg")
    assert np.array_equal(plain[..., 0], np.asarray(Image.open(tmp_path / "a.jpg")))
    dark, warnings = saved(grey, tmp_path / "b.jpg", icc_profile=grey_profile(1.0))
    assert warnings == []
    level = plain / 255  # which is light, of a gamma of 1
    expected = 255 * np.where(level <= 0.0031308, 12.92 * level, 1.055 * level ** (1 / 2.4) - 0.055)
    assert np.abs(dark - expected)[level > 0.1].max() <= 2  # in the dark, one level of light is many of sRGB
    same, warnings = saved(grey, tmp_path / "c.jpg", icc_profile=PROFILE)
    assert warnings == []
    assert np.array_equal(same, plain)
    ignored, (warning,) = saved(grey, tmp_path / "d.jpg", icc_profile=cmyk_profile())
    assert "found one of CMYK" in warning
    assert np.array_equal(ignored, plain)


def test_cmyk_becomes_srgb_by_its_profile_or_roughly(tmp_path):
    """Black ink alone: the profile says that it takes a quarter of the lightness."""
    ink = Image.new("CMYK", (64, 64), (0, 0, 0, 255))
    rough, (warning,) = saved(ink, tmp_path / "a.jpg")
    assert "CMYK without a colour profile that fits" in warning
    assert rough.max() <= 2
    exact, warnings = saved(ink, tmp_path / "b.jpg", icc_profile=cmyk_profile())
    assert warnings == []
    assert np.abs(exact.astype(int) - 186).max() <= 3  # L* of 75
    paper, _ = saved(Image.new("CMYK", (64, 64)), tmp_path / "c.jpg")
    assert paper.min() >= 253
    both = saved(ink, tmp_path / "d.jpg", icc_profile=PROFILE)[1]
    assert len(both) == 2  # the profile was ignored, and there is no other


def test_srgb_and_what_is_shown_as_it_stay_as_they_are():
    assert from_cicp(1, 13) is from_cicp(2, 2) is from_cicp(1, 1) is from_gamma(0.45455, SRGB.points) is None
    assert profile_transform("RGB", PROFILE) is None
    picture = scene()
    assert np.abs(SRGB.to_srgb(picture).astype(int) - picture).max() <= 1


def test_other_primaries_and_curves_agree_with_an_independent_program():
    with np.printoptions():  # it sets others, by which tables of later tests would be written
        import colour

    picture = scene()
    for space, name in ((from_cicp(12, 13), "Display P3"), (ADOBE, "Adobe RGB (1998)"), (from_cicp(11, 4), "DCI-P3")):
        other = colour.RGB_COLOURSPACES[name]
        if name == "DCI-P3":
            other = other.copy()
            other.cctf_decoding = lambda level: level**2.2
        srgb = colour.RGB_COLOURSPACES["sRGB"]
        linear = colour.RGB_to_RGB(
            picture / 255, other, srgb, "Bradford", apply_cctf_decoding=True, apply_cctf_encoding=False
        )
        expected = np.round(255 * srgb.cctf_encoding(np.clip(linear, 0, 1)))
        assert np.abs(space.to_srgb(picture) - expected).max() <= 1, name


def test_a_diffuse_white_of_a_high_dynamic_range_is_white():
    grey = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    for transfer, white in ((16, 148), (18, 192)):
        seen = from_cicp(9, transfer).to_srgb(grey)[0, :, 0].astype(int)
        assert np.all(np.diff(seen) >= 0)
        assert seen[0] == 0
        assert seen[white] == 255
        assert seen[white - 10] < 255


@pytest.mark.parametrize("codes", [(77, 13), (1, 77), (0, 0)])
def test_unknown_colours_are_told(codes):
    with pytest.raises(ProfileError, match="unknown colours"):
        from_cicp(*codes)
    with pytest.raises(ProfileError):
        from_gamma(0, SRGB.points)
    with pytest.raises(ProfileError):
        from_gamma(0.45, ((0.3, 0.3),) * 4)
