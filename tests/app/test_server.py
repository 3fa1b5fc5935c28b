"""The page's server: who is let in, what it answers, and that it keeps nothing on the disk."""

import io
import re
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from starlette.testclient import TestClient

from cama.app.server import HEADERS, LANGUAGES, language_of, make_app, measured, texts
from cama.app.shelf import Shelf
from cama.core.errors import CamaError
from cama.jpeg.segments import read_segments
from cama.photo.anonymize import PhotoAnonymizer
from cama.photo.inspect import inspect
from tests.commands.helpers import refusal
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import LABELS, camera_file, model_file

HOST = "http://127.0.0.1:8000"
TOKEN = "secret-token"
STATIC = Path(__file__).parents[2] / "cama" / "app"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_file(tmp_path_factory.mktemp("model"), judges=True, psnr=38)


@pytest.fixture
def shelf(model):
    made = Shelf(model)
    yield made
    made.close()


@pytest.fixture
def stranger(shelf) -> TestClient:
    return TestClient(make_app(shelf, TOKEN), base_url=HOST)


@pytest.fixture
def client(stranger) -> TestClient:
    assert stranger.get(f"/?token={TOKEN}").status_code == 200
    return stranger


def add(client: TestClient, data: bytes, name: str = "photo.jpg") -> dict:
    answer = client.post("/pictures", content=data, headers={"X-Name": name})
    assert answer.status_code == 200, answer.text
    return answer.json()


def finished(client: TestClient) -> list[dict]:
    for _ in range(600):
        pictures = client.get("/pictures").json()
        if not {picture["state"] for picture in pictures} & {"waiting", "working"}:
            return pictures
        time.sleep(0.05)
    raise AssertionError("it does not end")


def change(client: TestClient, pictures: list[dict], **settings: object) -> list[dict]:
    names = [picture["id"] for picture in pictures]
    answer = client.post("/anonymize", json={"pictures": names, "settings": settings})
    assert answer.status_code == 200, answer.text
    return finished(client)


# ---- who is let in


@pytest.mark.parametrize("path", ["/", "/pictures", "/results.zip", "/static/page.js", "/?token=wrong", "/?token="])
def test_nobody_is_let_in_without_the_token(path, stranger):
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "open the address that `cama app` printed" in answer.json()["error"]


