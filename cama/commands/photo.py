"""The commands for a person with a photograph."""

import sys
from argparse import ArgumentParser, Namespace

from cama.commands.declaration import FILE, FILES, Command, path_argument
from cama.core.errors import CamaError, printable
from cama.core.text import to_json

PHOTOS = {"type": path_argument, "nargs": "+", "metavar": "PHOTO"}


def _add_inspect(parser: ArgumentParser) -> None:
    parser.add_argument("photos", **PHOTOS, help="a JPEG, PNG, WebP, TIFF, HEIC or AVIF file, or a folder of them")
    parser.add_argument("--json", action="store_true", help="print the whole records")
    parser.add_argument("--classifier", **FILES, help="model files that attribute the pixels")
    parser.add_argument(
        "--reference", **PHOTOS, help="photographs of one device, or folders of them, whose fingerprint is looked for"
    )
    parser.add_argument("--profile", **FILES, help="container profiles of camera models")
    parser.add_argument("--judge", **FILES, help="YAML files of judges: classifiers that others trained")


def _inspect(options: Namespace) -> bool:
    from cama.photo.inspect import Comparison
    from cama.photo.inspect_files import inspect_files, list_references

    comparison = Comparison.load(
        options.classifier, list_references(options.reference or []), options.profile, options.judge
    )
    return inspect_files(options.photos, comparison, options.json)


def _add_anonymize(parser: ArgumentParser) -> None:
    parser.add_argument("photos", **PHOTOS, help="a JPEG, PNG, WebP, TIFF, HEIC or AVIF file, or a folder of them")
    parser.add_argument("--model", **FILE, help="model file of the workflow (default: the one that comes with cama)")
    parser.add_argument(
        "--to",
        default="auto",
        metavar="CAMERA",
        help="a camera model that the model file knows, or auto to let its judges choose one (default)",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="a file, or a folder; a new folder ends with / (default: here)",
    )
    parser.add_argument(
        "--names",
        choices=("neutral", "same"),
        default="neutral",
        help="of files in a folder: neutral ones (default), or the photographs' own, in the same folders",
    )
    parser.add_argument("--map", **FILE, help="write a private list, as CSV, of which photograph became which file")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    parser.add_argument(
        "--crop", metavar="WxH+X+Y", help="keep W x H pixels of the upright photograph, from X right and Y down"
    )
    parser.add_argument(
        "--device-noise",
        action="store_true",
        help="bend the picture by a pixel or two, against the fingerprint of the single device",
    )
    parser.add_argument(
        "--resize", type=int, metavar="PIXELS", help="shrink the longer side to so many pixels, after --crop"
    )
    parser.add_argument(
        "--encoding",
        choices=("target", "neutral", "png"),
        default="target",
        help="a JPEG as that camera writes it, if its profile is known (default), one in a common way, or a PNG",
    )
    parser.add_argument("--profile", **FILE, help="another container profile of that camera")
    parser.add_argument(
        "--psnr",
        type=float,
        metavar="DB",
        help="strength of the change: 20 (strong) to 60 (weak) dB; 0 as the generator makes it, for model files without"
        " refinement (default: as measured)",
    )
    parser.add_argument(
        "--metadata", choices=("none", "target"), default="none", help="none (default), or minimal EXIF of that camera"
    )
    parser.add_argument(
        "--classifier", **FILES, default=[], help="model files that attribute the pixels before and after"
    )
    parser.add_argument("--judge", **FILES, default=[], help="YAML files of judges that are asked before and after")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="photographs at a time, each with up to 2.5 GiB of memory"
    )
    parser.add_argument("--force", action="store_true", help="replace files of the same name")
    parser.add_argument("--json", action="store_true", help="print the whole records")


def _anonymize(options: Namespace) -> bool:
    from cama.photo.anonymize_files import Delivery, anonymize_files

    if options.jobs < 1:
        raise CamaError(f"--jobs: found {options.jobs}, expected at least 1")
    names = ("model", "encoding", "profile", "metadata", "psnr", "crop", "resize", "device_noise")
    settings = {name: getattr(options, name) for name in names}
    settings |= {"target": options.to, "classifiers": options.classifier, "judges": options.judge}
    delivery = Delivery(options.out, options.names, options.map, options.force, options.dry_run)
    return anonymize_files(options.photos, settings, delivery, options.json, options.jobs)


def _add_judge(parser: ArgumentParser) -> None:
    parser.add_argument("photos", **PHOTOS, help="a JPEG, PNG, WebP, TIFF, HEIC or AVIF file, or a folder of them")
    parser.add_argument("--judge", **FILES, required=True, help="YAML files of judges")
    parser.add_argument("--json", action="store_true", help="print the whole records")


def _judge(options: Namespace) -> bool:
    from cama.photo.judging import judge_files

    return judge_files(options.photos, options.judge, options.json)


