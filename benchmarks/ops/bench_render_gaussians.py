"""`render_gaussians` next to heatmaps, Gaussian templates and their warps in PyTorch."""

from __future__ import annotations

from benchmarks.ops import render_gaussians_peers as peers
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
    next_to_memset,
)
from benchmarks.ops.entry import speed_test
from benchmarks.ops.scenes import affine_maps, ellipses, people
from fastpose.ops.samples import Sample

HEATMAPS, ANISOTROPIC, TEMPLATES = "heatmaps", "anisotropic", "templates"
VARIANCE = 0.1**2 / 2  # IMM's exp(-|d|^2 / 0.1^2)
DRAWN = "samples a drawn template bilinearly"
EVERY_MODE = (DEFAULT, AUTOTUNE, GRAPHS)


def problem(case: Case, seed: int, device: str = "cpu") -> Problem:
    size, dtype = case.size, dict(dtype=case.torch_dtype)
    pair = (size, size)
    if case.kind == HEATMAPS:
        mean = people(case, seed).to(device)
        return Problem(Sample(str(case), (mean, VARIANCE, pair, None), dtype), (0,), {
            "IMM": Peer(lambda m: peers.imm(m, VARIANCE, size), PAPER, (DEFAULT,)),
            "split": Peer(lambda m: peers.split_isotropic(m, VARIANCE, size), EAGER, (DEFAULT,)),
            "separable": Peer(lambda m: peers.separable(m, VARIANCE, size), EAGER, EVERY_MODE),
        })  # fmt: skip
    if case.kind == ANISOTROPIC:
        inputs = people(case, seed).to(device), ellipses((case.batch, case.count), seed).to(device)
        return Problem(Sample(str(case), (*inputs, pair, None), dtype), (0, 1), {
            "quadratic form": Peer(
                lambda m, s: peers.quadratic_form(m, s, size), PAPER, (DEFAULT,)
            ),
            "split": Peer(lambda m, s: peers.split_anisotropic(m, s, size), EAGER, EVERY_MODE),
        })  # fmt: skip
    mean = (people(Case(1, count=case.count), 7)[0] * 0.5).to(device)
    covariance = ellipses((case.count,), 7).to(device)
    maps = affine_maps(case, seed).to(device)
    drawn = peers.quadratic_form(mean[None], covariance[None], size)[0]
    return Problem(Sample(str(case), (mean, covariance, pair, maps), dtype), (3,), {
        "kornia warp_affine": Peer(
            lambda a: peers.template_kornia(a, drawn, size), LIBRARY, (DEFAULT,), DRAWN
        ),
        "affine_grid + grid_sample": Peer(
            lambda a: peers.template_grid_sample(a, drawn, size), LIBRARY, (DEFAULT,), DRAWN
        ),
        "quadratic form": Peer(
            lambda a: peers.template_form(a, mean, covariance, size), EAGER, (DEFAULT,)
        ),
        "split": Peer(
            lambda a: peers.template_split(a, mean, covariance, size), EAGER, EVERY_MODE
        ),
    })  # fmt: skip


HEAT, LIMBS, PARTS = (
    Case(count=k, kind=kind)
    for kind, k in ((HEATMAPS, 17), (ANISOTROPIC, 17), (TEMPLATES, 18))
)  # fmt: skip
GOALS = (
    Goal("heatmaps, forward and backward: paper", HEAT, BOTH, PAPER, 22, 35),
    Goal("heatmaps, forward and backward: best compile", HEAT, BOTH, COMPILED, 3, 5),
    next_to_memset("heatmaps, forward, next to memset", HEAT),
    next_to_avx512("heatmaps: AVX2 next to AVX-512", HEAT),
    Goal("anisotropic, forward and backward: paper", LIMBS, BOTH, PAPER, 22, 35),
    Goal("anisotropic, forward and backward: best compile", LIMBS, BOTH, COMPILED, 3, 5),
    next_to_memset("anisotropic, forward, next to memset", LIMBS),
    next_to_avx512("anisotropic: AVX2 next to AVX-512", LIMBS),
    Goal("templates, forward and backward: kornia *", PARTS, BOTH, "kornia warp_affine", 20, 35),
    Goal("templates, forward and backward: best compile", PARTS, BOTH, COMPILED, 2.5, 4),
    next_to_memset("templates, forward, next to memset", PARTS),
    next_to_avx512("templates: AVX2 next to AVX-512", PARTS),
)
GRID = (
    *(Case(b, s, 17, kind=HEATMAPS) for b in (1, 16, 64) for s in (64, 128, 256)),
    *(Case(b, s, 18, kind=TEMPLATES) for b in (1, 16, 64) for s in (64, 128, 256)),
    Case(4, 512, 17, kind=HEATMAPS),
    Case(4, 512, 18, kind=TEMPLATES),
    *(Case(16, count=k, kind=ANISOTROPIC) for k in (12, 32)),
    *(Case(16, count=18, kind=TEMPLATES, dtype=d, channels_last=c)
      for d, c in (("float32", True), ("bfloat16", False), ("bfloat16", True))),
    *(Case(16, count=17, kind=HEATMAPS, dtype=d, channels_last=c)
      for d, c in (("float32", True), ("bfloat16", False), ("bfloat16", True))),
)  # fmt: skip
BENCHMARK = Benchmark(
    "render_gaussians",
    problem,
    (HEAT, LIMBS, PARTS),
    GOALS,
    GRID,
    compiled=frozenset({Case(64, 128, 17, kind=HEATMAPS), Case(64, 128, 18, kind=TEMPLATES)}),
)

test_render_gaussians = speed_test(BENCHMARK)
