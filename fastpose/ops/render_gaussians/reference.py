"""Reference of `render_gaussians`: the formula in plain PyTorch, for every device and for tests.

A Gaussian of mean m and covariance S is g(u) = exp(-1/2 (u - m)^T S^-1 (u - m)). It is taken apart
as a density is, into y and x given y: with (dx, dy) = u - m

    a = (dx - (S_xy / S_yy) dy) / sqrt(S_xx - S_xy^2 / S_yy),  b = dy / sqrt(S_yy)
    g(u) = exp(-1/2 (a^2 + b^2))

where nothing cancels that does not cancel in S itself. A template of mean c and covariance S under
an affine map (A, t) is the Gaussian of mean A c + t and covariance A S A^T.

Gradient: with w = grad g, the five sums of w (a, b, aa, ab, bb) are P sum w d and P (sum w d d^T) P
in that frame, P = S^-1, d = u - m; then dL/dm = P sum w d, dL/dS = 1/2 P (sum w d d^T) P,
dL/dA = 2 (dL/dS) A S + (dL/dm) c^T, dL/dt = dL/dm.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SINGULAR = 8  # times the rounding unit: less of S_xx left without y is rounding noise


class Gaussians(NamedTuple):
    """One Gaussian of each map in the frame above; all (B, K, 1, 1). Spoilt ones have x NaN."""

    x: Tensor
    y: Tensor
    shear: Tensor  # S_xy / S_yy
    along: Tensor  # 1 / sqrt(S_xx - S_xy^2 / S_yy)
    across: Tensor  # 1 / sqrt(S_yy)


def pixel_centres(size: int, like: Tensor) -> Tensor:
    """Normalised coordinates of the pixel centres along a side; for a side of 1 it is 0."""
    step = 2.0 / (size - 1) if size > 1 else 0.0
    start = -1.0 if size > 1 else 0.0
    return torch.arange(size, device=like.device, dtype=like.dtype) * step + start


def symmetric(covariance: Tensor | None, variance: float, mean: Tensor) -> Tensor:
    """The covariance that is meant: (..., 2, 2)."""
    if covariance is None:
        one = torch.eye(2, dtype=mean.dtype, device=mean.device)
        return (one * variance).expand(*mean.shape, 2)
    return (covariance + covariance.mT) / 2


def gaussians_of(
    mean: Tensor, covariance: Tensor | None, affine: Tensor | None, variance: float, jitter: float
) -> Gaussians:
    s = symmetric(covariance, variance, mean)
    if affine is not None:
        a = affine[..., :2]
        mean = (a @ mean[..., None])[..., 0] + affine[..., 2]
        template, s = s, a @ s @ a.mT
    x, y = mean[..., 0], mean[..., 1]
    xx, xy, yy = s[..., 0, 0] + jitter, s[..., 0, 1], s[..., 1, 1] + jitter
    if affine is None:
        left = xx - xy * (xy / yy)
    else:
        # |A S A^T + j| = |A|^2 |S| + j (tr(A S A^T) + j) does not lose a singular A to rounding.
        det = a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
        t, per_yy = template, template / yy[..., None, None]
        own = per_yy[..., 0, 0] * t[..., 1, 1] - per_yy[..., 0, 1] * t[..., 0, 1]
        left = det * (det * own) + jitter * ((s[..., 0, 0] + yy) / yy)
    shear, along, across = xy / yy, left.rsqrt(), yy.rsqrt()
    kind = torch.finfo(mean.dtype)
    farthest = 1 + x.abs() + shear.abs() * (1 + y.abs())
    deviations = farthest * along + (1 + y.abs()) * across
    positive = (yy >= kind.tiny) & (left >= kind.tiny) & (left > SINGULAR * kind.eps * xx)
    sound = positive & (xx <= kind.max) & (yy <= kind.max) & (deviations <= kind.max)
    maps = (x.where(sound, torch.nan), y, shear, along, across)
    return Gaussians(*(m[..., None, None] for m in maps))


def frame(gaussians: Gaussians, height: int, width: int) -> tuple[Tensor, Tensor]:
    """a (B, K, H, W) and b (B, K, H, 1) of every pixel."""
    g = gaussians
    dx = pixel_centres(width, g.x) - g.x
    dy = pixel_centres(height, g.y)[:, None] - g.y
    return (dx - g.shear * dy) * g.along, dy * g.across


def forward(
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    height: int,
    width: int,
    variance: float,
    jitter: float,
    dtype: torch.dtype,
) -> Tensor:
    a, b = frame(gaussians_of(mean, covariance, affine, variance, jitter), height, width)
    return (-0.5 * (a * a + b * b)).exp().to(dtype)


def into(
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    variance: float,
    jitter: float,
    out: Tensor,
) -> None:
    size = (out.shape[2], out.shape[3])
    out.copy_(forward(mean, covariance, affine, *size, variance, jitter, out.dtype))


def backward(
    grad_output: Tensor,
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    variance: float,
    jitter: float,
    needs_mean: bool,
    needs_covariance: bool,
    needs_affine: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    g = gaussians_of(mean, covariance, affine, variance, jitter)
    a, b = frame(g, *grad_output.shape[2:])
    weight = grad_output.to(mean.dtype) * (-0.5 * (a * a + b * b)).exp()
    wa, wb = weight * a, weight * b
    sums = [w.sum((2, 3)) for w in (wa, wb, wa * a, wa * b, wb * b)]
    shear, along, across = (m[..., 0, 0] for m in (g.shear, g.along, g.across))
    # Back from the frame: d = T (a / along, b / across), T = [[1, shear], [0, 1]].
    px, py = sums[0] * along, sums[1] * across
    of_mean = torch.stack((px, py - shear * px), -1)
    qa, qb, qc = sums[2] * along**2, sums[3] * along * across, sums[4] * across**2
    xy = qb - shear * qa
    yy = qc - shear * (qb + xy)
    of_covariance = torch.stack((qa, xy, xy, yy), -1).unflatten(-1, (2, 2)) / 2

    def wanted(gradient: Tensor, needed: bool) -> Tensor:
        return gradient if needed else mean.new_empty(0)

    if affine is None:
        return (
            wanted(of_mean, needs_mean),
            wanted(of_covariance, needs_covariance),
            mean.new_empty(0),
        )
    linear, s = affine[..., :2], symmetric(covariance, variance, mean)
    of_linear = 2 * of_covariance @ linear @ s + of_mean[..., None] * mean[:, None]
    return (
        wanted((linear.mT @ of_mean[..., None])[..., 0].sum(0), needs_mean),
        wanted((linear.mT @ of_covariance @ linear).sum(0), needs_covariance),
        wanted(torch.cat((of_linear, of_mean[..., None]), -1), needs_affine),
    )
