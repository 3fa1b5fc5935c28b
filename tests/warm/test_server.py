"""What the warm server starts ends as a process of its own would."""

import os
import time

from tests.warm import server
from tests.warm.start.sitecustomize import Child


def start(module: str, *arguments: str) -> Child:
    with open(os.devnull, "r+b") as nothing:
        return Child(server(), module, list(arguments), [nothing.fileno()] * 3)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_command_gives_its_status():
    assert start("timeit", "-n", "1", "pass").status() == 0
    assert start("timeit", "-n", "1", "raise ValueError").status() == 1


def test_a_command_that_nobody_waits_for_is_killed():
    child = start("timeit", "-n", "1", "import time; time.sleep(600)")
    assert alive(child.process)
    child.stream.close()
    until = time.monotonic() + 20
    while alive(child.process) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(child.process)
