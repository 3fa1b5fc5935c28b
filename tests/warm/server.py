"""A process that has imported all that stages and Snakemake need, and forks for each command, so that a start costs nothing: on
a slow machine the imports alone take six seconds, hundreds of times. It listens on the Unix socket that it is given, and
`tests.warm.start.sitecustomize` asks it.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback

import torch._dynamo
import torch.distributed.run

import cama.storage.checkpoints
from cama.commands.main import main
from cama.commands.stage import STAGES
from cama.workflow.code_inputs import code_digest
from tests.models.helpers import tiny_classifier
from tests.warm import keep_operations


def run(request: dict, files: list[int]) -> None:
    """Be the process of a command: its folder, environment and standard files, and its status at the end."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    words = request["arguments"]
    torch.set_num_threads(int(words[words.index("--threads") + 1]) if "--threads" in words else 1)
    if request["save_every_s"] is not None:
        cama.storage.checkpoints.SAVE_EVERY_S = request["save_every_s"]
    try:
        code = main(words) if request["module"] == "cama" else of_module(request["module"], words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 2
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def of_module(module: str, words: list[str]) -> int:
    """What `python -m` does, with the package `cama` of its folder."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "cama"]:
        del sys.modules[name]
    sys.path[0] = os.getcwd()
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def answer(connection: socket.socket) -> None:
    """Start the command that is asked for; answer with its process id, then with its status, or minus a signal's number. It is
    killed where who asked has gone.
    """
    data, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    with connection.makefile("rw") as stream:
        request = json.loads(data + stream.read().encode())
        child = os.fork()
        if not child:
            run(request, files)
        print(child, flush=True, file=stream)
        waiting, ended = select.poll(), os.pidfd_open(child)
        waiting.register(ended, select.POLLIN)
        waiting.register(connection, 0)  # tells where the other side is closed, and nothing else
        if ended not in dict(waiting.poll()):
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(BrokenPipeError):
            print(status, flush=True, file=stream)


if __name__ == "__main__":
    owner = os.getppid()
    for stage in STAGES.values():
        importlib.import_module(stage.module)
        code_digest(stage.module)  # it remembers what it parsed
    for name in ("colour_demosaicing", "matplotlib.pyplot", "skimage.metrics", "sklearn.ensemble", "snakemake.cli"):
        importlib.import_module(name)
    keep_operations()
    cama.models.exported.export_scores(tiny_classifier("rgb"))  # the first one takes long
    gc.freeze()  # the memory of this process stays shared with its children
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        print("ready", flush=True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
        listener.settimeout(10)
        while os.getppid() == owner:  # which may be killed, and then stops nothing
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if not os.fork():
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection)
                os._exit(0)
            connection.close()
