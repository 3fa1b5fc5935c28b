"""Tests of the container profiles that cama.stages.package learns."""

from cama.stages.package import learn_profiles
from tests.photo.helpers import camera_file


def test_one_odd_photograph_does_not_cost_a_label_its_profile(tmp_path, capsys):
    photographs = {}
    for label in ("Alcyon_A10", "Borealis_B2"):
        photographs[label] = [tmp_path / f"{label}-{number}.jpg" for number in range(3)]
        for number, path in enumerate(photographs[label]):
            path.write_bytes(camera_file(label, number))
    odd, *others = photographs["Alcyon_A10"]
    odd.write_bytes(odd.read_bytes()[:-200])
    profiles = learn_profiles(photographs)
    assert {label: (p.photographs, p.left_out) for label, p in profiles.items()} == {
        "Alcyon_A10": (2, 1),
        "Borealis_B2": (3, 0),
    }
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"package: Alcyon_A10: left out {odd}: found the end of the file at byte ")
    for path in others:
        path.write_bytes(b"")
    assert list(learn_profiles(photographs)) == ["Borealis_B2"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("package: no container profile of Alcyon_A10: ")
    assert last.endswith("; 3 of 3 are odd, expected at most a half")
