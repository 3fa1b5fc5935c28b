"""Stage `examples`: one method on photographs that the examiner trains on, for detectors and informed classifiers.

As of a test photograph, a window of each is attacked whole and saved as it would be delivered; who learns from it cuts it then.
The adversary reads nothing of it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from cama.attacks.factory import build_attack
from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.crops import crop_origins
from cama.data.examples import Window, write_examples
from cama.data.manifest import read_table
from cama.evaluation.saves import delivered
from cama.photo.encoders import target_encoders
from cama.settings.data import PatchesSpec
from cama.settings.stages import ExamplesStageSpec
from cama.storage.images import read_rgb


def examples(
    spec: ExamplesStageSpec,
    splits: Path,
    root: Path,
    model: Path | None,
    evaluators: list[Path] | None,
    patches: Path | None,
    profiles: Path | None,
    out: Path,
) -> None:
    """Attack a window of each chosen photograph below `root` towards another label, and write both.

    `model`, `evaluators`, `patches`: what the attack needs, as in the stage `attack`. The save `target` needs the folder
    `profiles`; an attack without targets has the encoder of the photograph's own camera model.
    """
    chosen = _chosen(spec, splits)
    apply = build_attack(spec.method, spec.targets, spec.compute, spec.seed, model, evaluators, patches)
    imitations = target_encoders((spec.save,), profiles, spec.targets)

    def make(window: np.ndarray, path: str, source: int, target: int) -> np.ndarray:
        camera = spec.targets[source if target < 0 else target]
        attacked = apply(window[None], np.array([source]), np.array([target]))[0]
        return delivered(attacked, spec.save, camera, imitations, derive_seed(spec.seed, "save", path, camera))

    progress = Progress(f"examples of {spec.name}", len(chosen))
    write_examples(out, _examples(spec, chosen, root, make), spec.targets, progress.update)


def _chosen(spec: ExamplesStageSpec, splits: Path) -> pd.DataFrame:
    """Photographs of the examiner but those held out, equally many of each camera model, with the number `turn` of each among
    its model's.
    """
    table = read_table(splits)
    table = table[(table.role == "examiner") & (table.part != "validation")]
    most = -(-spec.photographs // len(spec.targets)) or len(table)
    parts = []
    for name in spec.targets:
        own = table[table.model == name]
        if own.empty:
            raise CamaError(f"{splits}: found no training photograph of the examiner of {name}, expected some")
        rng = np.random.default_rng(derive_seed(spec.seed, "photographs", name))
        parts.append(own.iloc[rng.permutation(len(own))[:most]].assign(turn=np.arange(min(most, len(own)))))
    return pd.concat(parts)


def _examples(
    spec: ExamplesStageSpec, chosen: pd.DataFrame, root: Path, make: Callable[[np.ndarray, str, int, int], np.ndarray]
) -> Iterator[tuple[Window, np.ndarray, int]]:
    """A window of each photograph, what `make` makes of it, and the target: the other labels take turns."""
    cut, count = PatchesSpec(crop=spec.window, phase=spec.phase), len(spec.targets)
    for photo in chosen.itertuples():
        picture = read_rgb(root / photo.path)
        try:
            row, column = crop_origins(*picture.shape[:2], cut, derive_seed(spec.seed, "phase", photo.path))[0]
        except CamaError as error:
            raise CamaError(f"{root / photo.path}: {error}") from None
        source = spec.targets.index(photo.model)
        target = (source + 1 + photo.turn % (count - 1)) % count if spec.method.targeted else -1
        window = picture[row : row + spec.window, column : column + spec.window]
        about = Window(window, photo.path, (row, column), int(photo.device), photo.scene, source)
        yield about, make(window, photo.path, source, target), target