def test_the_token_works_once(shelf):
    app = make_app(shelf, TOKEN)
    first, second = (TestClient(app, base_url=HOST) for _ in range(2))
    with first:
        assert first.get(f"/?token={TOKEN}").status_code == 200
        assert second.get(f"/?token={TOKEN}").status_code == 403
        assert first.get(f"/?token={TOKEN}").status_code == 200  # the same browser, by its cookie
        cookie = first.cookies.jar._cookies["127.0.0.1"]["/"]["cama-8000"]
    assert cookie._rest == {"HttpOnly": None, "SameSite": "strict"}


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1.evil.example", "192.168.0.7:8000", "", "127.0.0.1:5@x"]
)
def test_a_name_that_points_here_is_refused(host, client):
    answer = client.get("/pictures", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]) == (403, "found another host than this computer")


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null"])
def test_another_page_is_refused(origin, client):
    answer = client.post("/pictures", content=jpeg(), headers={"Origin": origin})
    assert (answer.status_code, answer.json()["error"]) == (403, "found a request of another page")
    assert client.post("/pictures", content=jpeg(), headers={"Origin": HOST}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/pictures", "/static/page.js", "/nowhere"])
def test_every_answer_keeps_others_out(path, client):
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert headers["x-content-type-options"] == "nosniff"


def test_no_file_of_the_page_names_another_address():
    for path in [*STATIC.glob("static/*"), *STATIC.glob("templates/*"), *STATIC.glob("texts/*")]:
        addresses = re.findall(r"(?:https?:)?//[a-z0-9.]+", path.read_text().replace("http://www.w3.org/2000/svg", ""))
        assert addresses == [], path


# ---- the page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_speaks_the_language_that_is_asked_for(language, client):
    page = client.get(f"/?lang={language}").text
    assert f'<html lang="{language}">' in page
    assert texts(language)["heading"] in page
    assert all(label.replace("_", " ") in page for label in LABELS)
    accepted = client.get("/", headers={"Accept-Language": f"{language}-AT,xx;q=0.5"}).text
    assert f'<html lang="{language}">' in accepted


def test_every_language_has_the_same_texts():
    keys = {language: list(texts(language)) for language in LANGUAGES}
    assert keys["en"] == keys["de"]
    fields = {
        language: {key: set(re.findall(r"\{\w+\}", text)) for key, text in texts(language).items()}
        for language in LANGUAGES
    }
    assert fields["en"] == fields["de"]


def test_every_text_that_the_page_uses_is_there():
    script, page = (STATIC / "static" / "page.js").read_text(), (STATIC / "templates" / "page.html").read_text()
    used = set(re.findall(r"texts\.(\w+)", script)) | set(re.findall(r"\bt\.(\w+)", page))
    assert used - set(texts("en")) == set()


def test_what_was_measured_is_said_in_a_number():
    words = texts("en")
    assert measured([], words) == [words["measured_nothing"]]
    rows = [{"set": "in", "targeted": 0.817}, {"set": "out", "targeted": 0.8}, {"set": "in", "targeted": 0.1}]
    rows = [{**row, "save": "target", "labels": 6 + place} for place, row in enumerate(rows)]
    rows.insert(0, {"set": "in", "targeted": 0.2, "save": "target", "labels": 11})  # under classifiers of more cameras
    assert [re.search(r"\d+ of 100", sentence)[0] for sentence in measured(rows, words)] == ["82 of 100", "80 of 100"]


# ---- photographs


def test_a_photograph_is_told_changed_and_delivered(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = add(client, camera_file("Alcyon_A10", size=(128, 160)), "IMG_1.jpg")
    assert {leak["tells"] for leak in picture["told"]["leaks"]} >= {"person", "time", "device", "camera"}
    assert (picture["state"], picture["record"]) == ("", None)
    (done,) = change(client, [picture], target="auto", psnr="38", resize="", metadata="none", encoding="target")
    assert done["state"] == "done", done
    assert done["share"] == 1
    assert done["record"]["target"] in LABELS[1:]
    answer = client.get(f"/pictures/{picture['id']}/result")
    assert answer.headers["content-disposition"] == f'attachment; filename="picture-{picture["id"]}.jpg"'
    (tmp_path / "result.jpg").write_bytes(answer.content)
    assert inspect(tmp_path / "result.jpg")["leaks"] == []
    for what in ("before", "after", "difference"):
        with Image.open(io.BytesIO(client.get(f"/pictures/{picture['id']}/{what}").content)) as image:
            assert image.size == (160, 128)
    assert list(tmp_path.iterdir()) == [tmp_path / "result.jpg"]  # nothing else was written


def test_a_png_and_a_smaller_picture(client):
    picture = add(client, jpeg(scene(128, 160)))
    (done,) = change(client, [picture], target=LABELS[2], encoding="png", resize=100)
    assert (done["record"]["width"], done["record"]["height"]) == (100, 80)
    answer = client.get(f"/pictures/{picture['id']}/result")
    assert answer.headers["content-type"] == "image/png"
    refused = client.get(f"/pictures/{picture['id']}/difference")
    assert (refused.status_code, "difference cannot be shown" in refused.json()["error"]) == (400, True)


def test_all_results_are_one_file_with_neutral_names_and_times(client):
    pictures = [add(client, jpeg(scene(64, 80, seed=seed)), f"holiday {seed}.jpg") for seed in range(2)]
    broken = add(client, camera_file("Alcyon_A10", size=(48, 64)), "small.jpg")
    found = change(client, [*pictures, broken], target=LABELS[1])
    assert [picture["state"] for picture in found] == ["done", "done", "failed"]
    assert found[2]["record"]["error"].startswith("small.jpg: found a picture of 64x48 pixels, expected at least 64")
    with zipfile.ZipFile(io.BytesIO(client.get("/results.zip").content)) as file:
        assert [entry.filename for entry in file.infolist()] == [f"picture-{one['id']}.jpg" for one in pictures]
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(read_segments(file.read(entry)).segments for entry in file.infolist())


def test_photographs_of_one_camera_get_one_target(client):
    pictures = [add(client, camera_file("Nikon_D70", seed, size=(128, 160))) for seed in range(2)]
    found = change(client, pictures, target="auto")
    assert len({picture["record"]["target"] for picture in found}) == 1
    assert found[0]["record"]["choice"]["photographs"] == 2


def test_a_hidden_picture_is_shown(client):
    exif = Image.Exif()
    exif[0x010F] = "Acme"
    small = jpeg(scene(60, 80))
    data = jpeg(scene(96, 128), exif=exif.tobytes()) + small
    picture = add(client, data)
    assert picture["told"]["thumbnails"][0]["readable"]
    with Image.open(io.BytesIO(client.get(f"/pictures/{picture['id']}/thumbnail-0").content)) as image:
        assert image.size == (80, 60)
    for number in ("1", "-1", "x", "9" * 30):
        assert client.get(f"/pictures/{picture['id']}/thumbnail-{number}").status_code == 400


def test_what_is_no_photograph_is_one_line(client):
    answer = client.post("/pictures", content=b"no picture", headers={"X-Name": "a%0A%1B[2J.jpg"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("a??[2J.jpg: ")
    assert client.get("/pictures").json() == []


def test_a_photograph_is_forgotten(client):
    picture = add(client, jpeg())
    assert client.delete(f"/pictures/{picture['id']}").status_code == 200
    assert client.get("/pictures").json() == []
    for path in ("result", "before"):
        assert client.get(f"/pictures/{picture['id']}/{path}").status_code == 400
    assert client.delete(f"/pictures/{picture['id']}").status_code == 400


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"target": "Canon_1"}, "--to: found 'Canon_1', expected one of Alcyon_A10"),
        ({"psnr": 100}, "--psnr: found 100, expected the PSNR"),
        ({"psnr": "strong"}, "psnr: found strong, expected a number"),
        ({"resize": 3}, "--resize: found 3, expected the longer side"),
        ({"encoding": "gif"}, "encoding: found gif, expected one of target, neutral, png"),
        ({"model": "/etc/passwd"}, "found the setting model, expected one of target"),
        ({"metadata": ["none"]}, "metadata: found ['none'], expected one of none, target"),
    ],
)
def test_a_wrong_setting_is_one_line(settings, expected, client):
    picture = add(client, jpeg(scene(64, 80)))
    answer = client.post("/anonymize", json={"pictures": [picture["id"]], "settings": settings})
    assert (answer.status_code, expected in answer.json()["error"]) == (400, True), answer.text
    assert client.get("/pictures").json()[0]["state"] == ""


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"pictures": 1, "settings": {}}', '{"pictures": [{}], "settings": {}}']
)
def test_what_is_no_request_is_one_line(body, client):
    answer = client.post("/anonymize", content=body)
    assert answer.status_code == 400
    assert "expected" in answer.json()["error"]


