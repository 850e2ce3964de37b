"""`structural_similarity` next to its compositions in PyTorch: one picture is trained, the other
given."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from benchmarks.ops import structural_similarity_peers as peers
from benchmarks.ops.declare import (
    AUTOTUNE,
    BOTH,
    COMPILED,
    DEFAULT,
    EAGER,
    FORWARD,
    GRAPHS,
    LIBRARY,
    PAPER,
    Benchmark,
    Drawer,
    Goal,
    Peer,
    Problem,
)
from benchmarks.ops.declare import Case as AnyCase
from benchmarks.ops.entry import speed_test
from fastpose.ops.samples import Sample, generator
from fastpose.ops.structural_similarity import WINDOWS
from fastpose.ops.structural_similarity.samples import pictures

GAUSSIAN, UNIFORM = "gaussian", "uniform"
EVERY_MODE = (DEFAULT, AUTOTUNE, GRAPHS)
Case = partial(AnyCase, count=3, counted="C")


def problem(case: AnyCase, seed: int, device: str = "cpu") -> Problem:
    """Pictures with light and dark areas and noise, half alike; one is always the same."""
    shape = (case.batch, case.count, case.size, case.size)
    other, y = (pictures(generator(i), shape, 1.0, 1.0)[0] for i in (seed, 1000))
    x, y = (
        t.to(device, case.torch_dtype).contiguous(memory_format=case.format)
        for t in ((other + y) / 2, y)
    )
    keywords = dict(window=case.kind, use_sample_covariance=False)

    def peer(compute: Drawer) -> Drawer:
        return lambda x: compute(x, y, WINDOWS[case.kind])

    found = {
        "five convolutions": Peer(peer(peers.plain), PAPER, EVERY_MODE),
        "separable convolutions": Peer(peer(peers.separable), EAGER, EVERY_MODE),
    }
    if case.kind == UNIFORM:
        found["five averages"] = Peer(peer(peers.box), EAGER, EVERY_MODE)
    else:

        def kornia(x: Tensor) -> Tensor:
            return peers.kornia_ssim(x, y)

        found["kornia ssim"] = Peer(kornia, LIBRARY)
    # The gradient is formed in the forward: the pictures need not be read again.
    return Problem(Sample(str(case), (x, y), keywords), (0,), found, image=False, rereads=False)


LOSS, METRIC = Case(kind=GAUSSIAN), Case(kind=UNIFORM)
GOALS = (
    Goal("SSIM, forward and backward: plain PyTorch", LOSS, BOTH, PAPER, 10, 30),
    Goal("SSIM, forward and backward: best eager", LOSS, BOTH, EAGER, 3, 10),
    Goal("SSIM, forward and backward: best compile", LOSS, BOTH, COMPILED, 1.5, 5),
    Goal("SSIM, forward: plain PyTorch", LOSS, FORWARD, PAPER, 10, 30),
    Goal("SSIM, 7x7, forward and backward: plain PyTorch", METRIC, BOTH, PAPER, 10),
    Goal("SSIM, 7x7, forward and backward: best compile", METRIC, BOTH, COMPILED, 1.5, 5),
)
GRID = (
    *(Case(b, s, kind=k) for k in (GAUSSIAN, UNIFORM) for b in (1, 16) for s in (64, 128, 256)),
    Case(16, count=1, kind=GAUSSIAN),
    Case(16, kind=GAUSSIAN, channels_last=True),
    Case(16, kind=GAUSSIAN, dtype="bfloat16"),
)
BENCHMARK = Benchmark("structural_similarity", problem, (LOSS, METRIC), GOALS, GRID)

test_structural_similarity = speed_test(BENCHMARK)
