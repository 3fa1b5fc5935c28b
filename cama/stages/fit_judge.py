"""Stage `fit-judge`: what the residuals of a fingerprint extractor have in common for each camera model."""

from pathlib import Path

import numpy as np

from cama.core.errors import CamaError
from cama.data.patches import Patches
from cama.judges.judge import Judge
from cama.photo.judging import reference_pictures
from cama.settings.stages import FitJudgeSpec


def fit_judge(spec: FitJudgeSpec, judge: Path, network: Path | None, patches: Path | None, out: Path) -> None:
    """Write the fingerprints of the judge of a YAML file. `network`: its ONNX file; `patches`: photographs of the examiner,
    cut as those of the test are, where the YAML file names none.
    """
    loaded = Judge(judge, network=network)
    if loaded.spec.references:
        photographs = reference_pictures(judge, loaded.spec)
    elif patches is None:
        raise CamaError("--patches: found none, expected photographs of each camera model")
    else:
        read = Patches.read(patches, "rgb")
        rgb = read.arrays["rgb"]
        photographs = {
            label: (rgb[int(row)].numpy() for row in np.flatnonzero(read.label == number))
            for number, label in enumerate(read.labels)
        }
    loaded.learn(photographs).save(out)
