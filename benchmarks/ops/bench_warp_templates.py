"""`warp_templates` next to the libraries' warps, with matrices in pixels."""

from __future__ import annotations

import torch

from benchmarks.ops import render_gaussians_peers
from benchmarks.ops import warp_templates_peers as peers
from benchmarks.ops.declare import (
    AUTOTUNE,
    BOTH,
    COMPILED,
    DEFAULT,
    EAGER,
    GRAPHS,
    LIBRARY,
    Benchmark,
    Case,
    Drawer,
    Goal,
    Peer,
    Problem,
    next_to_avx512,
    next_to_memset,
)
from benchmarks.ops.entry import speed_test
from benchmarks.ops.scenes import affine_maps, ellipses, people
from fastpose.ops.samples import Sample

FIXED, LEARNED = "fixed templates", "learned templates"
ANALYTIC = "draws each moved Gaussian by its formula"


def problem(case: Case, seed: int, device: str = "cpu") -> Problem:
    """18 Gaussian blobs, as in the paper, or random pictures which get a gradient too."""
    size = case.size
    maps = render_gaussians_peers.in_pixels(affine_maps(case, seed), size).to(device)
    mean = (people(Case(1, count=case.count), 7)[0] * 0.5).to(device)
    covariance = ellipses((case.count,), 7).to(device)
    drawn = render_gaussians_peers.quadratic_form(mean[None], covariance[None], size)[0]
    keywords = dict(dtype=case.torch_dtype)
    if case.kind == LEARNED:
        pictures = torch.rand(
            case.count, size, size, generator=torch.Generator().manual_seed(seed)
        ).to(device)
        sample = Sample(str(case), (pictures, maps, (size, size)), keywords)

        def warped(warp: Drawer) -> Drawer:
            return lambda templates, affine: warp(templates, affine, size)

        return Problem(sample, (0, 1), {
            "kornia warp_affine": Peer(warped(peers.kornia_warp), LIBRARY, (DEFAULT,)),
            "affine_grid + grid_sample": Peer(warped(peers.grid_sample), LIBRARY, (DEFAULT,)),
        })  # fmt: skip

    def with_blobs(warp: Drawer) -> Drawer:
        return lambda affine: warp(drawn, affine, size)

    def analytic(affine: torch.Tensor) -> torch.Tensor:
        half = (size - 1) / 2
        linear, shift = affine[..., :2], affine[..., 2:]
        moved = torch.cat((linear, shift / half - 1 + linear.sum(-1, keepdim=True)), -1)
        return render_gaussians_peers.template_split(moved, mean, covariance, size)

    sample = Sample(str(case), (drawn, maps, (size, size)), keywords)
    return Problem(sample, (1,), {
        "kornia warp_affine": Peer(with_blobs(peers.kornia_warp), LIBRARY, (DEFAULT,)),
        "affine_grid + grid_sample": Peer(with_blobs(peers.grid_sample), LIBRARY, (DEFAULT,)),
        "gathered": Peer(with_blobs(peers.gathered), EAGER, (DEFAULT, AUTOTUNE, GRAPHS)),
        "analytic": Peer(analytic, EAGER, (DEFAULT,), ANALYTIC),
    })  # fmt: skip


BLOBS, PICTURES = Case(count=18, kind=FIXED), Case(count=18, kind=LEARNED)
GOALS = (
    Goal("warp, forward and backward: kornia", BLOBS, BOTH, "kornia warp_affine", 20, 35),
    Goal("warp, forward and backward: best compile", BLOBS, BOTH, COMPILED, 2.5, 4),
    Goal("warp of learned templates: kornia", PICTURES, BOTH, "kornia warp_affine", 20, 35),
    Goal("warp of learned templates: best compile", PICTURES, BOTH, COMPILED, 2.5, 4),
    next_to_memset("warp, forward, next to memset", BLOBS),
    next_to_avx512("warp: AVX2 next to AVX-512", BLOBS),
    next_to_avx512("warp of learned templates: AVX2 next to AVX-512", PICTURES),
)
GRID = (
    *(Case(b, s, 18, kind=FIXED) for b in (1, 16, 64) for s in (64, 128, 256)),
    Case(4, 512, 18, kind=FIXED),
    *(Case(16, count=k, kind=FIXED) for k in (12, 32)),
    *(Case(16, count=18, kind=FIXED, dtype=d, channels_last=c)
      for d, c in (("float32", True), ("bfloat16", False), ("bfloat16", True))),
)  # fmt: skip
BENCHMARK = Benchmark(
    "warp_templates",
    problem,
    (BLOBS, PICTURES),
    GOALS,
    GRID,
    compiled=frozenset({Case(64, 128, 18, kind=FIXED)}),
)

test_warp_templates = speed_test(BENCHMARK)
