"""The commands for research: data, configs, costs, and what results were made of."""

from argparse import ArgumentParser, Namespace
from collections import Counter

from cama.commands.declaration import FILE, FILES, Command, path_argument
from cama.commands.stage import STAGES
from cama.core.errors import CamaError, printable
from cama.core.text import to_json


def _add_fetch(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="the data set whose convention the file names follow: dresden, vision ..."
    )
    parser.add_argument("--from", dest="url", required=True, metavar="URL", help="the mirror's folder")
    parser.add_argument("--out", type=path_argument, required=True, metavar="FOLDER", help="where the photographs go")
    parser.add_argument("--sums", **FILE, help="SHA-256 and name of each file (default: SHA256SUMS of the mirror)")


def _fetch(options: Namespace) -> bool:
    from cama.data.download import fetch
    from cama.storage.files import check_folder

    check_folder(options.out)
    return fetch(options.name, options.url, options.out, options.sums)


def _add_check_config(parser: ArgumentParser) -> None:
    parser.add_argument("files", **FILES, help="config.yaml, and the overlays on it")


def _check_config(options: Namespace) -> None:
    from cama.settings.loading import load_config

    load_config(*options.files)
    print(f"{' + '.join(map(str, options.files))}: fine")


def _add_spec(parser: ArgumentParser) -> None:
    with_defaults = [
        name
        for name, stage in STAGES.items()
        if not any(field.is_required() for field in stage.spec.model_fields.values())
    ]
    parser.add_argument("stage", choices=with_defaults, help="a stage whose settings all have defaults")


def _spec(options: Namespace) -> None:
    print(STAGES[options.stage].spec().to_json())


def _add_cost(parser: ArgumentParser) -> None:
    parser.add_argument("files", **FILES, help="config.yaml, and the overlays on it")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--tflops", type=float, default=1.0, metavar="T", help="10^12 operations a second that the machine sustains"
    )
    rate.add_argument("--speeds", **FILE, help="what `cama paper-scale` measured on the machine, such as docs/gpu.json")
    parser.add_argument(
        "--photographs", type=int, metavar="N", help="photographs of each device, where the config has no number"
    )


def _cost(options: Namespace) -> None:
    from cama.settings.loading import load_config
    from cama.workflow.cost import as_text, costs, count_pictures, disk, measured_rates, over_catalogues

    if not 0 < options.tflops < float("inf"):
        raise CamaError(f"--tflops: found {options.tflops:g}, expected more than 0")
    catalogues = load_config(*options.files).catalogues
    parts = [(config, count_pictures(config, options.photographs)) for config in catalogues]
    rate = measured_rates(options.speeds) if options.speeds else options.tflops * 1e12
    space = sum((Counter(disk(*part)) for part in parts), Counter())
    print(as_text(over_catalogues(costs(*part) for part in parts), space, rate))


def _add_bench(parser: ArgumentParser) -> None:
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure (default: all)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: one a core)")
    parser.add_argument("--json", **FILE, help="write figures, units and settings to this file too")


def _bench(options: Namespace) -> None:
    import torch

    from cama.commands.bench import ROWS, as_text, bench
    from cama.settings.training import ComputeSpec
    from cama.storage.files import check_folder, write_text

    if options.json:
        check_folder(options.json.parent)
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        raise CamaError(f"ROW: found {unknown[0]!r}, expected one of {', '.join(ROWS)}")
    if options.threads is not None:
        if options.threads < 1:
            raise CamaError(f"--threads: found {options.threads}, expected at least 1")
        torch.set_num_threads(options.threads)
    result = bench(options.rows or list(ROWS), ComputeSpec(device=options.device, precision=options.precision))
    print(as_text(result))
    if options.json:
        write_text(options.json, to_json(result))


def _add_paper_scale(parser: ArgumentParser) -> None:
    parser.add_argument("files", **FILES, help="config.yaml, and the overlays on it")
    parser.add_argument(
        "--out", type=path_argument, required=True, metavar="FOLDER", help="where parts, networks and scores go"
    )
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="time limit; trainings are shortened to fit (default: none)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="where to compute (default: as the config says)")


def _paper_scale(options: Namespace) -> None:
    import time

    begun = time.monotonic()
    from cama.commands.paper_scale import PaperScale
    from cama.settings.loading import load_config

    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise CamaError(f"--minutes: found {options.minutes:g}, expected more than 0")
    config = load_config(*options.files)
    if options.device:
        compute = config.compute.model_copy(update={"device": options.device})
        config = config.model_copy(update={"compute": compute})
    result = PaperScale(config, options.out, options.minutes, begun).run()
    print(to_json(result))


RESULTS = {"type": path_argument, "metavar": "FOLDER", "help": "folder of a finished run, or of one of its catalogues"}


def _add_device_table(parser: ArgumentParser) -> None:
    parser.add_argument("--cameras", type=int, default=4, metavar="N", help="simulated camera models (default: 4)")
    parser.add_argument("--catalogue", type=int, default=1, metavar="SEED", help="seed of their catalogue (default: 1)")
    parser.add_argument("--height", type=int, default=1536, help="pixels (default: 1536)")
    parser.add_argument("--width", type=int, default=2048, help="pixels (default: 2048)")
    parser.add_argument(
        "--references", type=int, default=16, metavar="N", help="flat fields a fingerprint (default: 16)"
    )
    parser.add_argument(
        "--photographs", type=int, default=6, metavar="N", help="photographs compared, of each model (default: 6)"
    )
    parser.add_argument("--out", **FILE, required=True, help="the CSV file to write")


