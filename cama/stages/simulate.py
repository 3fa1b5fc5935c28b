"""Stage `simulate`: the photographs of one simulated camera model, and those for the oracle."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.core.seeds import derive_seed
from cama.data.listing import left_out_line, list_scenes
from cama.settings.stages import SimulateSpec
from cama.simulation.camera import CameraModel, jpeg_file
from cama.simulation.catalogue import draw_catalogue
from cama.simulation.scene_photographs import check_pictures, divide, picture_scene, read_picture
from cama.simulation.sensor import OVERSAMPLING
from cama.simulation.series import Series


def simulate(spec: SimulateSpec, out: Path, oracle: Path) -> None:
    """Write `Make_Model_device_number.JPG` files to `out`; for each test photograph, to `oracle/TARGET`, the same scene by
    the test device of each target model. Each photograph has a scene of its own, whose number is in its name: drawn, or a
    place in a photograph of the folder `scenes`.
    """
    names = [*spec.models.in_distribution, *spec.models.out_of_distribution]
    if spec.model not in names:
        raise CamaError(f"model: found {spec.model!r}, expected one of {', '.join(names)}")
    catalogue = draw_catalogue(spec.simulation.catalogue_seed, names)
    inside = spec.model in spec.models.in_distribution
    size = spec.simulation
    devices = size.devices_in if inside else size.devices_out
    tests = spec.tests_in if inside else spec.tests_out
    targets = [name for name in spec.models.in_distribution if name != spec.model]
    counts = {d: size.photographs if inside or d in tests else size.photographs_outdist for d in range(devices)}
    series = Series.of(spec.seed, size)
    draw_scene = _scenes(spec, series)

    def take(camera: CameraModel, device: int, number: int, scene, folder: Path) -> None:
        picture, shot = series.take(camera, device, number, scene)
        (folder / f"{camera.name}_{device}_{number}.JPG").write_bytes(jpeg_file(picture, shot, device, number))

    for folder in (out, oracle):
        shutil.rmtree(folder, ignore_errors=True)  # no photograph of an earlier, killed run may stay
        folder.mkdir(parents=True)
    for target in targets:
        (oracle / target).mkdir()
    progress = Progress(f"simulate {spec.model}", sum(counts.values()))
    number = 100_000 * (names.index(spec.model) + 1)
    done = 0
    for device, count in counts.items():
        for index in range(count):
            scene = draw_scene(device, index / count, number)
            take(catalogue[spec.model], device, number, scene, out)
            if device in tests:
                for target in targets:
                    take(catalogue[target], spec.tests_in[0], number, scene, oracle / target)
            number, done = number + 1, done + 1
            progress.update(done)


def _scenes(spec: SimulateSpec, series: Series) -> Callable[[int, float, int], np.ndarray]:
    """What gives the scene of a device's photograph, by its number. Of a folder of photographs each device has its own, so that
    no two roles share one; the figure in 0..1 says which of them.
    """
    if not spec.simulation.scenes:
        return lambda device, part, number: series.scene(number)
    size = OVERSAMPLING * spec.simulation.height, OVERSAMPLING * spec.simulation.width
    folder, devices = Path(spec.simulation.scenes), spec.simulation.devices(spec.models)
    listing = list_scenes(folder, len(devices))
    for reason, paths in listing.left_out.items():
        print(f"simulate: {left_out_line(reason, paths, folder)}", flush=True)
    pictures = sorted([*listing.photographs, *listing.dead_links])  # a dead link is an error
    divided = divide(pictures, devices, derive_seed(series.seed, "scenes"))
    own = {device: paths for (model, device), paths in divided.items() if model == spec.model}
    check_pictures([path for paths in own.values() for path in paths], *size)
    return lambda device, part, number: picture_scene(
        read_picture(own[device][int(part * len(own[device]))]), derive_seed(series.seed, "scene", number), *size
    )
