"""The report's page: one HTML file, from the template `report.html.jinja`, with every table and picture inside."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cama.reporting.formats import format_cell, merge_intervals

TEMPLATE = "report.html.jinja"


def render_report(plots: Path, **values: Any) -> str:
    """The page, with the pictures of the folder `plots`. `values` are the names that the template uses."""
    environment = Environment(
        loader=PackageLoader("cama.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": format_cell, "merge_intervals": merge_intervals}
    environment.globals["picture"] = lambda name: base64.b64encode((plots / f"{name}.png").read_bytes()).decode()
    return environment.get_template(TEMPLATE).render(**values)
