"""Pages: HTML files that stand alone. Their templates share the look and the tables of `page.html.jinja`."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cama.reporting.formats import format_cell, merge_intervals


def render(template: str, plots: Path | None = None, **values: Any) -> str:
    """A page from a template of this folder, with the pictures of the folder `plots`, if it shows any. `values` are the names
    that the template uses.
    """
    environment = Environment(
        loader=PackageLoader("cama.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": format_cell, "merge_intervals": merge_intervals}
    if plots:
        environment.globals["picture"] = lambda name: base64.b64encode((plots / f"{name}.png").read_bytes()).decode()
    return environment.get_template(template).render(**values)
