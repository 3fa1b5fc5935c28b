"""Tests of cama.stages.package: a method's model file has what the method's pictures were made with."""

import pandas as pd
import pytest
import torch

from cama.models.classifiers import save_classifier
from cama.models.generator import Generator, save_generator
from cama.models.packaged import Header, Scores, load_header
from cama.settings.stages import PackageStageSpec
from cama.stages.package import package
from tests.models.helpers import net_spec, tiny_classifier
from tests.photo.helpers import LABELS, SPEC


def packaged(folder, **spec: object) -> Header:
    """The header of a model file of a method that no table has."""
    g, e, splits, out = (folder / name for name in ("g.safetensors", "e.safetensors", "splits.csv", "out.safetensors"))
    torch.manual_seed(0)  # the same networks each time, so that they are exported once
    save_generator(g, Generator(3, SPEC), SPEC, LABELS, {})
    save_classifier(e, tiny_classifier("rgb"), net_spec("rgb"), LABELS, {})
    about = {"number": 0, "width": 64, "height": 48, "role": "adversary", "part": "train"}
    names = ("path", "sha256", "device", "scene", "pixels")
    rows = [{**dict.fromkeys(names, label), **about, "model": label} for label in LABELS]
    pd.DataFrame(rows).to_csv(splits, index=False)
    for name in Scores.model_fields:
        pd.DataFrame({"method": ["another"]}).to_csv(folder / f"{name}.csv", index=False)
    given = PackageStageSpec(**{"name": "cama-34", "dataset": "simulated", **spec})
    package(given, [g], [e], [e], splits, folder / "profiles", folder, out)
    return load_header(out)


@pytest.mark.parametrize(("level", "said"), [(0, "no PSNR is held"), (34, "a PSNR of 34 dB")])
def test_the_file_names_the_psnr_of_its_method(level, said, tmp_path):
    header = packaged(tmp_path, psnr=level)
    assert (header.name, header.psnr) == ("cama-34", level)
    assert header.photographs == dict.fromkeys(LABELS, 1)
    assert said in header.card
    assert list(header.judges) == ["e"]


def test_the_card_has_the_credits_the_licence_and_the_one_body(tmp_path):
    card = {"credits": "Photographs: Jorunn Dahl (CC BY 4.0).", "licence": "MIT"}
    header = packaged(tmp_path, dataset="folder, one body a model", card=card)
    assert (header.credits, header.licence) == (card["credits"], "MIT")
    assert "## Credits and licence\n\nPhotographs: Jorunn Dahl (CC BY 4.0).\n\nThis file: MIT." in header.card
    assert "one body was there" in header.card
    plain = packaged(tmp_path).card
    assert "Credits" not in plain
    assert "one body" not in plain


def test_a_method_may_be_refined_by_some_classifiers_of_its_e(tmp_path):
    header = packaged(tmp_path, psnr=36, refine=2, evaluators=("e",))
    assert header.refine_by == ["e"]
    assert "2 gradient steps on E from there, by e in turn" in header.card
    assert packaged(tmp_path, psnr=36, refine=2).refine_by == ["e"]  # all of them
    assert packaged(tmp_path).refine_by == []


def test_a_method_may_make_its_change_even(tmp_path):
    header = packaged(tmp_path, psnr=36, headroom=2)
    assert header.headroom == 2
    assert "taken out of G's change" in header.card
    assert "more than 2 dB more of it than" in header.card
    plain = packaged(tmp_path, psnr=36)
    assert plain.headroom == 0
    assert "taken out" not in plain.card
