"""The networks of a model file, from those that were trained."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError
from cama.models.classifiers import load_classifier
from cama.models.evaluator import load_evaluator
from cama.models.exported import export_generator, export_gradient, export_scores
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import load_generator, reach
from cama.models.packaged import GENERATOR, GRADIENTS, JUDGES
from cama.storage.model_files import read_header


def pack_networks(
    generator: Path,
    evaluators: Mapping[str, Path],
    judges: Mapping[str, Path],
    psnr: float,
    refine: int,
    refine_by: Sequence[str] = (),
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The networks of `save_anonymizer`, and the keys of a header that tell of them, from the model files of G, of E's
    classifiers and of judges; without judges E's classifiers are asked in their place. A network that cannot be written as ONNX
    is a CamaError.

    G's own metadata hold the `labels`, as JSON, and as `input` what the images are to be: `rgb`, or `remosaic` for photographs
    whose mosaic was sampled and demosaiced anew, which the network does not do itself; and as `psnr` the PSNR in dB to which
    the change is to be scaled (`at_psnr`), which it does not do either, or 0.
    """
    g, spec, labels = load_generator(generator)
    header = read_header(generator)
    keys: dict[str, Any] = {"labels": list(labels), "generator": header["net"], "training": header.get("spec", {})}
    by = list(refine_by or evaluators) if refine else []
    keys |= {"reach": reach(spec), "psnr": psnr, "refine": refine, "refine_by": by, "held_out": bool(judges)}
    asked = judges or evaluators
    keys |= {"evaluators": _streams(evaluators), "judges": _streams(asked)}
    about = {"labels": json.dumps(labels), "input": spec.input, "psnr": f"{psnr:g}"}
    networks = {GENERATOR: export_generator(fuse_batch_norms_(g), about)}
    evaluator = load_evaluator(list(evaluators), list(evaluators.values()), labels)
    for name in by:
        networks[GRADIENTS + name] = export_gradient(evaluator, name)
    for name, path in asked.items():
        judge, known = load_classifier(path)
        if known != labels:
            raise CamaError(f"{path}: found the labels {list(known)}, expected {list(labels)} as in {generator}")
        networks[JUDGES + name] = export_scores(fuse_batch_norms_(judge))
    return networks, keys


def _streams(paths: Mapping[str, Path]) -> dict[str, Any]:
    headers = {name: read_header(path) for name, path in paths.items()}
    return {name: {"net": header["net"], "estimator": header["estimator"]} for name, header in headers.items()}
