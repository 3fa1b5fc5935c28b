"""Stage `judge`: what a judge says of attacked photographs, saved and read back, as rows like those of stage `evaluate`.

A judge sees each file whole, as far as it was attacked, and takes its patches from it. What is measured of a file beside its
classification stands in the rows of the target classifiers, and is taken from there.
"""

from pathlib import Path

import pandas as pd

from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.attacked import open_attacked
from cama.data.patches import Patches
from cama.evaluation.delivery import deliver
from cama.judges.fingerprints import load_fingerprints
from cama.judges.judge import Judge
from cama.photo.encoders import target_encoders
from cama.settings.judges import check_targets
from cama.settings.stages import JudgeStageSpec
from cama.storage.files import write_text
from cama.storage.tables import read_csv

PLACE = ["run", "set", "save", "photograph", "row", "column", "target"]
OF_A_CLASSIFIER = ["classifier", "role", "labels", "known", "predicted", "patches_targeted", "patches_untargeted"]


def judge(
    spec: JudgeStageSpec,
    judge: Path,
    network: Path | None,
    fingerprints: Path | None,
    rows: Path,
    attacked: Path,
    inside: Path,
    outside: Path,
    profiles: Path | None,
    out: Path,
) -> None:
    """Ask the judge of a YAML file about the pictures of `attacked`, which `rows` are of. `network`: its ONNX file;
    `fingerprints`: what it compares residuals with; `profiles`: the folder of container profiles, for the save `target`.
    """
    loaded = Judge(judge, load_fingerprints(fingerprints) if fingerprints else None, network)
    found = []
    with open_attacked(attacked) as file:
        check_targets(judge, loaded.labels, file.targets)
        tests = {"in": Patches.read(inside, "rgb"), "out": Patches.read(outside, "rgb")}
        imitations = target_encoders(spec.saves, profiles, file.targets)
        progress = Progress(f"judge {spec.name} by {spec.judge}", len(file))
        for place in range(len(file)):
            for save in spec.saves:
                for one in deliver(file, range(place, place + 1), tests, save, imitations, spec.oracle, spec.seed):
                    test, row = tests[file.sets[place]], file.rows[place]
                    predicted = loaded.labels[loaded.scores(one.picture).argmax()]
                    key = (file.runs[place], file.sets[place], save, test.photograph[row], *test.origin[row])
                    found += [(*key, target, predicted) for target in one.targets]
            progress.update(place + 1)
    measured = read_csv(rows)
    measured = measured[measured.classifier == measured.classifier.iloc[0]].drop(
        columns=OF_A_CLASSIFIER, errors="ignore"
    )
    asked = pd.DataFrame(found, columns=[*PLACE, "predicted"])
    joined = measured.merge(asked, "left", PLACE, validate="one_to_one")
    if joined.predicted.isna().any() or len(joined) != len(asked):
        raise CamaError(f"{rows}: found rows of other pictures than those of {attacked}, expected the same")
    about = {"classifier": spec.judge, "role": "judge", "labels": len(loaded.labels)}
    joined = joined.assign(**about, known=joined.source.isin(loaded.labels))
    write_text(out, joined.to_csv(index=False, float_format="%.5g"))
