"""All mutants."""

from __future__ import annotations

from tests.mutants import (
    common,
    feature_distance_cpu,
    feature_distance_gpu,
    pose_losses,
    render_gaussians_cpu,
    render_gaussians_gpu,
    render_skeleton_cpu,
    render_skeleton_gpu,
    soft_argmax_cpu,
    soft_argmax_gpu,
    structural_similarity,
    warp_templates_cpu,
    warp_templates_gpu,
)
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *common.MUTANTS,
    *pose_losses.MUTANTS,
    *render_skeleton_cpu.MUTANTS,
    *render_skeleton_gpu.MUTANTS,
    *render_gaussians_cpu.MUTANTS,
    *render_gaussians_gpu.MUTANTS,
    *soft_argmax_cpu.MUTANTS,
    *soft_argmax_gpu.MUTANTS,
    *structural_similarity.MUTANTS,
    *warp_templates_cpu.MUTANTS,
    *warp_templates_gpu.MUTANTS,
    *feature_distance_cpu.MUTANTS,
    *feature_distance_gpu.MUTANTS,
)
