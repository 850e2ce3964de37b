"""Triton owner of cast_capsules."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import torch
import triton
from torch import Tensor

from fastpose.ops.cast_capsules import triton_kernels as kernels
from fastpose.ops.triton import on_device_of

BLOCK = 128
# Nothing fused: see the kernels.
OPTIONS = dict(num_warps=4, enable_fp_fusion=False)


def cast(
    arrays: dict[str, Tensor],
    wide: int,
    first: tuple[float, float],
    step: float,
    texels: tuple[int, int],
    depth: Tensor,
    texel: Tensor,
    light: Tensor,
) -> None:
    """Draw into ``depth``, ``texel`` and ``light`` (T,W,W); see ``cast_capsules``.

    Args:
        arrays: those of ``Capsules`` by name, without gaps.
    """
    frames, parts = arrays["near"].shape
    if frames == 0:
        return
    numbers = torch.tensor([*first, step], dtype=torch.float64, device=depth.device)
    with on_device_of("near", depth):
        kernels.cast_kernel[(frames * wide, triton.cdiv(wide, BLOCK))](
            **arrays, depth_out=depth, texel_out=texel, light_out=light, left=numbers[0:],
            top=numbers[1:], step=numbers[2:], parts=parts, wide=wide, texels_along=texels[0],
            texels_around=texels[1], BLOCK=BLOCK, **OPTIONS,
        )  # fmt: skip
