"""`gaussian_kl` next to its formula in PyTorch."""

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
    Drawer,
    Goal,
    Peer,
    Problem,
)
from benchmarks.ops.declare import Case as AnyCase
from benchmarks.ops.entry import speed_test
from fastpose.ops.samples import Sample

PLAIN, BOUNDED = "", "free bits"
LEAST = 0.1
Case = partial(AnyCase, count=512, counted="D")


def problem(case: AnyCase, seed: int, device: str = "cpu") -> Problem:
    """Codes near enough to the prior that some coordinates are free."""
    drawn = 0.5 * case.random(2, case.batch, case.count, seed=seed)
    mean, log_variance = drawn.to(device, case.torch_dtype)

    def bounded(mean: Tensor, log_variance: Tensor) -> Tensor:
        return peers.free_bits(mean, log_variance, LEAST)

    formula: Drawer = bounded if case.kind == BOUNDED else peers.gaussian_kl
    keywords = dict(free_bits=LEAST if case.kind == BOUNDED else 0.0)
    return Problem(Sample(str(case), (mean, log_variance), keywords), (0, 1), {
        "formula": Peer(formula, EAGER, (DEFAULT, AUTOTUNE, GRAPHS)),
    }, image=False)  # fmt: skip


CODE, FREE = Case(16), Case(16, kind=BOUNDED)
GOALS = (
    Goal("KL, forward and backward: eager", CODE, BOTH, EAGER, 1, 2),
    Goal("KL, forward and backward: best compile", CODE, BOTH, COMPILED, 1.5),
    Goal("KL with free bits, forward and backward: eager", FREE, BOTH, EAGER, 1, 2),
    Goal("KL with free bits, forward and backward: best compile", FREE, BOTH, COMPILED, 1.5),
)
GRID = (
    *(Case(64, kind=k) for k in (PLAIN, BOUNDED)),
    Case(16, count=4096),
    Case(64, dtype="bfloat16"),
)
BENCHMARK = Benchmark("gaussian_kl", problem, (CODE, FREE), GOALS, GRID)

test_gaussian_kl = speed_test(BENCHMARK)
