"""A report with measurements that are made up."""

from __future__ import annotations

from benchmarks.ops.bench_render_skeleton import Skeleton
from benchmarks.ops.declare import BOTH, COMPILED, EAGER, Benchmark, Goal

CASE = Skeleton()
GOOD = {"output": {"l2": 1e-7}, "gradient": {"l2": 1e-6}}
BAD = {"output": {"l2": 1e-7}, "gradient": {"l2": 0.7}}


def row(contender, group, threads, allocator, wall, cpu):
    return {
        "case": str(CASE), "what": BOTH, "threads": threads, "allocator": allocator,
        "contender": contender, "group": group, "wall_ms": {"min": wall}, "cpu_ms": {"median": cpu},
        "gb_per_s": 6 / wall,
    }  # fmt: skip


def made_up(errors=GOOD, differs=None):
    """Ours takes 1 ms on two threads and 2 of CPU time on one."""
    results = []
    for allocator, slower in (("default", 2.0), ("without mmap", 1.0)):
        for threads in (1, 2):
            results += [
                row("fastpose", "fastpose", threads, allocator, 2.0 / threads, 2.0),
                row("split", EAGER, threads, allocator, 40.0 / threads * slower, 40.0 * slower),
                row("split, compiled", COMPILED, threads, allocator, 20.0 / threads, 30.0),
                row("memset", "ceiling", threads, allocator, 0.5, 0.5),
            ]
    return {
        "operator": "render_skeleton",
        "machine": {"cpu": "made up"},
        "cases": {
            str(CASE): {
                "errors": {"fastpose": GOOD, "split": GOOD, "split, compiled": errors},
                "rounded": False,
                "differs": differs or {},
                "memory": {"split": {"peak": 3_000_000}},
            }
        },
        "results": results,
    }


def declared(*goals):
    return Benchmark("render_skeleton", lambda *_: None, (CASE,), goals)  # type: ignore[arg-type]


def goal(against, must, stretch, **more):
    return Goal("a row", CASE, BOTH, against, must, stretch, **more)
