"""G as ONNX, for programs without torch."""

import importlib.util
import json
from pathlib import Path

import torch

from cama.core.errors import CamaError
from cama.models.packaged import load_anonymizer
from cama.storage.files import atomic

SIDE = 64  # pixels, of the picture that the exporter traces; other sizes work too


def export_onnx(model: Path, out: Path) -> None:
    """Write the G of a model file to `out`: inputs `images` (N, 3, H, W), float32 in [-1, 1], and `labels` (N,), int64, the
    places of the targets among its labels; output `changed` (N, 3, H, W). Sides are multiples of 16 pixels. Where G
    filters, N is 1.

    The file's metadata holds the `labels`, as JSON, and as `input` what the images are to be: `rgb`, or `remosaic` for
    photographs whose mosaic was sampled and demosaiced anew, which the network does not do itself; and as `psnr` the PSNR in dB
    to which the change is to be scaled (`at_psnr`), which it does not do either, or 0. A model file whose pictures are
    refined on E is a CamaError, since G alone is not what was measured.
    """
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise CamaError(f"models export: found no package {package}, expected it: pip install onnx onnxscript")
    anonymizer = load_anonymizer(model)
    if anonymizer.header.refine:
        raise CamaError(
            f"{model}: found pictures that are refined on E, expected a model file whose generator does all of the work"
        )
    generator = anonymizer.generator
    count = 1 if generator.filtering else 2  # with other filters for each picture
    images, labels = torch.zeros(count, 3, SIDE, SIDE), torch.zeros(count, dtype=torch.int64)
    batch = {} if generator.filtering else {0: torch.export.Dim("batch")}
    sixteenths = {name: torch.export.Dim(name) for name in ("rows", "columns")}
    shapes = {2: 16 * sixteenths["rows"], 3: 16 * sixteenths["columns"]}
    program = torch.onnx.export(
        generator,
        (images, labels),
        input_names=["images", "labels"],
        output_names=["changed"],
        dynamic_shapes={"images": {**batch, **shapes}, "labels": batch},
        dynamo=True,
        verbose=False,
    )
    header = anonymizer.header
    program.model.metadata_props.update(
        labels=json.dumps(header.labels), input=header.generator.input, psnr=f"{header.psnr:g}"
    )
    with atomic(out) as temporary:
        program.save(temporary, external_data=False)
