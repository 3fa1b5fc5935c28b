"""`python -m cama`."""

import sys

from cama.cli import main

sys.exit(main())
