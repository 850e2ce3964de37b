"""What is compared computes the same: every peer passes the gate, and the gate can fail."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.ops import bench_render_skeleton as bench
from benchmarks.ops.skeleton_peers import PEERS

SMALL = bench.Case(2, 24, 16)


@pytest.mark.parametrize("case", [SMALL, bench.Case(1, 16, 120)], ids=str)
def test_all_pass_the_gate(case):
    errors = bench.gate(case, bench.drawers(case, compiled=False))
    assert {*PEERS, "fastpose"} <= set(errors)


def test_the_gate_fails_on_another_function():
    found = bench.drawers(SMALL, compiled=False)
    found["fastpose"] = lambda points: PEERS["split"](
        points, torch.tensor(bench.LIMBS), SMALL.size, 25.1, 1e-6
    )
    with pytest.raises(ValueError, match="fastpose is wrong on B=2 24x24 E=16"):
        bench.gate(SMALL, found)


def test_report(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "Case", lambda: SMALL)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(bench, "forbid_mmap", lambda: False)
    out = tmp_path / "deep" / "figures.json"
    bench.run(out, rounds=2, grid=False, compiled=False)
    report = json.loads(out.read_text())
    rows = report["results"]
    assert {r["contender"] for r in rows} >= {"fastpose", "fastpose again", *PEERS}
    assert {r["what"] for r in rows} == {"forward", "forward and backward"}
    assert all(r["wall_ms"]["min"] > 0 and r["rounds"] == 2 for r in rows)
    assert report["machine"]["torch"] == torch.__version__
    assert "x wall" in capsys.readouterr().out
