import re

import pandas as pd
import pytest

from cama.core.errors import CamaError
from cama.data.splits import check, check_counts, check_start, split
from cama.settings.data import DevicesIn, DevicesOut, ModelsSpec, SplitSpec

MODELS = ModelsSpec(in_distribution=("In_A", "In_B"), out_of_distribution=("Out_C",))
ROLES = {
    ("In_A", 0): "adversary",
    ("In_A", 1): "adversary",
    ("In_A", 2): "examiner",
    ("In_A", 3): "examiner",
    ("In_A", 4): "test",
    ("In_B", 0): "adversary",
    ("In_B", 1): "adversary",
    ("In_B", 2): "examiner",
    ("In_B", 3): "examiner",
    ("In_B", 4): "test",
    ("Out_C", 0): "examiner_outdist",
    ("Out_C", 1): "examiner_outdist",
    ("Out_C", 2): "test_outdist",
}


def photographs(devices, each=20):
    """A manifest with a scene of its own for every photograph."""
    rows = [(model, device, number) for model, device in devices for number in range(each)]
    table = pd.DataFrame(rows, columns=["model", "device", "number"])
    table["path"] = [f"{model}_{device}_{number:03d}.JPG" for model, device, number in rows]
    table["scene"] = [str(i) for i in range(len(rows))]
    table["sha256"] = table["pixels"] = [f"{i:064x}" for i in range(len(rows))]
    return table.assign(width=64, height=64)


MANIFEST = photographs([*ROLES, ("In_A", 5), ("Unnamed_D", 0)])


def test_devices_go_to_the_roles_asked():
    table = split(MANIFEST, MODELS, SplitSpec(), seed=1)
    assert len(table) == 20 * len(ROLES)
    assert not table.path.duplicated().any()
    found = {key: set(photos.role) for key, photos in table.groupby(["model", "device"])}
    assert found == {key: {role} for key, role in ROLES.items()}  # neither device 5 nor the unnamed model


def test_other_roles_may_be_asked():
    spec = SplitSpec(in_distribution=DevicesIn(adversary=(5,), examiner=(0, 2), test=(1,)))
    manifest = photographs([(model, device) for model in ("In_A", "In_B") for device in (0, 1, 2, 5)])
    table = split(manifest, ModelsSpec(in_distribution=("In_A", "In_B")), spec, 1)
    found = {device: set(photos.role) for device, photos in table.groupby("device")}
    assert found == {0: {"examiner"}, 1: {"test"}, 2: {"examiner"}, 5: {"adversary"}}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25])
def test_each_training_role_holds_out_its_share_of_each_model(share):
    table = split(MANIFEST, MODELS, SplitSpec(validation=share), seed=1)
    for (role, _), photos in table.groupby(["role", "model"]):
        if role.startswith("test"):
            assert set(photos.part) == {"test"}
        else:
            assert len(photos) == 40
            assert (photos.part == "validation").sum() == 40 * share
            assert (photos.part == "train").sum() == 40 * (1 - share)


def test_the_seed_decides_the_validation_part():
    def held(seed):
        table = split(MANIFEST, MODELS, SplitSpec(), seed)
        return set(table.path[table.part == "validation"])

    assert held(1) == held(1)
    assert held(1) != held(2)


def test_the_order_of_the_manifest_does_not_matter_to_the_roles():
    expected = split(MANIFEST, MODELS, SplitSpec(), 1)
    shuffled = split(MANIFEST.sample(frac=1, random_state=3), MODELS, SplitSpec(), 1)
    assert dict(zip(shuffled.path, shuffled.role, strict=True)) == dict(zip(expected.path, expected.role, strict=True))


def test_a_device_without_photographs_is_an_error_that_names_it():
    manifest = MANIFEST[(MANIFEST.model != "In_B") | (MANIFEST.device != 4)]
    with pytest.raises(CamaError, match=r"In_B device 4.*test.*\[0, 1, 2, 3\]"):
        split(manifest, MODELS, SplitSpec(), 1)


SHARED = SplitSpec(
    policy="image",
    in_distribution=DevicesIn(adversary=(0,), examiner=(0,), test=(0,)),
    out_of_distribution=DevicesOut(examiner=(0,), test=(0,)),
)


def test_a_device_named_twice_divides_its_photographs():
    table = split(photographs([("In_A", 0), ("In_B", 0), ("Out_C", 0)]), MODELS, SHARED, 1)
    assert not table.path.duplicated().any()
    assert table[table.model == "In_A"].role.value_counts().to_dict() == {"adversary": 7, "examiner": 7, "test": 6}
    assert table[table.model == "Out_C"].role.value_counts().to_dict() == {"examiner_outdist": 10, "test_outdist": 10}
    check(table, "image")
    with pytest.raises(CamaError, match="In_A_0"):
        check(table, "device")


def test_too_few_photographs_to_divide_are_an_error():
    manifest = photographs([("In_A", 0), ("In_B", 0), ("Out_C", 0)], each=2)
    with pytest.raises(CamaError, match="found 2 photographs of In_A device 0"):
        split(manifest, MODELS, SHARED, 1)


@pytest.fixture
def table():
    return split(MANIFEST, MODELS, SplitSpec(), seed=1)


def first(table, role):
    return table.index[table.role == role][0]


