"""Records beside results, and the chain that they form."""

import json
import shutil

import pandas as pd
import pytest
import torch

from cama import __version__
from cama.commands.main import main
from cama.core.errors import CamaError
from cama.storage.files import file_hash
from cama.storage.hdf5 import content_hash
from cama.workflow.provenance import State, begin_record, chain, photographs_of, record_path, write_records
from tests.commands.helpers import write_patches
from tests.stages.conftest import command


def test_a_record_says_how_precisely_it_was_computed_and_asks_for_no_gpu(monkeypatch):
    """An attack without networks has the same settings, and may run where no GPU is."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def computed(**compute):
        return begin_record("attack", "cama.stages.attack", {"compute": compute}, 1, []).computed

    found = computed(device="auto", precision="float32")
    assert found == {"device": "cpu", "precision": "float32", "torch": f"torch {torch.__version__}"}
    assert computed(device="cuda", precision="auto") == {}
    assert begin_record("split", "cama.stages.split", {"seed": 1}, 1, []).computed == {}


@pytest.fixture
def made(tmp_path):
    """A folder of photographs, a list of them, a patch file, and a table, each made of the one before by a stage."""
    root = tmp_path / "results"
    for name in ("a", "b"):
        path = root / "photographs" / "M" / f"{name}.JPG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    listed = [f"M/{name}.JPG,{file_hash(root / 'photographs' / 'M' / f'{name}.JPG')}" for name in ("a", "b")]
    (root / "manifest.csv").write_text("\n".join(["path,sha256", *listed, ""]))
    write_patches(root / "patches.h5")
    rows = pd.DataFrame({"method": ["x", "x", "y"], "set": "in", "photograph": ["M/a.JPG", "M/b.JPG", "M/b.JPG"]})
    rows.to_csv(root / "rows.csv", index=False)
    (root / "tables").mkdir()
    (root / "tables" / "t.csv").write_text("method,set,targeted\nx,in,0.5\ny,in,1\nz,in,0\n")
    steps = [
        ("simulate", [], ["photographs/M"]),
        ("manifest", ["photographs/M", "photographs"], ["manifest.csv"]),
        ("patches", ["photographs", "manifest.csv"], ["patches.h5"]),
        ("evaluate", ["patches.h5"], ["rows.csv"]),
        ("tables", ["rows.csv"], ["tables"]),
    ]
    for stage, sources, outputs in steps:
        paths = [[root / name for name in names] for names in (sources, outputs)]
        write_records(begin_record(stage, f"cama.stages.{stage}", {"seed": 5}, 2, paths[0]), paths[1])
    return root


def states(path) -> dict[str, str]:
    return {link.path.name: f"{link.record.stage if link.record else ''}: {link.state_text}" for link in chain(path)}


def test_a_record_holds_spec_versions_code_and_hashes(made):
    record = json.loads(record_path(made / "patches.h5").read_text())
    assert (record["stage"], record["spec"], record["threads"]) == ("patches", {"seed": 5}, 2)
    assert record["versions"]["cama"] == __version__
    assert {"python", "torch", "numpy"} <= record["versions"].keys()
    assert record["inputs"] == {"manifest.csv": file_hash(made / "manifest.csv"), "photographs": None}
    assert record["outputs"] == {"patches.h5": content_hash(made / "patches.h5")}
    assert len(record["code"]) == 64


def test_the_chain_leads_from_a_table_to_the_photographs(made, monkeypatch):
    expected = {
        "t.csv": "tables: as recorded",
        "rows.csv": "evaluate: as recorded",
        "patches.h5": "patches: as recorded",
        "manifest.csv": "manifest: as recorded",
        "M": "simulate: 2 files, as recorded",
        "photographs": ": 2 photographs, as recorded",
    }
    assert states(made / "tables" / "t.csv") == expected
    monkeypatch.chdir(made / "tables")
    assert states(made.__class__("t.csv")) == expected


def test_a_damaged_manifest_is_named_and_ends_nothing(made):
    for text in ("", "path,sha256\n,1\n"):
        (made / "manifest.csv").write_text(text)
        found = states(made / "tables" / "t.csv")
        assert found["manifest.csv"] == "manifest: CHANGED since"
        assert found["photographs"] in (": a folder", ": 1 photographs, 1 CHANGED since")


def test_results_that_are_moved_keep_their_chain(made, tmp_path):
    before = states(made / "tables" / "t.csv")
    shutil.move(made, tmp_path / "elsewhere")
    assert states(tmp_path / "elsewhere" / "tables" / "t.csv") == before


def test_what_was_changed_or_deleted_since_is_named(made, capsys):
    assert main(["provenance", str(made / "tables" / "t.csv")]) == 0
    (made / "photographs" / "M" / "a.JPG").write_text("other")
    (made / "rows.csv").unlink()
    found = states(made / "tables" / "t.csv")
    assert found["rows.csv"] == "evaluate: missing"
    assert found["M"] == "simulate: 2 files, 1 CHANGED since"
    assert found["photographs"] == ": 2 photographs, 1 CHANGED since"
    capsys.readouterr()
    assert main(["provenance", str(made / "tables" / "t.csv")]) == 1
    assert "photographs/M  [simulate, seed 5: 2 files, 1 CHANGED since]" in capsys.readouterr().out


def test_a_flipped_bit_and_an_input_of_another_version_are_named(made):
    data = bytearray((made / "patches.h5").read_bytes())
    data[len(data) // 8] ^= 1
    (made / "patches.h5").write_bytes(data)
    assert states(made / "tables" / "t.csv")["patches.h5"] == "patches: CHANGED since"


def test_what_two_were_made_of_in_two_versions_is_named(made):
    (made / "z.csv").write_text("method,photograph\n")
    write_records(begin_record("evaluate", "cama.stages.evaluate", {}, 1, [made / "manifest.csv"]), [made / "z.csv"])
    (made / "manifest.csv").write_text("path,sha256\nM/a.JPG,2a\n")
    begun = begin_record("manifest", "cama.stages.manifest", {}, 1, [])
    write_records(begun, [made / "manifest.csv"])
    write_records(begin_record("patches", "cama.stages.patches", {}, 1, [made / "manifest.csv"]), [made / "patches.h5"])
    sources = [made / "patches.h5", made / "z.csv"]
    write_records(begin_record("tables", "cama.stages.tables", {}, 1, sources), [made / "tables"])
    found = [link.state for link in chain(made / "tables" / "t.csv") if link.path.name == "manifest.csv"]
    assert found == [State.AS_RECORDED, State.CHANGED]


def test_the_photographs_behind_a_row_are_named_with_their_hashes(made, capsys):
    table = made / "tables" / "t.csv"
    names = ("M/a.JPG", "M/b.JPG")
    both = [{"photograph": name, "sha256": file_hash(made / "photographs" / name)} for name in names]
    links = chain(table)
    assert photographs_of(links, 1) == both
    assert photographs_of(links, 2) == both[1:]
    with pytest.raises(CamaError, match="found no photographs behind row 3"):
        photographs_of(links, 3)
    with pytest.raises(CamaError, match="--row: found 4, expected 1 to 3"):
        photographs_of(links, 4)
    assert main(["provenance", str(table), "--row", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["photographs"] == both[1:]
    assert found["chain"][0]["record"]["stage"] == "tables"


def test_a_row_over_several_catalogues_names_no_photographs(made):
    other = made.with_name("other")
    shutil.copytree(made, other)
    begun = begin_record("join", "cama.stages.join", {}, 1, [made / "rows.csv", other / "rows.csv"])
    write_records(begun, [made / "tables"])
    with pytest.raises(CamaError, match=r"t\.csv: found 2 manifests behind it, expected a table of one catalogue"):
        photographs_of(chain(made / "tables" / "t.csv"), 1)


def test_what_has_no_record_or_a_damaged_one_is_one_line(made, capsys):
    for path, words in ((made / "none.csv", "no such file"), (made / "photographs", "found no record")):
        assert main(["provenance", str(path)]) == 1
        err = capsys.readouterr().err
        assert words in err
        assert err.count("\n") == 1
    whole = json.loads(record_path(made / "rows.csv").read_text())
    for text in ("{", "[]", "\udcff", '{"outputs": 3}', json.dumps({**whole, "inputs": ["a"]})):
        record_path(made / "rows.csv").write_text(text, errors="surrogateescape")
        assert main(["provenance", str(made / "rows.csv")]) == 1
        err = capsys.readouterr().err
        assert "not a record of this project, or damaged" in err
        assert err.count("\n") == 1


def test_an_unreadable_file_of_a_folder_has_changed(made):
    """And ends nothing."""
    (made / "tables" / "t.h5").write_bytes(b"x")
    record = json.loads(record_path(made / "tables").read_text())
    record["outputs"]["tables/t.h5"] = "0" * 64
    record_path(made / "tables").write_text(json.dumps(record))
    link = chain(made / "tables")[0]
    assert (link.state, link.files, link.changed) == (State.CHANGED, 2, 1)
    assert not link.intact


def test_a_folder_that_no_manifest_lists_is_told_from_what_a_record_leaves_out(made):
    (made / "other").mkdir()
    (made / "free.txt").write_text("x")
    record = json.loads(record_path(made / "rows.csv").read_text())
    record["inputs"] |= {"other": None, "free.txt": None}
    record_path(made / "rows.csv").write_text(json.dumps(record))
    found = {link.path.name: link for link in chain(made / "rows.csv")}
    assert (found["other"].state, found["free.txt"].state) == (State.PLAIN_FOLDER, State.NOT_RECORDED)
    assert found["other"].intact and found["free.txt"].intact


def test_a_stage_writes_a_record_beside_each_output(inputs, tmp_path):
    assert main(command("train-generator", inputs, tmp_path / "out")) == 0
    found = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.provenance.json")}
    assert sorted(found) == [f"{name}.provenance.json" for name in ("curve.csv", "d.safetensors", "g.safetensors")]
    inputs_of = {
        name.rsplit("/")[-1]: digest for name, digest in found["g.safetensors.provenance.json"]["inputs"].items()
    }
    assert inputs_of == {name: content_hash(inputs / name) for name in ("patches.h5", "e.safetensors")}
    assert found["curve.csv.provenance.json"]["spec"]["learned"]["training"]["steps"] == 60
