"""The benchmark of one operator or of all, each in a process of its own (`measure`): one that fails
does not take the others with it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT
from benchmarks.ops.measure import thread_counts
from benchmarks.ops.report import goal_table, write

Report = dict[str, Any]


def run(
    operators: Sequence[str], out: Path | None, rounds: int, grid: bool, quick: bool, command: str
) -> list[str]:
    """Time those operators, print the tables, write JSON and a plot to the folder `out`.

    Args:
        operators: names, each with a file bench_<name>.py here.
        out: folder; None writes nothing.
        rounds, grid, quick, command: see :func:`benchmarks.ops.measure.measure`.

    Returns:
        The operators that failed.
    """
    if not quick:
        compile_all(operators)
    flags = [f"--rounds={rounds}", f"--command={command}"]
    flags += ["--grid"] * grid + ["--quick"] * quick
    reports, failed = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for operator in operators:
            start = time.perf_counter()
            done = subprocess.run(
                [*module("measure"), operator, f"--out={scratch}", *flags], cwd=ROOT
            )
            if done.returncode:
                failed.append(operator)
            else:
                path = Path(scratch) / f"{operator}_cpu.json"
                reports.append(json.loads(path.read_text()))
                if out is not None:
                    write(reports[-1], out)
            said = "FAILED" if done.returncode else "done"
            print(f"\n{operator}: {said} after {time.perf_counter() - start:.0f} s", flush=True)
    print("\n".join(goal_table(reports)))
    if out is not None and reports:
        from benchmarks.ops.plot import plot

        plot(reports, out / "ops_cpu.png")
        print(f"\nwritten to {out}")
    return failed


def compile_all(operators: Sequence[str]) -> None:
    """Compile the peers of all operators, for all numbers of threads at a time.

    What fails here fails again when it is measured, and counts then.
    """
    start = time.perf_counter()
    jobs = [
        subprocess.Popen([*module("prepare"), str(count), *operators], cwd=ROOT)
        for count in thread_counts()
    ]
    for job in jobs:
        job.wait()
    print(f"peers compiled: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


def module(name: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.ops.{name}"]
