"""``python -m impasto.cli``."""

import sys

from . import program

sys.exit(program())
