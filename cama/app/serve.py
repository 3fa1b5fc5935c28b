"""The command `app`: serve the page on the loopback address until it is interrupted."""

import contextlib
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from cama.app.server import make_app
from cama.app.shelf import Shelf
from cama.core.errors import CamaError, printable
from cama.photo.inputs import list_inputs
from cama.photo.records import failure_line
from cama.storage.images import read_file

ADDRESS = "127.0.0.1"


def serve(model: Path, photos: Sequence[Path], port: int, browser: bool) -> None:
    """Serve on `port`, or on a free one where it is 0, and open a browser if wanted. The address that is printed holds a token
    which works once. The page begins with `photos`; those that cannot be read are told on standard error.
    """
    shelf = Shelf(model)
    _fill(shelf, photos)
    token = secrets.token_urlsafe(24)
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
            listener.listen()  # a browser that comes before the server is ready waits
        except OSError as error:
            raise CamaError(
                f"--port: found {port}, which cannot be used ({error.strerror}), expected a free one"
            ) from error
        address = f"http://{ADDRESS}:{listener.getsockname()[1]}/?token={token}"
        print(f"Open this address, which works once, in a browser on this computer:\n{address}", flush=True)
        print("Ctrl-C ends the program, and forgets what was not saved.", file=sys.stderr, flush=True)
        config = uvicorn.Config(make_app(shelf, token), log_level="warning", server_header=False, access_log=False)
        if browser:
            webbrowser.open(address)
        try:
            uvicorn.Server(config).run([listener])
        finally:
            shelf.close()


def _fill(shelf: Shelf, photos: Sequence[Path]) -> None:
    """Put photographs on the shelf."""

    def say(line: str) -> None:
        print(printable(f"cama app: {line}"), file=sys.stderr)

    inputs = list_inputs(photos, say)
    if inputs:
        say(f"reading {len(inputs)} photographs")
    for path, error in inputs:
        name = printable(path.name)
        try:
            if error:
                raise error
            shelf.add(name, read_file(path))
        except Exception as fault:  # one that cannot be shown must not keep the others away
            say(failure_line(path, fault).replace(f"{path}: {name}: ", f"{path}: ", 1))
