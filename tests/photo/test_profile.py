"""Tests of cama.photo.profile."""

import json

import pytest
from PIL import Image

from cama.commands.main import main
from cama.core.errors import CamaError
from cama.jpeg.coding import read_coding
from cama.jpeg.profile import match_profile
from cama.jpeg.segments import DHT, DQT, DRI, SOS, Jpeg, Segment, read_segments
from cama.jpeg.writing import encode_like
from cama.photo.inspect import inspect
from cama.photo.originals import read_original
from cama.photo.profile import learn_profile, read_profile, write_profile
from cama.photo.summary import summary
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import camera_file, model_file
from tests.real_photographs import CASES, needs_cases, needs_photographs, photographs


def photo(number: int, model: str = "A10", size: tuple[int, int] = (48, 64), **options: object) -> bytes:
    """A photograph of a camera that writes what its firmware, its owner and the moment say."""
    return camera_file(f"Alcyon_{model}", number, size, **options)


@pytest.fixture
def paths(tmp_path):
    found = []
    for number in range(4):
        path = tmp_path / f"{number}.jpg"
        # of four photographs one is held upright, and one is compressed more
        path.write_bytes(photo(number, size=(64, 48) if number == 3 else (48, 64), quality=80 if number == 2 else 93))
        found.append(path)
    return found


def test_a_profile_counts_what_it_saw(paths, tmp_path):
    profile = learn_profile(paths)
    write_profile(tmp_path / "p.json", profile)
    assert profile == read_profile(tmp_path / "p.json")
    assert (profile.camera.make, profile.camera.model, profile.photographs) == ("Alcyon", "A10", 4)
    assert [seen.count for seen in profile.codings] == [3, 1]
    assert [(seen.count, seen.value) for seen in profile.dimensions] == [(3, (64, 48)), (1, (48, 64))]
    assert [seen.count for seen in profile.segments] == [4]
    first = profile.coding
    assert (first["process"], first["subsampling"], first["huffman"]) == ("baseline", "4:2:0", "standard")


def test_only_the_firmwares_values_are_kept(paths, tmp_path):
    write_profile(tmp_path / "p.json", learn_profile(paths))
    text = (tmp_path / "p.json").read_text()
    entries = {entry["name"]: entry for entry in json.loads(text)["exif"]["entries"]}
    assert entries["Software"]["value"] == "1.0"
    assert entries["ColorSpace"]["value"] == 1
    # that they are written is the camera's style
    assert {"Artist", "BodySerialNumber", "DateTimeOriginal"} <= set(entries)
    for secret in ("Jorunn", "SN0042", "2026"):
        assert secret not in text
    assert all(entry["count"] == 4 for entry in entries.values())


def test_the_profile_does_not_hang_on_the_order_of_its_photographs(paths):
    assert learn_profile(paths) == learn_profile(paths[::-1])


@pytest.mark.parametrize(
    ("options", "different"),
    [
        ({}, set()),
        ({"quality": 80}, set()),
        ({"quality": 70}, {"quantisation"}),
        ({"subsampling": "4:4:4"}, {"subsampling"}),
        ({"optimize": True}, {"huffman"}),
        ({"comment": b"edited"}, {"segments"}),
        ({"size": (32, 64)}, {"dimensions"}),
    ],
)
def test_what_differs_from_a_profile_is_named(options, different, paths):
    profile = learn_profile(paths)
    found = read_segments(photo(9, **options))
    matches = match_profile(found, read_coding(found), profile)
    assert {trait for trait, same in matches.items() if not same} == different


def test_inspect_compares_with_profiles(paths, tmp_path):
    write_profile(tmp_path / "p.json", learn_profile(paths))
    record = inspect(paths[0], profiles=[tmp_path / "p.json"])
    (found,) = record["profiles"]
    assert (found["profile"], found["model"]) == ("p.json", "A10")
    assert set(found["matches"].values()) == {True}
    assert "A10, in every trait" in summary(record)


def test_what_cannot_be_compared_with_a_profile_tells_the_rest(paths, tmp_path):
    write_profile(tmp_path / "p.json", learn_profile(paths))
    Image.fromarray(scene(48, 64)).save(tmp_path / "a.png")
    record = inspect(tmp_path / "a.png", profiles=[tmp_path / "p.json"])
    assert "profiles" not in record
    assert record["warnings"] == ["not compared with container profiles: it is a PNG file, and not a JPEG"]
    assert record["width"] == 64


