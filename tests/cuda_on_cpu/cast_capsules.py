"""The CUDA kernel of cast_capsules on the CPU, with the arguments of the public function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fastpose.ops.cast_capsules import CapsuleRays, Capsules, dense
from tests.cuda_on_cpu.kernels import assert_untouched, barriers, call, guarded, scheduled


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernel with the schedule that `seed` draws, perhaps without one barrier."""

    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers("cast_capsules")

    def __call__(
        self,
        capsules: Capsules,
        wide: int,
        *,
        first: tuple[float, float],
        step: float,
        texels: tuple[int, int],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        library = scheduled("cast_capsules", self.seed, self.removed_barrier)
        arrays = list(dense(capsules).values())
        frames, parts = capsules.near.shape
        size = frames * wide * wide
        news = [guarded(size, torch.float32) for _ in range(3)]
        addresses = [a.ctypes.data for a in arrays] + [flat.data_ptr() for flat, _ in news]
        call(library.cast, CapsuleRays(frames, parts, wide, *texels, *first, step, *addresses))
        for _, whole in news:
            assert_untouched(whole, size)
        depth, texel, light = (flat.numpy().reshape(frames, wide, wide) for flat, _ in news)
        return depth, texel.view(np.int32), light