def _add_app(parser: ArgumentParser) -> None:
    parser.add_argument("photos", **{**PHOTOS, "nargs": "*"}, help="photographs, or folders of them, to begin with")
    parser.add_argument("--model", **FILE, help="model file of the workflow (default: the one that comes with cama)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of this computer (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")


def _app(options: Namespace) -> None:
    from cama.app.serve import serve
    from cama.shipped import model_file

    if not 0 <= options.port <= 65535:
        raise CamaError(f"--port: found {options.port}, expected 0 to 65535")
    serve(model_file(options.model), options.photos, options.port, not options.no_browser)


def _add_compare(parser: ArgumentParser) -> None:
    parser.add_argument("original", **FILE, help="the photograph")
    parser.add_argument("result", **FILE, help="what was made of it, of the same size")
    parser.add_argument("--out", **FILE, help="write a PNG of four places, a row each: before, after, and the change")
    parser.add_argument("--json", action="store_true", help="print the record")


def _compare(options: Namespace) -> None:
    from cama.photo.compare import compare, described
    from cama.storage.files import check_folder

    if options.out:
        check_folder(options.out.parent)
        if options.out.suffix.lower() != ".png" or options.out.exists():
            raise CamaError(f"--out: found {options.out}, expected the name of a new file that ends with .png")
    record = compare(options.original, options.result, options.out)
    print(to_json(record) if options.json else described(record))


def _add_profile(parser: ArgumentParser) -> None:
    parser.add_argument("photographs", **PHOTOS, help="as the camera wrote them, or folders of these")
    parser.add_argument("--out", **FILE, required=True, help="the JSON file to write")


def _profile(options: Namespace) -> None:
    from cama.photo.inputs import list_photographs
    from cama.photo.profile import learn_profile, read_profile, write_profile
    from cama.storage.files import check_folder

    check_folder(options.out.parent)
    if options.out.is_dir():
        raise CamaError(f"--out: found the folder {options.out}, expected the name of a file")
    if options.out.exists():
        read_profile(options.out)  # fails unless it is a profile: no other file is replaced

    def say(line: str) -> None:
        print(printable(f"cama profile: {line}"), file=sys.stderr)

    write_profile(options.out, learn_profile(list_photographs(options.photographs, say), say))


def _add_show(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", **FILE, nargs="?", help="model file of the workflow (default: the one that comes with cama)"
    )
    parser.add_argument("--json", action="store_true", help="print the whole header")


def _show(options: Namespace) -> None:
    from cama.models.packaged import load_header
    from cama.shipped import model_file

    header = load_header(model_file(options.file))
    if options.json:
        print(to_json(header.model_dump(mode="json")))
    else:
        print("\n".join(map(printable, header.card.splitlines())))


def _add_export(parser: ArgumentParser) -> None:
    parser.add_argument("file", **FILE, help="model file of the workflow")
    parser.add_argument("--onnx", type=path_argument, required=True, metavar="OUT", help="the file to write")


def _export(options: Namespace) -> None:
    from cama.models.packaged import GENERATOR, read_network
    from cama.storage.files import atomic, check_folder

    check_folder(options.onnx.parent)
    if options.onnx.exists():
        raise CamaError(f"--onnx: there is a file {options.onnx} already, expected a new name")
    data, header = read_network(options.file, GENERATOR)
    if header.refine or header.headroom:
        raise CamaError(
            f"{options.file}: found pictures that are refined on E or held back by region, expected a model file whose"
            " generator does all of the work"
        )
    with atomic(options.onnx) as temporary:
        temporary.write_bytes(data)


COMMANDS = (
    Command(
        "inspect", "show the metadata, container and pixel traces of a photograph", "photo.jpg", _add_inspect, _inspect
    ),
    Command(
        "anonymize",
        "make photographs look like another camera's, without metadata",
        "photo.jpg --out anonymous.jpg",
        _add_anonymize,
        _anonymize,
    ),
    Command("app", "look at and change photographs in the browser, locally", "photo.jpg", _add_app, _app),
    Command(
        "judge",
        "ask classifiers that others trained about photographs",
        "photo.jpg --judge judge.yaml",
        _add_judge,
        _judge,
    ),
    Command(
        "compare",
        "show where a photograph changed most, beside the original",
        "photo.jpg anonymous.jpg --out places.png",
        _add_compare,
        _compare,
    ),
    Command(
        "profile",
        "learn how a camera model builds its JPEG files",
        "nikon-d70 --out nikon-d70.json",
        _add_profile,
        _profile,
    ),
    Command(
        "models",
        "show a model file, or export its generator",
        "show cama.safetensors",
        commands=(
            Command("show", "print the model card", "cama.safetensors", _add_show, _show),
            Command("export", "write the generator as ONNX", "cama.safetensors --onnx cama.onnx", _add_export, _export),
        ),
    ),
)