def test_what_is_nested_beyond_measure_is_no_profile(tmp_path):
    (tmp_path / "p.json").write_text("[" * 100_000)
    with pytest.raises(CamaError, match=r"p\.json: not a container profile"):
        read_profile(tmp_path / "p.json")


def test_nothing_but_a_profile_is_replaced_by_one(paths, tmp_path, capsys):
    kept = paths[0].read_bytes()
    assert main(["profile", *map(str, paths), "--out", str(paths[0])]) == 1
    assert f"cama profile: {paths[0]}: not a container profile" in capsys.readouterr().err
    assert paths[0].read_bytes() == kept
    assert main(["profile", *map(str, paths), "--out", str(tmp_path)]) == 1
    assert f"--out: found the folder {tmp_path}, expected the name of a file" in capsys.readouterr().err
    for _ in range(2):
        assert main(["profile", *map(str, paths), "--out", str(tmp_path / "p.json")]) == 0


def test_a_profile_is_learnt_from_a_folder(paths, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("of no use")
    assert main(["profile", str(tmp_path), "--out", str(tmp_path / "camera.json")]) == 0
    assert read_profile(tmp_path / "camera.json").photographs == len(paths)
    assert "notes.txt: left out" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["profile", str(tmp_path / "none"), "--out", str(tmp_path / "camera.json")]) == 1
    assert "found a folder without photographs" in capsys.readouterr().err


def test_a_profile_that_an_editor_saved_is_the_same(paths, tmp_path):
    path = tmp_path / "p.json"
    write_profile(path, learn_profile(paths))
    for encoding in ("utf-8-sig", "utf-16"):
        other = tmp_path / f"{encoding}.json"
        other.write_bytes(path.read_text().replace("\n", "\r\n").encode(encoding))
        assert read_profile(other) == read_profile(path)


