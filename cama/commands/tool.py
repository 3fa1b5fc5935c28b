"""The commands for a person with photographs, beside the workflow's stages. Imports nothing heavy before one is called."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError, printable


def register(commands: Any) -> None:
    """Add the commands to the subparsers `commands`; each parser's default `run` is the function to call."""
    for add in (
        _add_inspect,
        _add_profile,
        _add_anonymize,
        _add_models,
        _add_data,
        _add_provenance,
        _add_bench,
        _add_cost,
    ):
        add(commands)


def _add_inspect(commands: Any) -> None:
    sub = _command(commands, "inspect", "what a photograph tells: metadata, container, pixels", _inspect)
    sub.add_argument("photo", type=Path, metavar="PHOTO", help="a JPEG")
    sub.add_argument("--json", action="store_true", help="print the whole record")
    sub.add_argument("--classifier", type=Path, nargs="+", metavar="FILE", help="model files that attribute the pixels")
    sub.add_argument(
        "--reference", type=Path, nargs="+", metavar="PHOTO", help="of one device, to look for its fingerprint"
    )
    sub.add_argument("--profile", type=Path, nargs="+", metavar="FILE", help="container profiles of camera models")


def _inspect(options: dict[str, Any]) -> None:
    from cama.photo.inspect import inspect
    from cama.photo.summary import summary

    record = inspect(options["photo"], options["classifier"], options["reference"], options["profile"])
    print(json.dumps(record, indent=2, ensure_ascii=True) if options["json"] else summary(record))


def _add_profile(commands: Any) -> None:
    sub = _command(commands, "profile", "learn how a camera model builds its JPEG files", _profile)
    sub.add_argument("photographs", type=Path, nargs="+", metavar="PHOTO", help="as the camera wrote them")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help="the JSON file to write")


def _profile(options: dict[str, Any]) -> None:
    from cama.photo.profile import learn_profile, read_profile, write_profile

    if options["out"].exists():
        read_profile(options["out"])  # anything but a profile is not replaced
    write_profile(options["out"], learn_profile(options["photographs"]))


def _add_anonymize(commands: Any) -> None:
    about = "make a photograph look like another camera's, without metadata"
    sub = _command(commands, "anonymize", about, _anonymize)
    sub.add_argument("photos", type=Path, nargs="+", metavar="PHOTO", help="a JPEG")
    sub.add_argument("--model", type=Path, required=True, metavar="FILE", help="model file of the workflow")
    sub.add_argument("--to", required=True, metavar="CAMERA", help="one of the camera models that it knows")
    sub.add_argument(
        "--out", type=Path, metavar="PATH", help="a file, or a folder for several (default: neutral names)"
    )
    sub.add_argument(
        "--encoding",
        choices=("target", "neutral"),
        default="target",
        help="like that camera's files, if the model file has its profile (default), or like everyone's",
    )
    sub.add_argument("--profile", type=Path, metavar="FILE", help="another container profile of that camera")
    sub.add_argument(
        "--metadata", choices=("none", "target"), default="none", help="none (default), or minimal EXIF of that camera"
    )
    sub.add_argument(
        "--classifier",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="classifiers' files: what they say before and after",
    )
    sub.add_argument("--jobs", type=int, default=1, metavar="N", help="photographs at a time, each with up to 2 GiB")
    sub.add_argument("--force", action="store_true", help="replace files of the same name")
    sub.add_argument("--json", action="store_true", help="print the whole record")


def _anonymize(options: dict[str, Any]) -> bool:
    from cama.photo.anonymize_files import anonymize_files

    if options["jobs"] < 1:
        raise CamaError(f"--jobs: found {options['jobs']}, expected at least 1")
    settings = {name: options[name] for name in ("model", "encoding", "profile", "metadata")}
    settings |= {"target": options["to"], "classifiers": options["classifier"]}
    return anonymize_files(
        options["photos"], options["out"], settings, options["force"], options["json"], options["jobs"]
    )


def _add_models(commands: Any) -> None:
    models = commands.add_parser("models", help="what a model file is, and its generator for other programs")
    inner = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = _command(inner, "show", "print the model card", _show)
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--json", action="store_true", help="print the whole header")
    export = _command(inner, "export", "write the generator as ONNX", _export)
    export.add_argument("file", type=Path, metavar="FILE")
    export.add_argument("--onnx", type=Path, required=True, metavar="OUT", help="the file to write")


