"""`python -m cama`."""

import sys

from cama.commands.cli import main

sys.exit(main())
