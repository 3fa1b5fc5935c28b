"""The commands for research that have no tests beside what they call: default settings and configs."""

import json

from cama.commands.main import main
from cama.settings.stages import TrainGeneratorSpec
from tests.commands.helpers import PROJECT, cama, refusal


def test_the_default_settings_of_a_stage_are_printed_as_json():
    done = cama("spec", "train-generator")
    assert (done.returncode, done.stderr) == (0, "")
    assert TrainGeneratorSpec.model_validate(json.loads(done.stdout)) == TrainGeneratorSpec()
    assert json.loads(done.stdout)["learned"]["loss_weights"]["pixel"]["end"] == 10


def test_a_config_is_checked_and_its_fault_is_one_line(tmp_path, capsys):
    default, overlay = PROJECT / "config.yaml", tmp_path / "over.yaml"
    assert main(["check-config", str(default)]) == 0
    assert capsys.readouterr().out == f"{default}: fine\n"
    overlay.write_text("plots: {dip: 1}\n")
    message = refusal(capsys, "check-config", default, overlay)
    assert message == f"cama check-config: {overlay}: unknown key 'plots.dip', the nearest known key is 'dpi'"
    assert str(tmp_path) in refusal(capsys, "check-config", tmp_path)
