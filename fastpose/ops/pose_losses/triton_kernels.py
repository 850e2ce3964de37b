"""Triton kernels of the pose losses; the modules of `triton/` launch them.

One program forms a loss, in a fixed order: what it adds up takes less time than a second launch.
Shares are divided by whole numbers, because a fraction would arrive as a float32.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportGeneralTypeIssues=false

import triton
import triton.language as tl

# What is summed up of every number: (a - C)^2, (a - b)^2, |a| where that is more than C.
DIFFERENCE = tl.constexpr(0)
PAIR = tl.constexpr(1)
OUTSIDE = tl.constexpr(2)


@triton.jit
def sum_kernel(
    a, b, total, loss, count, denominator,
    TERM: tl.constexpr, C: tl.constexpr, FIRST: tl.constexpr, LAST: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Adds an array's share to `total`; the last of several writes the loss."""
    T: tl.constexpr = loss.dtype.element_ty
    sums = tl.zeros((BLOCK,), T)
    for first in range(0, count, BLOCK):
        number = first + tl.arange(0, BLOCK)
        inside = number < count
        at = number.to(tl.int64)
        value = tl.load(a + at, inside, 0).to(T)
        if TERM == OUTSIDE:
            distance = tl.abs(value)
            term = tl.where(distance <= C, 0.0, distance)
        elif TERM == PAIR:
            difference = value - tl.load(b + at, inside, 0).to(T)
            term = difference * difference
        else:
            term = (value - C) * (value - C)
        sums += tl.where(inside, term, 0.0)
    share = tl.sum(sums.to(tl.float64), 0) / denominator
    if not FIRST:
        share += tl.load(total)
    if LAST:
        tl.store(loss, share.to(T))
    else:
        tl.store(total, share)


@triton.jit
def backward_kernel(
    a, b, grad_loss, grad_a, grad_b, count, denominator,
    TERM: tl.constexpr, C: tl.constexpr, WANT_A: tl.constexpr, WANT_B: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradients of one array."""
    T: tl.constexpr = grad_loss.dtype.element_ty
    share = (tl.load(grad_loss).to(tl.float64) / denominator).to(T)
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    value = tl.load(a + at, inside, 0).to(T)
    if TERM == OUTSIDE:
        sign = tl.where(value > 0, 1.0, tl.where(value < 0, -1.0, 0.0)) + (value - value)
        grad = share * tl.where(tl.abs(value) <= C, 0.0, sign)
    elif TERM == PAIR:
        grad = 2 * share * (value - tl.load(b + at, inside, 0).to(T))
    else:
        grad = 2 * share * (value - C)
    if WANT_A:
        tl.store(grad_a + at, grad.to(grad_a.dtype.element_ty), inside)
    if WANT_B:
        tl.store(grad_b + at, (-grad).to(grad_b.dtype.element_ty), inside)


@triton.jit
def _exponential_minus_one(x):
    """Near 0 by its series, where exp(x) - 1 would lose digits."""
    series = x * 0 + 1.0
    for k in tl.static_range(13, 1, -1):
        series = 1.0 + x * series / k
    return tl.where(tl.abs(x) < 0.5, x * series, tl.exp(x) - 1)


@triton.jit
def divergence_kernel(
    mean, log_variance, loss, coordinates, batch, size,
    FREE_BITS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The divergence and, with free bits, that of each coordinate, of a batch that is not empty."""
    T: tl.constexpr = loss.dtype.element_ty
    total = tl.zeros((BLOCK,), tl.float64)
    for first in range(0, size, BLOCK):
        coordinate = first + tl.arange(0, BLOCK)
        exists = coordinate < size
        sums = tl.zeros((ROWS, BLOCK), T)
        for first_row in range(0, batch, ROWS):
            row = first_row + tl.arange(0, ROWS)
            inside = (row < batch)[:, None] & exists[None, :]
            at = row.to(tl.int64)[:, None] * size + coordinate[None, :]
            mu = tl.load(mean + at, inside, 0).to(T)
            lv = tl.load(log_variance + at, inside, 0).to(T)
            sums += mu * mu + (_exponential_minus_one(lv) - lv)
        divergence = tl.sum(sums.to(tl.float64), 0) / 2 / batch
        counted = divergence
        if FREE_BITS > 0:
            tl.store(coordinates + coordinate, divergence.to(T), exists)
            counted = tl.where(divergence < FREE_BITS, FREE_BITS, divergence)
        total += tl.where(exists, counted, 0.0)
    tl.store(loss, tl.sum(total, 0).to(T))


@triton.jit
def divergence_backward_kernel(
    mean, log_variance, coordinates, grad_loss, grad_mean, grad_log_variance, batch, size,
    FREE_BITS: tl.constexpr, WANT_MEAN: tl.constexpr, WANT_LOG_VARIANCE: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = grad_loss.dtype.element_ty
    share = (tl.load(grad_loss).to(tl.float64) / batch).to(T)
    row = tl.program_id(0).to(tl.int64)
    coordinate = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = coordinate < size
    at = row * size + coordinate
    shares = tl.zeros((BLOCK,), T) + share
    if FREE_BITS > 0:
        divergence = tl.load(coordinates + coordinate, inside, 0)
        shares = tl.where(divergence <= FREE_BITS, 0.0, shares)
    if WANT_MEAN:
        grad = shares * tl.load(mean + at, inside, 0).to(T)
        tl.store(grad_mean + at, grad.to(grad_mean.dtype.element_ty), inside)
    if WANT_LOG_VARIANCE:
        slope = 0.5 * _exponential_minus_one(tl.load(log_variance + at, inside, 0).to(T))
        grad = shares * slope
        tl.store(grad_log_variance + at, grad.to(grad_log_variance.dtype.element_ty), inside)
