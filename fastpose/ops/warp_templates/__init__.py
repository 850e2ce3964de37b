"""Warp template images into maps by affine transformations, bilinearly."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import (
    check_like,
    check_numel,
    check_out,
    check_result_type,
    check_size,
    check_tensor,
)
from fastpose.ops.warp_templates import reference

MOST_TEXELS = 2**20  # along a side


def _fake(templates: Tensor, affine: Tensor, height: int, width: int, dtype: torch.dtype) -> Tensor:
    shape = (affine.shape[0], affine.shape[1], height, width)
    return affine.new_empty(shape, dtype=dtype)


def _fake_backward(
    grad_output: Tensor,
    templates: Tensor,
    affine: Tensor,
    needs_templates: bool,
    needs_affine: bool,
) -> tuple[Tensor, Tensor]:
    return (
        templates.new_empty(templates.shape if needs_templates else 0),
        affine.new_empty(affine.shape if needs_affine else 0),
    )


OPERATOR = registry.register(
    "warp_templates",
    forward=registry.Kernel(
        "(Tensor templates, Tensor affine, SymInt height, SymInt width, ScalarType dtype)"
        " -> Tensor",
        reference.forward,
        _fake,
    ),
    backward=registry.Kernel(
        "(Tensor grad_output, Tensor templates, Tensor affine, bool needs_templates,"
        " bool needs_affine) -> (Tensor grad_templates, Tensor grad_affine)",
        reference.backward,
        _fake_backward,
    ),
    into=registry.Kernel("(Tensor templates, Tensor affine, Tensor(a!) out) -> ()", reference.into),
)


def warp_templates(
    templates: Tensor,
    affine: Tensor,
    size: int | tuple[int, int],
    *,
    dtype: torch.dtype | None = None,
    out: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Move each template into the image by an affine map: I(p) = T(A^-1 (p - t)).

    Pixel p of map (b, k) takes the bilinear mixture of the four texels of template k around
    A^-1 (p - t), where [A | t] = affine[b, k] maps template pixels to image pixels. Texels outside
    of a template count 0, so that its border fades out within one texel. The same function as
    `kornia.geometry.warp_affine` of the same matrix, bilinear, zeros, ``align_corners=True``.

    Differentiable once, in both tensors; results and gradients are the same bytes on every call
    and for any number of threads. Where a source lies exactly between two texel squares, its
    derivative is that of the square to the right and below.

    Source: Schmidtke et al., Unsupervised Human Pose Estimation through Transforming Shape
    Templates, CVPR 2021 (eq. 3 and the warp that follows it).

    Args:
        templates: (K, h, w) float32 or float64, images that all of the batch share; 1 <= h, w <=
            2^20.
        affine: (B, K, 2, 3) of the same type, in pixels, (x, y): the centre of the first pixel is
            (0, 0) in templates and image. Any value is allowed. An affine map that is not finite
            or singular (|det A| at most 4 roundings of its two terms, or an inverse that is not
            finite in this type) gives a map of NaN, a gradient of NaN for itself, and one for
            all of its template.
        size: side of the square image, or (H, W); pixels, at least 1.
        dtype: of the result: float32, float64, bfloat16 or float16; None: that of `templates`.
        out: (B, K, H, W) tensor to write into, of one of those dtypes and any strides that do not
            overlap, such as a channel slice of a larger channels-last buffer. Gradients flow
            through the written part.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        (B, K, H, W), contiguous; or `out`. A texel that is not finite makes the pixels that see it
        not finite. A gradient that is not finite reaches only what would have moved its pixel.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    batch, maps, height, width = _check_call(templates, affine, size)
    shape = (batch, maps, height, width)
    check_numel("size", shape)
    if out is not None:
        check_out(out, "templates", templates.device, shape, dtype)
        return OPERATOR.write(out, templates, affine, height, width, out.dtype, backend=backend)
    check_result_type(dtype)
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    return run(templates, affine, height, width, dtype or templates.dtype)


def _check_call(templates: Any, affine: Any, size: Any) -> tuple[int, int, int, int]:
    """B, K, H, W."""
    shape = check_tensor("templates", templates, "(K, h, w)")
    batch, maps, _, _ = check_tensor("affine", affine, "(B, K, 2, 3)")
    check_like("affine", affine, "templates", templates)
    count, *sides = shape
    if min(sides) < 1 or max(sides) > MOST_TEXELS:
        raise ValueError(
            f"templates must have sides of 1 to {MOST_TEXELS} pixels, got {tuple(sides)}"
        )
    check_numel("templates", shape)
    if maps != count:
        raise ValueError(f"affine must have one map for each of the {count} templates, got {maps}")
    return batch, maps, *check_size(size)
