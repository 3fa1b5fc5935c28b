"""Stage `simulate`: the photographs of one simulated camera model, and those for the oracle."""

import shutil
from pathlib import Path

from cama.core.errors import CamaError
from cama.core.progress import Progress
from cama.data.scenes import PHOTOGRAPHS, Scenes
from cama.settings.stages import SimulateSpec
from cama.simulation.camera import CameraModel, jpeg_file
from cama.simulation.catalogue import draw_catalogue


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
    scenes = Scenes(spec.seed, size, spec.models)
    scenes.check(spec.model)

    def take(camera: CameraModel, device: int, number: int, scene, folder: Path) -> None:
        picture, shot = scenes.series.take(camera, device, number, scene)
        (folder / f"{camera.name}_{device}_{number}.JPG").write_bytes(jpeg_file(picture, shot, device, number))

    for folder in (out, oracle):
        shutil.rmtree(folder, ignore_errors=True)  # no photograph of an earlier, killed run may stay
        folder.mkdir(parents=True)
    for target in targets:
        (oracle / target).mkdir()
    progress = Progress(f"simulate {spec.model}", sum(counts.values()))
    number = PHOTOGRAPHS * (names.index(spec.model) + 1)
    done = 0
    for device, count in counts.items():
        for index in range(count):
            scene = scenes.of_photograph(spec.model, device, index / count, number)
            take(catalogue[spec.model], device, number, scene, out)
            if device in tests:
                for target in targets:
                    take(catalogue[target], spec.tests_in[0], number, scene, oracle / target)
            number, done = number + 1, done + 1
            progress.update(done)
