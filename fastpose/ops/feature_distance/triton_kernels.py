"""Triton kernels of `feature_distance`; `triton.py` launches them.

As the CUDA kernels (`csrc/feature_distance/`): layers are cut into chunks of CHUNK neighbouring
numbers, one for each program, which writes its part of the gradient and of the layer's mean; then
one program adds up. Gradients, where the factor of their layer is not known ahead, are finished in
the backward.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportGeneralTypeIssues=false

import triton
import triton.language as tl


@triton.jit
def weights_kernel(
    mask, weights, rows, columns, height, width, count, most_rows, most_columns,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Averages (B, rows, columns) down to (B, height, width), `count` numbers.

    Windows are at most `most_rows` x `most_columns`.
    """
    number = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = number < count
    pixel = number % (height * width)
    i = (pixel // width).to(tl.int64)
    j = (pixel % width).to(tl.int64)
    top = i * rows // height
    bottom = ((i + 1) * rows + height - 1) // height
    left = j * columns // width
    right = ((j + 1) * columns + width - 1) // width
    mask += (number // (height * width)).to(tl.int64) * rows * columns
    total = tl.zeros((BLOCK,), weights.dtype.element_ty)
    for k in range(most_rows):
        for n in range(most_columns):
            y = top + k
            x = left + n
            total += tl.load(mask + y * columns + x, inside & (y < bottom) & (x < right), 0)
    area = ((bottom - top) * (right - left)).to(weights.dtype.element_ty)
    tl.store(weights + number, total / area, inside)


@triton.jit(do_not_specialize=["layer", "most_chunks"])
def forward_kernel(
    features, targets, gradient, weights, running_mean, scale, slope_of, partial,
    layer, layers, numel, channels, pixels, most_chunks,
    NORM: tl.constexpr, WEIGHTED: tl.constexpr, CHANNELS_LAST: tl.constexpr, WANTED: tl.constexpr,
    KNOWN: tl.constexpr, HAS_MEAN: tl.constexpr, EPS: tl.constexpr,
    CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The pass over one layer; KNOWN: slopes are multiplied by their factor at once."""
    T: tl.constexpr = scale.dtype.element_ty
    chunk = tl.program_id(0)
    begin = chunk * CHUNK
    left = numel - begin
    # In float64, because numbers may be too many for float32.
    numbers = tl.zeros((), tl.float64) + numel
    slope = ((1.0 if NORM == 1 else 2.0) / (numbers * layers)).to(T)
    factor = slope
    if HAS_MEAN:
        factor = slope / (tl.load(running_mean + layer) + EPS)
    if not KNOWN:
        factor = (numbers * 0 + 1).to(T)
    total = tl.zeros((BLOCK,), T)
    for first in range(0, CHUNK, BLOCK):
        at = first + tl.arange(0, BLOCK)
        inside = at < left
        i = begin + at
        x = tl.load(features + i, inside, 0).to(T)
        y = tl.load(targets + i, inside, 0).to(T)
        difference = x - y
        if NORM == 1:
            distance = tl.abs(difference)
            slopes = (difference > 0).to(T) - (difference < 0).to(T)
        else:
            distance = difference * difference
            slopes = difference
        if WEIGHTED:
            if CHANNELS_LAST:
                pixel = i // channels
            else:
                pixel = i // pixels // channels * pixels + i % pixels
            weight = tl.load(weights + pixel, inside, 0)
            distance = weight * distance
            slopes = weight * slopes
        total += tl.where(inside, distance, 0)
        if WANTED:
            tl.store(gradient + i, (slopes * factor).to(gradient.dtype.element_ty), inside)
    mean = tl.sum(total).to(tl.float64) / numbers
    tl.store(partial + layer * most_chunks + chunk, mean)
    if chunk == 0:
        tl.store(slope_of + layer, slope)


@triton.jit
def finish_kernel(
    partial, slope_of, running_mean, started, known, loss, scale, layers, most_chunks,
    MOMENTUM: tl.constexpr, HAS_MEAN: tl.constexpr, HAS_FLAG: tl.constexpr, UPDATE: tl.constexpr,
    THROUGH_MEAN: tl.constexpr, EPS: tl.constexpr, LAYERS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Adds up the chunks of each layer, moves its running mean, and gives loss and scales.

    `known`: bits of the layers whose factor is applied already.
    """
    T: tl.constexpr = scale.dtype.element_ty
    layer = tl.arange(0, LAYERS)
    inside = layer < layers
    sums = tl.zeros((LAYERS, BLOCK), tl.float64)
    for first in range(0, most_chunks, BLOCK):
        chunk = first + tl.arange(0, BLOCK)
        sums += tl.load(
            partial + layer[:, None] * most_chunks + chunk[None, :],
            inside[:, None] & (chunk < most_chunks)[None, :],
            0,
        )
    mean = tl.sum(sums, 1)
    factor = tl.load(slope_of + layer, inside, 0).to(tl.float64)
    term = mean
    if HAS_MEAN:
        normaliser = tl.load(running_mean + layer, inside, 1).to(tl.float64)
        kept = tl.zeros((), tl.float64) + MOMENTUM
        if HAS_FLAG:
            kept = tl.where(tl.load(started) != 0, kept, 0)
        constant = 1.0
        if UPDATE:
            # A running mean that is not there yet may hold anything.
            before = tl.where(kept == 0, 0, kept * normaliser)
            normaliser = (before + (1 - kept) * mean).to(T).to(tl.float64)
            tl.debug_barrier()  # every thread has read what one of them writes
            tl.store(running_mean + layer, normaliser.to(T), inside)
            if HAS_FLAG:
                tl.store(started, 1)
            if THROUGH_MEAN:
                constant = (before + EPS) / (normaliser + EPS)
        term = mean / (normaliser + EPS)
        factor = factor * constant / (normaliser + EPS)
    tl.store(loss, (tl.sum(tl.where(inside, term, 0)) / layers).to(T))
    applied = ((known >> layer) & 1) != 0
    tl.store(scale + layer, tl.where(applied, 1, factor).to(T), inside)


@triton.jit(do_not_specialize=["layer"])
def backward_kernel(
    gradient, grad_loss, scale, layer, numel, CHUNK: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """Multiplies one layer's gradient by its factor."""
    factor = tl.load(grad_loss) * tl.load(scale + layer)
    if factor != 1:
        begin = tl.program_id(0) * CHUNK
        left = numel - begin
        for first in range(0, CHUNK, BLOCK):
            at = first + tl.arange(0, BLOCK)
            value = tl.load(gradient + begin + at, at < left, 0)
            value = (value.to(factor.dtype) * factor).to(gradient.dtype.element_ty)
            tl.store(gradient + begin + at, value, at < left)
