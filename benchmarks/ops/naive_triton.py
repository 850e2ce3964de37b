"""The operators as somebody writes them in Triton in an afternoon: peers for GPUs.

Brute force over the pixels, float32, one block of pixels per program; backward adds up every block
and then adds that to the result with an atomic, so its gradients change in the last bits from call
to call. No culling, no tiles, no output type but float32.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit
def _pixels(SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """Which pixels of a square picture a program has: index, x, y, inside."""
    pixel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    return pixel, pixel % SIZE, pixel // SIZE, pixel < SIZE * SIZE


@triton.jit
def _normalised(position, SIZE: tl.constexpr):
    return position * (2.0 / (SIZE - 1)) - 1.0


# --- render_skeleton, one channel ----------------------------------------------------------------


@triton.jit
def _limb(points, limbs, e, b, JOINTS: tl.constexpr):
    start = points + (b * JOINTS + tl.load(limbs + 2 * e)) * 2
    end = points + (b * JOINTS + tl.load(limbs + 2 * e + 1)) * 2
    ax = tl.load(start)
    ay = tl.load(start + 1)
    return ax, ay, tl.load(end) - ax, tl.load(end + 1) - ay


@triton.jit
def _residual(points, limbs, e, b, u, v, JOINTS: tl.constexpr):
    """Where along the limb the nearest point is, and the vector from there to (u, v)."""
    ax, ay, dx, dy = _limb(points, limbs, e, b, JOINTS)
    t = ((u - ax) * dx + (v - ay) * dy) / tl.maximum(dx * dx + dy * dy, 1e-6)
    t = tl.minimum(tl.maximum(t, 0.0), 1.0)
    return t, u - ax - t * dx, v - ay - t * dy


@triton.jit
def _skeleton_forward(
    points, limbs, out, sharpness, eps, LIMBS, JOINTS: tl.constexpr, SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0)
    pixel, x, y, inside = _pixels(SIZE, BLOCK)
    u, v = _normalised(x, SIZE), _normalised(y, SIZE)
    best = tl.full((BLOCK,), float("inf"), tl.float32)
    for e in range(LIMBS):
        _, rx, ry = _residual(points, limbs, e, b, u, v, JOINTS)
        best = tl.minimum(best, rx * rx + ry * ry)
    value = tl.exp(-sharpness * tl.sqrt(best + eps))
    tl.store(out + b * SIZE * SIZE + pixel, value, inside)


@triton.jit
def _skeleton_backward(
    grad, points, limbs, grad_points, sharpness, eps, LIMBS, JOINTS: tl.constexpr,
    SIZE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(0)
    pixel, x, y, inside = _pixels(SIZE, BLOCK)
    u, v = _normalised(x, SIZE), _normalised(y, SIZE)
    best = tl.full((BLOCK,), float("inf"), tl.float32)
    winner = tl.full((BLOCK,), -1, tl.int32)
    for e in range(LIMBS):
        _, rx, ry = _residual(points, limbs, e, b, u, v, JOINTS)
        squared = rx * rx + ry * ry
        winner = tl.where(squared < best, e, winner)
        best = tl.minimum(best, squared)
    distance = tl.sqrt(best + eps)
    weight = tl.load(grad + b * SIZE * SIZE + pixel, inside, 0.0)
    weight *= sharpness * tl.exp(-sharpness * distance) / distance
    for e in range(LIMBS):
        t, rx, ry = _residual(points, limbs, e, b, u, v, JOINTS)
        mine = tl.where(winner == e, weight, 0.0)
        start = grad_points + (b * JOINTS + tl.load(limbs + 2 * e)) * 2
        end = grad_points + (b * JOINTS + tl.load(limbs + 2 * e + 1)) * 2
        tl.atomic_add(start, tl.sum(mine * (1 - t) * rx, 0))
        tl.atomic_add(start + 1, tl.sum(mine * (1 - t) * ry, 0))
        tl.atomic_add(end, tl.sum(mine * t * rx, 0))
        tl.atomic_add(end + 1, tl.sum(mine * t * ry, 0))


class _Skeleton(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float
    ) -> Tensor:
        ctx.save_for_backward(points, limbs)
        ctx.constants = (sharpness, eps, len(limbs), points.shape[1], size, BLOCK)
        out = points.new_empty(points.shape[0], 1, size, size)
        _skeleton_forward[_grid(out)](points, limbs, out, *ctx.constants)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        points, limbs = ctx.saved_tensors
        grad_points = torch.zeros_like(points)
        _skeleton_backward[_grid(grad)](
            grad.contiguous(), points, limbs, grad_points, *ctx.constants
        )
        return grad_points, None, None, None, None


def render_skeleton(
    points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float
) -> Tensor:
    """points (B, K, 2), limbs (E, 2) int32."""
    return _Skeleton.apply(points.contiguous(), limbs, size, sharpness, eps)


# --- render_gaussians ----------------------------------------------------------------------------


@triton.jit
def _gaussian(mean, precision, m, x, y, SIZE: tl.constexpr):
    dx = _normalised(x, SIZE) - tl.load(mean + 2 * m)
    dy = _normalised(y, SIZE) - tl.load(mean + 2 * m + 1)
    xx = tl.load(precision + 4 * m)
    xy = tl.load(precision + 4 * m + 1)
    yy = tl.load(precision + 4 * m + 3)
    value = tl.exp(-0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy)
    return dx, dy, xx, xy, yy, value


@triton.jit
def _gaussian_forward(mean, precision, out, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    m = tl.program_id(0)
    pixel, x, y, inside = _pixels(SIZE, BLOCK)
    _, _, _, _, _, value = _gaussian(mean, precision, m, x, y, SIZE)
    tl.store(out + m * SIZE * SIZE + pixel, value, inside)


@triton.jit
def _gaussian_backward(
    grad, mean, precision, grad_mean, grad_precision, SIZE: tl.constexpr, BLOCK: tl.constexpr
):
    m = tl.program_id(0)
    pixel, x, y, inside = _pixels(SIZE, BLOCK)
    dx, dy, xx, xy, yy, value = _gaussian(mean, precision, m, x, y, SIZE)
    weight = tl.load(grad + m * SIZE * SIZE + pixel, inside, 0.0) * value
    tl.atomic_add(grad_mean + 2 * m, tl.sum(weight * (xx * dx + xy * dy), 0))
    tl.atomic_add(grad_mean + 2 * m + 1, tl.sum(weight * (xy * dx + yy * dy), 0))
    cross = tl.sum(-0.5 * weight * dx * dy, 0)
    tl.atomic_add(grad_precision + 4 * m, tl.sum(-0.5 * weight * dx * dx, 0))
    tl.atomic_add(grad_precision + 4 * m + 1, cross)
    tl.atomic_add(grad_precision + 4 * m + 2, cross)
    tl.atomic_add(grad_precision + 4 * m + 3, tl.sum(-0.5 * weight * dy * dy, 0))


class _Gaussians(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, mean: Tensor, precision: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(mean, precision)
        ctx.constants = (size, BLOCK)
        out = mean.new_empty(*mean.shape[:2], size, size)
        _gaussian_forward[_grid(out, maps=True)](mean, precision, out, *ctx.constants)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        mean, precision = ctx.saved_tensors
        grads = torch.zeros_like(mean), torch.zeros_like(precision)
        _gaussian_backward[_grid(grad, maps=True)](
            grad.contiguous(), mean, precision, *grads, *ctx.constants
        )
        return *grads, None


def render_gaussians(mean: Tensor, covariance: Tensor, size: int) -> Tensor:
    """mean (B, K, 2), covariance (B, K, 2, 2); the inverse is PyTorch's."""
    return _Gaussians.apply(mean.contiguous(), torch.linalg.inv(covariance).contiguous(), size)


