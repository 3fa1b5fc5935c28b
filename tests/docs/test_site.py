"""The documentation as a site: it builds without a warning, and asks no other host for anything."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import launched, needs_chromium

PROJECT = Path(__file__).parents[2]
WIDTHS = 1280, 360


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_every_page_is_in_the_navigation(site):
    pages = {path.relative_to(PROJECT / "docs") for path in (PROJECT / "docs").rglob("*.md")}
    listed = set(map(Path, re.findall(r": ([\w/-]+\.md)$", (PROJECT / "mkdocs.yml").read_text(), re.M)))
    assert pages == listed
    assert (site / "index.html").exists()


def test_nothing_is_loaded_from_elsewhere(site):
    loads = re.compile(
        r"""(?:<(?:script|img|iframe)[^>]*src|<link[^>]*(?<!canonical")\shref|url\()\s*=?\s*["'(]?\s*(https?:)?//"""
    )
    files = [path for kind in ("*.html", "*.css") for path in site.rglob(kind)]
    assert len(files) > 20
    assert [path.name for path in files if loads.search(path.read_text(encoding="utf-8"))] == []


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@needs_chromium
def test_each_page_fits_a_screen_and_asks_no_other_host(site, address):
    names = sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))
    asked: list[str] = []
    with launched() as browser:
        for width in WIDTHS:
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("request", lambda request: asked.append(request.url))
            for name in names:
                page.goto(f"{address}/{name}/")
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
                assert page.locator("h1").count() == 1, name
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
