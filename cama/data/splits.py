"""The division of the photographs among the roles, and the check that no two roles share what they must not."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cama.core.errors import CamaError
from cama.core.seeds import derive_seed
from cama.data.manifest import UNKNOWN_SCENE
from cama.settings.data import ModelsSpec, SplitSpec

TRAINING_ROLES = ("adversary", "examiner", "examiner_outdist")
MOST_NAMED = 4  # paths in an error
FORBIDDEN = {"device": ("device_id",), "device+scene": ("device_id", "scene"), "scene": ("scene",), "image": ()}
IMAGE = "sha256", "pixels"  # of a file, and of what it shows
OUTDIST = "_outdist"  # what the name of a role of unknown models ends with


def split(manifest: pd.DataFrame, models: ModelsSpec, spec: SplitSpec, seed: int) -> pd.DataFrame:
    """The manifest's rows with `role` and `part` (train, validation or test); devices without a role are left out."""
    owners = [
        (model, role, devices)
        for names, roles in (
            (models.in_distribution, spec.in_distribution.model_dump()),
            (
                models.out_of_distribution,
                {f"{name}{OUTDIST}": devices for name, devices in spec.out_of_distribution.model_dump().items()},
            ),
        )
        for model in names
        for role, devices in roles.items()
    ]
    scenes = _divided_scenes(manifest, {_owner(role) for _, role, devices in owners if devices}, spec.policy, seed)
    chosen = []
    for model, role, devices in owners:
        for device in devices:
            photos = manifest[(manifest.model == model) & (manifest.device == device)]
            if photos.empty:
                held = sorted(int(d) for d in manifest.device[manifest.model == model].unique())
                raise CamaError(
                    f"split: found no photograph of {model} device {device} for the {role}; it has devices {held}"
                )
            if scenes is None:
                sharing = [r for m, r, d in owners if m == model and device in d]
                part = _share(photos, sharing, role, derive_seed(seed, model, device))
            else:
                part = photos[photos.scene.map(scenes) == _owner(role)]
                if part.empty:
                    count = photos.scene.nunique()
                    raise CamaError(
                        f"split: found no photograph of {model} device {device} in the scenes of the {role}: it has {count} of"
                        f" {len(scenes)} scenes, expected more"
                    )
            chosen.append(part.assign(role=role))
    table = _at_most(pd.concat(chosen, ignore_index=True), spec.most, seed)
    table["part"] = np.where(table.role.isin(TRAINING_ROLES), "train", "test")
    for (role, model), photos in table[table.part == "train"].groupby(["role", "model"]):
        held = round(spec.validation * len(photos))
        order = np.random.default_rng(derive_seed(seed, "validation", role, model)).permutation(photos.index)
        table.loc[order[:held], "part"] = "validation"
    return table.sort_values(["role", "path"], ignore_index=True)


def _at_most(table: pd.DataFrame, most: Mapping[str, int], seed: int) -> pd.DataFrame:
    """The rows with so many photographs of each camera model at most, drawn at random; fewer are among more."""
    order = pd.Series(np.random.default_rng(derive_seed(seed, "most")).permutation(len(table)), table.index)
    place = order.groupby([table.role, table.model]).rank(method="first")
    return table[place <= table.role.map(most).fillna(np.inf)].reset_index(drop=True)


def _owner(role: str) -> str:
    """Whose photographs those of a role are: `adversary`, `examiner` or `test`."""
    return role.removesuffix(OUTDIST)


def _divided_scenes(manifest: pd.DataFrame, owners: set[str], policy: str, seed: int) -> dict[str, str] | None:
    """Whose each scene is, under the policy `scene`: about as many of each owner."""
    if policy != "scene":
        return None
    scenes = sorted(set(manifest.scene))
    if UNKNOWN_SCENE in scenes:
        raise CamaError("split.policy: found 'scene', but some photographs do not name their scene")
    order = np.random.default_rng(derive_seed(seed, "scenes")).permutation(len(scenes))
    parts = zip(sorted(owners), np.array_split(order, len(owners)), strict=True)
    return {scenes[place]: owner for owner, part in parts for place in part}


def _share(photos: pd.DataFrame, roles: list[str], role: str, seed: int) -> pd.DataFrame:
    """One role's part of a device's photographs, divided evenly among its roles; the first roles take the remainder."""
    if len(roles) > len(photos):
        name = f"{photos.model.iloc[0]} device {photos.device.iloc[0]}"
        raise CamaError(f"split: found {len(photos)} photographs of {name}, expected one at least for each of {roles}")
    order = np.random.default_rng(seed).permutation(len(photos))
    return photos.iloc[np.sort(np.array_split(order, len(roles))[roles.index(role)])]


def check_counts(table: pd.DataFrame, expected: Mapping[str, int]) -> None:
    """Raise where a role has another number of photographs than `expected`; names them device by device."""
    for role, count in expected.items():
        owned = table[table.role == role]
        if len(owned) != count:
            devices = owned.groupby(["model", "device"]).size()
            each = ", ".join(f"{model} {device}: {n}" for (model, device), n in devices.items())
            raise CamaError(
                f"split.expected: found {len(owned)} photographs of the {role}, expected {count}, or null to go on;"
                f" it has {each}"
            )


def check_start(table: pd.DataFrame, started: pd.DataFrame, policy: str) -> None:
    """Raise where networks that the adversary's begin as saw what is another role's here. `started`: that run's splits."""
    seen, others = (
        _with_device_id(one) for one in (started[started.role == "adversary"], table[table.role != "adversary"])
    )
    for column in (*IMAGE, *FORBIDDEN[policy]):
        shared = others[others[column].isin(set(seen[column]) - {UNKNOWN_SCENE})]
        if len(shared):
            raise CamaError(
                f"adversary.start: found networks that were trained on {column} {shared[column].iloc[0]}, which is the"
                f" {shared.role.iloc[0]}'s here ({shared.path.iloc[0]}), and policy {policy!r} forbids it"
            )


def _with_device_id(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(device_id=table.model + "_" + table.device.astype(str))


def check(table: pd.DataFrame, policy: str) -> None:
    """Raise where two roles share a device, a scene or an image that the policy forbids them to share."""
    table = _with_device_id(table)
    for column in (*IMAGE, *FORBIDDEN[policy]):
        if column == "scene" and (table.scene == UNKNOWN_SCENE).any():
            raise CamaError(f"split.policy: found {policy!r}, but some photographs do not name their scene")
        # of scenes, known and unknown models may share those of one owner
        role = table.role.map(_owner) if policy == "scene" and column == "scene" else table.role
        roles = role.groupby(table[column]).unique()
        shared = roles[roles.map(len) > 1]
        if len(shared):
            owners = " and ".join(sorted(shared.iloc[0]))
            paths = ", ".join(table.path[table[column] == shared.index[0]][:MOST_NAMED])
            raise CamaError(
                f"split: {column} {shared.index[0]} stands in {owners}, which policy {policy!r} forbids: {paths}"
            )
    repeated = table.sha256[table.sha256.duplicated()]
    if len(repeated):
        paths = ", ".join(table.path[table.sha256 == repeated.iloc[0]])
        raise CamaError(f"split: found one image under two names: {paths}")
    for _, alike in table[table.pixels.duplicated(keep=False)].groupby("pixels").path:
        print(f"split: the same pixels with other metadata in one role: {', '.join(alike)}", flush=True)
