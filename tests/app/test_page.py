"""The page in a headless Chromium: what a person does with it, and that it asks no other address for anything."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cama.photo.inspect import inspect
from tests.browser import launched, needs_chromium
from tests.jpeg.helpers import jpeg, scene
from tests.photo.helpers import camera_file, model_file

pytestmark = needs_chromium
HOSTILE = "<img src=x onerror=document.title='owned'>.jpg"
SECONDS = 120_000  # milliseconds that something may take


@contextlib.contextmanager
def served(model: Path, *photos: Path) -> Iterator[str]:
    """The address that `cama app` prints."""
    command = [sys.executable, "-m", "cama", "app", "--model", str(model), "--no-browser", *map(str, photos)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        process.stdout.readline()
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        assert process.wait(30) in (0, 143, -15)
        process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as made:
        yield made


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return model_file(tmp_path_factory.mktemp("model"), judges=True, psnr=38)


class Seen:
    """A page, what it asked for, and what it complained of."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(SECONDS)
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(address)

    def add(self, *paths: Path) -> None:
        before = self.page.locator("#pictures > li").count()
        self.page.set_input_files("#files", [str(path) for path in paths])
        self.page.locator("#pictures > li").nth(before + len(paths) - 1).wait_for()

    def outside(self) -> set[str]:
        return {url for url in self.asked if not re.match(r"http://127\.0\.0\.1:\d+/|blob:|data:", url)}


@pytest.fixture
def seen(browser, model) -> Iterator[Seen]:
    with served(model) as address:
        found = Seen(browser, address)
        yield found
        found.context.close()
    assert found.outside() == set()
    assert found.said == []


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "IMG_1.jpg"
    path.write_bytes(camera_file("Alcyon_A10", size=(128, 160)) + jpeg(scene(60, 80)))
    return path


def test_a_photograph_is_looked_at_changed_and_saved(seen, photo, tmp_path):
    page = seen.page
    assert page.locator("#change").is_disabled()
    seen.add(photo)
    told = page.locator("#pictures > li").first.inner_text()
    assert "Jorunn Dahl" in told
    assert "Picture hidden in the file" in told
    page.click("#change")
    page.locator(".slider").wait_for()
    page.locator(".slider + input").fill("10")
    assert page.locator(".slider").evaluate("frame => frame.style.getPropertyValue('--at')") == "10%"
    with page.expect_download() as download:
        page.get_by_role("link", name="Save this one").click()
    download.value.save_as(tmp_path / "saved.jpg")
    assert download.value.suggested_filename.startswith("picture-")
    assert inspect(tmp_path / "saved.jpg")["leaks"] == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Save all results").click()
    assert download.value.suggested_filename == "pictures.zip"
    page.get_by_role("button", name="Remove").click()
    page.locator("#empty").wait_for()


def test_it_begins_with_what_the_command_names(browser, model, photo, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photograph")
    with served(model, tmp_path / "broken.jpg", photo) as address:
        found = Seen(browser, address)
        found.page.get_by_role("heading", name="IMG_1.jpg").wait_for()
        assert found.page.locator("#pictures > li").count() == 1
        found.context.close()


def test_names_and_metadata_are_text(seen, tmp_path):
    exif = Image.Exif()
    exif[0x013B] = "<script>document.title='owned'</script>"
    path = tmp_path / HOSTILE.replace("/", "_")
    path.write_bytes(jpeg(scene(64, 80), exif=exif.tobytes()))
    seen.add(path)
    shown = seen.page.locator("#pictures > li").first.inner_text()
    assert "<script>document.title='owned'</script>" in shown
    assert "<img src=x onerror=" in shown
    assert "owned" not in seen.page.title()


def test_ten_at_once_with_a_broken_one_and_a_damaged_one(seen, tmp_path):
    paths = [tmp_path / f"{number}.jpg" for number in range(9)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(scene(64, 80, seed=number)))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    paths[0].write_bytes(paths[0].read_bytes()[:-400])
    page = seen.page
    page.set_input_files("#files", [str(tmp_path / "broken.jpg"), *map(str, paths)])
    page.locator("#pictures > li").nth(9).wait_for()
    assert page.get_by_text("This file does not decode whole").count() == 2
    page.select_option("#target", "Corvus_C300")
    page.click("#change")
    page.get_by_text("8 changed, 2 could not be").wait_for()
    assert page.locator(".slider").count() == 8
    assert all("400 (Bad Request)" in line for line in seen.said)  # as the browser says of what cannot be read or shown
    seen.said.clear()


def test_what_is_dropped_is_added(seen, photo):
    data = photo.read_bytes().hex()
    seen.page.evaluate(
        """hex => {
            const bytes = new Uint8Array(hex.match(/../g).map(pair => parseInt(pair, 16)));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.jpg", {type: "image/jpeg"}));
            document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }""",
        data,
    )
    seen.page.get_by_role("heading", name="dropped.jpg").wait_for()


def test_all_works_by_keyboard(seen, photo):
    page = seen.page
    seen.add(photo)
    order = []
    page.locator("body").press("Tab")
    for _ in range(20):
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.slice(0, 20)"))
        page.keyboard.press("Tab")
    wanted = ["files", "target", "psnr", "resize", "encoding", "metadata", "change"]
    assert [name for name in order if name in wanted][: len(wanted)] == wanted
    page.locator("#change").focus()
    page.keyboard.press("Enter")
    page.locator(".slider").wait_for()
    page.locator(".slider + input").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".slider").evaluate("frame => frame.style.getPropertyValue('--at')") == "51%"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "language"), [(1280, "en"), (360, "de")])
def test_anyone_can_read_it(scheme, width, language, browser, model, photo):
    from axe_playwright_python.sync_playwright import Axe

    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme, "locale": f"{language}-CH"}
    with served(model) as address:
        seen = Seen(browser, address, bypass_csp=True, **options)  # the checker is a script of its own
        assert seen.page.locator("html").get_attribute("lang") == language
        seen.add(photo)
        seen.page.click("#change")
        seen.page.locator(".slider").wait_for()
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        faults = Axe().run(seen.page).response["violations"]
        assert [(fault["id"], fault["impact"]) for fault in faults if fault["impact"] in ("serious", "critical")] == []
        seen.context.close()
