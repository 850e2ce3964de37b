"""Fills the cache of torch.compile, so that timing does not wait for the C++ compiler.

    python -m benchmarks.ops.prepare THREADS OPERATOR...

Compiled code is for one number of threads; for several, run one process each, side by side.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import torch

from benchmarks.ops.compare import drawers, runner
from benchmarks.ops.declare import BOTH, COMPILED, FORWARD
from benchmarks.ops.measure import load


def prepare(operator: str) -> int:
    """Compile every peer of the headline's cases; how many there are."""
    benchmark, count = load(operator), 0
    for case in benchmark.cases:
        problem = benchmark.problem(case, 0)
        found, groups = drawers(operator, case, problem, compile_peers=True)
        for name in (name for name in found if groups[name] == COMPILED):
            for what in (BOTH, FORWARD):
                runner(found[name], problem, what)()
            count += 1
    return count


def main(arguments: Sequence[str]) -> int:
    torch.set_num_threads(int(arguments[0]))
    for operator in arguments[1:]:
        start = time.perf_counter()
        try:
            said = f"{operator}: {prepare(operator)} peers compiled for {arguments[0]} threads"
        except Exception as error:  # of any kind: the others are prepared nevertheless
            said = f"{operator}: {error}"
        print(f"{said}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
