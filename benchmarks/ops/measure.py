"""The benchmark of one operator, in a process of its own: gate, then times with each allocator.

    python -m benchmarks.ops.measure OPERATOR --out FOLDER [--rounds N] [--grid] [--quick]

glibc's allocator can be told to keep large blocks but never to return to what it was, so everything
is timed with it as it is first, and then once more.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import forbid_mmap, machine
from benchmarks.ops.compare import LEFT_OUT, Drawers, Timing, compare, drawers, memory
from benchmarks.ops.declare import Benchmark, Case
from benchmarks.ops.gate import gate
from benchmarks.ops.grid import grid_table, run_grid
from benchmarks.ops.report import finish, table, write
from fastpose import _native

ALLOCATORS = ("default", "without mmap")
QUICK_ROUNDS = 3
Report = dict[str, Any]


def known_operators() -> list[str]:
    """Those that have a benchmark."""
    files = Path(__file__).parent.glob("bench_*.py")
    return sorted(path.stem.removeprefix("bench_") for path in files)


def load(operator: str) -> Benchmark:
    return importlib.import_module(f"benchmarks.ops.bench_{operator}").BENCHMARK


def thread_counts() -> list[int]:
    return list(dict.fromkeys((1, torch.get_num_threads())))


def check(benchmark: Benchmark, compile_peers: bool) -> tuple[Report, dict[Case, Drawers]]:
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


def measure(operator: str, out: Path, rounds: int, grid: bool, quick: bool, command: str) -> Report:
    """Check and time one operator; print the table, write the report to the folder `out`.

    Args:
        operator: name, with a file bench_<name>.py here.
        out: folder for <operator>_cpu.json.
        rounds: measurements of each contender that is not slow.
        grid: the grid of sizes too.
        quick: few rounds, neither torch.compile nor the allocator without mmap.
        command: what the user typed, for the record.
    """
    benchmark, start = load(operator), time.perf_counter()
    cases, drawn = check(benchmark, compile_peers=not quick)
    report: Report = {
        "operator": operator,
        "command": command,
        "machine": machine(),
        "rounds": QUICK_ROUNDS if quick else rounds,
        "instruction_set": _native.cpu_isa() if _native.load()[0].loaded else "reference",
        "left_out": LEFT_OUT,
        "cases": cases,
        "results": [],
    }
    timing = Timing(QUICK_ROUNDS, warm_up=0.01) if quick else Timing(rounds)
    for allocator in ALLOCATORS[: 1 if quick else 2]:
        if allocator != ALLOCATORS[0] and not forbid_mmap():
            continue
        for case in benchmark.cases:
            more = allocator == ALLOCATORS[0]  # kernels and ceilings allocate nothing large
            report["results"] += compare(
                benchmark, case, drawn[case], allocator, timing, thread_counts(), more
            )
    finish(report, benchmark)
    if grid:
        report["grid"] = run_grid(benchmark)
    report["machine"]["load_after"] = round(os.getloadavg()[0], 1)
    report["seconds"] = round(time.perf_counter() - start)
    print("\n".join(table(report)))
    if grid:
        print("\n".join(grid_table(operator, report["grid"])))
    write(report, out)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("operator")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--grid", action="store_true")
    parser.add_argument("--quick", action="store_true")
    by_hand = "python -m benchmarks.ops.measure"
    parser.add_argument("--command", default=by_hand, help="for the record")
    measure(**vars(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
