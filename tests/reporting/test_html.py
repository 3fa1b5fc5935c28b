"""The report's page: HTML that escapes what it shows."""

import base64

import numpy as np
import pandas as pd

from cama.reporting.html import figure, html_table, page


def test_a_table_shows_numbers_to_the_right_and_undefined_cells_empty():
    table = pd.DataFrame({"clean_accuracy": [0.12345, np.nan], "n": [3, 4], "name": ["a<b", "c"]})
    text = html_table(table)
    assert "<th>clean accuracy</th><th>n</th><th>name</th>" in text
    assert '<td class="n">0.123</td><td class="n">3</td><td>a&lt;b</td>' in text
    assert '<td class="n"></td><td class="n">4</td><td>c</td>' in text
    assert "nan" not in text


def test_a_figure_carries_its_picture_and_its_caption(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG picture")
    text = figure(path, 'x\' for "each" <target>')
    assert base64.b64encode(b"\x89PNG picture").decode() in text
    assert "<figcaption>x&#x27; for &quot;each&quot; &lt;target&gt;</figcaption>" in text


def test_a_page_stands_alone_and_keeps_the_order_of_its_parts():
    text = page("a & b", ["<p>one</p>", "<p>two</p>"])
    assert text.startswith("<!doctype html>")
    assert "<title>a &amp; b</title>" in text
    assert "<h1>a &amp; b</h1><p>one</p><p>two</p>" in text
    assert "http" not in text
