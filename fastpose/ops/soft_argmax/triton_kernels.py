"""Triton kernels of `soft_argmax`; `triton.py` launches them.

One program decodes one map, a tile of rows and columns after the other; `csrc/soft_argmax/math.h`
has the formulas. Numbers of `kept` lie `map_step` apart from map to map of an image and `step`
apart within a map.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportAttributeAccessIssue=false

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
NUMBERS = tl.constexpr(6)  # kept of a map in the joint form
NOWHERE = tl.constexpr((1 << 31) - 1)


@triton.jit
def _lowest(T: tl.constexpr):
    """What maxima start from, so that -inf has no weight."""
    return tl.full((), -1.7976931348623157e308 if T.is_fp64() else -3.4028234663852886e38, T)


@triton.jit
def _inverse(total):
    """1 / total of a map's or a side's exponentials; NaN if there is no weight."""
    return tl.where(total > 0, 1 / total, float("nan"))


@triton.jit
def _exponential(logit, maximum):
    return tl.exp2((logit - maximum) * LOG2E)


@triton.jit
def _half(size, EXTENT: tl.constexpr, T: tl.constexpr):
    """Half the distance between two columns or rows."""
    return (EXTENT / tl.maximum(size - 1, 1).to(tl.float64)).to(T)


@triton.jit
def _place(index, size, half, T: tl.constexpr):
    """Coordinates of columns or rows."""
    return (2 * index - (size - 1)).to(T) * half


@triton.jit
def _inverse_of(size, T: tl.constexpr):
    """1 / size."""
    return (1.0 / (size + tl.zeros((), tl.float64))).to(T)


@triton.jit
def _tile(
    start, top, left, height, width, stride_y, stride_x,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Rows, columns and addresses of a tile, and which of them are inside."""
    y = top + tl.arange(0, ROWS)[:, None]
    x = left + tl.arange(0, COLUMNS)[None, :]
    at = start + y.to(tl.int64) * stride_y + x.to(tl.int64) * stride_x
    return y, x, at, (y < height) & (x < width)


