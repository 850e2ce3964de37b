"""The one exception that a user is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: it names the thing, says what was expected and how to cure it. Where
    several things were tried and none can be used, it is one line each. The command line prints
    each line after ``fastpose: error:`` and exits with code 2.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the known name closest to ``name``, or an empty string."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean '{match[0]}'?" if match else ""


def lookup(kind: str, name: str, known: Mapping[str, T]) -> T:
    """``known[name]``; UserError with all names and the nearest where it is unknown."""
    if name not in known:
        raise UserError(f"no {kind} '{name}' (known: {', '.join(known)}){nearest(name, known)}")
    return known[name]
