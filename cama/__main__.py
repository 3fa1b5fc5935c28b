"""`python -m cama`."""

import sys

from cama.commands.main import main

sys.exit(main())
