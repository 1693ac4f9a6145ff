"""`python -m preheat`: the same as the command `preheat`."""

import sys

from preheat.cli import main

sys.exit(main())
