"""Triton kernels of `render_skeleton`; `triton.py` launches them.

Same plan as the CUDA kernels (`csrc/render_skeleton/`): one program draws a tile of one channel and
tries only the limbs that can be nearest somewhere on it. Let v be the vector from a limb's nearest
point to the tile's centre o, f the limb nearest to o, and o + s a pixel; then a limb e can win only
if |v_e|^2 - |v_f|^2 + 2 <v_e - v_f, s> < |s|^2 for some s (`search.cuh` derives it). Backward
writes the sums of every tile apart and adds them in a fixed order.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

FIELDS = tl.constexpr(8)  # of a limb: start (2), direction (2), length, half width, 2 unused
SUMS = tl.constexpr(4)  # of a limb and a tile: see math.h, LimbSums
NOBODY = tl.constexpr(1 << 30)


@triton.jit
def _mean(points, index, begin, end, joint_stride, mask):
    """Means of the joints index[begin] .. index[end - 1], for vectors of begins and ends."""
    joint = tl.load(index + begin, mask, 0).to(tl.int64)
    total = tl.load(points + joint * joint_stride, mask, 0)
    most = tl.max(tl.where(mask, end - begin, 0), 0)
    for i in range(1, most):
        more = mask & (begin + i < end)
        joint = tl.load(index + begin + i, more, 0).to(tl.int64)
        total += tl.load(points + joint * joint_stride, more, 0)
    return total / tl.maximum(end - begin, 1).to(total.dtype)


@triton.jit
def _limb(
    points, plan, widths, e, mask, joint_stride, axis_stride, LIMBS, CHANNELS, WIDE: tl.constexpr
):
    """make_limb of math.h: start (NaN if spoilt), direction, length, half width."""
    offset = plan + CHANNELS + 1 + 2 * e
    index = plan + CHANNELS + 2 + 2 * LIMBS
    o0 = tl.load(offset, mask, 0)
    o1 = tl.load(offset + 1, mask, 0)
    o2 = tl.load(offset + 2, mask, 0)
    ax = _mean(points, index, o0, o1, joint_stride, mask)
    ay = _mean(points + axis_stride, index, o0, o1, joint_stride, mask)
    bx = _mean(points, index, o1, o2, joint_stride, mask)
    by = _mean(points + axis_stride, index, o1, o2, joint_stride, mask)
    to_x = bx - ax
    to_y = by - ay
    check = 16 * (ax * ax + ay * ay + bx * bx + by * by)
    spoilt = check - check  # 0, or NaN if anything overflowed or was not finite
    length = tl.sqrt(to_x * to_x + to_y * to_y)
    is_line = (length > 0) & (spoilt == 0)
    divisor = tl.where(is_line, length, 1)
    dx = tl.where(is_line, to_x / divisor, 1)
    dy = tl.where(is_line, to_y / divisor, 0)
    half = length * 0
    if WIDE:
        half = tl.where(is_line, tl.load(widths + e, mask, 0).to(ax.dtype) / 2, 0)
    return ax + spoilt, ay + spoilt, dx, dy, length, half


@triton.jit
def prepare_kernel(
    points, plan, widths, limbs, batch_stride, joint_stride, axis_stride, LIMBS, CHANNELS,
    WIDE: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """limbs (B, E, FIELDS) from the points."""
    b = tl.program_id(0).to(tl.int64)
    e = tl.program_id(1) * GROUP + tl.arange(0, GROUP)
    mask = e < LIMBS
    x, y, dx, dy, length, half = _limb(
        points + b * batch_stride, plan, widths, e, mask, joint_stride, axis_stride,
        LIMBS, CHANNELS, WIDE,
    )  # fmt: skip
    limb = limbs + (b * LIMBS + e) * FIELDS
    tl.store(limb, x, mask)
    tl.store(limb + 1, y, mask)
    tl.store(limb + 2, dx, mask)
    tl.store(limb + 3, dy, mask)
    tl.store(limb + 4, length, mask)
    tl.store(limb + 5, half, mask)


@triton.jit
def _nearest(limb, mask, u, v, WIDE: tl.constexpr):
    """nearest_point of math.h: where the limb's nearest point to (u, v) is, in the limb's frame."""
    x = tl.load(limb, mask)
    y = tl.load(limb + 1, mask)
    dx = tl.load(limb + 2, mask)
    dy = tl.load(limb + 3, mask)
    length = tl.load(limb + 4, mask)
    along = (u - x) * dx + (v - y) * dy
    across = (v - y) * dx - (u - x) * dy
    on_axis = tl.minimum(tl.maximum(along, 0), length)
    beside = across * 0
    if WIDE:
        half = tl.load(limb + 5, mask)
        beside = tl.minimum(tl.maximum(across, -half), half)
    return along - on_axis, across - beside, on_axis, beside


@triton.jit
def _past(limb, mask, u, v, WIDE: tl.constexpr):
    """How far (u, v) lies past the limb, along it and across."""
    near = _nearest(limb, mask, u, v, WIDE)
    return near[0], near[1]


@triton.jit
def _from_centre(limb, mask, u, v, WIDE: tl.constexpr):
    """(vx, vy, |v|^2): from the limb's nearest point to (u, v)."""
    past_along, past_across = _past(limb, mask, u, v, WIDE)
    dx = tl.load(limb + 2, mask)
    dy = tl.load(limb + 3, mask)
    vx = past_along * dx - past_across * dy
    vy = past_along * dy + past_across * dx
    return vx, vy, past_along * past_along + past_across * past_across


