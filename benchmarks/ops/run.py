"""The benchmark of one operator or of all: gate, then times, in one process.

glibc's allocator can be told to keep large blocks but never to return to what it was, so everything
is timed with it as it is first, and then once more.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import forbid_mmap, machine
from benchmarks.ops.compare import compare, drawers, memory
from benchmarks.ops.declare import Benchmark
from benchmarks.ops.gate import gate
from benchmarks.ops.grid import grid_table, run_grid
from benchmarks.ops.report import finish, goal_table, table, write
from fastpose import _native

ALLOCATORS = ("default", "without mmap")
Report = dict[str, Any]


def known_operators() -> list[str]:
    """Those that have a benchmark."""
    files = Path(__file__).parent.glob("bench_*.py")
    return sorted(path.stem.removeprefix("bench_") for path in files)


def load(operator: str) -> Benchmark:
    return importlib.import_module(f"benchmarks.ops.bench_{operator}").BENCHMARK


def thread_counts() -> list[int]:
    return list(dict.fromkeys((1, torch.get_num_threads())))


def check(benchmark: Benchmark, compile_peers: bool) -> tuple[Report, dict[Any, Any]]:
    """Gate and memory of every case, and what is to be timed."""
    cases, found = {}, {}
    for case in benchmark.cases:
        problem = benchmark.problem(case, 0)
        found[case] = drawers(benchmark.operator, case, problem, compile_peers)
        fresh = benchmark.problem(case, 1)
        drawn = found[case][0]
        cases[str(case)] = {
            "errors": gate(benchmark.operator, case, fresh, drawn, thread_counts()),
            "rounded": case.dtype != "float32",
            "differs": {name: differs for name in drawn if (differs := problem.differs(name))},
            "memory": memory(drawn, problem),
        }
    return cases, found


def run(
    operators: Sequence[str], out: Path | None, rounds: int, grid: bool, quick: bool, command: str
) -> list[Report]:
    """Time those operators, print the tables, write JSON and a plot to the folder `out`.

    Args:
        operators: names, each with a file bench_<name>.py here.
        out: folder; None writes nothing.
        rounds: measurements of each contender.
        grid: the grid of sizes too.
        quick: neither torch.compile nor the allocator without mmap.
        command: what the user typed, for the record.
    """
    benchmarks = [load(operator) for operator in operators]
    reports: list[Report] = []
    found = []
    for benchmark in benchmarks:
        cases, drawn = check(benchmark, not quick)
        found.append(drawn)
        reports.append({
            "operator": benchmark.operator,
            "command": command,
            "machine": machine(),
            "rounds": rounds,
            "instruction_set": _native.cpu_isa() if _native.load()[0].loaded else "reference",
            "cases": cases,
            "results": [],
        })  # fmt: skip
    for allocator in ALLOCATORS[: 1 if quick else 2]:
        if allocator != ALLOCATORS[0] and not forbid_mmap():
            continue
        for benchmark, report, drawn in zip(benchmarks, reports, found, strict=True):
            for case in benchmark.cases:
                timed = compare(
                    benchmark, case, drawn[case], allocator, rounds, thread_counts(),
                    warm_up=0.01 if quick else 0.1,
                )  # fmt: skip
                report["results"] += timed
            finish(report, benchmark)
            if out is not None:
                write(report, out)
    for benchmark, report in zip(benchmarks, reports, strict=True):
        if grid:
            report["grid"] = run_grid(benchmark)
        report["machine"]["load_after"] = round(os.getloadavg()[0], 1)
        print("\n".join(table(report)))
        if grid:
            print("\n".join(grid_table(benchmark.operator, report["grid"])))
    print("\n".join(goal_table(reports)))
    if out is not None:
        _write_all(reports, out)
    return reports


def _write_all(reports: Sequence[Report], out: Path) -> None:
    from benchmarks.ops.plot import plot

    paths = [write(report, out) for report in reports]
    paths.append(plot(reports, out / "ops_cpu.png"))
    print("\nwritten: " + ", ".join(map(str, paths)))
