"""The benchmarks as pytest-benchmark sees them: ``pytest benchmarks/ops/bench_<op>.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from benchmarks.ops.compare import contenders, drawers
from benchmarks.ops.declare import BOTH, FORWARD, INTO, OURS, Benchmark
from benchmarks.ops.gate import gate


def speed_test(declared: Benchmark) -> Callable[..., None]:
    """A test per headline case, contender, and direction; each contender passes the gate first."""
    names = [
        (case, name)
        for case in declared.cases
        for name in (OURS, INTO, *declared.problem(case, 0).peers)
    ]

    @pytest.mark.parametrize("what", [FORWARD, BOTH])
    @pytest.mark.parametrize(
        ("case", "name"), names, ids=[f"{case}-{name}" for case, name in names]
    )
    def test(benchmark: Any, case: Any, name: str, what: str) -> None:
        problem = declared.problem(case, 0)
        found, _ = drawers(declared.operator, case, problem, compile_peers=False)
        if name not in found:
            pytest.skip("the operator's result is no image that could be written into a tensor")
        chosen = {name: found[name], OURS: found[OURS]}
        fresh = declared.problem(case, 1)
        gate(declared.operator, case, fresh, chosen, [torch.get_num_threads()])
        benchmark.group = f"{case}, {what}"
        row = next(c for c in contenders(chosen, problem, what) if c.name == name)
        row.warm_up(0.05)
        benchmark.pedantic(row.run, rounds=20, iterations=row.calls, warmup_rounds=2)

    return test