@triton.jit
def _nearest_to_centre(limbs, first, last, u, v, WIDE: tl.constexpr, GROUP: tl.constexpr):
    """(vx, vy, |v|^2) of the nearest limb, and the first that is spoilt (NOBODY: none)."""
    near_x = u * 0
    near_y = u * 0
    near = u * 0 + float("inf")
    spoilt = NOBODY
    for group in range(first, last, GROUP):
        e = group + tl.arange(0, GROUP)
        mask = e < last
        vx, vy, squared = _from_centre(limbs + e * FIELDS, mask, u, v, WIDE)
        start = tl.load(limbs + e * FIELDS, mask, 0)
        spoilt = tl.minimum(spoilt, tl.min(tl.where(start != start, e, NOBODY), 0))
        squared = tl.where(mask & (start == start), squared, float("inf"))
        least = tl.min(squared, 0)
        if least < near:
            who = e == tl.min(tl.where(squared == least, e, NOBODY), 0)
            near = least
            near_x = tl.sum(tl.where(who, vx, 0), 0)
            near_y = tl.sum(tl.where(who, vy, 0), 0)
    return near_x, near_y, near, spoilt


@triton.jit
def _can_win(limb, u, v, half_x, half_y, near_x, near_y, near, WIDE: tl.constexpr):
    """Whether the limb can be nearer than the one nearest to the tile's centre, on the tile."""
    vx, vy, squared = _from_centre(limb, None, u, v, WIDE)
    change = tl.abs(vx - near_x) * half_x + tl.abs(vy - near_y) * half_y
    room = half_x * half_x + half_y * half_y + 4e-6 * near
    return squared - near - 2 * change <= room


@triton.jit
def _coordinates(position, size, T: tl.constexpr):
    """Normalised coordinates of pixel positions along a side, and the step between pixels."""
    sized = tl.maximum(size - 1, 1).to(tl.float64)
    step = tl.where(size > 1, 2.0 / sized, 0.0).to(T)
    start = tl.where(size > 1, -1.0, 0.0).to(T)
    return position.to(T) * step + start, step


