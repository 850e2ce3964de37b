"""How often each trial is made: a few times in the test suite, in full by ``make robustness``."""

from __future__ import annotations

import os

FULL = os.environ.get("FASTPOSE_ROBUSTNESS") == "full"


def count(few: int, many: int) -> int:
    """``many`` in full, else ``few``."""
    return many if FULL else few
