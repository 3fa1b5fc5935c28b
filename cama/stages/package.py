"""Stage `package`: a trained attack as the one model file that `cama anonymize` takes."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from cama import __version__
from cama.data.manifest import read_table
from cama.models.packaged import Header, Scores, save_anonymizer
from cama.models.packing import pack_networks
from cama.photo.profile import read_profiles
from cama.reporting.model_card import model_card
from cama.settings.spec import parse
from cama.settings.stages import PackageStageSpec
from cama.storage.hdf5 import content_hashes
from cama.storage.tables import read_csv


def package(
    spec: PackageStageSpec,
    model: list[Path],
    evaluators: list[Path],
    judges: list[Path] | None,
    splits: Path,
    profiles: Path,
    tables: Path,
    out: Path,
) -> None:
    """Write G (of several trainings the first), E's classifiers and the judges (named as their files), the container profiles
    of the folder `profiles`, and this method's rows of the `tables` to one file.
    """
    named = ({path.stem: path for path in files or []} for files in (evaluators, judges))
    networks, parts = pack_networks(model[0], *named, spec.psnr, spec.refine, spec.evaluators)
    split = read_table(splits)
    owned = split[split.role == "adversary"]
    trained_on = owned[owned.part == "train"].model.value_counts()
    header = parse(
        Header,
        {
            **parts,
            "name": spec.name,
            "headroom": spec.headroom,
            "dataset": spec.dataset,
            **spec.card.model_dump(),
            "photographs": {label: int(trained_on.get(label, 0)) for label in parts["labels"]},
            "runs": len(model),
            "profiles": read_profiles(profiles, parts["labels"]),
            "scores": Scores(**{name: _rows(tables / f"{name}.csv", spec.name) for name in Scores.model_fields}),
            "versions": {"cama": __version__, "torch": torch.__version__},
            "inputs": content_hashes([model[0], *evaluators, *(judges or []), splits]),
        },
        str(out),
    )
    save_anonymizer(out, networks, header.model_copy(update={"card": model_card(header)}))


def _rows(path: Path, method: str) -> list[dict[str, Any]]:
    """A table's rows of one method, without columns that are empty in all of them."""
    table = read_csv(path)
    own = table[table.method == method].dropna(axis="columns", how="all")
    return own.astype(object).where(pd.notna(own), None).to_dict("records")