def odd_files() -> dict[str, tuple[bytes, str]]:
    """Photographs that do not belong to the others, and what is said of them."""
    good = photo(9)
    segments = read_segments(good).segments
    adobe = Segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
    xmp = Segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x xmp:CreatorTool='Snapseed 2.0'/>")
    whole = Jpeg(segments)
    return {
        "no EXIF": (jpeg(scene(48, 64)), "found no EXIF"),
        "no camera": (jpeg(exif=Image.Exif().tobytes()), "found no make and model"),
        "no photograph": (b"GIF89a", "found no JPEG"),
        "empty": (b"", "found an empty file"),
        "truncated": (good[: len(good) // 2], "it is truncated"),
        "two tables": (
            Jpeg((*segments[:-1], Segment(DQT, b"\0" + bytes([9] * 64)), segments[-1])).to_bytes(),
            "found two quantisation tables 0",
        ),
        "maker in the model": (photo(9, model="Alcyon A12"), "found the camera Alcyon A12, expected Alcyon A10 as in"),
        "other model": (photo(9, model="A11"), "found the camera Alcyon A11, expected Alcyon A10 as in"),
        "other maker": (camera_file("Borealis_A10"), "found the camera Borealis A10, expected Alcyon A10 as in"),
        "editor": (with_software("GIMP 2.10"), "found the editor 'GIMP 2.10'"),
        "editor in XMP": (Jpeg((segments[0], xmp, *segments[1:])).to_bytes(), "found the editor 'Snapseed 2.0'"),
        "Adobe": (
            Jpeg((*segments[:2], adobe, *segments[2:])).to_bytes(),
            "found segments of programs Adobe, expected absent",
        ),
        "progressive": (photo(9, progressive=True), "found the process progressive, expected baseline"),
        "own Huffman": (photo(9, optimize=True), "found the Huffman tables of its own, expected standard"),
        "joined tables": (joined_tables(whole), "found the segments of tables DQT 0 1, SOF0,"),
        "no header": (
            Jpeg(tuple(s for s in segments if s.marker != 0xE0)).to_bytes(),
            "found the JFIF header absent, expected present",
        ),
    }


def with_software(name: str) -> bytes:
    exif = Image.Exif()
    exif.load(read_segments(photo(9)).of_kind("Exif")[0].payload)
    exif[0x0131] = name
    return jpeg(scene(48, 64), exif=exif.tobytes(), quality=93)


def joined_tables(found: Jpeg) -> bytes:
    first, second = found.with_marker(DQT)
    joined = Segment(DQT, first.payload + second.payload)
    return Jpeg(tuple(joined if s == first else s for s in found.segments if s != second)).to_bytes()


@pytest.mark.parametrize("kind", sorted(odd_files()))
def test_one_odd_file_is_left_out_with_a_line_that_names_it(kind, paths, tmp_path, capsys):
    data, words = odd_files()[kind]
    expected = learn_profile(paths)
    odd = tmp_path / "1a.jpg"
    odd.write_bytes(data)
    assert main(["profile", *map(str, [odd, *paths]), "--out", str(tmp_path / "p.json")]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"cama profile: left out {odd}: ")
    assert words in captured.err
    assert captured.err.count("\n") == 1
    found = read_profile(tmp_path / "p.json")
    assert (found.photographs, found.left_out) == (4, 1)
    assert found == expected.model_copy(update={"left_out": 1})
    assert odd.name not in (tmp_path / "p.json").read_text()


def test_a_photograph_that_cannot_be_opened_is_left_out_and_one_named_twice_counts_once(paths, monkeypatch):
    def read(path, label):
        if path == paths[0]:
            raise PermissionError(13, "Permission denied", str(path))
        return read_original(path, label)

    monkeypatch.setattr("cama.photo.profile.read_original", read)
    lines = []
    profile = learn_profile([*paths, *paths], lines.append)
    assert (profile.photographs, profile.left_out) == (3, 1)
    assert lines == [f"left out {paths[0]}: [Errno 13] Permission denied: '{paths[0]}'"]


@pytest.mark.parametrize(("count", "fails"), [(1, False), (3, False), (4, False), (5, True)])
def test_more_than_a_half_of_odd_files_is_an_error(count, fails, paths, tmp_path):
    odd = [tmp_path / f"odd-{number}.jpg" for number in range(count)]
    for path in odd:
        path.write_bytes(b"nothing")
    if not fails:
        assert learn_profile([*paths, *odd]).left_out == count
        return
    with pytest.raises(CamaError, match=r"odd-0.jpg: found no JPEG .*; 5 of 9 are odd, expected at most a half"):
        learn_profile([*paths, *odd])


def test_two_models_alike_in_number_make_no_profile(paths):
    for path in paths[2:]:
        path.write_bytes(photo(2, model="A11"))
    with pytest.raises(CamaError, match=r"2.jpg: found the camera Alcyon A11, expected Alcyon A10 as in .*0.jpg"):
        learn_profile(paths)


@pytest.mark.parametrize(("edited", "kept"), [(4, 4), (3, 5), (1, 7)])
def test_ways_of_one_camera_are_kept_unless_most_photographs_have_another(edited, kept, paths, tmp_path):
    for number in range(4, 8):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(photo(number, subsampling="4:2:2"))
    for number in range(edited):
        paths[-1 - number].write_bytes(photo(number, subsampling="4:2:2", optimize=True))
    profile = learn_profile(paths)
    assert (profile.photographs, profile.left_out) == ((8, 0) if edited == 4 else (kept, edited))
    assert {seen.value.huffman for seen in profile.codings} == ({"standard", "own"} if edited == 4 else {"standard"})


def test_makers_that_spell_their_name_in_two_ways_are_one(paths):
    names = [
        ("NIKON CORPORATION", "NIKON D70"),
        ("NIKON", "NIKON D70"),
        ("Nikon", "D70"),
        ("NIKON CORPORATION", "NIKON D70"),
    ]
    for path, (make, model) in zip(paths, names, strict=True):
        path.write_bytes(camera_file(f"{make}_{model}"))
    profile = learn_profile(paths)
    assert (profile.camera.make, profile.camera.model) == ("NIKON CORPORATION", "NIKON D70")
    assert (profile.photographs, profile.left_out) == (4, 0)


@pytest.mark.parametrize("model", ["A10\0\0\xc3qz9", "A10   ", " A10\0x"])
def test_bytes_behind_a_nul_and_blanks_are_no_part_of_a_name(model, paths):
    paths[0].write_bytes(photo(0, model=model))
    profile = learn_profile(paths)
    assert (profile.camera.model, profile.photographs) == ("A10", 4)


def test_a_rare_order_of_segments_does_not_cost_the_profile_its_use(paths):
    """The order and the coding that are imitated fit each other, though each is counted for itself."""
    profile = learn_profile(paths)
    joined = joined_tables(read_segments(photo(7)))
    other = [segment.name for segment in read_segments(joined).segments]
    swapped = profile.model_copy(
        update={"segments": [profile.segments[0].model_copy(update={"value": other}), *profile.segments]}
    )
    assert swapped.order == profile.order
    assert swapped.order != other


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg(), "found no EXIF"),
        (jpeg(exif=Image.Exif().tobytes()), "found no make and model"),
        (b"", "found an empty file"),
    ],
)
def test_what_no_camera_wrote_makes_no_profile(data, words, tmp_path, capsys):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert main(["profile", str(path), "--out", str(tmp_path / "p.json")]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "other"}', '{"kind": "container profile", "version": 99}'])
def test_what_is_no_profile_is_refused(text, tmp_path):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(CamaError, match=r"p.json: "):
        read_profile(tmp_path / "p.json")


