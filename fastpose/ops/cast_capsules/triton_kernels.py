"""Rays at tapered capsules: the formula of reference.py, every operation in its order and its
precision, none fused (`triton.py` forbids it), so that the bytes are the same."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportAttributeAccessIssue=false

import triton
import triton.language as tl


@triton.jit
def clip(v, low, high):
    return tl.where(v > low, tl.where(v < high, v, high), low)


@triton.jit
def load3(pointer, step):
    return tl.load(pointer), tl.load(pointer + step), tl.load(pointer + 2 * step)


@triton.jit
def dot(ax, ay, az, bx, by, bz):
    return ax * bx + ay * by + az * bz


@triton.jit
def form(d2, square, ax, ay, az, bx, by, bz):
    return d2 * dot(ax, ay, az, bx, by, bz) - square * ay * by


@triton.jit
def square_at(a, b, c, x):
    return a.to(tl.float32) + x * (b.to(tl.float32) + x * c.to(tl.float32))


@triton.jit
def line_at(a, g, x):
    return a.to(tl.float32) + g.to(tl.float32) * x


@triton.jit
def meet_end(ox, oy, oz, dx, dy, dz, dd, centre, square, best):
    """Nearest t of the end sphere around (0, centre, 0), if that is before `best`."""
    py = oy - centre
    b = ox * dx + py * dy + oz * dz
    h = b * b - dd * (ox * ox + py * py + oz * oz - square)
    t = tl.div_rn(-b - tl.sqrt_rn(tl.where(h > 0, h, 0.0)), dd)
    return tl.where((h > 0) & (t < best), t, best)


@triton.jit
def cast_kernel(
    ends, radius, start, to_part, near, length, r0, r1, stretch, shine,
    depth_out, texel_out, light_out,
    left, top, step,  # pointers to one double each: a number would arrive in single precision
    parts, wide, texels_along, texels_around, BLOCK: tl.constexpr,
):  # fmt: skip
    line = tl.program_id(0).to(tl.int64)
    t = line // wide
    row = line - t * wide
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    left_, top_, step_ = tl.load(left), tl.load(top), tl.load(step)
    along_ = texels_along.to(tl.float32)
    around_ = texels_around.to(tl.float32)
    most = wide.to(tl.float64)
    down_ray = top_ + step_ * row.to(tl.float64)
    depth = tl.full((BLOCK,), float("inf"), tl.float32)
    light = tl.zeros((BLOCK,), tl.float32)
    texel = tl.zeros((BLOCK,), tl.int32)
    for p in range(parts):
        at = t * parts + p
        # The span of the row in which the part may be seen.
        x0, y0 = tl.load(ends + 4 * at), tl.load(ends + 4 * at + 1)
        x1, y1 = tl.load(ends + 4 * at + 2), tl.load(ends + 4 * at + 3)
        ra, rb = tl.load(radius + 2 * at), tl.load(radius + 2 * at + 1)
        r = tl.where(ra > rb, ra, rb)
        first_row = clip(tl.ceil(tl.where(y1 < y0, y1, y0) - r), 0.0, most).to(tl.int64)
        last_row = clip(tl.floor(tl.where(y1 > y0, y1, y0) + r) + 1, 0.0, most).to(tl.int64)
        down, across = y1 - y0, x1 - x0
        slope = tl.where(tl.abs(down) < 1e-6, down * 0 + 1e-6, down)
        line_y = row.to(tl.float64)
        a = x0 + across * clip((line_y - r - y0) / slope, 0.0, 1.0)
        b = x0 + across * clip((line_y + r - y0) / slope, 0.0, 1.0)
        first = clip(tl.ceil(tl.where(a < b, a, b) - r), 0.0, most).to(tl.int64)
        last = clip(tl.floor(tl.where(a > b, a, b) + r) + 1, 0.0, most).to(tl.int64)
        if (row >= first_row) & (row < last_row) & (first < last):
            # The row's rays o + t d and their changes from column to column.
            m = to_part + 9 * at
            rx, ry, rz = load3(m, 3)
            bx, by, bz = load3(m + 1, 3)
            ax, ay, az = load3(m + 2, 3)
            sx, sy, sz = load3(start + 3 * at, 1)
            n = tl.load(near + at)
            across_ray = left_ + step_ * first.to(tl.float64)
            dx = across_ray * rx + (down_ray * bx + ax)
            dy = across_ray * ry + (down_ray * by + ay)
            dz = across_ray * rz + (down_ray * bz + az)
            ox, oy, oz = sx + n * dx, sy + n * dy, sz + n * dz
            gdx, gdy, gdz = step_ * rx, step_ * ry, step_ * rz
            gox, goy, goz = n * gdx, n * gdy, n * gdz
            size, c0, c1 = tl.load(length + at), tl.load(r0 + p), tl.load(r1 + p)
            square, taper = size * size, c0 - c1
            e = square - taper * taper
            lean, constant = size * taper * c0, square * (c0 * c0)
            x = (column - first).to(tl.float32)
            k2 = square_at(
                form(e, square, dx, dy, dz, dx, dy, dz),
                2 * form(e, square, dx, dy, dz, gdx, gdy, gdz),
                form(e, square, gdx, gdy, gdz, gdx, gdy, gdz), x,
            )  # fmt: skip
            k1 = square_at(
                form(e, square, ox, oy, oz, dx, dy, dz) + lean * dy,
                form(e, square, ox, oy, oz, gdx, gdy, gdz)
                + form(e, square, gox, goy, goz, dx, dy, dz) + lean * gdy,
                form(e, square, gox, goy, goz, gdx, gdy, gdz), x,
            )  # fmt: skip
            k0 = square_at(
                form(e, square, ox, oy, oz, ox, oy, oz) + 2 * lean * oy - constant,
                2 * form(e, square, ox, oy, oz, gox, goy, goz) + 2 * lean * goy,
                form(e, square, gox, goy, goz, gox, goy, goz), x,
            )  # fmt: skip
            h = k1 * k1 - k0 * k2
            # Each sample's ray, and where it meets the part first.
            qx, qy, qz = line_at(ox, gox, x), line_at(oy, goy, x), line_at(oz, goz, x)
            vx, vy, vz = line_at(dx, gdx, x), line_at(dy, gdy, x), line_at(dz, gdz, x)
            long = size.to(tl.float32)
            d2 = long * long - (taper * taper).to(tl.float32)
            side = tl.div_rn(-tl.sqrt_rn(tl.where(h > 0, h, 0.0)) - k1, tl.where(k2 == 0, 1.0, k2))
            y = long * (qy + side * vy) - (c0 * taper).to(tl.float32)
            body = (y > 0) & (y < d2)
            vv = vx * vx + vy * vy + vz * vz
            cap = tl.full((BLOCK,), float("inf"), tl.float32)
            cap = meet_end(qx, qy, qz, vx, vy, vz, vv, 0.0, (c0 * c0).to(tl.float32), cap)
            cap = meet_end(qx, qy, qz, vx, vy, vz, vv, long, (c1 * c1).to(tl.float32), cap)
            ray = tl.where(body, side, cap)
            z = n.to(tl.float32) + ray
            seen = (column >= first) & (column < last) & (h > 0) & (z < depth)
            # How it is lit there, and the texel.
            hx, hy, hz = qx + ray * vx, qy + ray * vy, qz + ray * vz
            share = tl.where(body, tl.div_rn(y, d2 + y * 0), tl.where(hy < 0.5 * long, 0.0, 1.0))
            ny = hy - share * long
            nz = hz * (1 / tl.load(stretch + p)).to(tl.float32)
            lx, ly, lz = load3(shine + 3 * at, 1)
            dotted = hx * lx.to(tl.float32) + ny * ly.to(tl.float32) + nz * lz.to(tl.float32)
            lit = tl.div_rn(dotted, tl.sqrt_rn(hx * hx + ny * ny + nz * nz + 1e-12))
            whole = long + (c0 + c1).to(tl.float32)
            v = tl.div_rn(hy + c0.to(tl.float32), whole + hy * 0) * along_
            v = tl.where(v > 0, tl.where(v < along_ - 1, v, along_ - 1), 0.0).to(tl.int32)
            turn = tl.div_rn(hx, tl.abs(hx) + tl.abs(hz) + 1e-9)
            u = tl.floor(tl.where(hz >= 0, turn, 2 - turn) * (around_ * 0.25))
            u = tl.where(tl.abs(u) < around_, u, 0.0).to(tl.int32)
            u = tl.where(u < 0, u + texels_around, u)
            depth = tl.where(seen, z, depth)
            light = tl.where(seen, lit, light)
            texel = tl.where(seen, (p * texels_along + v) * texels_around + u, texel)
    inside = column < wide
    place = line * wide + column
    tl.store(depth_out + place, depth, mask=inside)
    tl.store(light_out + place, light, mask=inside)
    tl.store(texel_out + place, texel, mask=inside)
