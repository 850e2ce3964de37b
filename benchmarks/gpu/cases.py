"""What is timed on the GPU: sizes of training and of large drawings, and the ratios wanted there.

The goals stand next to the peers they are about; a case without a goal is published all the same.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.ops import bench_feature_distance as perceptual
from benchmarks.ops import bench_structural_similarity as similarity
from benchmarks.ops.bench_render_gaussians import ANISOTROPIC, HEATMAPS, TEMPLATES
from benchmarks.ops.bench_soft_argmax import JOINT, MARGINAL
from benchmarks.ops.bench_warp_templates import FIXED
from benchmarks.ops.declare import BOTH, COMPILED, EAGER, FORWARD, PAPER, Case, Goal

Skeleton = partial(Case, counted="E")
S16, S64 = Skeleton(16), Skeleton(64)
S256, S512 = Skeleton(64, 256), Skeleton(64, 512)
DENSE, DENSEST = Skeleton(64, count=120), Skeleton(64, count=496)
JOINT_MAPS, MARGINAL_MAPS = (Case(64, 256, 17, kind=k) for k in (JOINT, MARGINAL))
BLOBS = Case(64, 256, 18, kind=FIXED)
HEAT, LIMBS = (Case(64, 256, 17, kind=k) for k in (HEATMAPS, ANISOTROPIC))
PARTS = Case(64, 256, 18, kind=TEMPLATES)
SQUARES, ABSOLUTES, MASKED = (
    perceptual.Case(64, kind=k)
    for k in (perceptual.SQUARES, perceptual.ABSOLUTES, perceptual.MASKED)
)
NARROW = replace(SQUARES, dtype="bfloat16", channels_last=True)
LIKENESS, METRIC = (
    similarity.Case(64, 256, kind=k) for k in (similarity.GAUSSIAN, similarity.UNIFORM)
)
ANCHORS, EDGES = Case(64, count=17, counted="M"), Case(64, count=32, counted="M")
CODE = Case(64, count=512, counted="D")
SCORES = Case(64, count=3, counted="scales")

CASES: dict[str, tuple[Case, ...]] = {
    "render_skeleton": (
        S16,
        S64,
        S256,
        S512,
        DENSE,
        DENSEST,
        Skeleton(64, 256, dtype="bfloat16"),
    ),
    "render_gaussians": (
        HEAT,
        replace(HEAT, dtype="bfloat16", channels_last=True),
        LIMBS,
        PARTS,
        replace(PARTS, dtype="bfloat16", channels_last=True),
    ),
    "soft_argmax": (JOINT_MAPS, MARGINAL_MAPS, Case(64, 16, 17, kind=MARGINAL)),
    "warp_templates": (BLOBS, replace(BLOBS, dtype="bfloat16", channels_last=True)),
    "feature_distance": (SQUARES, ABSOLUTES, MASKED, NARROW),
    "structural_similarity": (
        LIKENESS,
        METRIC,
        replace(LIKENESS, dtype="bfloat16", channels_last=True),
    ),
    "anchor_loss": (ANCHORS,),
    "boundary_loss": (EDGES,),
    "gaussian_kl": (CODE, replace(CODE, kind="free bits")),
    "least_squares_gan": (SCORES,),
}
REHEARSED = {
    "render_skeleton": (Skeleton(1, 16, 4),),
    "render_gaussians": tuple(Case(1, 16, 2, kind=k) for k in (HEATMAPS, ANISOTROPIC, TEMPLATES)),
    "soft_argmax": (Case(1, 16, 2, kind=JOINT),),
    "warp_templates": (Case(1, 16, 2, kind=FIXED),),
    "feature_distance": (perceptual.Case(1, 16, kind=perceptual.MASKED),),
    "structural_similarity": tuple(
        similarity.Case(1, 16, kind=k) for k in (similarity.GAUSSIAN, similarity.UNIFORM)
    ),
    "anchor_loss": (Case(2, count=3, counted="M"),),
    "boundary_loss": (Case(2, count=3, counted="M"),),
    "gaussian_kl": (Case(2, count=8, counted="D", kind="free bits"),),
    "least_squares_gan": (Case(2, 32, 2, counted="scales"),),
}
GOALS: tuple[Goal, ...] = (
    Goal("skeleton, batch 16", S16, BOTH, PAPER, 60, 100),
    Goal("skeleton, batch 16, forward", S16, FORWARD, COMPILED, 1.5, 3),
    Goal("skeleton, batch 16", S16, BOTH, COMPILED, 8, 15),
    Goal("skeleton, batch 64", S64, BOTH, PAPER, 130, 200),
    Goal("skeleton, 256x256", S256, BOTH, PAPER, 250, 350),
    Goal("skeleton, 256x256", S256, BOTH, COMPILED, 15, 40),
    Goal("skeleton, 512x512", S512, BOTH, PAPER, 250, 400),
    Goal("skeleton, 512x512", S512, BOTH, COMPILED, 20, 50),
    Goal("skeleton, 120 limbs", DENSE, BOTH, PAPER, 200, 500),
    Goal("skeleton, 496 limbs", DENSEST, BOTH, COMPILED, 20),
    Goal("heatmaps", HEAT, BOTH, PAPER, 7),
    Goal("heatmaps, forward", HEAT, FORWARD, COMPILED, 1),
    Goal("heatmaps", HEAT, BOTH, COMPILED, 1.3, 2),
    Goal("moved templates *", PARTS, BOTH, "kornia warp_affine", 15, 20),
    Goal("moved templates *", PARTS, BOTH, "affine_grid + grid_sample", 8, 10),
    Goal("moved templates", PARTS, BOTH, COMPILED, 1.3, 2),
    Goal("soft-argmax", JOINT_MAPS, BOTH, "softmax + marginals", 2.4),
    Goal("soft-argmax, grid", JOINT_MAPS, BOTH, "grid product", 4.5),
    Goal("soft-argmax", JOINT_MAPS, BOTH, COMPILED, 1.3, 1.8),
    Goal("bilinear warp", BLOBS, BOTH, "kornia warp_affine", 12),
    Goal("perceptual L2", SQUARES, BOTH, "KeypointGAN", 1.5, 2),
    Goal("perceptual L2", SQUARES, BOTH, COMPILED, 1.3, 1.8),
    Goal("perceptual L1", ABSOLUTES, BOTH, "KeypointGAN", 3.5),
    Goal("masked perceptual L2", MASKED, BOTH, "stacked", 5),
    Goal("perceptual L2, bfloat16", NARROW, BOTH, COMPILED, 1.3, 1.8),
    Goal("SSIM", LIKENESS, BOTH, PAPER, 10, 20),
    Goal("SSIM", LIKENESS, BOTH, COMPILED, 1.5, 3),
    Goal("SSIM, 7x7", METRIC, BOTH, COMPILED, 1.5, 3),
    Goal("anchor loss", ANCHORS, BOTH, EAGER, 1, 1.5),
    Goal("boundary loss", EDGES, BOTH, EAGER, 1, 1.5),
    Goal("KL", CODE, BOTH, EAGER, 1, 1.5),
    Goal("LSGAN over scales", SCORES, BOTH, EAGER, 1, 3),
)
