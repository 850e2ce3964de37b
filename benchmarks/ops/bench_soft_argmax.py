"""`soft_argmax` next to its compositions in PyTorch."""

from __future__ import annotations

from benchmarks.ops import soft_argmax_peers as peers
from benchmarks.ops.declare import (
    AUTOTUNE,
    BOTH,
    COMPILED,
    DEFAULT,
    EAGER,
    GRAPHS,
    LIBRARY,
    PAPER,
    Benchmark,
    Case,
    Goal,
    Peer,
    Problem,
    next_to_avx512,
)
from benchmarks.ops.entry import speed_test
from fastpose.ops.samples import Sample

JOINT, MARGINAL = "joint", "marginal"
EVERY_MODE = (DEFAULT, AUTOTUNE, GRAPHS)


def problem(case: Case, seed: int, device: str = "cpu") -> Problem:
    """Maps with noise and one bump of 8 each, so that neither is the softmax flat nor one pixel."""
    noise = case.random(case.batch, case.count, case.size, case.size, seed=seed)
    centre = case.random(case.batch, case.count, 2, seed=seed + 10) * 0.3
    side = 2 * (noise.new_tensor(range(case.size)) / (case.size - 1)) - 1
    x, y = ((side - centre[..., i, None]).square() for i in range(2))
    logits = noise + 8 * (-(x[:, :, None] + y[..., None]) / (2 * 0.15**2)).exp()
    logits = logits.to(device, case.torch_dtype).contiguous(memory_format=case.format)
    sample = Sample(str(case), (logits,), dict(mode=case.kind))
    if case.kind == MARGINAL:
        # The gradient is an outer sum of two rows: the logits need not be read again.
        return Problem(sample, (0,), {
            "KeypointGAN": Peer(peers.keypoint_gan, PAPER, EVERY_MODE),
        }, image=False, rereads=False)  # fmt: skip
    return Problem(sample, (0,), {
        "grid product": Peer(peers.grid_product, PAPER, (DEFAULT,)),
        "softmax + marginals": Peer(peers.marginal_sums, EAGER, EVERY_MODE),
        "softmax + matrix product": Peer(peers.matrix_product, EAGER, (DEFAULT,)),
        "unnormalised": Peer(peers.unnormalised, EAGER, (DEFAULT,)),
        "kornia spatial_soft_argmax2d": Peer(peers.kornia_soft_argmax, LIBRARY, (DEFAULT,)),
    }, image=False)  # fmt: skip


WHOLE, SIDES = Case(count=17, kind=JOINT), Case(count=17, kind=MARGINAL)
GOALS = (
    Goal("soft-argmax, forward and backward: best eager", WHOLE, BOTH, EAGER, 2),
    Goal("soft-argmax, forward and backward: grid", WHOLE, BOTH, "grid product", 30),
    Goal("soft-argmax, forward and backward: best compile", WHOLE, BOTH, COMPILED, 2, 3),
    next_to_avx512("soft-argmax: AVX2 next to AVX-512", WHOLE),
    Goal("marginal soft-argmax, forward and backward: paper", SIDES, BOTH, PAPER, 2),
    Goal("marginal soft-argmax, forward and backward: best compile", SIDES, BOTH, COMPILED, 2, 3),
    next_to_avx512("marginal soft-argmax: AVX2 next to AVX-512", SIDES),
)
GRID = (
    *(Case(b, s, 17, kind=k) for k in (JOINT, MARGINAL) for b in (1, 16, 64)
      for s in (16, 64, 128)),
    *(Case(b, 256, 17, kind=k) for k in (JOINT, MARGINAL) for b in (1, 16)),
    Case(4, 512, 17, kind=JOINT),
    *(Case(16, count=n, kind=JOINT) for n in (12, 32)),
    *(Case(16, count=17, kind=k, dtype=d, channels_last=c) for k in (JOINT, MARGINAL)
      for d, c in (("float32", True), ("bfloat16", False))),
)  # fmt: skip
BENCHMARK = Benchmark(
    "soft_argmax",
    problem,
    (WHOLE, SIDES),
    GOALS,
    GRID,
    compiled=frozenset({Case(64, 128, 17, kind=JOINT), Case(64, 16, 17, kind=MARGINAL)}),
)

test_soft_argmax = speed_test(BENCHMARK)