# --- soft_argmax, joint --------------------------------------------------------------------------


@triton.jit
def _softmax_sums(logits, m, PIXELS, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """(largest, sum, expected x, expected y) of a map, in two passes."""
    largest = tl.full((BLOCK,), float("-inf"), tl.float32)
    for first in range(0, PIXELS, BLOCK):
        pixel = first + tl.arange(0, BLOCK)
        inside = pixel < PIXELS
        largest = tl.maximum(largest, tl.load(logits + m * PIXELS + pixel, inside, float("-inf")))
    top = tl.max(largest, 0)
    total = tl.zeros((BLOCK,), tl.float32)
    sum_x = tl.zeros((BLOCK,), tl.float32)
    sum_y = tl.zeros((BLOCK,), tl.float32)
    for first in range(0, PIXELS, BLOCK):
        pixel = first + tl.arange(0, BLOCK)
        inside = pixel < PIXELS
        weight = tl.exp(tl.load(logits + m * PIXELS + pixel, inside, float("-inf")) - top)
        total += weight
        sum_x += weight * _normalised(pixel % SIZE, SIZE)
        sum_y += weight * _normalised(pixel // SIZE, SIZE)
    whole = tl.sum(total, 0)
    return top, whole, tl.sum(sum_x, 0) / whole, tl.sum(sum_y, 0) / whole


@triton.jit
def _soft_argmax_forward(logits, out, PIXELS, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    m = tl.program_id(0)
    _, _, x, y = _softmax_sums(logits, m, PIXELS, SIZE, BLOCK)
    tl.store(out + 2 * m, x)
    tl.store(out + 2 * m + 1, y)


@triton.jit
def _soft_argmax_backward(
    grad, logits, grad_logits, PIXELS, SIZE: tl.constexpr, BLOCK: tl.constexpr
):
    m = tl.program_id(0)
    top, whole, x, y = _softmax_sums(logits, m, PIXELS, SIZE, BLOCK)
    to_x = tl.load(grad + 2 * m)
    to_y = tl.load(grad + 2 * m + 1)
    for first in range(0, PIXELS, BLOCK):
        pixel = first + tl.arange(0, BLOCK)
        inside = pixel < PIXELS
        weight = tl.exp(tl.load(logits + m * PIXELS + pixel, inside, float("-inf")) - top) / whole
        along = to_x * (_normalised(pixel % SIZE, SIZE) - x)
        along += to_y * (_normalised(pixel // SIZE, SIZE) - y)
        tl.store(grad_logits + m * PIXELS + pixel, weight * along, inside)


class _SoftArgmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        ctx.save_for_backward(logits)
        side = logits.shape[-1]
        out = logits.new_empty(*logits.shape[:2], 2)
        _soft_argmax_forward[(out.shape[0] * out.shape[1],)](logits, out, side**2, side, BLOCK)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (logits,) = ctx.saved_tensors
        side = logits.shape[-1]
        found = torch.empty_like(logits)
        _soft_argmax_backward[(grad.shape[0] * grad.shape[1],)](
            grad.contiguous(), logits, found, side**2, side, BLOCK
        )
        return found


def soft_argmax(logits: Tensor) -> Tensor:
    """logits (B, K, S, S), square maps."""
    return _SoftArgmax.apply(logits.contiguous())


def _grid(image: Tensor, maps: bool = False) -> tuple[int, int]:
    programs = image.shape[0] * (image.shape[1] if maps else 1)
    return programs, triton.cdiv(image.shape[2] * image.shape[3], BLOCK)
