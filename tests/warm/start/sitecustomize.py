"""Python imports this at its start where this folder is on PYTHONPATH: a process of a stage, of Snakemake, or of torch's
launcher is born in `tests.warm.server` then. Nothing slow is imported, since each call of `python` does so.
"""

import json
import os
import signal
import socket
import sys

SERVER = "CAMA_TEST_SERVER"  # variable with the path of the server's socket
SLOW = (["cama", "stage"], ["snakemake"], ["torch.distributed.run"])  # modules, and what follows


class Child:
    """A command that was started, with the standard files of this process or those given; `process` is its id."""

    def __init__(
        self, path: str, module: str, arguments: list[str], files: list[int], save_every_s: float | None = None
    ) -> None:
        request = {"module": module, "arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(path)
            text = json.dumps({**request, "save_every_s": save_every_s}).encode()
            sent = socket.send_fds(asked, [text], files)
            asked.sendall(text[sent:])
            asked.shutdown(socket.SHUT_WR)
            self.stream = asked.makefile()
        self.process = int(self.stream.readline())

    def status(self) -> int:
        """Wait for its end; gives its exit status, or minus the signal that ended it."""
        with self.stream:
            return int(self.stream.readline())


words = [word for word in sys.orig_argv[1:] if word != "-u"]
if os.path.basename(words[0] if words else "") == "snakemake":  # the script beside the interpreter
    words[:1] = ["-m", "snakemake"]
if SERVER in os.environ and words[:1] == ["-m"] and any(words[1:][: len(slow)] == slow for slow in SLOW):
    child = Child(os.environ[SERVER], words[1], words[2:], [0, 1, 2])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: os.kill(child.process, number))
    status = child.status()
    os._exit(status if status >= 0 else 128 - status)
