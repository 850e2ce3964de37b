"""All mutants."""

from __future__ import annotations

from tests.mutants import common, render_skeleton_cpu, render_skeleton_gpu
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *common.MUTANTS,
    *render_skeleton_cpu.MUTANTS,
    *render_skeleton_gpu.MUTANTS,
)
