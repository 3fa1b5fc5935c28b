"""A process that has imported all that the stages need and forks for each command, so that a start costs nothing. It
reads commands (JSON lists) from standard input, and answers each with the child's process id, then with its status.
"""

import importlib
import json
import os
import sys

import torch._dynamo  # noqa: F401 (which optimisers import when the first is made, for seconds)

import cama.storage.checkpoints
from cama.commands.main import main
from cama.commands.stage import STAGES
from cama.workflow.code_inputs import code_digest

cama.storage.checkpoints.SAVE_EVERY_S = 0.03  # or a kill in so short a training would find it unsaved
for stage in STAGES.values():
    importlib.import_module(stage.module)
    code_digest(stage.module)  # it remembers what it parsed

for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            code = main(json.loads(line))
        except SystemExit as end:
            code = end.code
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 2
        sys.stderr.flush()
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