@triton.jit
def sums_kernel(
    logits, kept, stride_b, stride_k, stride_y, stride_x, image_step, map_step, step,
    maps, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """The means over the rows and over the columns, into `kept`."""
    T: tl.constexpr = kept.dtype.element_ty
    b = (tl.program_id(0) // maps).to(tl.int64)
    k = (tl.program_id(0) % maps).to(tl.int64)
    start = logits + b * stride_b + k * stride_k
    own = kept + b * image_step + k * map_step
    row_scale = _inverse_of(height, T)  # scaled before they are added up: no sum overflows
    column_scale = _inverse_of(width, T)
    for left in range(0, width, COLUMNS):
        column = left + tl.arange(0, COLUMNS)
        total = tl.zeros((COLUMNS,), T)
        for top in range(0, height, ROWS):
            _, _, at, inside = _tile(
                start, top, left, height, width, stride_y, stride_x, ROWS, COLUMNS
            )
            total += tl.sum(tl.load(at, inside, 0).to(T) * row_scale, 0)
        tl.store(own + column * step, total, column < width)
    for top in range(0, height, ROWS):
        row = top + tl.arange(0, ROWS)
        total = tl.zeros((ROWS,), T)
        for left in range(0, width, COLUMNS):
            _, _, at, inside = _tile(
                start, top, left, height, width, stride_y, stride_x, ROWS, COLUMNS
            )
            total += tl.sum(tl.load(at, inside, 0).to(T) * column_scale, 1)
        tl.store(own + (width + row) * step, total, row < height)


@triton.jit
def _weigh(logits, size, step, half, T: tl.constexpr, SIDE: tl.constexpr):
    """The softmax of a side in place; its expected coordinate and largest weight."""
    most = _lowest(T)
    for first in range(0, size, SIDE):
        i = first + tl.arange(0, SIDE)
        most = tl.maximum(most, tl.max(tl.load(logits + i * step, i < size, float("-inf")), 0))
    total = tl.zeros((), T)
    moment = tl.zeros((), T)
    for first in range(0, size, SIDE):
        i = first + tl.arange(0, SIDE)
        weight = _exponential(tl.load(logits + i * step, i < size, float("-inf")), most)
        total += tl.sum(weight, 0)
        moment += tl.sum(weight * _place(i, size, half, T), 0)
    scale = _inverse(total)
    for first in range(0, size, SIDE):
        i = first + tl.arange(0, SIDE)
        weight = _exponential(tl.load(logits + i * step, i < size, float("-inf")), most)
        tl.store(logits + i * step, weight * scale, i < size)
    return moment * scale, scale


@triton.jit
def weights_kernel(
    points, confidence, kept, image_step, map_step, step, maps, height, width,
    EXTENT: tl.constexpr, SIDE: tl.constexpr,
):  # fmt: skip
    """Results of the marginal form from the means in `kept`, which become weights."""
    T: tl.constexpr = kept.dtype.element_ty
    number = tl.program_id(0).to(tl.int64)
    own = kept + number // maps * image_step + number % maps * map_step
    x, peak_x = _weigh(own, width, step, _half(width, EXTENT, T), T, SIDE)
    y, peak_y = _weigh(own + width * step, height, step, _half(height, EXTENT, T), T, SIDE)
    tl.store(points + 2 * number, x)
    tl.store(points + 2 * number + 1, y)
    tl.store(confidence + number, tl.sqrt(peak_x * peak_y))


@triton.jit
def joint_kernel(
    logits, points, confidence, kept, stride_b, stride_k, stride_y, stride_x, maps, height, width,
    EXTENT: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = kept.dtype.element_ty
    number = tl.program_id(0).to(tl.int64)
    start = logits + number // maps * stride_b + number % maps * stride_k
    to_x = _half(width, EXTENT, T)
    to_y = _half(height, EXTENT, T)
    most = _lowest(T)
    total = tl.zeros((), T)
    moment_x = tl.zeros((), T)
    moment_y = tl.zeros((), T)
    place = tl.full((), NOWHERE, tl.int32)
    for top in range(0, height, ROWS):
        for left in range(0, width, COLUMNS):
            y, x, at, inside = _tile(
                start, top, left, height, width, stride_y, stride_x, ROWS, COLUMNS
            )
            logit = tl.load(at, inside, float("-inf")).to(T)
            here = tl.max(tl.max(logit, 1), 0)
            first = tl.min(tl.min(tl.where(logit == here, y * width + x, NOWHERE), 1), 0)
            first = tl.where(here == most, tl.minimum(first, place), first)
            place = tl.where(here >= most, first, place)
            now = tl.maximum(most, here)
            change = _exponential(most, now)
            most = now
            weight = _exponential(logit, most)
            across = weight * _place(x, width, to_x, T)
            down = weight * _place(y, height, to_y, T)
            total = total * change + tl.sum(tl.sum(weight, 1), 0)
            moment_x = moment_x * change + tl.sum(tl.sum(across, 1), 0)
            moment_y = moment_y * change + tl.sum(tl.sum(down, 1), 0)
    peak = _inverse(total)
    place = tl.where(place == NOWHERE, 0, place)
    own = kept + number * NUMBERS
    tl.store(own, most)
    tl.store(own + 1, peak)
    tl.store(own + 2, moment_x * peak)
    tl.store(own + 3, moment_y * peak)
    tl.store(own + 4, (place % width).to(T))
    tl.store(own + 5, (place // width).to(T))
    tl.store(points + 2 * number, moment_x * peak)
    tl.store(points + 2 * number + 1, moment_y * peak)
    tl.store(confidence + number, peak)


@triton.jit
def _arriving(
    grad_points, grad_confidence, b, k, points_b, points_k, points_axis, confidence_b,
    confidence_k, T: tl.constexpr, POINTS: tl.constexpr, CONFIDENCE: tl.constexpr,
):  # fmt: skip
    """Gradients of x, y and the confidence; 0 where none arrives."""
    g = tl.zeros((), T)
    h = tl.zeros((), T)
    c = tl.zeros((), T)
    if POINTS:
        point = grad_points + b * points_b + k * points_k
        g = tl.load(point)
        h = tl.load(point + points_axis)
    if CONFIDENCE:
        c = tl.load(grad_confidence + b * confidence_b + k * confidence_k)
    return g, h, c


@triton.jit
def _side_sums(weights, size, step, half, T: tl.constexpr, SIDE: tl.constexpr):
    """Of a side's weights: expected coordinate, largest, and the first of the largest."""
    centre = tl.zeros((), T)
    peak = tl.zeros((), T)
    first = tl.zeros((), tl.int32)
    for begin in range(0, size, SIDE):
        i = begin + tl.arange(0, SIDE)
        weight = tl.load(weights + i * step, i < size, 0)
        centre += tl.sum(weight * _place(i, size, half, T), 0)
        here = tl.max(weight, 0)
        found = tl.min(tl.where(weight == here, i, NOWHERE), 0)
        first = tl.where(here > peak, found, first)
        peak = tl.maximum(peak, here)
    return centre, peak, first


@triton.jit
def _side_slope(weights, i, size, step, half, grad, centre, first, pull, scale, T: tl.constexpr):
    """A side's share of the gradient, see `side_slope` of math.h."""
    weight = tl.load(weights + i * step, i < size, 0)
    slope = weight * (grad * (_place(i, size, half, T) - centre) - pull)
    return (slope + tl.where(i == first, pull, 0)) * scale


@triton.jit
def marginal_backward_kernel(
    grad_points, grad_confidence, kept, out, points_b, points_k, points_axis, confidence_b,
    confidence_k, stride_b, stride_k, stride_y, stride_x, image_step, map_step, step,
    maps, height, width,
    EXTENT: tl.constexpr, POINTS: tl.constexpr, CONFIDENCE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, SIDE: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = kept.dtype.element_ty
    b = (tl.program_id(0) // maps).to(tl.int64)
    k = (tl.program_id(0) % maps).to(tl.int64)
    g, h, c = _arriving(
        grad_points, grad_confidence, b, k, points_b, points_k, points_axis, confidence_b,
        confidence_k, T, POINTS, CONFIDENCE,
    )  # fmt: skip
    across = kept + b * image_step + k * map_step
    down = across + width * step
    to_x = _half(width, EXTENT, T)
    to_y = _half(height, EXTENT, T)
    centre_x, peak_x, first_x = _side_sums(across, width, step, to_x, T, SIDE)
    centre_y, peak_y, first_y = _side_sums(down, height, step, to_y, T, SIDE)
    pull = c * tl.sqrt(peak_x * peak_y) / 2
    row_scale = _inverse_of(height, T)
    column_scale = _inverse_of(width, T)
    start = out + b * stride_b + k * stride_k
    for left in range(0, width, COLUMNS):
        column = left + tl.arange(0, COLUMNS)
        a = _side_slope(across, column, width, step, to_x, g, centre_x, first_x, pull, row_scale, T)
        for top in range(0, height, ROWS):
            row = top + tl.arange(0, ROWS)
            d = _side_slope(
                down, row, height, step, to_y, h, centre_y, first_y, pull, column_scale, T
            )
            _, _, at, inside = _tile(
                start, top, left, height, width, stride_y, stride_x, ROWS, COLUMNS
            )
            tl.store(at, (a[None, :] + d[:, None]).to(out.dtype.element_ty), inside)


@triton.jit
def joint_backward_kernel(
    grad_points, grad_confidence, logits, kept, out, points_b, points_k, points_axis, confidence_b,
    confidence_k, from_b, from_k, from_y, from_x, stride_b, stride_k, stride_y, stride_x,
    maps, height, width, EXTENT: tl.constexpr, POINTS: tl.constexpr, CONFIDENCE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = kept.dtype.element_ty
    number = tl.program_id(0).to(tl.int64)
    b = number // maps
    k = number % maps
    g, h, c = _arriving(
        grad_points, grad_confidence, b, k, points_b, points_k, points_axis, confidence_b,
        confidence_k, T, POINTS, CONFIDENCE,
    )  # fmt: skip
    own = kept + number * NUMBERS
    most = tl.load(own)
    peak = tl.load(own + 1)
    at_x = tl.load(own + 2)
    at_y = tl.load(own + 3)
    column = tl.load(own + 4).to(tl.int32)
    row = tl.load(own + 5).to(tl.int32)
    pull = c * peak
    to_x = _half(width, EXTENT, T)
    to_y = _half(height, EXTENT, T)
    start = logits + b * from_b + k * from_k
    start_to = out + b * stride_b + k * stride_k
    for top in range(0, height, ROWS):
        for left in range(0, width, COLUMNS):
            y, x, at, inside = _tile(start, top, left, height, width, from_y, from_x, ROWS, COLUMNS)
            across = g * (_place(x, width, to_x, T) - at_x)
            down = h * (_place(y, height, to_y, T) - at_y) - pull
            weight = _exponential(tl.load(at, inside, float("-inf")).to(T), most)
            slope = weight * (peak * across + peak * down)
            slope += tl.where((x == column) & (y == row), pull, 0)
            _, _, to, _ = _tile(
                start_to, top, left, height, width, stride_y, stride_x, ROWS, COLUMNS
            )
            tl.store(to, slope.to(out.dtype.element_ty), inside)