@needs_photographs
def test_no_real_photograph_is_odd():
    for model in ("D70", "D70s", "D200"):
        assert learn_profile([p for p in photographs() if p.name.startswith(f"Nikon_{model}_")]).left_out == 0


@needs_photographs
def test_real_models_have_profiles_of_their_own():
    files = {model: [p for p in photographs() if p.name.startswith(f"Nikon_{model}_")] for model in ("D70", "D200")}
    profiles = {model: learn_profile(paths) for model, paths in files.items()}
    for model, paths in files.items():
        jpeg_file = read_segments(paths[0].read_bytes())
        coding = read_coding(jpeg_file)
        for other, profile in profiles.items():
            matches = match_profile(jpeg_file, coding, profile)
            assert matches["dimensions"] == matches["quantisation"] == (model == other)
            assert matches["subsampling"]


@needs_cases
@pytest.mark.parametrize("name", ["restart-of-zero", "three-tables", "model-0", "model-1", "unequal-quality"])
def test_the_collected_cases_are_imitated_in_every_trait(name):
    path = CASES / f"{name}.jpg"
    profile = learn_profile([path])
    written = read_segments(encode_like(scene(480, 640), profile.coding, profile.order))
    matches = match_profile(written, read_coding(written), profile)
    assert {trait for trait, same in matches.items() if not same} == {"segments"}  # it has no EXIF
    assert profile.camera.model == ("X10" if name.startswith("model") else "Acme X10")


@needs_cases
def test_the_case_of_two_qualities_is_not_said_to_be_the_common_encoders():
    record = inspect(CASES / "unequal-quality.jpg")
    assert record["coding"]["standard_quality"] is None
    assert "not the common encoder's at any quality" in summary(record)


def test_what_pillow_cannot_write_is_imitated_by_anonymize(tmp_path, capsys):
    """Components from 0, 4:4:0, three tables in one segment of which two are equal, an interval of 0, Huffman tables first."""
    start, _, exif, *found = read_segments(photo(0)).segments
    tables = b"".join(bytes([number, *range(3 + min(number, 1), 67 + min(number, 1))]) for number in range(3))
    frame, scan = (bytearray(next(s.payload for s in found if s.marker == marker)) for marker in (0xC0, SOS))
    frame[6:] = bytes([0, 0x12, 0, 1, 0x11, 1, 2, 0x11, 2])
    scan[1:7:2] = bytes(range(3))
    huffman = b"".join(segment.payload for segment in found if segment.marker == DHT)
    data = next(segment.scan for segment in found if segment.marker == SOS)
    built = [
        start,
        Segment(DHT, huffman),
        exif,
        Segment(DRI, b"\0\0"),
        Segment(0xC0, bytes(frame)),
        Segment(DQT, tables),
    ]
    path, out = tmp_path / "camera.jpg", tmp_path / "out.jpg"
    path.write_bytes(Jpeg((*built, Segment(SOS, bytes(scan), data), found[-1])).to_bytes())
    assert main(["profile", str(path), "--out", str(tmp_path / "p.json")]) == 0
    photograph = tmp_path / "photograph.jpg"
    photograph.write_bytes(jpeg(scene(64, 96)))
    call = [
        "anonymize",
        str(photograph),
        "--model",
        str(model_file(tmp_path)),
        "--to",
        "Corvus_C300",
        "--out",
        str(out),
    ]
    assert main([*call, "--profile", str(tmp_path / "p.json"), "--metadata", "target"]) == 0
    capsys.readouterr()
    (found,) = inspect(out, profiles=[tmp_path / "p.json"])["profiles"]
    assert {trait for trait, same in found["matches"].items() if not same} == {"dimensions"}
    with Image.open(out) as image:
        assert (image.mode, image.size) == ("RGB", (96, 64))
