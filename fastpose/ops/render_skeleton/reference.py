"""Reference of `render_skeleton`: the formula in plain PyTorch, for every device and for tests.

A limb e runs from a to b, `direction` = (b - a) / |b - a|, `normal` is that turned by 90 degrees.
A pixel u lies `along` from a in that direction and `across` beside it; its nearest point of the
limb lies at

    c = a + clamp(along, 0, |b - a|) * direction + clamp(across, -w/2, w/2) * normal

and v = u - c, d^2 = |v|^2. A limb of no length is the point a. The value of a channel is the
profile of its smallest d^2 (the first limb wins a tie); a limb with an end that is not finite has
d^2 = NaN everywhere and wins. Source: the published code of KeypointGAN (Jakab et al., CVPR 2020).
There max(|b - a|^2, 1e-6) stands where the exact length stands here; that differs for limbs shorter
than 0.001 only, and with the exact length one gradient holds for all.

`plan` is described in `plan.py`: first[C + 1], offset[2 E + 1], index[N] in one int32 vector.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

EXPONENTIAL, GAUSSIAN = 0, 1


class Ends(NamedTuple):
    """The plan applied to the points: where the limbs' ends lie and which joints make them."""

    at: Tensor  # (B, 2 E, 2)
    joint: Tensor  # (N,) joint of each term of a mean
    end: Tensor  # (N,) the end that term belongs to
    count: Tensor  # (2 E,) terms of each end
    channel: Tensor  # (E,) output channel of each limb


class Nearest(NamedTuple):
    """Where the pixels lie relative to one limb; maps are (B, 1, H, W), vectors (B, 1, 1, 1, 2)."""

    squared: Tensor
    residual: Tensor  # u - c, (B, 1, H, W, 2)
    t: Tensor  # 0 at the limb's start, 1 at its end
    turn: Tensor  # what b's displacement along the normal does to c by turning a limb with a width
    normal: Tensor


def pixel_centres(size: int, like: Tensor) -> Tensor:
    """Normalised coordinates of the pixel centres along a side; for a side of 1 it is 0."""
    step = 2.0 / (size - 1) if size > 1 else 0.0
    start = -1.0 if size > 1 else 0.0
    return torch.arange(size, device=like.device, dtype=like.dtype) * step + start


def ends_of(points: Tensor, plan: Tensor, limbs: int, channels: int) -> Ends:
    first, offset, index = plan.long().split(
        (channels + 1, 2 * limbs + 1, plan.numel() - channels - 2 * limbs - 2)
    )
    terms = torch.arange(index.numel(), device=plan.device)
    end = torch.searchsorted(offset[1:].contiguous(), terms, right=True)
    channel = torch.searchsorted(
        first[1:].contiguous(), torch.arange(limbs, device=plan.device), right=True
    )
    count = offset.diff().to(points.dtype)
    total = points.new_zeros(points.shape[0], 2 * limbs, 2).index_add(1, end, points[:, index])
    return Ends(total / count[:, None], index, end, count, channel)


def nearest_points(
    ends: Ends, widths: Tensor | None, limbs: int, height: int, width: int
) -> Iterator[Nearest]:
    """For each limb in turn, what the formula above says."""
    x = pixel_centres(width, ends.at)
    y = pixel_centres(height, ends.at)
    u = torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), -1)
    unit = torch.eye(2, dtype=u.dtype, device=u.device)[0]  # direction of a limb of no length
    for e in range(limbs):
        a, b = ends.at[:, 2 * e : 2 * e + 2, None, None].split(1, 1)
        length = (b - a).square().sum(-1, keepdim=True).sqrt()
        direction = torch.where(length != 0, (b - a) / length, unit)
        normal = torch.stack((-direction[..., 1], direction[..., 0]), -1)
        along = ((u - a) * direction).sum(-1, keepdim=True)
        across = ((u - a) * normal).sum(-1, keepdim=True)
        on_axis = along.clamp(length.new_zeros(()), length)
        half = length * 0 if widths is None else torch.where(length != 0, widths[e].to(u) / 2, 0)
        beside = across.clamp(-half, half)
        residual = (along - on_axis) * direction + (across - beside) * normal
        reach = a.square().sum(-1, keepdim=True) + b.square().sum(-1, keepdim=True)
        spoilt = 0 * (16 * reach)  # NaN where an end is not finite or squares might overflow
        per_length = torch.where(length == 0, length, 1 / length)
        yield Nearest(
            residual.square().sum(-1) + spoilt[..., 0],
            residual,
            (on_axis * per_length)[..., 0],
            (beside * (along - on_axis) * per_length)[..., 0],
            normal,
        )


