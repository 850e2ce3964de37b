"""The whole benchmark on a small case: figures, JSON, plot."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace

import pytest
import torch

from benchmarks.harness import interleave
from benchmarks.ops import bench_render_skeleton as bench
from benchmarks.ops import compare, grid, measure, prepare, run
from benchmarks.ops import report as reports
from benchmarks.ops.declare import EAGER, GRAPHS, OURS
from fastpose import _native
from tests.benchmarks.ops.made_up import declared, goal, made_up

SMALL = bench.Skeleton(2, 24)


@pytest.fixture
def small(monkeypatch):
    """render_skeleton's benchmark with one small case, a goal, and a grid of two cells."""
    goal = replace(bench.GOALS[2], case=SMALL)
    declared = replace(
        bench.BENCHMARK, cases=(SMALL,), goals=(goal,), grid=(SMALL, replace(SMALL, batch=3)),
        compiled=frozenset(),
    )  # fmt: skip
    monkeypatch.setattr(measure, "load", lambda operator: declared)
    monkeypatch.setattr(measure, "forbid_mmap", lambda: False)
    monkeypatch.setattr(measure, "thread_counts", lambda: [torch.get_num_threads()])
    return declared


@pytest.mark.timeout(240)  # seconds of work, but on a busy machine
def test_measure(small, tmp_path, capsys):
    flags = ["--grid", "--quick", "--command=a command"]
    assert measure.main(["render_skeleton", f"--out={tmp_path / 'deep'}", *flags]) == 0
    report = json.loads((tmp_path / "deep/render_skeleton_cpu.json").read_text())
    peers = small.problem(SMALL, 0).peers
    rows = report["results"]
    assert {r["contender"] for r in rows} >= {OURS, "fastpose again", "fastpose, out=", *peers}
    assert {r["contender"] for r in rows} >= {"memset", "read", "copy", "memset of new memory"}
    assert {r["what"] for r in rows} == {"forward", "forward and backward"}
    assert all(r["wall_ms"]["min"] > 0 and r["rounds"] == 3 and r["gb_per_s"] > 0 for r in rows)
    assert report["machine"]["torch"] == torch.__version__ and report["command"] == "a command"
    assert report["cases"][str(SMALL)]["memory"]["split"]["peak"] > SMALL.size**2 * 16 * 4
    assert report["goals"][0]["must"] == 200
    assert [len(cell["rows"]) for cell in report["grid"]] == [2 * (1 + len(peers))] * 2
    printed = capsys.readouterr().out
    assert "KeypointGAN" in printed and "fastest peer" in printed


STAND_IN = """
import json, pathlib, sys
operator, out, *flags = sys.argv[1:]
if operator == "soft_argmax":
    sys.exit("broken")
report = json.loads(pathlib.Path(__file__).with_name("report.json").read_text())
report |= dict(operator=operator, command=" ".join(flags))
folder = pathlib.Path(out.removeprefix("--out="))
(folder / f"{operator}_cpu.json").write_text(json.dumps(report))
"""


