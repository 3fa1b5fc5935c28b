"""Tests of cama.jpeg.names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cama.jpeg.exif import ASCII, MAKE, MODEL, Entry, Exif
from cama.jpeg.names import LONGEST, camera_name, clean, label, same_camera, split_name
from cama.settings.data import MODEL as ALLOWED


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("NIKON CORPORATION", "NIKON D70", ("NIKON", "D70")),
        ("NIKON", "D70", ("NIKON", "D70")),
        ("NIKON CORPORATION", "NIKON 1 J5", ("NIKON", "1 J5")),
        ("LG Electronics", "LG-H870", ("LG", "H870")),
        ("LGE", "LG-H870", ("LGE", "H870")),
        ("LG Electronics", "LGM-V300K", ("LG", "LGM-V300K")),
        ("Canon", "Canon EOS 5D", ("Canon", "EOS 5D")),
        ("Canon", "Canon Canon EOS", ("Canon", "EOS")),
        ("Canon", "Canon", ("Canon", "Canon")),
        ("Canon", "Canonet", ("Canon", "Canonet")),
        ("PENTAX Corporation", "PENTAX *ist DS", ("PENTAX", "*ist DS")),
        ("OLYMPUS IMAGING CORP.", "E-M1", ("OLYMPUS", "E-M1")),
        ("OLYMPUS OPTICAL CO.,LTD", "C700UZ", ("OLYMPUS", "C700UZ")),
        ("EASTMAN KODAK COMPANY", "KODAK EASYSHARE C613", ("KODAK", "EASYSHARE C613")),
        ("CASIO COMPUTER CO.,LTD.", "EX-Z150", ("CASIO", "EX-Z150")),
        ("SAMSUNG TECHWIN CO., LTD.", "<K / S>", ("SAMSUNG", "<K / S>")),
        ("Hewlett-Packard", "HP PhotoSmart C945", ("Hewlett-Packard", "PhotoSmart C945")),
        ("FUJI PHOTO FILM CO., LTD.", "FinePix S3Pro", ("FUJI", "FinePix S3Pro")),
        ("SAMSUNG", "SAMSUNG-SGH-I747", ("SAMSUNG", "SGH-I747")),
        ("Nikon", "CORPORATION NIKON D70", ("Nikon", "D70")),  # a folder `Nikon CORPORATION NIKON D70`
        ("Corporation", "X", ("Corporation", "X")),
        ("Raspberry", "Camera Module", ("Raspberry", "Camera Module")),
        ("", "X10", ("", "X10")),
    ],
)
def test_a_model_is_told_from_its_maker(make, model, expected):
    assert split_name(make, model) == expected


def test_spellings_of_one_camera_are_the_same():
    spelt = [("NIKON CORPORATION", "NIKON D70"), ("NIKON", "NIKON D70"), ("Nikon", "D70"), ("Nikon Corp.", "Nikon D70")]
    assert len({same_camera(*names) for names in spelt}) == 1
    assert (
        len({same_camera(*names) for names in [("LGE", "LG-H870"), ("LG Electronics", "LG-H870"), ("LG", "H870")]}) == 1
    )
    assert len({same_camera("NIKON", model) for model in ("D70", "D70s", "D7 0")}) == 3
    assert same_camera("NIKON", "D70") != same_camera("Canon", "D70")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("X10; \ufffd\ufffdqz9", "X10"),
        ("X10   ", "X10"),
        ("  X10\t", "X10"),
        ("Canon  EOS\x01 5D\n", "Canon EOS 5D"),
        ("; X10", "X10"),
        ("", ""),
        (None, ""),
        ((1, 2), "(1, 2)"),
    ],
)
def test_texts_are_cleaned(value, expected):
    assert clean(value) == expected


def test_a_cameras_name_is_read_from_exif():
    exif = Exif("<", [Entry("IFD0", MAKE, " Acme ", ASCII), Entry("IFD0", MODEL, "X10; abc", ASCII)])
    assert camera_name(exif) == ("Acme", "X10")
    assert camera_name(Exif("<")) == ("", "")


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("NIKON CORPORATION", "NIKON D70", "NIKON_D70"),
        ("Canon", "Canon Ixus 70", "Canon_Ixus-70"),
        ("LG Electronics", "LG-H870", "LG_H870"),
        ("SONY", "DSC-H50", "SONY_DSC-H50"),
        ("Fairphone", "FP4", "Fairphone_FP4"),
    ],
)
def test_labels_are_plain_where_names_are(make, model, expected):
    assert label(make, model) == expected


def test_labels_can_name_files_and_differ_where_names_do():
    names = [
        "*ist",
        "*ist D",
        "*ist DS",
        "ist",
        "<K / S>",
        "<K  S>",
        "K S",
        "K/S",
        "K*S",
        "***",
        "/",
        "..",
        "?" * 300,
        "a" * 300,
        "a" * 301,
    ]
    labels = [label("PENTAX Corporation", name) for name in names]
    assert len(set(labels)) == len(names)
    for found in labels:
        assert found.startswith("PENTAX_")
        assert ALLOWED.fullmatch(found)
        assert "/" not in found
        assert len(found) <= LONGEST + 5


@given(st.text(), st.text())
def test_any_names_have_a_label(make, model):
    found = label(clean(make), clean(model))
    assert ALLOWED.fullmatch(found)
