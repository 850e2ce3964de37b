"""Triton kernels of `warp_templates`; `triton.py` launches them.

Same plan as the CUDA kernels (`csrc/warp_templates/`): a program draws a tile of one map, or sums
over a row of tiles, or gathers for some texels from the pixels that see them. `math.h` there has
the formulas. Sums are formed in a fixed order. Templates lie without gaps.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportAssignmentType=false

import triton
import triton.language as tl

from fastpose.ops.triton_kernels import inverse

SUMS = tl.constexpr(6)  # of a map and a row of tiles: see math.h, MapSums
SINGULAR = tl.constexpr(4)  # a determinant of so few roundings of its terms is 0


@triton.jit
def _is_finite(value):
    return value - value == 0


@triton.jit
def _map(affine, row_stride, column_stride):
    """make_map of math.h: A, the inverse M (its xx is NaN if spoilt), and t."""
    T: tl.constexpr = affine.dtype.element_ty
    IS_DOUBLE: tl.constexpr = tl.float64 == T
    ROUNDING: tl.constexpr = 2.0**-52 if IS_DOUBLE else 2.0**-23
    SMALLEST: tl.constexpr = 2.0**-1022 if IS_DOUBLE else 2.0**-126
    a = tl.load(affine)
    b = tl.load(affine + column_stride)
    tx = tl.load(affine + 2 * column_stride)
    c = tl.load(affine + row_stride)
    d = tl.load(affine + row_stride + column_stride)
    ty = tl.load(affine + row_stride + 2 * column_stride)
    bc = b * c
    determinant = tl.fma(a, d, -bc) + tl.fma(-b, c, bc)
    terms = tl.abs(a * d) + tl.abs(bc)
    per = inverse(determinant)
    xx = d * per
    xy = -b * per
    yx = -c * per
    yy = a * per
    regular = tl.abs(determinant) > terms * (SINGULAR * ROUNDING)
    regular &= (tl.abs(determinant) >= SMALLEST) & _is_finite(terms)
    regular &= _is_finite(xx) & _is_finite(xy) & _is_finite(yx) & _is_finite(yy)
    regular &= _is_finite(tx) & _is_finite(ty)
    return a, b, c, d, tl.where(regular, xx, float("nan")), xy, yx, yy, tx, ty


@triton.jit
def _plane(stride_b, stride_k, plane, count):
    """Where map `plane` = b K + k starts, from the strides of its tensor."""
    return (plane // count).to(tl.int64) * stride_b + (plane % count).to(tl.int64) * stride_k


@triton.jit
def _see(templates, k, rows, columns, x, y):
    """The four texels around each source (x, y), and where it lies between them."""
    sees = (x >= -1) & (x < columns) & (y >= -1) & (y < rows)
    x = tl.where(sees, x, 0)
    y = tl.where(sees, y, 0)
    left = tl.floor(x)
    top = tl.floor(y)
    column = left.to(tl.int32)
    row = top.to(tl.int32)
    upper = sees & (row >= 0)
    lower = sees & (row + 1 < rows)
    first = column >= 0
    last = column + 1 < columns
    at = templates + k.to(tl.int64) * rows * columns + (row * columns + column)
    t00 = tl.load(at, upper & first, 0)
    t10 = tl.load(at + 1, upper & last, 0)
    t01 = tl.load(at + columns, lower & first, 0)
    t11 = tl.load(at + columns + 1, lower & last, 0)
    return t00, t10, t01, t11, x - left, y - top, x, y


@triton.jit
def forward_kernel(
    templates, affine, out, affine_b, affine_k, affine_row, affine_column, stride_b, stride_k,
    stride_y, stride_x, count, rows, columns, height, width, tiles_x, tiles,
    TILE_X: tl.constexpr, TILE_Y: tl.constexpr,
):  # fmt: skip
    plane = tl.program_id(0) // tiles
    tile = tl.program_id(0) % tiles
    u = tile % tiles_x * TILE_X + tl.arange(0, TILE_X)[None, :]
    v = tile // tiles_x * TILE_Y + tl.arange(0, TILE_Y)[:, None]
    _, _, _, _, xx, xy, yx, yy, tx, ty = _map(
        affine + _plane(affine_b, affine_k, plane, count), affine_row, affine_column
    )
    to_x = u.to(xx.dtype) - tx
    to_y = v.to(xx.dtype) - ty
    t00, t10, t01, t11, fx, fy, _, _ = _see(
        templates, plane % count, rows, columns, xx * to_x + xy * to_y, yx * to_x + yy * to_y
    )
    upper = t00 + fx * (t10 - t00)
    lower = t01 + fx * (t11 - t01)
    value = tl.where(xx != xx, float("nan"), upper + fy * (lower - upper))
    place = _plane(stride_b, stride_k, plane, count)
    place += v.to(tl.int64) * stride_y + u.to(tl.int64) * stride_x
    tl.store(out + place, value.to(out.dtype.element_ty), (u < width) & (v < height))


@triton.jit
def backward_kernel(
    grad, templates, affine, partial, affine_b, affine_k, affine_row, affine_column, stride_b,
    stride_k, stride_y, stride_x, count, rows, columns, height, width, bands,
    TILE_X: tl.constexpr, TILE_Y: tl.constexpr,
):  # fmt: skip
    """partial (B K, bands, SUMS); a band is a row of tiles."""
    T: tl.constexpr = affine.dtype.element_ty
    plane = tl.program_id(0) // bands
    band = tl.program_id(0) % bands
    v = band * TILE_Y + tl.arange(0, TILE_Y)[:, None]
    _, _, _, _, xx, xy, yx, yy, tx, ty = _map(
        affine + _plane(affine_b, affine_k, plane, count), affine_row, affine_column
    )
    line = _plane(stride_b, stride_k, plane, count) + v.to(tl.int64) * stride_y
    to_y = v.to(T) - ty
    sum_x = tl.zeros((TILE_Y, TILE_X), T)
    sum_y = tl.zeros((TILE_Y, TILE_X), T)
    sum_xx = tl.zeros((TILE_Y, TILE_X), T)
    sum_xy = tl.zeros((TILE_Y, TILE_X), T)
    sum_yx = tl.zeros((TILE_Y, TILE_X), T)
    sum_yy = tl.zeros((TILE_Y, TILE_X), T)
    for left in range(0, width, TILE_X):
        u = left + tl.arange(0, TILE_X)[None, :]
        to_x = u.to(T) - tx
        t00, t10, t01, t11, fx, fy, x, y = _see(
            templates, plane % count, rows, columns, xx * to_x + xy * to_y, yx * to_x + yy * to_y
        )
        slope_x = t10 - t00 + fy * ((t11 - t01) - (t10 - t00))
        slope_y = t01 - t00 + fx * ((t11 - t10) - (t01 - t00))
        there = (u < width) & (v < height)
        gradient = tl.load(grad + line + u.to(tl.int64) * stride_x, there, 0).to(T)
        qx = tl.where(slope_x != 0, gradient * slope_x, 0)
        qy = tl.where(slope_y != 0, gradient * slope_y, 0)
        sum_x += qx
        sum_y += qy
        sum_xx += qx * x
        sum_xy += qx * y
        sum_yx += qy * x
        sum_yy += qy * y
    to = partial + (plane.to(tl.int64) * bands + band) * SUMS
    tl.store(to, tl.sum(tl.sum(sum_x, 1), 0))
    tl.store(to + 1, tl.sum(tl.sum(sum_y, 1), 0))
    tl.store(to + 2, tl.sum(tl.sum(sum_xx, 1), 0))
    tl.store(to + 3, tl.sum(tl.sum(sum_xy, 1), 0))
    tl.store(to + 4, tl.sum(tl.sum(sum_yx, 1), 0))
    tl.store(to + 5, tl.sum(tl.sum(sum_yy, 1), 0))


@triton.jit
def finish_kernel(
    partial, affine, grad_affine, affine_b, affine_k, affine_row, affine_column, count, bands,
):  # fmt: skip
    """`finish` of math.h for one map, from the sums of its bands in their order."""
    plane = tl.program_id(0)
    _, _, _, _, xx, xy, yx, yy, _, _ = _map(
        affine + _plane(affine_b, affine_k, plane, count), affine_row, affine_column
    )
    which = tl.arange(0, 8)
    total = tl.zeros((8,), tl.float64)
    sums = partial + plane.to(tl.int64) * bands * SUMS + which
    for band in range(0, bands):
        total += tl.load(sums + band * SUMS, which < SUMS, 0).to(tl.float64)
    x = tl.sum(tl.where(which == 0, total, 0), 0)
    y = tl.sum(tl.where(which == 1, total, 0), 0)
    q_xx = tl.sum(tl.where(which == 2, total, 0), 0)
    q_xy = tl.sum(tl.where(which == 3, total, 0), 0)
    q_yx = tl.sum(tl.where(which == 4, total, 0), 0)
    q_yy = tl.sum(tl.where(which == 5, total, 0), 0)
    spoilt = xx != xx
    xx = xx.to(tl.float64)
    xy = xy.to(tl.float64)
    yx = yx.to(tl.float64)
    yy = yy.to(tl.float64)
    E: tl.constexpr = grad_affine.dtype.element_ty
    nan = tl.where(spoilt, float("nan"), 0.0).to(tl.float64)
    to = grad_affine + plane.to(tl.int64) * 6
    tl.store(to, (nan - (xx * q_xx + yx * q_yx)).to(E))
    tl.store(to + 1, (nan - (xx * q_xy + yx * q_yy)).to(E))
    tl.store(to + 2, (nan - (xx * x + yx * y)).to(E))
    tl.store(to + 3, (nan - (xy * q_xx + yy * q_yx)).to(E))
    tl.store(to + 4, (nan - (xy * q_xy + yy * q_yy)).to(E))
    tl.store(to + 5, (nan - (xy * x + yy * y)).to(E))


@triton.jit
def _first(at, reach, size):
    """The first pixel of a side that lies within `reach` of `at`, which may be no number."""
    return tl.minimum(tl.maximum(tl.ceil(at - reach), 0), size).to(tl.int32)


@triton.jit
def _most(reach, size):
    """How many pixels of a side lie within `reach` of anything, at most."""
    return tl.minimum(2 * reach + 2, size).to(tl.int32)


@triton.jit
def templates_kernel(
    grad, affine, grad_templates, affine_b, affine_k, affine_row, affine_column, stride_b,
    stride_k, stride_y, stride_x, batch, rows, columns, height, width, groups,
    TEXELS: tl.constexpr,
):  # fmt: skip
    """Each texel of a group gathers from the pixels that see it, image by image."""
    T: tl.constexpr = affine.dtype.element_ty
    SLACK: tl.constexpr = 1 / 64  # for the rounding of where the texel lies
    k = (tl.program_id(0) // groups).to(tl.int64)
    texel = tl.program_id(0) % groups * TEXELS + tl.arange(0, TEXELS)
    there = texel < rows * columns
    texel_x = (texel % columns).to(T)
    texel_y = (texel // columns).to(T)
    total = tl.zeros((TEXELS,), T)
    for b in range(0, batch):
        image = k * 0 + b
        a, s, c, d, xx, xy, yx, yy, tx, ty = _map(
            affine + image * affine_b + k * affine_k, affine_row, affine_column
        )
        reach_x = tl.abs(a) + tl.abs(s) + SLACK
        reach_y = tl.abs(c) + tl.abs(d) + SLACK
        first_x = _first(a * texel_x + s * texel_y + tx, reach_x, width)
        first_y = _first(c * texel_x + d * texel_y + ty, reach_y, height)
        plane = grad + image * stride_b + k * stride_k
        for j in range(0, _most(reach_y, height)):
            v = first_y + j
            to_y = v.to(T) - ty
            line = plane + v.to(tl.int64) * stride_y
            for i in range(0, _most(reach_x, width)):
                u = first_x + i
                to_x = u.to(T) - tx
                off_x = tl.abs(xx * to_x + xy * to_y - texel_x)
                off_y = tl.abs(yx * to_x + yy * to_y - texel_y)
                near = there & (u < width) & (v < height) & (off_x < 1) & (off_y < 1)
                gradient = tl.load(line + u.to(tl.int64) * stride_x, near, 0).to(T)
                total += tl.where(near, gradient * ((1 - off_x) * (1 - off_y)), 0)
        total = tl.where(xx != xx, float("nan"), total)
    tl.store(grad_templates + k * rows * columns + texel, total, there)
