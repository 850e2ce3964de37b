"""The tables of rendering speeds have a row for each preset, and a column for each caster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import synthetic_people
from benchmarks.synthetic_people import Caster, casters, main, rays_alone, widest
from fastpose import _native
from fastpose.data.synthetic import PRESETS


def test_tables_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.json"
    assert main(["--sizes", "16", "--rounds", "1", "--rays", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("load ")
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| `")]
    assert [row[0].strip(" `") for row in rows] == 2 * list(PRESETS)
    report = json.loads(out.read_text())
    for unit, who in (("frames", widest(casters())), ("rays", casters())):
        assert len(report[unit]) == len(PRESETS) * len(who)
        assert {row["caster"] for row in report[unit]} == {caster.name for caster in who}
        for row in report[unit]:
            assert row[f"{unit}_per_s"] > 0 and row["rounds"] == 1
            if row["caster"] == "numpy":
                assert row["times_numpy"]["of_medians"] == 1
    # 16 x 16 pixels of 2 x 2 samples, the frames of a block.
    rays = {row["preset"]: row["rays"] for row in report["rays"]}
    assert rays["everyday"] == 32 * 32**2 and rays["fashion"] == 32**2
    if _native.load()[0].loaded:
        assert _native.cpu_isa() == casters()[-1].isa or len(casters()) == 1


def test_casters_that_differ_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = synthetic_people.cast_capsules

    def wrong(*arguments: Any, **options: Any) -> tuple[np.ndarray, ...]:
        depth, texel, light = cast(*arguments, **{**options, "backend": "reference"})
        return depth, texel + (options["backend"] == "cpu"), light

    monkeypatch.setattr(synthetic_people, "cast_capsules", wrong)
    both = [Caster("numpy", "reference"), Caster("other", "cpu")]
    with pytest.raises(RuntimeError, match="other differs from numpy on 'everyday'"):
        rays_alone(16, both)