def test_a_role_of_another_size_than_expected_is_named_device_by_device(table):
    check_counts(table, {})
    check_counts(table, {"adversary": 80, "test_outdist": 20})
    short = table.drop(first(table, "adversary"))
    said = (
        "split.expected: found 79 photographs of the adversary, expected 80, or null to go on; it has"
        " In_A 0: 19, In_A 1: 20, In_B 0: 20, In_B 1: 20"
    )
    with pytest.raises(CamaError, match=re.escape(said)):
        check_counts(short, {"examiner": 80, "adversary": 80})


@pytest.mark.parametrize(
    ("policy", "column", "refused"),
    [
        ("image", "sha256", True),
        ("image", "pixels", True),
        ("image", "device", False),
        ("device", "device", True),
        ("device", "scene", False),
        ("device+scene", "scene", True),
    ],
)
def test_networks_to_begin_as_have_seen_nothing_of_another_role(table, policy, column, refused):
    started = photographs(ROLES, each=5).assign(role="examiner")
    for name in ("sha256", "pixels", "scene"):
        started[name] = "x" + started[name]
    started["device"] += 100
    started.loc[0, "role"] = "adversary"
    check_start(table, started, policy)
    owned = table[table.role == "test"].iloc[0]
    started.loc[0, ["model", column]] = owned.model, owned[column]
    if refused:
        with pytest.raises(CamaError, match=rf"adversary.start: .*the test's here \({owned.path}\)"):
            check_start(table, started, policy)
    else:
        check_start(table, started, policy)
    check_start(table, started.assign(role="test"), policy)


@pytest.mark.parametrize("policy", ["device", "device+scene", "image"])
def test_a_clean_split_passes(table, policy):
    check(table, policy)


@pytest.mark.parametrize("policy", ["device", "device+scene"])
def test_a_shared_device_is_refused(table, policy):
    table.loc[first(table, "test"), "device"] = 2
    with pytest.raises(CamaError, match=r"In_A_2.*examiner and test"):
        check(table, policy)
    check(table, "image")


def test_devices_of_one_number_but_two_models_are_not_shared(table):
    assert set(table.device[table.role == "adversary"]) & set(table.device[table.role == "examiner_outdist"])
    check(table, "device")


def test_a_shared_scene_is_refused_where_the_policy_says_so(table):
    table.loc[first(table, "test"), "scene"] = table.scene[first(table, "adversary")]
    with pytest.raises(CamaError, match=r"scene.*adversary and test"):
        check(table, "device+scene")
    check(table, "device")
    check(table, "image")


def test_a_scene_may_be_taken_twice_in_one_role(table):
    rows = table.index[table.role == "examiner"][:2]
    table.loc[rows, "scene"] = "one"
    check(table, "device+scene")


@pytest.mark.parametrize("policy", ["device", "device+scene", "image"])
def test_one_image_in_two_roles_is_refused_by_every_policy(table, policy):
    """By its content, whatever it is called."""
    table.loc[first(table, "test"), "sha256"] = table.sha256[first(table, "examiner")]
    with pytest.raises(CamaError, match="examiner and test"):
        check(table, policy)


def test_one_image_under_two_names_is_refused_even_in_one_role(table):
    rows = table.index[table.role == "examiner"][:2]
    table.loc[rows[1], "sha256"] = table.sha256[rows[0]]
    with pytest.raises(CamaError, match=table.path[rows[1]]):
        check(table, "image")


def test_scenes_must_be_known_to_be_kept_apart(table):
    table.loc[5, "scene"] = ""
    with pytest.raises(CamaError, match="scene"):
        check(table, "device+scene")
    check(table, "device")


def test_a_role_whose_scenes_a_camera_did_not_take_is_one_line():
    manifest = photographs([("In_A", 0), ("In_B", 0)], each=9)
    manifest["scene"] = manifest.number.astype(str)
    models = ModelsSpec(in_distribution=("In_A", "In_B"))
    roles = {"adversary": (0,), "examiner": (0,), "test": (0,)}
    spec = SplitSpec(policy="scene", in_distribution=DevicesIn(**roles))
    assert len(split(manifest, models, spec, seed=1)) == 18
    few = manifest[(manifest.model == "In_A") | (manifest.number < 2)]
    with pytest.raises(
        CamaError, match=r"found no photograph of In_B device 0 in the scenes of the .*: it has 2 of 9 scenes"
    ):
        split(few, models, spec, seed=1)


def test_a_role_takes_so_many_photographs_of_each_model_and_fewer_are_among_more():
    def paths(**most: int) -> dict[str, set[str]]:
        table = split(MANIFEST, MODELS, SplitSpec(most=most), seed=1)
        return {role: set(part.path) for role, part in table.groupby("role")}

    every, ten, twelve = paths(), paths(adversary=10), paths(adversary=12, test=50)
    assert (len(every["adversary"]), len(ten["adversary"]), len(twelve["adversary"])) == (80, 20, 24)
    assert ten["adversary"] < twelve["adversary"] < every["adversary"]
    assert ten["examiner"] == twelve["examiner"] == every["examiner"]
    assert twelve["test"] == every["test"]  # which has fewer
    table = split(MANIFEST, MODELS, SplitSpec(most={"adversary": 10}), seed=1)
    assert set(table[table.role == "adversary"].groupby("model").size()) == {10}
