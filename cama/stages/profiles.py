"""Stage `profiles`: how the files of the camera models are built, learnt from the adversary's photographs alone."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from cama.core.errors import CamaError
from cama.data.manifest import read_table
from cama.jpeg.imitation import load_imitations
from cama.jpeg.names import label_of
from cama.jpeg.profile import Profile, SeenTraits
from cama.photo.originals import read_original
from cama.photo.profile import learn_profile, write_profile
from cama.settings.stages import ProfilesStageSpec

CODINGS = 20  # most codings of a profile: a camera that sets its tables for each picture has as many as pictures


def profiles(spec: ProfilesStageSpec, splits: Path, root: Path, out: Path, originals: list[Path] | None = None) -> None:
    """Write LABEL.json to `out` for each label whose photographs are as the camera wrote them: the adversary's, or those of the
    `originals` that are of this camera, where any is. Where the settings need all, one that is missing or cannot be imitated is
    an error.
    """
    split = read_table(splits)
    owned = split[split.role == "adversary"]
    photographs = {label: [root / path for path in owned[owned.model == label].path] for label in spec.labels}
    found = learn_profiles(photographs | _by_label(originals or (), spec.labels))
    if spec.required:
        load_imitations(out, found, spec.labels)
    shutil.rmtree(out, ignore_errors=True)  # no profile of an earlier, killed run may stay
    out.mkdir(parents=True)
    for label, profile in found.items():
        write_profile(out / f"{label}.json", profile)


def _by_label(originals: Sequence[Path], labels: Sequence[str]) -> dict[str, list[Path]]:
    """The photographs of each label, by the camera that their EXIF names."""
    names = {label: [(label.partition("_")[0], label.partition("_")[2])] for label in labels}
    found: dict[str, list[Path]] = {}
    for path in originals:
        original = read_original(path)
        label = label_of(names, original.make, original.model)
        if label:
            found.setdefault(label, []).append(path)
        else:
            print(f"profiles: left out {path}: its camera is none of the labels", flush=True)
    return found


def learn_profiles(photographs: dict[str, list[Path]]) -> dict[str, Profile]:
    """A profile of each camera model, where its photographs are as the camera wrote them."""
    found = {}
    for label, paths in photographs.items():
        try:
            profile = learn_profile(
                paths, lambda line, label=label: print(f"profiles: {label}: {line}", flush=True), label
            )
        except CamaError as error:
            print(f"profiles: no container profile of {label}: {error}", flush=True)
        else:
            found[label] = profile.model_copy(update={"codings": _thinned(profile.codings)})
    return found


def _thinned(codings: list[SeenTraits]) -> list[SeenTraits]:
    """At most `CODINGS`, in their order. Of more, those of photographs at even distances in the order of their steps, from the
    finest to the coarsest: the most frequent alone would be any, where each photograph has tables of its own.
    """
    if len(codings) <= CODINGS:
        return codings
    ordered = sorted(range(len(codings)), key=lambda place: sum(map(sum, codings[place].value.quantisation.values())))
    photographs = [place for place in ordered for _ in range(codings[place].count)]
    kept = {photographs[(2 * number + 1) * len(photographs) // (2 * CODINGS)] for number in range(CODINGS)}
    return [coding for place, coding in enumerate(codings) if place in kept]
