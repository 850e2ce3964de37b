"""`boundary_loss` next to its formula in PyTorch."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from benchmarks.ops import pose_losses_peers as peers
from benchmarks.ops.declare import (
    AUTOTUNE,
    BOTH,
    COMPILED,
    DEFAULT,
    EAGER,
    GRAPHS,
    Benchmark,
    Goal,
    Peer,
    Problem,
)
from benchmarks.ops.declare import Case as AnyCase
from benchmarks.ops.entry import speed_test
from fastpose.ops.samples import Sample

BOUND = 1.0
Case = partial(AnyCase, count=32, counted="M")


def problem(case: AnyCase, seed: int, device: str = "cpu") -> Problem:
    """The anchors of a body's template, a third of them outside."""
    points = case.random(case.batch, case.count, 2, seed=seed).to(device, case.torch_dtype)

    def formula(points: Tensor) -> Tensor:
        return peers.boundary_loss(points, BOUND)

    return Problem(Sample(str(case), (points, BOUND)), (0,), {
        "formula": Peer(formula, EAGER, (DEFAULT, AUTOTUNE, GRAPHS)),
    }, image=False)  # fmt: skip


TEMPLATE = Case(16)
GOALS = (
    Goal("boundary loss, forward and backward: eager", TEMPLATE, BOTH, EAGER, 1, 1.5),
    Goal("boundary loss, forward and backward: best compile", TEMPLATE, BOTH, COMPILED, 1.5),
)
GRID = (Case(64), Case(256), Case(64, count=64), Case(64, dtype="bfloat16"))
BENCHMARK = Benchmark("boundary_loss", problem, (TEMPLATE,), GOALS, GRID)

test_boundary_loss = speed_test(BENCHMARK)
