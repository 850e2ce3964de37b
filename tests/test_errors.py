"""Names that are looked up, and what is said of those that are unknown."""

from __future__ import annotations

import pytest

from fastpose.errors import UserError, lookup, nearest

KNOWN = {"walking": 1, "waving": 2}


def test_the_nearest_name_is_proposed_if_it_is_near() -> None:
    assert nearest("wavin", KNOWN) == "; did you mean 'waving'?"
    assert nearest("sleeping people", KNOWN) == ""


def test_a_known_name_and_an_unknown_one() -> None:
    assert lookup("activity", "waving", KNOWN) == 2
    message = r"^no activity 'wakling' \(known: walking, waving\); did you mean 'walking'\?$"
    with pytest.raises(UserError, match=message):
        lookup("activity", "wakling", KNOWN)
