"""`anchor_loss` next to its formula in PyTorch."""

from __future__ import annotations

from functools import partial

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

Case = partial(AnyCase, count=17, counted="M")


def problem(case: AnyCase, seed: int, device: str = "cpu") -> Problem:
    """As many anchor pairs as a body's template has, some way apart."""
    a, b = case.random(2, case.batch, case.count, 2, seed=seed).to(device, case.torch_dtype)
    return Problem(Sample(str(case), (a, b)), (0, 1), {
        "formula": Peer(peers.anchor_loss, EAGER, (DEFAULT, AUTOTUNE, GRAPHS)),
    }, image=False)  # fmt: skip


TEMPLATE = Case(16)
GOALS = (
    Goal("anchor loss, forward and backward: eager", TEMPLATE, BOTH, EAGER, 1, 1.5),
    Goal("anchor loss, forward and backward: best compile", TEMPLATE, BOTH, COMPILED, 1.5),
)
GRID = (Case(64), Case(256), Case(64, count=64), Case(64, dtype="bfloat16"))
BENCHMARK = Benchmark("anchor_loss", problem, (TEMPLATE,), GOALS, GRID)

test_anchor_loss = speed_test(BENCHMARK)