@triton.jit
def _tile(limbs, plan, height, width, tiles_x, tiles, LIMBS, T: tl.constexpr, TILE: tl.constexpr):
    """Which tile of which image and channel the program draws, and with which limbs."""
    program = tl.program_id(0)
    b = (program // tiles).to(tl.int64)
    tile = program % tiles
    left = tile % tiles_x * TILE
    top = tile // tiles_x * TILE
    x = left + tl.arange(0, TILE)[None, :]
    y = top + tl.arange(0, TILE)[:, None]
    u, step_x = _coordinates(x, width, T)
    v, step_y = _coordinates(y, height, T)
    middle = (TILE - 1) / 2
    centre_x = _coordinates(left, width, T)[0] + middle * step_x
    centre_y = _coordinates(top, height, T)[0] + middle * step_y
    c = tl.program_id(1)
    first = tl.load(plan + c)
    last = tl.load(plan + c + 1)
    inside = (x < width) & (y < height)
    here = limbs + b * LIMBS * FIELDS
    return (
        b,
        x,
        y,
        u,
        v,
        inside,
        centre_x,
        centre_y,
        middle * step_x,
        middle * step_y,
        first,
        last,
        here,
    )


@triton.jit
def forward_kernel(
    limbs, plan, out, stride_b, stride_c, stride_y, stride_x, height, width, tiles_x, tiles, LIMBS,
    RATE: tl.constexpr, EPS: tl.constexpr, IS_GAUSSIAN: tl.constexpr, WIDE: tl.constexpr,
    TILE: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    T: tl.constexpr = limbs.dtype.element_ty
    b, x, y, u, v, inside, cx, cy, hx, hy, first, last, here = _tile(
        limbs, plan, height, width, tiles_x, tiles, LIMBS, T, TILE
    )
    near_x, near_y, near, spoilt = _nearest_to_centre(here, first, last, cx, cy, WIDE, GROUP)
    best = tl.full((TILE, TILE), float("inf"), T)
    for e in range(first, last):
        if _can_win(here + e * FIELDS, cx, cy, hx, hy, near_x, near_y, near, WIDE):
            along, across = _past(here + e * FIELDS, None, u, v, WIDE)
            best = tl.minimum(best, along * along + across * across)
    if not IS_GAUSSIAN:
        best = tl.sqrt(best + EPS)
    value = tl.exp2(best * RATE)
    value = tl.where(spoilt < NOBODY, float("nan"), value)
    place = b * stride_b + tl.program_id(1).to(tl.int64) * stride_c + y.to(tl.int64) * stride_y
    tl.store(out + place + x.to(tl.int64) * stride_x, value.to(out.dtype.element_ty), inside)


@triton.jit
def backward_kernel(
    grad, limbs, plan, partial, stride_b, stride_c, stride_y, stride_x, height, width, tiles_x,
    tiles, LIMBS,
    RATE: tl.constexpr, SLOPE: tl.constexpr, EPS: tl.constexpr, IS_GAUSSIAN: tl.constexpr,
    WIDE: tl.constexpr, TILE: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """partial (B, tiles, E, SUMS)"""
    T: tl.constexpr = limbs.dtype.element_ty
    b, x, y, u, v, inside, cx, cy, hx, hy, first, last, here = _tile(
        limbs, plan, height, width, tiles_x, tiles, LIMBS, T, TILE
    )
    near_x, near_y, near, spoilt = _nearest_to_centre(here, first, last, cx, cy, WIDE, GROUP)
    best = tl.full((TILE, TILE), float("inf"), T)
    winner = tl.full((TILE, TILE), NOBODY, tl.int32)
    for e in range(first, last):
        if _can_win(here + e * FIELDS, cx, cy, hx, hy, near_x, near_y, near, WIDE):
            along, across = _past(here + e * FIELDS, None, u, v, WIDE)
            squared = along * along + across * across
            winner = tl.where(squared < best, e, winner)
            best = tl.minimum(best, squared)
    place = b * stride_b + tl.program_id(1).to(tl.int64) * stride_c + y.to(tl.int64) * stride_y
    weight = tl.load(grad + place + x.to(tl.int64) * stride_x, inside, 0).to(T) * SLOPE
    if IS_GAUSSIAN:
        weight *= tl.exp2(best * RATE)
    else:
        distance = tl.sqrt(best + EPS)
        weight *= tl.exp2(distance * RATE) / distance
    sums = partial + (b * tiles + tl.program_id(0) % tiles) * LIMBS * SUMS
    for e in range(first, last):
        mine = inside & (winner == e)
        to_start = u * 0
        start = tl.sum(tl.sum(to_start, 1), 0)
        end = start
        sideways = start
        turn = start
        if _can_win(here + e * FIELDS, cx, cy, hx, hy, near_x, near_y, near, WIDE):
            along, across, on_axis, beside = _nearest(here + e * FIELDS, None, u, v, WIDE)
            k = tl.where(mine, weight, 0)
            start = tl.sum(tl.sum(k * tl.minimum(along, 0), 1), 0)
            end = tl.sum(tl.sum(k * tl.maximum(along, 0), 1), 0)
            sideways = tl.sum(tl.sum(k * across, 1), 0)
            turn = tl.sum(tl.sum(k * (across * on_axis - beside * along), 1), 0)
        if spoilt < NOBODY:  # it wins everywhere
            start = tl.where(spoilt == e, float("nan"), 0.0).to(T)
            end = start
            sideways = start
            turn = start
        tl.store(sums + e * SUMS, start)
        tl.store(sums + e * SUMS + 1, end)
        tl.store(sums + e * SUMS + 2, sideways)
        tl.store(sums + e * SUMS + 3, turn)


@triton.jit
def finish_kernel(
    partial, limbs, plan, grad_points, joints, tiles, LIMBS, CHANNELS, GROUP: tl.constexpr
):
    """Gradient of one joint: `finish` of math.h for the ends it is part of, in their order."""
    b = (tl.program_id(0) // joints).to(tl.int64)
    joint = tl.program_id(0) % joints
    offset = plan + CHANNELS + 1
    index = offset + 2 * LIMBS + 1
    grad_x = tl.zeros((GROUP,), tl.float64)
    grad_y = tl.zeros((GROUP,), tl.float64)
    for group in range(0, 2 * LIMBS, GROUP):
        end = group + tl.arange(0, GROUP)
        mask = end < 2 * LIMBS
        begin = tl.load(offset + end, mask, 0)
        count = tl.load(offset + end + 1, mask, 0) - begin
        times = tl.zeros((GROUP,), tl.int32)
        for i in range(0, tl.max(count, 0)):
            found = tl.load(index + begin + i, mask & (i < count), -1)
            times += (found == joint).to(tl.int32)
        part = times > 0
        e = end // 2
        start = tl.zeros((GROUP,), tl.float64)
        stop = tl.zeros((GROUP,), tl.float64)
        sideways = tl.zeros((GROUP,), tl.float64)
        turn = tl.zeros((GROUP,), tl.float64)
        if tl.max(times, 0) > 0:
            for tile in range(0, tiles):
                sums = partial + ((b * tiles + tile) * LIMBS + e) * SUMS
                start += tl.load(sums, part, 0).to(tl.float64)
                stop += tl.load(sums + 1, part, 0).to(tl.float64)
                sideways += tl.load(sums + 2, part, 0).to(tl.float64)
                turn += tl.load(sums + 3, part, 0).to(tl.float64)
        limb = limbs + (b * LIMBS + e) * FIELDS
        dx = tl.load(limb + 2, part, 0).to(tl.float64)
        dy = tl.load(limb + 3, part, 0).to(tl.float64)
        length = tl.load(limb + 4, part, 0).to(tl.float64)
        is_line = length > 0
        start = tl.where(is_line, start, start + stop)  # a point has only a start
        stop = tl.where(is_line, stop, 0)
        to_stop = turn * tl.where(is_line, 1 / tl.where(is_line, length, 1), 0)
        is_start = end % 2 == 0
        along = tl.where(is_start, start, stop)
        across = tl.where(is_start, sideways - to_stop, to_stop)
        share = times.to(tl.float64) / tl.maximum(count, 1).to(tl.float64)
        grad_x += tl.where(part, share * (along * dx - across * dy), 0)
        grad_y += tl.where(part, share * (along * dy + across * dx), 0)
    place = grad_points + (b * joints + joint) * 2
    tl.store(place, tl.sum(grad_x, 0).to(grad_points.dtype.element_ty))
    tl.store(place + 1, tl.sum(grad_y, 0).to(grad_points.dtype.element_ty))
