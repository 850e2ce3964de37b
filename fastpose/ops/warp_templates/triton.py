"""`warp_templates` in Triton: for GPUs where the CUDA library is missing. Not yet run on a GPU."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
from torch import Tensor

from fastpose.ops.triton import ONE_WARP, on_device_of
from fastpose.ops.warp_templates import triton_kernels as kernels

TILE_X, TILE_Y = 32, 8
TEXELS = 64


def into(templates: Tensor, affine: Tensor, out: Tensor) -> None:
    """Draw into `out`, (B, K, H, W) with any strides."""
    batch, count, height, width = out.shape
    columns = triton.cdiv(width, TILE_X)
    tiles = columns * triton.cdiv(height, TILE_Y)
    with on_device_of("affine", affine):
        if batch * count == 0:
            return
        kernels.forward_kernel[(batch * count * tiles,)](
            templates.contiguous(), affine, out, *affine.stride(), *out.stride(), count,
            *templates.shape[1:], height, width, columns, tiles,
            TILE_X=TILE_X, TILE_Y=TILE_Y, **ONE_WARP,
        )  # fmt: skip


def forward(
    templates: Tensor, affine: Tensor, height: int, width: int, dtype: torch.dtype
) -> Tensor:
    """The maps (B, K, H, W) of type `dtype`."""
    out = affine.new_empty((*affine.shape[:2], height, width), dtype=dtype)
    into(templates, affine, out)
    return out


def backward(
    grad_output: Tensor,
    templates: Tensor,
    affine: Tensor,
    needs_templates: bool,
    needs_affine: bool,
) -> tuple[Tensor, Tensor]:
    """The gradients of templates and maps; the same bytes on every call."""
    with on_device_of("affine", affine):
        return (
            _grad_templates(grad_output, templates, affine)
            if needs_templates
            else templates.new_empty(0),
            _grad_affine(grad_output, templates, affine) if needs_affine else affine.new_empty(0),
        )


def _grad_affine(grad_output: Tensor, templates: Tensor, affine: Tensor) -> Tensor:
    batch, count, height, width = grad_output.shape
    grad_affine = affine.new_empty(affine.shape)
    bands = triton.cdiv(height, TILE_Y)
    partial = affine.new_empty((batch * count, bands, kernels.SUMS.value))
    if batch * count > 0:
        kernels.backward_kernel[(batch * count * bands,)](
            grad_output, templates.contiguous(), affine, partial, *affine.stride(),
            *grad_output.stride(), count, *templates.shape[1:], height, width, bands,
            TILE_X=TILE_X, TILE_Y=TILE_Y, **ONE_WARP,
        )  # fmt: skip
        kernels.finish_kernel[(batch * count,)](
            partial, affine, grad_affine, *affine.stride(), count, bands, **ONE_WARP
        )
    return grad_affine


def _grad_templates(grad_output: Tensor, templates: Tensor, affine: Tensor) -> Tensor:
    batch, count, height, width = grad_output.shape
    grad_templates = templates.new_empty(templates.shape)
    groups = triton.cdiv(templates.shape[1] * templates.shape[2], TEXELS)
    if count > 0:
        kernels.templates_kernel[(count * groups,)](
            grad_output, affine, grad_templates, *affine.stride(), *grad_output.stride(), batch,
            *templates.shape[1:], height, width, groups, TEXELS=TEXELS, **ONE_WARP,
        )  # fmt: skip
    return grad_templates