def test_work_that_is_asked_for_twice_changes_nothing(client, shelf):
    pictures = [add(client, jpeg(scene(64, 80, seed=seed))) for seed in range(2)]
    assert change(client, pictures[:1], target=LABELS[1])[0]["state"] == "done"
    shelf.get(pictures[1]["id"]).state = "working"  # as if it were
    both = [pictures[0]["id"], pictures[1]["id"], pictures[0]["id"]]
    answer = client.post("/anonymize", json={"pictures": both, "settings": {}})
    assert "it is being worked on already" in answer.json()["error"]
    assert client.get("/pictures").json()[0]["state"] == "done"  # and its result is kept
    assert client.get(f"/pictures/{pictures[0]['id']}/result").status_code == 200


def test_a_model_file_without_judges_of_its_own_serves_too(tmp_path):
    shelf = Shelf(model_file(tmp_path))
    client = TestClient(make_app(shelf, TOKEN), base_url=HOST)
    page = client.get(f"/?token={TOKEN}").text
    assert 'value="auto"' not in page
    picture = add(client, jpeg(scene(64, 80)))
    assert change(client, [picture], target=LABELS[1])[0]["state"] == "done"
    shelf.close()


def test_a_photograph_that_decodes_in_part_says_so_and_not_that_it_has_no_target(client):
    data = jpeg(scene(256, 320), quality=95)
    picture = add(client, data[: len(data) // 2])
    (found,) = change(client, [picture], target="auto")
    assert found["state"] == "failed"
    assert "no target" not in found["record"]["error"]


def test_a_model_file_whose_judges_cannot_be_asked_says_so(client, monkeypatch):
    def broken(*_):
        raise CamaError("cama.safetensors: judges.held_out cannot be run (it is broken)")

    monkeypatch.setattr("cama.app.shelf.choose_targets", broken)
    found = change(client, [add(client, jpeg(scene(128, 160))), add(client, jpeg(scene(160, 128)))], target="auto")
    assert {one["state"] for one in found} == {"failed"}
    assert all("judges.held_out cannot be run" in one["record"]["error"] for one in found)


def test_what_is_removed_is_not_worked_on(client, shelf):
    picture = add(client, jpeg(scene(64, 80)))
    taken = shelf.get(picture["id"])
    client.delete(f"/pictures/{picture['id']}")
    shelf._run([taken], PhotoAnonymizer.load(shelf._path, LABELS[1]))
    assert (taken.state, taken.result) == ("", b"")


def test_a_fault_of_the_program_is_one_line(shelf, monkeypatch):
    client = TestClient(make_app(shelf, TOKEN), base_url=HOST, raise_server_exceptions=False)
    client.get(f"/?token={TOKEN}")
    monkeypatch.setattr(shelf, "all", lambda: 1 / 0)
    answer = client.get("/pictures")
    assert (answer.status_code, answer.json()) == (500, {"error": "the program failed (ZeroDivisionError)"})
    assert all(answer.headers[name] == value for name, value in HEADERS.items())


def test_a_picture_that_is_begun_again_has_no_result_meanwhile(client, shelf):
    picture = add(client, jpeg(scene(64, 80)))
    assert change(client, [picture], target=LABELS[1])[0]["state"] == "done"
    shelf.get(picture["id"]).record = {}
    assert client.get(f"/pictures/{picture['id']}/result").status_code == 400
    assert zipfile.ZipFile(io.BytesIO(client.get("/results.zip").content)).namelist() == []


def test_too_many_are_refused(client, monkeypatch):
    monkeypatch.setattr("cama.app.shelf.MOST", 1)
    add(client, jpeg())
    answer = client.post("/pictures", content=jpeg())
    assert "found 1 photographs here already, remove some first" in answer.json()["error"]


def test_a_port_that_is_taken_or_none_is_one_line(model, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ["app", "--model", str(model), "--no-browser", "--port"]
        assert f"--port: found {port}, which cannot be used" in refusal(capsys, *words, str(port))
    assert "--port: found 70000, expected 0 to 65535" in refusal(capsys, *words, "70000")


def test_the_language_is_one_that_there_is():
    asked = SimpleNamespace(query_params={"lang": "fr"}, headers={"accept-language": "fr, es;q=0.5"})
    assert language_of(asked) == "en"