def _device_table(options: Namespace) -> None:
    from cama.commands.device_table import Extent, device_table
    from cama.storage.files import check_folder

    for name, least in (("cameras", 1), ("height", 256), ("width", 256), ("references", 2), ("photographs", 1)):
        if getattr(options, name) < least:
            raise CamaError(f"--{name}: found {getattr(options, name)}, expected at least {least}")
    check_folder(options.out.parent)
    names = [f"Camera_{number}" for number in range(1, options.cameras + 1)]
    extent = Extent(options.height, options.width, options.references, options.photographs)
    device_table(names, options.catalogue, extent, options.out)


def _add_test_pictures(parser: ArgumentParser) -> None:
    parser.add_argument("results", **RESULTS)
    parser.add_argument("--out", type=path_argument, required=True, metavar="FOLDER", help="a new folder for them")


def _test_pictures(options: Namespace) -> None:
    from cama.commands.foreign import write_test_pictures

    count = write_test_pictures(options.results, options.out)
    print(f"{options.out}: {count} pictures are to be made, each as pairs.csv says")


def _add_evaluate_folder(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=path_argument, metavar="PICTURES", help="the pictures, with pairs.csv")
    parser.add_argument("--results", **RESULTS, required=True)
    parser.add_argument("--out", type=path_argument, required=True, metavar="FOLDER", help="where rows and tables go")
    parser.add_argument("--name", default="theirs", metavar="NAME", help="what the attack is called (default: theirs)")
    parser.add_argument("--judge", **FILES, default=[], help="YAML files of judges that are asked too")


def _evaluate_folder(options: Namespace) -> None:
    from cama.commands.foreign import as_table, evaluate_folder

    record = evaluate_folder(options.folder, options.results, options.out, options.name, options.judge)
    print((options.out / "tables" / "summary.md").read_text(), end="")
    if record["judges"]:
        print("\n" + as_table(record["judges"]), end="")


def _add_result(parser: ArgumentParser) -> None:
    parser.add_argument("results", **{**RESULTS, "help": "folder of a finished run"})
    parser.add_argument("--method", required=True, metavar="NAME", help="a method of the run")


def _result(options: Namespace) -> None:
    from cama.commands.foreign import result_of

    print(to_json(result_of(options.results, options.method)))


def _add_provenance(parser: ArgumentParser) -> None:
    parser.add_argument("file", **FILE, help="a table, plot, model file, or any other result")
    parser.add_argument("--row", type=int, metavar="N", help="name the photographs behind this row of a table, from 1")
    parser.add_argument("--json", action="store_true", help="print the whole records")


def _provenance(options: Namespace) -> bool:
    """Print the chain of records; returns whether every file is as recorded."""
    from cama.workflow.provenance import chain, photographs_of

    links = chain(options.file)
    photographs = photographs_of(links, options.row) if options.row is not None else []
    if options.json:
        result = {"chain": [link.as_json() for link in links], "photographs": photographs}
        print(to_json(result))
    else:
        for link in links:
            print(printable(link.as_text()))
        for photograph in photographs:
            print(printable(f"{photograph['sha256']}  {photograph['photograph']}"))
    return all(link.intact for link in links)


def _add_reference(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--photographs",
        type=path_argument,
        required=True,
        metavar="FOLDER",
        help="folder of JPEG files, searched with its subfolders",
    )
    parser.add_argument("--out", **FILE, required=True, help="the JSON file to write")


def _reference(options: Namespace) -> None:
    from cama.stages.reference import reference
    from cama.storage.files import check_folder

    check_folder(options.out.parent)
    reference(options.photographs, options.out)


COMMANDS = (
    Command(
        "data",
        "download the photographs of a data set",
        "fetch dresden --from https://mirror.example.org/dresden --out dresden",
        commands=(
            Command(
                "fetch",
                "download a data set from a mirror",
                "dresden --from https://mirror.example.org/dresden --out dresden",
                _add_fetch,
                _fetch,
            ),
        ),
    ),
    Command(
        "check-config",
        "check a config file and its overlays",
        "config.yaml config/gpu.yaml",
        _add_check_config,
        _check_config,
    ),
    Command("spec", "print the default settings of a stage as JSON", "train-generator", _add_spec, _spec),
    Command(
        "cost",
        "estimate what a run costs: jobs, operations, hours, disk",
        "config.yaml config/dresden.yaml --tflops 100 --photographs 209",
        _add_cost,
        _cost,
    ),
    Command(
        "bench",
        "time the parts of trainings and attacks on this machine",
        "residual forward --json bench.json",
        _add_bench,
        _bench,
    ),
    Command(
        "paper-scale",
        "train and score a config's networks within minutes",
        "config.yaml config/paper-scale.yaml --minutes 9 --out results-paper-scale",
        _add_paper_scale,
        _paper_scale,
    ),
    Command(
        "device-table",
        "measure what crop, size and bend leave of fingerprints",
        "--out device.csv",
        _add_device_table,
        _device_table,
    ),
    Command(
        "test-pictures",
        "write the test photographs for an attack of your own",
        "results --out mine",
        _add_test_pictures,
        _test_pictures,
    ),
    Command(
        "evaluate-folder",
        "score the pictures that another attack made",
        "mine --results results --out scored-mine",
        _add_evaluate_folder,
        _evaluate_folder,
    ),
    Command(
        "result",
        "print the result of a run's method as JSON",
        "results --method cama",
        _add_result,
        _result,
    ),
    Command(
        "provenance",
        "show what a result was made of, back to the photographs",
        "results/tables/transfer.csv --row 12",
        _add_provenance,
        _provenance,
    ),
    Command(
        "reference",
        "record statistics of real photographs for the controls",
        "--photographs photographs --out reference.json",
        _add_reference,
        _reference,
    ),
)
