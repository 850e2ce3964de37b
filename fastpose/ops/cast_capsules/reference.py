"""Rays at tapered capsules with numpy, all samples of a capsule at once.

Along one picture row, the intersection of a ray with a tapered capsule is decided by a quadratic
``k2 t^2 + 2 k1 t + k0`` whose coefficients are themselves quadratics of the column, so a row costs
a few multiplications a sample. Formula of the tapered capsule: I. Quilez, "Rounded cone,
intersection", rewritten for directions that are not of unit length.

Sums are written out so that their order, and with it every byte, is the kernel's too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fastpose.ops.cast_capsules import Capsules

F = np.float32


def _dot(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Over the first of (3,N)."""
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def _rows(
    ends: np.ndarray, radius: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spans of samples that a part may cover: frame, row, first column, count of each.

    ``ends`` (T,2,2) are the projected ends in samples, ``radius`` (T,2) their radii.
    """
    reach = radius.max(axis=1)
    top = np.clip(np.ceil(ends[..., 1].min(axis=1) - reach), 0, size).astype(np.int64)
    bottom = np.clip(np.floor(ends[..., 1].max(axis=1) + reach) + 1, 0, size).astype(np.int64)
    count = np.maximum(bottom - top, 0)
    frame = np.repeat(np.arange(len(ends)), count)
    row = np.arange(len(frame)) - np.repeat(np.cumsum(count) - count - top, count)
    start, step = ends[frame, 0], (ends[:, 1] - ends[:, 0])[frame]
    r = reach[frame]
    # Stretch of the axis whose spheres reach this row.
    slope = np.where(np.abs(step[:, 1]) < 1e-6, 1e-6, step[:, 1])
    s0, s1 = (row - r - start[:, 1]) / slope, (row + r - start[:, 1]) / slope
    x0 = start[:, 0] + step[:, 0] * np.clip(s0, 0, 1)
    x1 = start[:, 0] + step[:, 0] * np.clip(s1, 0, 1)
    first = np.clip(np.ceil(np.minimum(x0, x1) - r), 0, size).astype(np.int64)
    last = np.clip(np.floor(np.maximum(x0, x1) + r) + 1, 0, size).astype(np.int64)
    return frame, row, first, np.maximum(last - first, 0)


def _quadratics(
    o: np.ndarray, d: np.ndarray, go: np.ndarray, gd: np.ndarray, length: np.ndarray, ra, rb
) -> tuple[np.ndarray, ...]:
    """Coefficients (R,) of k2, k1, k0 in the column offset, for rows of rays o + t d.

    ``go`` and ``gd`` (R,3) are the changes of ``o`` and ``d`` from column to column.
    """
    square, taper = length * length, ra - rb
    d2 = square - taper * taper
    lean, constant = length * taper * ra, square * (ra * ra)

    def form(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return d2 * _dot(u.T, v.T) - square * u[:, 1] * v[:, 1]

    return (
        form(d, d),
        2 * form(d, gd),
        form(gd, gd),
        form(o, d) + lean * d[:, 1],
        form(o, gd) + form(go, d) + lean * gd[:, 1],
        form(go, gd),
        form(o, o) + 2 * lean * o[:, 1] - constant,
        2 * form(o, go) + 2 * lean * go[:, 1],
        form(go, go),
    )


def _caps(o: np.ndarray, d: np.ndarray, length: np.ndarray, ra: float, rb: float) -> np.ndarray:
    """Nearest t (N,) at which rays meet either end sphere; infinite where they miss both."""
    dd = _dot(d, d)
    best = np.full(len(dd), np.inf, F)
    for radius, centre in ((ra, 0.0), (rb, length)):
        p = o.copy()
        p[1] -= centre
        b = _dot(p, d)
        h = b * b - dd * (_dot(p, p) - F(radius * radius))
        t = (-b - np.sqrt(np.maximum(h, 0))) / dd
        best = np.where((h > 0) & (t < best), t, best)
    return best


def cast_reference(
    capsules: Capsules,
    first: tuple[float, float],
    step: float,
    texels: tuple[int, int],
    depth: np.ndarray,
    texel: np.ndarray,
    light: np.ndarray,
) -> None:
    """Draw into ``depth``, ``texel`` and ``light`` (T,W,W); see ``cast_capsules``."""
    wide = depth.shape[-1]
    out = depth.reshape(-1), texel.reshape(-1), light.reshape(-1)
    for i in range(capsules.near.shape[1]):
        _cast_part(capsules, i, wide, first, step, texels, *out)


def _cast_part(
    capsules: Capsules,
    i: int,
    wide: int,
    first_ray: tuple[float, float],
    step: float,
    texels: tuple[int, int],
    depth: np.ndarray,
    texel: np.ndarray,
    lit: np.ndarray,
) -> None:
    left, top = first_ray
    frame, row, first, counts = _rows(capsules.ends[:, i], capsules.radius[:, i], wide)
    if not counts.any():
        return
    near, to_part = capsules.near[:, i], capsules.to_part[:, i]
    d = to_part[frame, :, 0] * (left + step * first)[:, None]
    d += to_part[frame, :, 1] * (top + step * row)[:, None] + to_part[frame, :, 2]
    gd = to_part[frame, :, 0] * step
    o = capsules.start[frame, i] + near[frame, None] * d
    go = near[frame, None] * gd
    length, ra, rb = capsules.length[:, i], float(capsules.r0[i]), float(capsules.r1[i])
    row_length = length[frame]
    k = _quadratics(o, d, go, gd, row_length, ra, rb)

    which = np.repeat(np.arange(len(row)), counts)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    x = offset.astype(F)
    k2, k1, k0 = (
        a.astype(F)[which] + x * (b.astype(F)[which] + x * c.astype(F)[which])
        for a, b, c in (k[0:3], k[3:6], k[6:9])
    )
    h = k1 * k1 - k0 * k2
    hit = np.flatnonzero(h > 0)
    which, x, offset = which[hit], x[hit], offset[hit]
    k2, k1, root = k2[hit], k1[hit], np.sqrt(h[hit])
    o, d = (v.T.astype(F)[:, which] + g.T.astype(F)[:, which] * x for v, g in ((o, go), (d, gd)))
    long = row_length.astype(F)[which]
    d2 = long * long - F((ra - rb) * (ra - rb))
    t = (-root - k1) / np.where(k2 == 0, 1, k2)
    y = long * (o[1] + t * d[1]) - F(ra * (ra - rb))
    body = (y > 0) & (y < d2)
    ends_only = np.flatnonzero(~body)
    t[ends_only] = _caps(o[:, ends_only], d[:, ends_only], long[ends_only], ra, rb)

    place = (frame[which] * wide + row[which]) * wide + first[which] + offset
    z = near.astype(F)[frame[which]] + t
    seen = np.flatnonzero(z < depth[place])
    place, t, y, which, long = place[seen], t[seen], y[seen], which[seen], long[seen]
    depth[place] = z[seen]
    hx, hy, hz = o[:, seen] + t * d[:, seen]
    # Direction of the normal before the stretch: away from the axis, leaned by the taper; on
    # the caps, away from the sphere's centre.
    along = np.where(body[seen], y / d2[seen], np.where(hy < 0.5 * long, F(0), F(1)))
    ny, nz = (hy - along * long), hz * F(1 / capsules.stretch[i])
    shine = capsules.shine[:, i].astype(F)[frame[which]]  # (N,3)
    dot = hx * shine[:, 0] + ny * shine[:, 1] + nz * shine[:, 2]
    lit[place] = dot / np.sqrt(hx * hx + ny * ny + nz * nz + F(1e-12))
    v = (hy + F(ra)) / (long + F(ra + rb)) * F(texels[0])
    v = np.clip(v.astype(np.int32), 0, texels[0] - 1)
    # Angle around the axis by the diamond rule: 0 front, 1 at +x, 2 back, 3 at -x.
    turn = hx / (np.abs(hx) + np.abs(hz) + F(1e-9))
    turn = np.where(hz >= 0, turn, 2 - turn)
    u = np.floor(turn * F(texels[1] / 4)).astype(np.int32) % texels[1]
    texel[place] = (i * texels[0] + v) * texels[1] + u
