"""The table of rendering speeds has a row for each preset."""

from __future__ import annotations

import pytest

from benchmarks.synthetic_people import main
from fastpose.data.synthetic import PRESETS


def test_a_row_for_each_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sizes", "16", "--rounds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("load ")
    rows = [line.split("|")[1:3] for line in lines[3:]]
    assert [name.strip(" `") for name, _ in rows] == list(PRESETS)
    assert all(float(speed) > 1 for _, speed in rows)
