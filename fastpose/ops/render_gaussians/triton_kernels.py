"""Triton kernels of `render_gaussians`; `triton.py` launches them.

Same plan as the CUDA kernels (`csrc/render_gaussians/`), whose `math.h` has the formulas: a program
draws a tile of one map, or of several where they lie side by side in memory; backward sums over
parts of maps and adds those up in a fixed order.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportAssignmentType=false

import triton
import triton.language as tl

from fastpose.ops.triton_kernels import inverse

SUMS = tl.constexpr(5)  # of a part of a map: see math.h, Sums
SINGULAR = tl.constexpr(8)  # epsilons: less of S_xx left without y is rounding noise
HALF_LOG2E = tl.constexpr(0.72134752044448170368)


@triton.jit
def _root(value):
    """Correctly rounded, too."""
    if value.dtype == tl.float64:
        result = tl.sqrt(value)
    else:
        result = tl.sqrt_rn(value)
    return result


@triton.jit
def _part(
    mean, covariance, affine, mean_c, covariance_i, covariance_j, affine_i, affine_j, variance,
    mask, HAS_COVARIANCE: tl.constexpr, MOVED: tl.constexpr,
):  # fmt: skip
    """part_of of math.h for a vector of maps: the pointers are to their first numbers."""
    x = tl.load(mean, mask, 0)
    y = tl.load(mean + mean_c, mask, 0)
    if HAS_COVARIANCE:
        xx = tl.load(covariance, mask, 1)
        xy = (
            tl.load(covariance + covariance_j, mask, 0)
            + tl.load(covariance + covariance_i, mask, 0)
        ) / 2
        yy = tl.load(covariance + covariance_i + covariance_j, mask, 1)
    else:
        xx = (tl.zeros_like(x) + variance).to(x.dtype)
        xy = tl.zeros_like(x)
        yy = xx
    a = tl.full(x.shape, 1, x.dtype)
    b = tl.zeros_like(x)
    c = tl.zeros_like(x)
    d = a
    u = tl.zeros_like(x)
    v = tl.zeros_like(x)
    if MOVED:
        a = tl.load(affine, mask, 1)
        b = tl.load(affine + affine_j, mask, 0)
        u = tl.load(affine + 2 * affine_j, mask, 0)
        c = tl.load(affine + affine_i, mask, 0)
        d = tl.load(affine + affine_i + affine_j, mask, 1)
        v = tl.load(affine + affine_i + 2 * affine_j, mask, 0)
    return x, y, xx, xy, yy, a, b, c, d, u, v


@triton.jit
def _regress(xx, xy, yy, jitter, per_yy):
    """regress of math.h: slope, rest, left."""
    slope = xy * per_yy
    rest = per_yy * tl.fma(-slope, jitter, tl.fma(-slope, yy, xy))
    return slope, rest, tl.fma(-xy, rest, tl.fma(-xy, slope, xx) + jitter)


@triton.jit
def _moved_spread(xx, xy, yy, a, b, c, d, jitter):
    """moved_spread_of of math.h: xx, yy, 1 / yy, shear, left."""
    wide = tl.abs(xx) > tl.abs(yy)
    greater = tl.where(wide, xx, yy)
    lesser = tl.where(wide, yy, xx)
    u_x = tl.where(wide, b, a)
    u_y = tl.where(wide, d, c)
    v_x = tl.where(wide, a, b)
    v_y = tl.where(wide, c, d)
    zero = tl.zeros_like(xx)
    per_greater = tl.where(greater == 0, zero, inverse(greater))
    slope, rest, left = _regress(lesser, xy, greater, zero, per_greater)
    w_x = tl.fma(rest, u_x, tl.fma(slope, u_x, v_x))
    w_y = tl.fma(rest, u_y, tl.fma(slope, u_y, v_y))
    with_u = left * u_y
    with_w = greater * w_y
    moved_xx = left * (u_x * u_x) + greater * (w_x * w_x)
    moved_yy = with_u * u_y + with_w * w_y + jitter
    per_yy = inverse(moved_yy)
    shear = (with_u * u_x + with_w * w_x) * per_yy
    u = tl.fma(-shear, u_y, u_x)
    w = tl.fma(rest, u, tl.fma(slope, u, tl.fma(-shear, v_y, v_x)))
    shear += per_yy * tl.fma(-shear, jitter, with_u * u + with_w * w)
    product = b * c
    det = tl.fma(a, d, -product) - tl.fma(b, c, -product)
    left = det * (det * (left * (greater * per_yy)))
    left += jitter * ((moved_xx + moved_yy) * per_yy)
    return moved_xx + jitter, moved_yy, per_yy, shear, left


@triton.jit
def _gaussian(
    x, y, xx, xy, yy, a, b, c, d, u, v, jitter, HAS_COVARIANCE: tl.constexpr, MOVED: tl.constexpr
):  # fmt: skip
    """make_gaussian of math.h: x (NaN if spoilt), y, shear, along, across."""
    T: tl.constexpr = x.dtype
    IS_DOUBLE: tl.constexpr = tl.float64 == T
    EPSILON: tl.constexpr = 2.0**-52 if IS_DOUBLE else 2.0**-23
    LEAST: tl.constexpr = 2.0**-1022 if IS_DOUBLE else 2.0**-126
    MOST: tl.constexpr = 1.7976931348623157e308 if IS_DOUBLE else 3.4028234663852886e38
    more = (tl.zeros_like(x) + jitter).to(T)
    if MOVED:
        moved_x = tl.fma(a, x, tl.fma(b, y, u))
        moved_y = tl.fma(c, x, tl.fma(d, y, v))
        x = moved_x
        y = moved_y
        xx, yy, per_yy, shear, left = _moved_spread(xx, xy, yy, a, b, c, d, more)
    else:
        per_yy = inverse(yy + more)
        shear = tl.zeros_like(x)
        left = xx + more
        if HAS_COVARIANCE:
            slope, rest, left = _regress(xx, xy, yy, more, per_yy)
            shear = slope + rest
        xx += more
        yy += more
    along = _root(inverse(left) * HALF_LOG2E)
    across = _root(per_yy * HALF_LOG2E)
    far_y = 1 + tl.abs(y)
    deviations = (1 + tl.abs(x) + tl.abs(shear) * far_y) * along + far_y * across
    sound = (yy >= LEAST) & (left >= LEAST) & (left > xx * (SINGULAR * EPSILON))
    sound &= (xx <= MOST) & (yy <= MOST) & (deviations <= MOST)
    return tl.where(sound, x, float("nan")), y, shear, along, across


@triton.jit
def _centres(position, start, step, T: tl.constexpr):
    """Normalised coordinates of pixels, from numbers of 64 bits."""
    zero = tl.zeros_like(position).to(T)
    return position.to(T) * (zero + step).to(T) + (zero + start).to(T)


@triton.jit
def forward_kernel(
    mean, covariance, affine, out, mean_b, mean_k, mean_c, covariance_b, covariance_k,
    covariance_i, covariance_j, affine_b, affine_k, affine_i, affine_j, stride_b, stride_k,
    stride_y, stride_x, maps, height, width, groups, tiles_y, tiles_x, start_x: tl.float64,
    step_x: tl.float64, start_y: tl.float64, step_y: tl.float64, variance: tl.float64,
    jitter: tl.float64, HAS_COVARIANCE: tl.constexpr, MOVED: tl.constexpr, MAPS: tl.constexpr,
    TILE_Y: tl.constexpr, TILE_X: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = mean.dtype.element_ty
    program = tl.program_id(0)
    left = program % tiles_x * TILE_X
    top = program // tiles_x % tiles_y * TILE_Y
    group = program // tiles_x // tiles_y
    k = group % groups * MAPS + tl.arange(0, MAPS)
    b = (group // groups).to(tl.int64)
    inside = k < maps
    wide = k.to(tl.int64)
    x, y, xx, xy, yy, ma, mb, mc, md, mu, mv = _part(
        mean + b * mean_b + wide * mean_k, covariance + b * covariance_b + wide * covariance_k,
        affine + b * affine_b + wide * affine_k, mean_c, covariance_i, covariance_j, affine_i,
        affine_j, variance, inside, HAS_COVARIANCE, MOVED,
    )  # fmt: skip
    x, y, shear, along, across = _gaussian(
        x, y, xx, xy, yy, ma, mb, mc, md, mu, mv, jitter, HAS_COVARIANCE, MOVED
    )
    column = left + tl.arange(0, TILE_X)
    row = top + tl.arange(0, TILE_Y)
    # (y, x, map): where maps lie side by side, a warp's lanes do so, too.
    dx = _centres(column, start_x, step_x, T)[None, :, None] - x[None, None, :]
    dy = _centres(row, start_y, step_y, T)[:, None, None] - y[None, None, :]
    straight = along[None, None, :] * dx
    beside = across[None, None, :] * dy
    high = tl.exp2(-(beside * beside))
    place = b * stride_b + wide[None, None, :] * stride_k
    place += row[:, None, None].to(tl.int64) * stride_y
    place += column[None, :, None].to(tl.int64) * stride_x
    mask = inside[None, None, :] & (row < height)[:, None, None] & (column < width)[None, :, None]
    if tl.max(tl.abs(shear), 0) == 0:
        value = tl.exp2(-(straight * straight)) * high
        tl.store(out + place, value.to(out.dtype.element_ty), mask)
    else:
        sheared = straight - along[None, None, :] * (shear[None, None, :] * dy)
        value = tl.exp2(-(sheared * sheared)) * high
        tl.store(out + place, value.to(out.dtype.element_ty), mask)


# Nothing is assumed of the gradient's strides, so that sums have one order for all layouts.
@triton.jit(do_not_specialize=["stride_b", "stride_k", "stride_y", "stride_x"])
def backward_kernel(
    grad, mean, covariance, affine, partial, mean_b, mean_k, mean_c, covariance_b, covariance_k,
    covariance_i, covariance_j, affine_b, affine_k, affine_i, affine_j, stride_b, stride_k,
    stride_y, stride_x, maps, height, width, parts, rows, start_x: tl.float64,
    step_x: tl.float64, start_y: tl.float64, step_y: tl.float64, variance: tl.float64,
    jitter: tl.float64, HAS_COVARIANCE: tl.constexpr, MOVED: tl.constexpr, TILE_Y: tl.constexpr,
    TILE_X: tl.constexpr,
):  # fmt: skip
    """partial (B K, parts, SUMS); a part is some rows of a map."""
    T: tl.constexpr = mean.dtype.element_ty
    part = tl.program_id(0)
    map = (part // parts).to(tl.int64)
    b = map // maps
    k = map % maps + tl.zeros((1,), tl.int64)
    x, y, xx, xy, yy, ma, mb, mc, md, mu, mv = _part(
        mean + b * mean_b + k * mean_k, covariance + b * covariance_b + k * covariance_k,
        affine + b * affine_b + k * affine_k, mean_c, covariance_i, covariance_j, affine_i,
        affine_j, variance, k < maps, HAS_COVARIANCE, MOVED,
    )  # fmt: skip
    x, y, shear, along, across = _gaussian(
        x, y, xx, xy, yy, ma, mb, mc, md, mu, mv, jitter, HAS_COVARIANCE, MOVED
    )
    sum_a = tl.zeros((TILE_Y, TILE_X), T)
    sum_b = tl.zeros((TILE_Y, TILE_X), T)
    sum_aa = tl.zeros((TILE_Y, TILE_X), T)
    sum_ab = tl.zeros((TILE_Y, TILE_X), T)
    sum_bb = tl.zeros((TILE_Y, TILE_X), T)
    place = b * stride_b + k[:, None] * stride_k
    first = part % parts * rows
    for top in range(first, tl.minimum(first + rows, height), TILE_Y):
        row = top + tl.arange(0, TILE_Y)
        dy = _centres(row, start_y, step_y, T)[:, None] - y[:, None]
        beside = across[:, None] * dy
        high = tl.exp2(-(beside * beside))
        shift = along[:, None] * (shear[:, None] * dy)
        line = place + row[:, None].to(tl.int64) * stride_y
        for left in range(0, width, TILE_X):
            column = left + tl.arange(0, TILE_X)
            mask = (row < height)[:, None] & (column < width)[None, :]
            at = line + column[None, :].to(tl.int64) * stride_x
            dx = _centres(column, start_x, step_x, T)[None, :] - x[:, None]
            a = along[:, None] * dx - shift
            weight = tl.load(grad + at, mask, 0).to(T) * (tl.exp2(-(a * a)) * high)
            to_a = weight * a
            to_b = weight * beside
            sum_a += to_a
            sum_b += to_b
            sum_aa += to_a * a
            sum_ab += to_a * beside
            sum_bb += to_b * beside
    to = partial + part.to(tl.int64) * SUMS
    tl.store(to, tl.sum(tl.sum(sum_a, 1), 0))
    tl.store(to + 1, tl.sum(tl.sum(sum_b, 1), 0))
    tl.store(to + 2, tl.sum(tl.sum(sum_aa, 1), 0))
    tl.store(to + 3, tl.sum(tl.sum(sum_ab, 1), 0))
    tl.store(to + 4, tl.sum(tl.sum(sum_bb, 1), 0))


@triton.jit
def _total(partial, sum, parts, mask):
    """One of the sums of some maps over their parts, in order."""
    total = tl.zeros(partial.shape, tl.float64)
    for part in range(0, parts):
        total += tl.load(partial + part * SUMS + sum, mask, 0).to(tl.float64)
    return total


@triton.jit
def _write_template(
    grad_mean, grad_covariance, x, y, xx, xy, yy, mask,
    WANT_MEAN: tl.constexpr, WANT_COVARIANCE: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = grad_mean.dtype.element_ty
    if WANT_MEAN:
        tl.store(grad_mean, x.to(T), mask)
        tl.store(grad_mean + 1, y.to(T), mask)
    if WANT_COVARIANCE:
        tl.store(grad_covariance, xx.to(T), mask)
        tl.store(grad_covariance + 1, xy.to(T), mask)
        tl.store(grad_covariance + 2, xy.to(T), mask)
        tl.store(grad_covariance + 3, yy.to(T), mask)


@triton.jit
def finish_kernel(
    partial, mean, covariance, affine, grad_mean, grad_covariance, grad_affine, mean_b, mean_k,
    mean_c, covariance_b, covariance_k, covariance_i, covariance_j, affine_b, affine_k, affine_i,
    affine_j, batch, maps, parts, variance: tl.float64, jitter: tl.float64,
    HAS_COVARIANCE: tl.constexpr, MOVED: tl.constexpr, WANT_MEAN: tl.constexpr,
    WANT_COVARIANCE: tl.constexpr, WANT_AFFINE: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """A program takes GROUP maps or, if they are moved, one template in GROUP images at a time."""
    T: tl.constexpr = mean.dtype.element_ty
    program = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, GROUP).to(tl.int64)
    total_x = tl.zeros((1,), tl.float64)
    total_y = tl.zeros((1,), tl.float64)
    total_xx = tl.zeros((1,), tl.float64)
    total_xy = tl.zeros((1,), tl.float64)
    total_yy = tl.zeros((1,), tl.float64)
    for start in range(0, batch if MOVED else 1, GROUP):
        if MOVED:
            b = start + lane
            k = program + lane * 0
            mask = b < batch
        else:
            b = (program * GROUP + lane) // maps
            k = (program * GROUP + lane) % maps
            mask = b < batch
        map = b * maps + k
        own = partial + map * parts * SUMS
        sum_a = _total(own, 0, parts, mask)
        sum_b = _total(own, 1, parts, mask)
        sum_aa = _total(own, 2, parts, mask)
        sum_ab = _total(own, 3, parts, mask)
        sum_bb = _total(own, 4, parts, mask)
        px, py, cxx, cxy, cyy, ma, mb, mc, md, mu, mv = _part(
            mean + b * mean_b + k * mean_k, covariance + b * covariance_b + k * covariance_k,
            affine + b * affine_b + k * affine_k, mean_c, covariance_i, covariance_j, affine_i,
            affine_j, variance, mask, HAS_COVARIANCE, MOVED,
        )  # fmt: skip
        gx, _, shear, along, across = _gaussian(
            px, py, cxx, cxy, cyy, ma, mb, mc, md, mu, mv, jitter, HAS_COVARIANCE, MOVED
        )
        # finish of math.h
        spoilt = (gx - gx).to(tl.float64)  # 0 or NaN
        shear = shear.to(tl.float64)
        along = along.to(tl.float64)
        across = across.to(tl.float64)
        scale: tl.constexpr = 1 / HALF_LOG2E
        half: tl.constexpr = scale * scale / 2
        x = sum_a * scale * along + spoilt
        y = sum_b * scale * across - shear * x
        xx = sum_aa * half * along * along + spoilt
        cross = sum_ab * half * along * across
        xy = cross - shear * xx
        yy = sum_bb * half * across * across - shear * (cross + xy)
        if MOVED:
            a = ma.to(tl.float64)
            bb = mb.to(tl.float64)
            c = mc.to(tl.float64)
            d = md.to(tl.float64)
            ga = xx * a + xy * c
            gb = xx * bb + xy * d
            gc = xy * a + yy * c
            gd = xy * bb + yy * d
            if WANT_AFFINE:
                to = grad_affine + map * 6
                sxx = cxx.to(tl.float64)
                sxy = cxy.to(tl.float64)
                syy = cyy.to(tl.float64)
                at_x = px.to(tl.float64)
                at_y = py.to(tl.float64)
                tl.store(to, (2 * (ga * sxx + gb * sxy) + x * at_x).to(T), mask)
                tl.store(to + 1, (2 * (ga * sxy + gb * syy) + x * at_y).to(T), mask)
                tl.store(to + 2, x.to(T), mask)
                tl.store(to + 3, (2 * (gc * sxx + gd * sxy) + y * at_x).to(T), mask)
                tl.store(to + 4, (2 * (gc * sxy + gd * syy) + y * at_y).to(T), mask)
                tl.store(to + 5, y.to(T), mask)
            total_x += tl.sum(tl.where(mask, a * x + c * y, 0), 0)
            total_y += tl.sum(tl.where(mask, bb * x + d * y, 0), 0)
            total_xx += tl.sum(tl.where(mask, a * ga + c * gc, 0), 0)
            total_xy += tl.sum(tl.where(mask, a * gb + c * gd, 0), 0)
            total_yy += tl.sum(tl.where(mask, bb * gb + d * gd, 0), 0)
        else:
            _write_template(
                grad_mean + map * 2, grad_covariance + map * 4, x, y, xx, xy, yy, mask,
                WANT_MEAN, WANT_COVARIANCE,
            )  # fmt: skip
    if MOVED:
        one = program + tl.zeros((1,), tl.int64)
        _write_template(
            grad_mean + one * 2, grad_covariance + one * 4, total_x, total_y, total_xx, total_xy,
            total_yy, one < maps, WANT_MEAN, WANT_COVARIANCE,
        )  # fmt: skip
