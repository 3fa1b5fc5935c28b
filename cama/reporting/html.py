"""The report's first page: one HTML file that explains itself, with every table and picture inside."""

import base64
import html
from pathlib import Path

import numpy as np
import pandas as pd

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto; padding: 0 1.2em; }
h1 { font-size: 1.7em; } h2 { margin-top: 2em; border-bottom: 1px solid #ddd; padding-bottom: .2em; }
table { border-collapse: collapse; font-size: .82em; margin: 1em 0; display: block; overflow-x: auto; }
th { text-align: left; background: #f4f4f4; } td { white-space: nowrap; }
th, td { padding: .3em .7em; border-bottom: 1px solid #e4e4e4; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } img { max-width: 100%; height: auto; }
figure { margin: 1.2em 0; } figcaption { color: #666; font-size: .85em; } .note { background: #fdf6e3;
border-left: 4px solid #d9b44a; padding: .6em 1em; }
"""


def html_table(table: pd.DataFrame, digits: int = 3) -> str:
    """A table as HTML; numbers to the right, undefined cells empty."""

    def cell(value: object) -> str:
        if isinstance(value, (float, np.floating)):
            return '<td class="n">' + ("" if np.isnan(value) else f"{value:.{digits}f}") + "</td>"
        if isinstance(value, (int, np.integer)):
            return f'<td class="n">{value}</td>'
        return f"<td>{html.escape(str(value))}</td>"

    head = "".join(f"<th>{html.escape(str(column)).replace('_', ' ')}</th>" for column in table.columns)
    body = "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in table.itertuples(index=False))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def figure(path: Path, caption: str) -> str:
    """A picture inside the page, with its caption."""
    data = base64.b64encode(path.read_bytes()).decode()
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def page(title: str, parts: list[str]) -> str:
    """The whole HTML document."""
    name = html.escape(title)
    head = f'<meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{name}</h1>{"".join(parts)}</body></html>\n'
