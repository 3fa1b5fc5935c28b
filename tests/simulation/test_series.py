"""The numbered photographs of simulated cameras."""

from cama.settings.data import ModelsSpec, SimulationSpec
from cama.settings.stages import SimulateSpec
from cama.simulation.camera import jpeg_file
from cama.simulation.catalogue import draw_catalogue
from cama.simulation.series import Series
from cama.stages.simulate import simulate

MODELS = ModelsSpec(in_distribution=("Alcyon_A10", "Borealis_B2"))
SIZE = SimulationSpec(catalogue_seeds=(5,), width=80, height=64, devices_in=2, photographs=2)


def test_a_photograph_of_a_run_can_be_taken_again(tmp_path):
    spec = SimulateSpec(seed=3, model="Alcyon_A10", models=MODELS, simulation=SIZE, tests_in=(1,))
    simulate(spec, tmp_path / "out", tmp_path / "oracle")
    catalogue, series = draw_catalogue(5, list(MODELS.in_distribution)), Series.of(3, SIZE)
    own = {path.name: path for path in (tmp_path / "out").iterdir()}
    other = {path.name: path for path in (tmp_path / "oracle" / "Borealis_B2").iterdir()}
    assert len(own) == 4
    for name, path in [*own.items(), *other.items()]:
        model, device, number = name.removesuffix(".JPG").rsplit("_", 2)
        scene = series.scene(int(number))
        assert scene.shape == (128, 160, 3)
        picture, shot = series.take(catalogue[model], int(device), int(number), scene)
        assert picture.shape == (64, 80, 3)
        assert jpeg_file(picture, shot, int(device), int(number)) == path.read_bytes()