def _show(options: dict[str, Any]) -> None:
    from cama.models.anonymizer import load_header

    header = load_header(options["file"])
    if options["json"]:
        print(json.dumps(header.model_dump(mode="json"), indent=2, ensure_ascii=True))
    else:
        print("\n".join(map(printable, header.card.splitlines())))


def _export(options: dict[str, Any]) -> None:
    from cama.models.onnx import export_onnx

    export_onnx(options["file"], options["onnx"])


def _add_data(commands: Any) -> None:
    data = commands.add_parser("data", help="get and count the photographs of a data set")
    inner = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    fetch = _command(inner, "fetch", "download a data set from a mirror", _fetch)
    fetch.add_argument("name", metavar="NAME", help="whose convention the file names follow: dresden, vision ...")
    fetch.add_argument("--from", dest="url", required=True, metavar="URL", help="the mirror's folder")
    fetch.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    fetch.add_argument(
        "--sums", type=Path, metavar="FILE", help="SHA-256 and name of each file (default: SHA256SUMS of the mirror)"
    )


def _fetch(options: dict[str, Any]) -> bool:
    from cama.data.download import fetch

    return fetch(options["name"], options["url"], options["out"], options["sums"])


def _command(commands: Any, name: str, about: str, run: Callable[[dict[str, Any]], Any]) -> argparse.ArgumentParser:
    sub = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    sub.set_defaults(run=run)
    return sub


def _add_provenance(commands: Any) -> None:
    sub = _command(
        commands, "provenance", "what a result of the workflow was made of, back to the photographs", _provenance
    )
    sub.add_argument("file", type=Path, metavar="FILE", help="a table, plot, model file, or any other result")
    sub.add_argument("--row", type=int, metavar="N", help="name the photographs behind this row of a table, from 1")
    sub.add_argument("--json", action="store_true", help="print the whole records")


def _provenance(options: dict[str, Any]) -> bool:
    """Whether all is as recorded."""
    from cama.workflow.provenance import chain, photographs_of

    links = chain(options["file"])
    photographs = photographs_of(links, options["row"]) if options["row"] is not None else []
    if options["json"]:
        found = {"chain": [link.as_json() for link in links], "photographs": photographs}
        print(json.dumps(found, indent=2, ensure_ascii=True))
    else:
        for link in links:
            print(printable(link.as_text()))
        for photograph in photographs:
            print(printable(f"{photograph['sha256']}  {photograph['photograph']}"))
    return all(link.intact for link in links)


def _add_bench(commands: Any) -> None:
    sub = _command(commands, "bench", "time what trainings and attacks consist of on this machine", _bench)
    sub.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure (default: all)")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    sub.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    sub.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: as many as cores)")
    sub.add_argument("--json", type=Path, metavar="FILE", help="write figures, units and settings to this file too")


def _bench(options: dict[str, Any]) -> None:
    import torch

    from cama.commands.bench import ROWS, as_text, bench
    from cama.settings.training import ComputeSpec
    from cama.storage.files import write_text

    unknown = [name for name in options["rows"] if name not in ROWS]
    if unknown:
        raise CamaError(f"bench: found {unknown[0]!r}, expected one of {', '.join(ROWS)}")
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    compute = ComputeSpec(device=options["device"], precision=options["precision"])
    found = bench(options["rows"] or list(ROWS), compute)
    print(as_text(found))
    if options["json"]:
        write_text(options["json"], json.dumps(found, indent=2))


def _add_cost(commands: Any) -> None:
    sub = _command(commands, "cost", "what a run of a config would cost: jobs, operations, hours, disk", _cost)
    sub.add_argument("files", type=Path, nargs="+", metavar="CONFIG", help="the config and its overlays")
    sub.add_argument(
        "--tflops", type=float, default=1.0, metavar="T", help="10^12 operations a second that the machine sustains"
    )
    sub.add_argument("--photographs", type=int, metavar="N", help="of each device, where the config does not say")


def _cost(options: dict[str, Any]) -> None:
    from cama.settings.config import load_config
    from cama.workflow.cost import as_text, costs, count_pictures, disk

    if not 0 < options["tflops"] < float("inf"):
        raise CamaError(f"--tflops: found {options['tflops']:g}, expected more than 0")
    config = load_config(*options["files"])
    counts = count_pictures(config, options["photographs"])
    print(as_text(costs(config, counts), disk(config, counts), options["tflops"] * 1e12))
