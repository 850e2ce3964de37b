"""Many sizes, each timed briefly: ours, and those peers that are done in reasonable time."""

from __future__ import annotations

import itertools
import sys
import time
from dataclasses import replace
from typing import Any

import torch

from benchmarks.harness import Contender, interleave, ratio
from benchmarks.memory import allocated
from benchmarks.ops.compare import bytes_of, drawers, runner
from benchmarks.ops.declare import AGAIN, BOTH, FORWARD, INTO, OURS, Benchmark, Case, Drawer
from benchmarks.ops.gate import gate, right

LONGEST_CALL, MOST_BYTES = 1.0, 4e9  # of a peer, forward and backward
GATED_BATCH, ROUNDS = 2, 5


def too_large(benchmark: Benchmark, case: Case) -> dict[str, str]:
    """Peers that are left out of a case, and why: judged by one image of it."""
    single = replace(case, batch=1)
    problem = benchmark.problem(single, 0)
    found, _ = drawers(benchmark.operator, single, problem, compile_peers=False)
    reasons = {}
    for name in problem.peers:
        run = runner(found[name], problem, BOTH)
        run()
        peak = allocated(run)[0] * case.batch
        start = time.perf_counter()
        run()
        seconds = (time.perf_counter() - start) * case.batch
        if seconds > LONGEST_CALL:
            reasons[name] = f"would take {seconds:.1f} s a call"
        elif peak > MOST_BYTES:
            reasons[name] = f"would take {peak / 1e9:.1f} GB"
    return reasons


def cell(benchmark: Benchmark, case: Case) -> dict[str, Any]:
    """One case, on all threads."""
    left_out = too_large(benchmark, case)
    few = replace(case, batch=min(case.batch, GATED_BATCH))
    problem = benchmark.problem(few, 1)
    checked, _ = drawers(benchmark.operator, few, problem, compile_peers=False)
    errors = gate(benchmark.operator, few, problem, checked, [torch.get_num_threads()])
    problem = benchmark.problem(case, 0)
    kept = {name: peer for name, peer in problem.peers.items() if name not in left_out}
    problem = replace(problem, peers=kept)
    found, groups = drawers(benchmark.operator, case, problem, case in benchmark.compiled)
    result = found[OURS](*problem.leaves(gradients=False))
    timed: dict[str, Drawer] = {n: d for n, d in found.items() if n not in (AGAIN, INTO)}
    rows: list[dict[str, Any]] = []
    for what in (FORWARD, BOTH):
        contenders = [Contender(name, runner(draw, problem, what)) for name, draw in timed.items()]
        interleave(contenders, ROUNDS, warm_up=0.02)
        for row in contenders:
            summary = row.summary()
            moved = bytes_of(row.name, what, result, problem)
            gated = errors.get(row.name)
            rows.append({
                "what": what,
                "contender": row.name,
                "group": groups[row.name],
                "wall_ms": summary["wall_ms"]["min"],
                "cpu_ms": summary["cpu_ms"]["median"],
                "gb_per_s": float(f"{moved / summary['wall_ms']['min'] / 1e6:.4g}"),
                "times_wall": ratio(row, contenders[0], "wall")["of_minima"],
                "times_cpu": ratio(row, contenders[0], "cpu")["of_medians"],
                "right": gated is None
                or right(gated, case.dtype != "float32", row.name.startswith(OURS)),
            })  # fmt: skip
    return {"case": str(case), "rows": rows, "left_out": left_out}


def run_grid(benchmark: Benchmark) -> list[dict[str, Any]]:
    """Every case of the benchmark's grid."""
    cells = []
    for case in benchmark.grid:
        start = time.perf_counter()
        cells.append(cell(benchmark, case))
        said = f"{benchmark.operator}, grid: {case}: {time.perf_counter() - start:.0f} s"
        print(said, file=sys.stderr, flush=True)
    return cells


def grid_table(operator: str, cells: list[dict[str, Any]]) -> list[str]:
    """Per case and what: ours, and the fastest peer that is right."""
    heading = f"\n{operator}, grid, all threads"
    lines = [heading, f"{'':52} {'ms':>9} {'GB/s':>7} {'x wall':>8} {'x cpu':>8}  fastest peer"]
    for entry, what in itertools.product(cells, (FORWARD, BOTH)):
        rows = [row for row in entry["rows"] if row["what"] == what]
        ours = next(row for row in rows if row["contender"] == OURS)
        peers = [row for row in rows if row["group"] != OURS and row["right"]]
        name = f"{entry['case']}, {what}"
        line = f"{name:52} {ours['wall_ms']:9.3f} {ours['gb_per_s']:7.2f}"
        if peers:
            best = min(peers, key=lambda row: row["times_wall"])
            line += f" {best['times_wall']:8.1f} {best['times_cpu']:8.1f}  {best['contender']}"
        else:
            line += f" {'-':>8} {'-':>8}  every peer is too large or too slow"
        lines.append(line)
    return lines
