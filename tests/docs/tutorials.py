"""The code blocks of a tutorial, run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests import warm

PROJECT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)
SECONDS = 400
SHIMS = {  # all is installed already; `python3 -m venv DIR` makes an environment of nothing
    "uv": '#!/bin/sh\nshift\nexec "$@"\n',
    "pip": "#!/bin/sh\n",
    "python3": '#!/bin/sh\nmkdir -p "$3/bin" && touch "$3/bin/activate"\n',
}


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each block of a page, but for those behind the heading `Without uv`."""
    return BLOCK.findall((PROJECT / "docs" / f"{page}.md").read_text().split("## Without uv")[0])


def run_block(text: str, folder: Path) -> str:
    """What a block of bash prints, run in `folder`; one that fails is an AssertionError."""
    shims = folder / ".shims"
    shims.mkdir(exist_ok=True)
    for name, script in SHIMS.items():
        (shims / name).write_text(script)
        (shims / name).chmod(0o755)
    path = os.pathsep.join([str(shims), str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "-euo", "pipefail", "-c", text]
    environment = {**warm.environment(), "PATH": path, "HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def run_page(page: str, folder: Path, files: tuple[str, ...] = ()) -> list[str]:
    """What the blocks of bash of a page print. Its other blocks are written to `files`, in this order; Python is run."""
    said, names = [], iter(files)
    for language, text in blocks(page):
        if language == "bash":
            said.append(run_block(text, folder))
        else:
            path = folder / next(names)
            path.write_text(text)
            if language == "python":
                run_block(f"python {path.name}", folder)
    return said
