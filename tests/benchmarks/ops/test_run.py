"""The whole benchmark on a small case: figures, JSON, plot."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from benchmarks.harness import interleave
from benchmarks.ops import bench_render_skeleton as bench
from benchmarks.ops import compare, grid, run
from benchmarks.ops.declare import OURS
from fastpose import _native

SMALL = bench.Skeleton(2, 24)


@pytest.fixture
def small(monkeypatch):
    """render_skeleton's benchmark with one small case, a goal, and a grid of two cells."""
    goal = replace(bench.GOALS[2], case=SMALL)
    declared = replace(
        bench.BENCHMARK, cases=(SMALL,), goals=(goal,), grid=(SMALL, replace(SMALL, batch=3)),
        compiled=frozenset(),
    )  # fmt: skip
    monkeypatch.setattr(run, "load", lambda operator: declared)
    monkeypatch.setattr(run, "forbid_mmap", lambda: False)
    monkeypatch.setattr(run, "thread_counts", lambda: [torch.get_num_threads()])
    return declared


@pytest.mark.timeout(240)  # seconds of work, but on a busy machine
def test_run(small, tmp_path, capsys):
    out = tmp_path / "deep"
    run.run(["render_skeleton"], out, rounds=2, grid=True, quick=True, command="a command")
    report = json.loads((out / "render_skeleton_cpu.json").read_text())
    peers = small.problem(SMALL, 0).peers
    rows = report["results"]
    assert {r["contender"] for r in rows} >= {OURS, "fastpose again", "fastpose, out=", *peers}
    assert {r["contender"] for r in rows} >= {"memset", "read", "copy", "memset of new memory"}
    assert {r["what"] for r in rows} == {"forward", "forward and backward"}
    assert all(r["wall_ms"]["min"] > 0 and r["rounds"] == 2 and r["gb_per_s"] > 0 for r in rows)
    assert report["machine"]["torch"] == torch.__version__ and report["command"] == "a command"
    assert report["cases"][str(SMALL)]["memory"]["split"]["peak"] > SMALL.size**2 * 16 * 4
    assert report["goals"][0]["must"] == 200
    assert [len(cell["rows"]) for cell in report["grid"]] == [2 * (1 + len(peers))] * 2
    printed = capsys.readouterr().out
    assert "KeypointGAN" in printed and "goal" in printed and "fastest peer" in printed
    assert (out / "ops_cpu.png").read_bytes().startswith(b"\x89PNG")


def test_every_comparison_is_with_the_widest_instruction_set(small, monkeypatch):
    """Whichever contender happened to be measured last in the one before."""
    if not _native.load()[0].loaded or _native.cpu_isa() == "scalar":
        pytest.skip("no two instruction sets")
    widest, used = _native.cpu_isa(), []
    problem = small.problem(SMALL, 0)
    found, groups = compare.drawers("render_skeleton", SMALL, problem, compile_peers=False)
    ours = found[OURS]
    drawn = {OURS: lambda *leaves: used.append(_native.cpu_isa()) or ours(*leaves)}

    def last_is(contenders, rounds, warm_up):
        interleave(contenders, 1, warm_up=0)
        used.clear()
        contenders[0].measure()
        assert set(used) == {widest}
        contenders[[c.name for c in contenders].index(f"{OURS}, scalar")].measure()
        for contender in contenders:
            contender.wall = contender.wall[:1]
            contender.cpu = contender.cpu[:1]

    monkeypatch.setattr(compare, "interleave", last_is)
    rows = compare.compare(small, SMALL, (drawn, groups), "default", 1, [1])
    narrower = [r["what"] for r in rows if r["contender"] == f"{OURS}, scalar"]
    assert narrower == ["forward", "forward and backward"]
    assert _native.cpu_isa() == widest


def test_peers_that_would_take_too_long_or_too_much_are_left_out(small, monkeypatch):
    assert grid.too_large(small, SMALL) == {}
    monkeypatch.setattr(grid, "MOST_BYTES", 1e3)
    assert set(grid.too_large(small, SMALL)) == set(small.problem(SMALL, 0).peers)
    cell = grid.cell(small, SMALL)
    assert {row["contender"] for row in cell["rows"]} == {OURS}
    assert "would take" in cell["left_out"]["split"]
    assert "every peer is too large" in "\n".join(grid.grid_table("render_skeleton", [cell]))
