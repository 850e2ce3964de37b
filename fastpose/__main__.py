"""``python -m fastpose`` is the same as ``fastpose``."""

import sys

from fastpose.cli import main

sys.exit(main())