def test_one_that_fails_does_not_take_the_others_with_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "measure.py").write_text(STAND_IN)
    report = reports.finish(made_up(), declared(goal(EAGER, 5, 6)))
    report["machine"] |= dict(cores=2, torch="2", commit="abc", date="today", load=0.1)
    report["instruction_set"] = "avx512"
    (tmp_path / "report.json").write_text(json.dumps(report))
    monkeypatch.setattr(run, "module", lambda name: [sys.executable, tmp_path / f"{name}.py"])
    operators, out = ["anchor_loss", "soft_argmax", "boundary_loss"], tmp_path / "out"
    assert run.run(operators, out, 7, grid=False, quick=True, command="me") == ["soft_argmax"]
    names = {path.name for path in out.iterdir()}
    assert names == {"anchor_loss_cpu.json", "boundary_loss_cpu.json", "ops_cpu.png"}
    assert (out / "ops_cpu.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((out / "anchor_loss_cpu.json").read_text())
    assert found["command"] == "--rounds=7 --command=me --quick"
    printed = capsys.readouterr().out
    assert "soft_argmax: FAILED" in printed and printed.count("a row") == 2


def test_peers_are_compiled_once_for_each_number_of_threads(monkeypatch):
    started = []
    monkeypatch.setattr(run, "thread_counts", lambda: [1, 3])
    monkeypatch.setattr(run.subprocess, "Popen", lambda *a, **k: started.append(a[0]) or Done())
    monkeypatch.setattr(run.subprocess, "run", lambda *a, **k: Done())
    run.compile_all(["anchor_loss", "soft_argmax"])
    assert [command[2:] for command in started] == [
        ["benchmarks.ops.prepare", count, "anchor_loss", "soft_argmax"] for count in ("1", "3")
    ]


class Done:
    """A process that has ended."""

    returncode = 0

    def wait(self):
        return 0


def test_prepare_compiles_every_peer_both_ways(small, monkeypatch, capsys):
    """With a compiler that only notes what it is given."""
    compiled = []

    def note(draw, mode):
        def call(*leaves):
            compiled.append((draw, leaves[0].requires_grad))
            return draw(*leaves)

        return call

    monkeypatch.setattr(compare, "compiled", note)
    monkeypatch.setattr(prepare, "load", lambda operator: small)
    before = torch.get_num_threads()
    assert prepare.main([str(before), "render_skeleton"]) == 0
    peers = small.problem(SMALL, 0).peers.values()
    count = sum(len(set(peer.modes) - {GRAPHS}) for peer in peers)
    assert f"{count} peers compiled" in capsys.readouterr().err
    assert len(set(compiled)) == 2 * len(peers)


@pytest.mark.timeout(240)
def test_allocators_and_threads(small, tmp_path, monkeypatch):
    """Each allocator, each number of threads; what allocates nothing only once."""
    large = replace(SMALL, batch=3)
    declared = replace(small, cases=(SMALL, large), goals=())
    monkeypatch.setattr(measure, "load", lambda operator: declared)
    monkeypatch.setattr(measure, "forbid_mmap", lambda: True)
    monkeypatch.setattr(measure, "thread_counts", lambda: [1, 2])
    monkeypatch.setattr(measure, "Timing", lambda rounds: compare.Timing(2, 0, 0, 1))
    plain = compare.drawers
    monkeypatch.setattr(measure, "drawers", lambda *a: plain(*a[:3], compile_peers=False))
    report = measure.measure("render_skeleton", tmp_path, 5, False, False, "")
    found = {(r["case"], r["threads"], r["allocator"]) for r in report["results"]}
    assert found == {
        (case, threads, allocator)
        for case, threads in itertools.product((str(SMALL), str(large)), (1, 2))
        for allocator in ("default", "without mmap")
    }
    again = {r["contender"] for r in report["results"] if r["allocator"] != "default"}
    assert OURS in again and "split" in again and "memset" not in again


def test_every_comparison_is_with_the_widest_instruction_set(small, monkeypatch):
    """Whichever contender happened to be measured last in the one before."""
    if not _native.load()[0].loaded or _native.cpu_isa() == "scalar":
        pytest.skip("no two instruction sets")
    widest, used = _native.cpu_isa(), []
    problem = small.problem(SMALL, 0)
    found, groups = compare.drawers("render_skeleton", SMALL, problem, compile_peers=False)
    ours = found[OURS]
    drawn = {OURS: lambda *leaves: used.append(_native.cpu_isa()) or ours(*leaves)}

    def last_is(contenders, **_):
        interleave(contenders, 1, warm_up=0)
        used.clear()
        contenders[0].measure()
        assert set(used) == {widest}
        contenders[[c.name for c in contenders].index(f"{OURS}, scalar")].measure()
        for contender in contenders:
            contender.wall = contender.wall[:1]
            contender.cpu = contender.cpu[:1]
            contender.at = contender.at[:1]

    monkeypatch.setattr(compare, "interleave", last_is)
    rows = compare.compare(small, SMALL, (drawn, groups), "default", compare.Timing(1), [1])
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
