"""The tutorials run as they are written; those of the workflow in tests/workflow/test_run.py, where a run has ended."""

from tests.docs.tutorials import run_page
from tests.photo.helpers import camera_file, model_file


def test_a_photograph(tmp_path):
    (tmp_path / "results" / "models").mkdir(parents=True)
    model_file(tmp_path, judges=True, psnr=38).rename(tmp_path / "results" / "models" / "cama.safetensors")
    (tmp_path / "photo.jpg").write_bytes(camera_file("Alcyon_A10", size=(128, 160)))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "1.jpg").write_bytes(camera_file("Borealis_B2", size=(128, 160)))
    said = run_page("photograph", tmp_path)
    assert len(list((tmp_path / "anonymous").iterdir())) == 1
    assert "Jorunn Dahl" in said[1]
    assert (tmp_path / "anonymous.jpg").exists()
    assert "Jorunn Dahl" not in said[-1]
