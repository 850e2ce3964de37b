"""Draw Gaussians of peak 1, one to a map: heatmaps, anisotropic blobs, templates moved by affine
maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import (
    check_like,
    check_number,
    check_numel,
    check_out,
    check_result_type,
    check_size,
    check_tensor,
)
from fastpose.ops.render_gaussians import reference

_INPUTS = "Tensor mean, Tensor? covariance, Tensor? affine"


def _maps(mean: Tensor, affine: Tensor | None) -> tuple[int, int]:
    """(B, K)."""
    batched = mean if affine is None else affine
    return batched.shape[0], batched.shape[1]


def _fake(
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    height: int,
    width: int,
    variance: float,
    jitter: float,
    dtype: torch.dtype,
) -> Tensor:
    return mean.new_empty((*_maps(mean, affine), height, width), dtype=dtype)


def _fake_backward(
    grad_output: Tensor,
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    variance: float,
    jitter: float,
    *needs: bool,
) -> tuple[Tensor, ...]:
    return tuple(
        mean.new_empty(0 if value is None or not needed else value.shape)
        for value, needed in zip((mean, covariance, affine), needs, strict=True)
    )


OPERATOR = registry.register(
    "render_gaussians",
    forward=registry.Kernel(
        f"({_INPUTS}, SymInt height, SymInt width, float variance, float jitter, ScalarType dtype)"
        " -> Tensor",
        reference.forward,
        _fake,
    ),
    backward=registry.Kernel(
        f"(Tensor grad_output, {_INPUTS}, float variance, float jitter, bool needs_mean,"
        " bool needs_covariance, bool needs_affine)"
        " -> (Tensor grad_mean, Tensor grad_covariance, Tensor grad_affine)",
        reference.backward,
        _fake_backward,
    ),
    into=registry.Kernel(
        f"({_INPUTS}, float variance, float jitter, Tensor(a!) out) -> ()", reference.into
    ),
)


def render_gaussians(
    mean: Tensor,
    covariance: Tensor | float,
    size: int | tuple[int, int],
    affine: Tensor | None = None,
    *,
    jitter: float = 0.0,
    dtype: torch.dtype | None = None,
    out: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Draw Gaussians of peak 1: g(u) = exp(-1/2 (u - m)^T S^-1 (u - m)), one map for each.

    Units are normalised and corner aligned, (x, y): pixel p of a side of n > 1 lies at
    u = 2 p / (n - 1) - 1, the only pixel of a side of 1 at 0. Without `affine`, m and
    S = (C + C^T) / 2 + jitter I are `mean` and `covariance` C. With it these two are a template
    that affine maps (A, t) move: m = A c + t, S = A (C + C^T) / 2 A^T + jitter I, which is the
    template itself warped. Differentiable once, in `mean`, `covariance` (symmetric gradient) and
    `affine`; results and gradients are the same bytes on every call and for any number of threads.

    Source: Schmidtke et al. 2021, "Unsupervised human pose estimation through transforming shape
    templates" (the templates), Jakab et al. 2018, "Unsupervised learning of object landmarks
    through conditional image generation", equation 2 (isotropic heatmaps).

    Args:
        mean: (B, K, 2), or (K, 2) with `affine`; float32 or float64, normalised, (x, y). Any value
            is allowed, off the image too.
        covariance: of the type of `mean`, normalised units squared: (B, K, 2, 2) or what broadcasts
            to it, such as (K, 2, 2) or (2, 2); with `affine` (K, 2, 2) or what broadcasts to that.
            Or a number > 0, the variance of isotropic Gaussians.
        size: side of the square maps, or (H, W); pixels, at least 1.
        affine: (B, K, 2, 3) of the type of `mean`: (A | t), from the template's normalised
            coordinates to the image's; a fall of A's sign (a mirror image) is allowed.
        jitter: added to the variances, >= 0, normalised units squared; keeps a map drawn whose A is
            singular.
        dtype: of the result: float32, float64, bfloat16 or float16; None: that of `mean`.
        out: (B, K, H, W) tensor to write into, of one of those dtypes and any strides that do not
            overlap, such as a channel slice of a larger channels-last buffer. Gradients flow
            through the written part.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        (B, K, H, W) in [0, 1], contiguous; or `out`. Where a value underflows it is 0; below 1e-30
        it may be 0, and of no weight in gradients. A map whose S is not positive definite (or so
        nearly singular that rounding decides, S_xx S_yy - S_xy^2 <= 8 eps S_xx S_yy, eps that of
        the type), is not finite or has a variance that is no normal number, and one whose m is not
        finite or more standard deviations away than there are numbers, is NaN, and so are the
        gradients of what it is made of; nothing else is touched.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    height, width = check_size(size)
    check_number("jitter", jitter, zero=True)
    batch, maps = _check_template(mean, affine)
    shape = (batch, maps, height, width)
    leading = shape[:2] if affine is None else shape[1:2]
    spread, variance = _check_covariance(covariance, mean, leading)
    check_numel("size", shape)
    inputs, widening = (mean, spread, affine), (variance, float(jitter))
    if out is not None:
        check_out(out, "mean", mean.device, shape, dtype)
        return OPERATOR.write(out, *inputs, height, width, *widening, out.dtype, backend=backend)
    check_result_type(dtype)
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    return run(*inputs, height, width, *widening, dtype or mean.dtype)


def _check_template(mean: Any, affine: Any) -> tuple[int, int]:
    """(B, K)."""
    if affine is None:
        batch, maps, _ = check_tensor("mean", mean, "(B, K, 2)")
        return batch, maps
    templates, _ = check_tensor("mean", mean, "(K, 2)")
    batch, maps, _, _ = check_tensor("affine", affine, "(B, K, 2, 3)")
    check_like("affine", affine, "mean", mean)
    if maps != templates:
        raise ValueError(
            f"affine must have shape (B, K, 2, 3) with K = {templates} like mean, "
            f"got {tuple(affine.shape)}"
        )
    return batch, maps


def _check_covariance(
    covariance: Any, mean: Tensor, leading: tuple[int, ...]
) -> tuple[Tensor | None, float]:
    """A matrix for each of the maps, or the variance of all."""
    if isinstance(covariance, (int, float)):
        check_number("covariance", covariance)
        return None, float(covariance)
    if not isinstance(covariance, Tensor):
        kind = type(covariance).__name__
        raise TypeError(f"covariance must be a tensor (B, K, 2, 2) or a number, got {kind}")
    wanted = (*leading, 2, 2)
    if covariance.shape != wanted:
        try:
            fits = torch.broadcast_shapes(covariance.shape, wanted) == wanted
        except RuntimeError:
            fits = False
        if not fits or covariance.shape[-2:] != (2, 2):
            raise ValueError(
                f"covariance must be a number or have a shape that broadcasts to {wanted}, "
                f"got {tuple(covariance.shape)}"
            )
        covariance = covariance.expand(wanted)
    check_like("covariance", covariance, "mean", mean)
    return covariance, 0.0
