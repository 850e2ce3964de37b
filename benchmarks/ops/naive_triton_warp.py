"""`warp_templates` as somebody writes it in Triton in an afternoon, see `naive_triton.py`.

The templates get no gradient, as in the paper.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from benchmarks.ops.naive_triton import BLOCK, _grid, _pixels
from benchmarks.ops.warp_templates_peers import inverse


@triton.jit
def _corner(template, column, row, HEIGHT: tl.constexpr, WIDTH: tl.constexpr):
    inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
    return tl.load(template + row * WIDTH + column, inside, 0.0)


@triton.jit
def _corners(
    templates, back, m, x, y, PARTS: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr
):
    """Where in the template a pixel lies past its upper left corner, and the four corners."""
    at_x = tl.load(back + 6 * m) * x + tl.load(back + 6 * m + 1) * y + tl.load(back + 6 * m + 2)
    at_y = tl.load(back + 6 * m + 3) * x + tl.load(back + 6 * m + 4) * y + tl.load(back + 6 * m + 5)
    left = tl.floor(at_x)
    top = tl.floor(at_y)
    column = left.to(tl.int32)
    row = top.to(tl.int32)
    template = templates + (m % PARTS) * HEIGHT * WIDTH
    return (
        at_x - left,
        at_y - top,
        _corner(template, column, row, HEIGHT, WIDTH),
        _corner(template, column + 1, row, HEIGHT, WIDTH),
        _corner(template, column, row + 1, HEIGHT, WIDTH),
        _corner(template, column + 1, row + 1, HEIGHT, WIDTH),
    )


@triton.jit
def _warp_forward(
    templates, back, out, PARTS: tl.constexpr, HEIGHT: tl.constexpr, WIDTH: tl.constexpr,
    SIZE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    m = tl.program_id(0)
    pixel, x, y, inside = _pixels(SIZE, BLOCK)
    fx, fy, a, b, c, d = _corners(templates, back, m, x, y, PARTS, HEIGHT, WIDTH)
    upper = a + fx * (b - a)
    lower = c + fx * (d - c)
    tl.store(out + m * SIZE * SIZE + pixel, upper + fy * (lower - upper), inside)


@triton.jit
def _warp_backward(
    grad, templates, back, grad_back, PARTS: tl.constexpr, HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr, SIZE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    m = tl.program_id(0)
    pixel, x, y, inside = _pixels(SIZE, BLOCK)
    fx, fy, a, b, c, d = _corners(templates, back, m, x, y, PARTS, HEIGHT, WIDTH)
    weight = tl.load(grad + m * SIZE * SIZE + pixel, inside, 0.0)
    to_x = weight * ((1 - fy) * (b - a) + fy * (d - c))
    to_y = weight * ((1 - fx) * (c - a) + fx * (d - b))
    tl.atomic_add(grad_back + 6 * m, tl.sum(to_x * x, 0))
    tl.atomic_add(grad_back + 6 * m + 1, tl.sum(to_x * y, 0))
    tl.atomic_add(grad_back + 6 * m + 2, tl.sum(to_x, 0))
    tl.atomic_add(grad_back + 6 * m + 3, tl.sum(to_y * x, 0))
    tl.atomic_add(grad_back + 6 * m + 4, tl.sum(to_y * y, 0))
    tl.atomic_add(grad_back + 6 * m + 5, tl.sum(to_y, 0))


class _Warp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, templates: Tensor, back: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(templates, back)
        ctx.constants = (*templates.shape, size, BLOCK)
        out = templates.new_empty(*back.shape[:2], size, size)
        _warp_forward[_grid(out, maps=True)](templates, back, out, *ctx.constants)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        templates, back = ctx.saved_tensors
        grad_back = torch.zeros_like(back)
        _warp_backward[_grid(grad, maps=True)](
            grad.contiguous(), templates, back, grad_back, *ctx.constants
        )
        return None, grad_back, None


def warp_templates(templates: Tensor, affine: Tensor, size: int) -> Tensor:
    """templates (K, h, w), affine (B, K, 2, 3), inverted by PyTorch."""
    return _Warp.apply(templates.contiguous(), inverse(affine).contiguous(), size)
