"""`least_squares_gan` next to its formula in PyTorch."""

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

REAL = 1.0
Case = partial(AnyCase, count=3, counted="scales")


def problem(case: AnyCase, seed: int, device: str = "cpu") -> Problem:
    """Scores of patches as a discriminator with several scales gives them."""
    sides = [max((case.size >> (3 + scale)) - 2, 1) for scale in range(case.count)]
    scores = [
        case.random(case.batch, 1, side, side, seed=seed + 10 * i).to(device, case.torch_dtype)
        for i, side in enumerate(sides)
    ]

    def formula(*scores: Tensor) -> Tensor:
        return peers.least_squares_gan(*scores, target=REAL)

    return Problem(Sample(str(case), (scores, REAL)), (0,), {
        "formula": Peer(formula, EAGER, (DEFAULT, AUTOTUNE, GRAPHS)),
    }, image=False)  # fmt: skip


SCALES = Case(16)
GOALS = (
    Goal("LSGAN over scales, forward and backward: eager", SCALES, BOTH, EAGER, 1, 1.5),
    Goal("LSGAN over scales, forward and backward: best compile", SCALES, BOTH, COMPILED, 1.5),
)
GRID = (Case(64), Case(16, 256), Case(16, count=1), Case(64, dtype="bfloat16"))
BENCHMARK = Benchmark("least_squares_gan", problem, (SCALES,), GOALS, GRID)

test_least_squares_gan = speed_test(BENCHMARK)