def smallest_distance(
    ends: Ends, widths: Tensor | None, limbs: int, channels: int, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Per channel and pixel the smallest d^2 (inf where a channel has no limb) and whose it is."""
    shape = (ends.at.shape[0], channels, height, width)
    best = ends.at.new_full(shape, torch.inf)
    winner = torch.full(shape, -1, device=best.device)
    for e, near in enumerate(nearest_points(ends, widths, limbs, height, width)):
        channel = ends.channel[e : e + 1]
        so_far = best.index_select(1, channel)
        closer = (near.squared < so_far) | (near.squared.isnan() & ~so_far.isnan())
        best.index_copy_(1, channel, near.squared.where(closer, so_far))
        winner.index_copy_(1, channel, winner.index_select(1, channel).where(~closer, e))
    return best, winner


def forward(
    points: Tensor,
    plan: Tensor,
    widths: Tensor | None,
    limbs: int,
    channels: int,
    height: int,
    width: int,
    sharpness: float,
    profile: int,
    eps: float,
    dtype: torch.dtype,
) -> Tensor:
    ends = ends_of(points, plan, limbs, channels)
    squared, _ = smallest_distance(ends, widths, limbs, channels, height, width)
    fall_off = (squared + eps).sqrt() if profile == EXPONENTIAL else squared
    return (-sharpness * fall_off).exp().to(dtype)


def into(
    points: Tensor,
    plan: Tensor,
    widths: Tensor | None,
    limbs: int,
    channels: int,
    sharpness: float,
    profile: int,
    eps: float,
    out: Tensor,
) -> None:
    size = (out.shape[2], out.shape[3])
    out.copy_(
        forward(points, plan, widths, limbs, channels, *size, sharpness, profile, eps, out.dtype)
    )


def backward(
    grad_output: Tensor,
    points: Tensor,
    plan: Tensor,
    widths: Tensor | None,
    limbs: int,
    sharpness: float,
    profile: int,
    eps: float,
) -> Tensor:
    """The limb that wins a pixel gets its gradient: with k = -2 grad dI/d(d^2), its start
    k (1 - t) v and its end k t v; a limb with a width is also turned by its ends."""
    channels, height, width = grad_output.shape[1:]
    ends = ends_of(points, plan, limbs, channels)
    squared, winner = smallest_distance(ends, widths, limbs, channels, height, width)
    if profile == EXPONENTIAL:
        distance = (squared + eps).sqrt()
        slope = sharpness * (-sharpness * distance).exp() / distance
    else:
        slope = 2 * sharpness * (-sharpness * squared).exp()
    weight = grad_output.to(points.dtype) * slope
    grad_ends = torch.zeros_like(ends.at)
    for e, near in enumerate(nearest_points(ends, widths, limbs, height, width)):
        channel = ends.channel[e : e + 1]
        mine = (winner.index_select(1, channel) == e)[..., None]
        k = weight.index_select(1, channel)[..., None]
        turned = k * near.turn[..., None] * near.normal
        to_start = k * (1 - near.t)[..., None] * near.residual + turned
        to_end = k * near.t[..., None] * near.residual - turned
        grad_ends[:, 2 * e] = to_start.where(mine, 0).sum((1, 2, 3))
        grad_ends[:, 2 * e + 1] = to_end.where(mine, 0).sum((1, 2, 3))
    share = (grad_ends / ends.count[:, None]).index_select(1, ends.end)
    return torch.zeros_like(points).index_add(1, ends.joint, share)
