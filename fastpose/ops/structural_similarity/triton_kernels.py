"""Triton kernels of `structural_similarity`; `triton.py` launches them.

Four passes, as in the CUDA kernels (`csrc/structural_similarity/`), but through memory, since
programs cannot look at each other's numbers: weighted sums of s = x + y, d = x - y and their
squares down the columns; along the rows, S and what windows hand to their pixels (`math.h` derives
it); and that spread along the rows and up the columns. Windows are named by their first pixel; the
passes' results are (planes, 4, rows, columns). SCALE is 1 / data range.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportGeneralTypeIssues=false

import triton
import triton.language as tl


@triton.jit
def _images(x, y, offset_x, offset_y, inside, SCALE: tl.constexpr, T: tl.constexpr):
    """Sum and difference in units of the data range."""
    a = tl.load(x + offset_x, inside, 0).to(T)
    b = tl.load(y + offset_y, inside, 0).to(T)
    return (a + b) * SCALE, (a - b) * SCALE


@triton.jit
def _centre(x, y, height, width, x_y, x_x, y_y, y_x, SCALE: tl.constexpr, T: tl.constexpr):
    """Of the plane's middle: it is subtracted from all of s and d. 0 if not finite or huge."""
    row = (height // 2).to(tl.int64)
    column = (width // 2).to(tl.int64)
    a = tl.load(x + row * x_y + column * x_x).to(T) * SCALE
    b = tl.load(y + row * y_y + column * y_x).to(T) * SCALE
    usual = (tl.abs(a) < 8) & (tl.abs(b) < 8)
    return tl.where(usual, a + b, 0), tl.where(usual, a - b, 0)


@triton.jit
def down_kernel(
    x, y, down, x_b, x_c, x_y, x_x, y_b, y_c, y_y, y_x, channels, height, width,
    SCALE: tl.constexpr, REACH: tl.constexpr, TAPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sums down the columns: rows of windows, columns of pixels."""
    T: tl.constexpr = down.dtype.element_ty
    plane = tl.program_id(0)
    b = (plane // channels).to(tl.int64)
    c = (plane % channels).to(tl.int64)
    x += b * x_b + c * x_c
    y += b * y_b + c * y_c
    centre_s, centre_d = _centre(x, y, height, width, x_y, x_x, y_y, y_x, SCALE, T)
    number = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    count = (height - REACH) * width
    inside = number < count
    row = (number // width).to(tl.int64)
    column = (number % width).to(tl.int64)
    s_sum = tl.zeros((BLOCK,), T)
    d_sum = tl.zeros((BLOCK,), T)
    ss_sum = tl.zeros((BLOCK,), T)
    dd_sum = tl.zeros((BLOCK,), T)
    for k in tl.static_range(REACH + 1):
        at_x = (row + k) * x_y + column * x_x
        at_y = (row + k) * y_y + column * y_x
        s, d = _images(x, y, at_x, at_y, inside, SCALE, T)
        s -= centre_s
        d -= centre_d
        s_sum += TAPS[k] * s
        d_sum += TAPS[k] * d
        ss_sum += TAPS[k] * (s * s)
        dd_sum += TAPS[k] * (d * d)
    to = down + plane.to(tl.int64) * 4 * count + number
    tl.store(to, s_sum, inside)
    tl.store(to + count, d_sum, inside)
    tl.store(to + 2 * count, ss_sum, inside)
    tl.store(to + 3 * count, dd_sum, inside)


@triton.jit
def _sum_along(source, row, column, width, inside, REACH: tl.constexpr, TAPS: tl.constexpr):
    total = TAPS[0] * tl.load(source + row * width + column, inside, 0)
    for k in tl.static_range(1, REACH + 1):
        total += TAPS[k] * tl.load(source + row * width + column + k, inside, 0)
    return total


@triton.jit
def compare_kernel(
    x, y, down, slope, partial, x_b, x_c, x_y, x_x, y_b, y_c, y_y, y_x, channels, height, width,
    blocks, SCALE: tl.constexpr, NORM: tl.constexpr, C1: tl.constexpr, C2: tl.constexpr,
    REACH: tl.constexpr, TAPS: tl.constexpr, SLOPES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """S of all windows, summed up, and what they hand out."""
    T: tl.constexpr = down.dtype.element_ty
    plane = tl.program_id(0)
    b = (plane // channels).to(tl.int64)
    c = (plane % channels).to(tl.int64)
    centre_s, centre_d = _centre(
        x + b * x_b + c * x_c, y + b * y_b + c * y_c, height, width, x_y, x_x, y_y, y_x,
        SCALE, T,
    )  # fmt: skip
    across = width - REACH
    count = (height - REACH) * across
    pitch = (height - REACH) * width
    number = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = number < count
    row = number // across
    column = number % across
    source = down + plane.to(tl.int64) * 4 * pitch
    mean_s = _sum_along(source, row, column, width, inside, REACH, TAPS)
    mean_d = _sum_along(source + pitch, row, column, width, inside, REACH, TAPS)
    mean_ss = _sum_along(source + 2 * pitch, row, column, width, inside, REACH, TAPS)
    mean_dd = _sum_along(source + 3 * pitch, row, column, width, inside, REACH, TAPS)
    s = mean_s + centre_s
    d = mean_d + centre_d
    variance_s = mean_ss - mean_s * mean_s
    variance_d = mean_dd - mean_d * mean_d
    bright = s * s + C1
    strong = NORM * variance_s + C2
    top_1 = bright - d * d
    bottom_1 = bright + d * d
    top_2 = strong - NORM * variance_d
    bottom_2 = strong + NORM * variance_d
    value = (top_1 * top_2) / (bottom_1 * bottom_2)
    total = tl.sum(tl.where(inside, value, 0).to(tl.float64), 0)
    tl.store(partial + plane.to(tl.int64) * blocks + tl.program_id(1), total)
    if SLOPES:
        light = 4 * top_2 / (bottom_1 * bottom_2 * bottom_1)
        weight = 4 * NORM * top_1 / (bottom_1 * bottom_2 * bottom_2)
        by_ss = weight * (NORM * variance_d)
        by_dd = -weight * strong
        to = slope + plane.to(tl.int64) * 4 * count + number
        tl.store(to, light * s * (d * d) - mean_s * by_ss, inside)
        tl.store(to + count, -light * d * bright - mean_d * by_dd, inside)
        tl.store(to + 2 * count, by_ss, inside)
        tl.store(to + 3 * count, by_dd, inside)


@triton.jit
def along_kernel(
    slope, along, height, width, REACH: tl.constexpr, TAPS: tl.constexpr, BLOCK: tl.constexpr
):
    """What windows hand out, spread along their rows: rows of windows, columns of pixels."""
    T: tl.constexpr = along.dtype.element_ty
    across = width - REACH
    rows = height - REACH
    number = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = number < rows * width
    row = number // width
    column = number % width
    map_ = tl.program_id(0).to(tl.int64) * 4 + tl.program_id(2)
    source = slope + map_ * rows * across
    total = tl.zeros((BLOCK,), T)
    for k in tl.static_range(REACH + 1):
        window = column - REACH + k
        counts = inside & (window >= 0) & (window < across)
        total += TAPS[k] * tl.load(source + row * across + window, counts, 0)
    tl.store(along + map_ * rows * width + number, total, inside)


@triton.jit
def _sum_up(source, row, column, rows, width, inside, REACH: tl.constexpr, TAPS: tl.constexpr):
    total = tl.load(source + row * 0, inside & (row < 0), 0)
    for k in tl.static_range(REACH + 1):
        window = row - REACH + k
        counts = inside & (window >= 0) & (window < rows)
        total += TAPS[k] * tl.load(source + window * width + column, counts, 0)
    return total


@triton.jit
def up_kernel(
    x, y, along, slope_x, slope_y, x_b, x_c, x_y, x_x, y_b, y_c, y_y, y_x,
    to_x_b, to_x_c, to_x_y, to_x_x, to_y_b, to_y_c, to_y_y, to_y_x, channels, height, width,
    SCALE: tl.constexpr, WANT_X: tl.constexpr, WANT_Y: tl.constexpr,
    REACH: tl.constexpr, TAPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The slopes of pixels."""
    T: tl.constexpr = along.dtype.element_ty
    plane = tl.program_id(0)
    b = (plane // channels).to(tl.int64)
    c = (plane % channels).to(tl.int64)
    x += b * x_b + c * x_c
    y += b * y_b + c * y_c
    centre_s, centre_d = _centre(x, y, height, width, x_y, x_x, y_y, y_x, SCALE, T)
    number = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = number < height * width
    row = number // width
    column = number % width
    y_at = row.to(tl.int64)
    x_at = column.to(tl.int64)
    rows = height - REACH
    pitch = rows * width
    source = along + plane.to(tl.int64) * 4 * pitch
    by_s = _sum_up(source, row, column, rows, width, inside, REACH, TAPS)
    by_d = _sum_up(source + pitch, row, column, rows, width, inside, REACH, TAPS)
    by_ss = _sum_up(source + 2 * pitch, row, column, rows, width, inside, REACH, TAPS)
    by_dd = _sum_up(source + 3 * pitch, row, column, rows, width, inside, REACH, TAPS)
    s, d = _images(x, y, y_at * x_y + x_at * x_x, y_at * y_y + x_at * y_x, inside, SCALE, T)
    by_s += by_ss * (s - centre_s)
    by_d += by_dd * (d - centre_d)
    if WANT_X:
        to = slope_x + b * to_x_b + c * to_x_c + y_at * to_x_y + x_at * to_x_x
        tl.store(to, (by_s + by_d).to(slope_x.dtype.element_ty), inside)
    if WANT_Y:
        to = slope_y + b * to_y_b + c * to_y_c + y_at * to_y_y + x_at * to_y_x
        tl.store(to, (by_s - by_d).to(slope_y.dtype.element_ty), inside)


@triton.jit
def finish_kernel(partial, values, parts, windows, BLOCK: tl.constexpr):
    """The mean of each image from the sums of its parts."""
    image = tl.program_id(0).to(tl.int64)
    total = tl.zeros((BLOCK,), tl.float64)
    for first in range(0, parts, BLOCK):
        part = first + tl.arange(0, BLOCK)
        total += tl.load(partial + image * parts + part, part < parts, 0)
    mean = tl.sum(total, 0) / windows
    tl.store(values + image, mean.to(values.dtype.element_ty))


@triton.jit
def backward_kernel(
    slope, grad, grad_output, stride, from_b, from_c, from_y, from_x, to_b, to_c, to_y, to_x,
    channels, height, width, windows, SCALE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = grad_output.dtype.element_ty
    plane = tl.program_id(0)
    b = (plane // channels).to(tl.int64)
    c = (plane % channels).to(tl.int64)
    number = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = number < height * width
    row = (number // width).to(tl.int64)
    column = (number % width).to(tl.int64)
    share = (tl.load(grad_output + b * stride).to(tl.float64) * SCALE / windows).to(T)
    source = slope + b * from_b + c * from_c + row * from_y + column * from_x
    to = grad + b * to_b + c * to_c + row * to_y + column * to_x
    value = tl.load(source, inside, 0).to(T) * share
    tl.store(to, value.to(grad.dtype.element_ty), inside)
