"""Ray casting against a slow, independent sphere tracer of the same shapes."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.synthetic.camera import Camera
from fastpose.data.synthetic.parts import PlacedParts
from fastpose.data.synthetic.render import Surface, cast, hide_behind

SIZE, TEXTURE = 24, (8, 16)
LIGHT = np.array([0.3, 0.6, 0.74])
CAMERA = Camera(
    np.diag([1.0, -1.0, -1.0]), np.array([0.1, 0.9, 4.0]), 44.0, np.array([13.0, 11.0]), 0.0
)


def one_part(
    start: np.ndarray, end: np.ndarray, r0: float, r1: float, depth: float = 1.0
) -> PlacedParts:
    y = (end - start) / np.linalg.norm(end - start)
    z = np.array([0.1, 0.2, 0.95]) if abs(y[2]) < 0.9 else np.array([0.0, 1.0, 0.1])
    z = z - (z @ y) * y
    z /= np.linalg.norm(z)
    axes = np.stack([np.cross(y, z), y, z])
    length = np.array([[np.linalg.norm(end - start)]])
    return PlacedParts(
        start[None, None],
        axes[None, None],
        length,
        np.array([r0]),
        np.array([r1]),
        np.array([depth]),
    )


def distance(parts: PlacedParts, p: np.ndarray) -> np.ndarray:
    """Signed distance (N,), part space, of world points (N,3) to the nearest of the spheres."""
    local = np.einsum("ij,nj->ni", parts.axes[0, 0], p - parts.origin[0, 0])
    local[:, 2] /= parts.depth[0]
    share = np.linspace(0, 1, 400)
    centre = share * parts.length[0, 0]
    radius = parts.r0[0] + share * (parts.r1[0] - parts.r0[0])
    away = np.sqrt(local[:, :1] ** 2 + local[:, 2:] ** 2 + (local[:, 1:2] - centre) ** 2)
    return (away - radius).min(axis=1)


def trace(parts: PlacedParts) -> tuple[np.ndarray, np.ndarray]:
    """Depth (S,S) and light (S,S) by marching along each pixel's ray."""
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).reshape(-1, 2)
    ray = np.concatenate([(grid - CAMERA.principal) / CAMERA.focal, np.ones((len(grid), 1))], 1)
    ray = ray @ CAMERA.rotation  # to world axes
    t = np.full(len(ray), 2.0)
    for _ in range(300):
        t += 0.7 * distance(parts, CAMERA.centre + t[:, None] * ray) / 1.4
    hit = np.abs(distance(parts, CAMERA.centre + t[:, None] * ray)) < 2e-3
    point = CAMERA.centre + t[:, None] * ray
    normal = np.stack(
        [distance(parts, point + h) - distance(parts, point - h) for h in 1e-3 * np.eye(3)],
        axis=1,
    )
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    depth = np.where(hit, t, np.inf).reshape(SIZE, SIZE)
    return depth, (normal @ LIGHT).reshape(SIZE, SIZE)


SHAPES = {
    "across": one_part(np.array([-0.5, 0.7, 0.2]), np.array([0.5, 1.1, -0.1]), 0.1, 0.25),
    "tapered up": one_part(np.array([0.2, 0.3, 0.0]), np.array([-0.1, 1.3, 0.3]), 0.3, 0.12),
    "flat": one_part(np.array([0.0, 0.5, 0.0]), np.array([0.1, 1.2, 0.0]), 0.25, 0.3, 0.6),
    "deep": one_part(np.array([0.0, 0.8, 0.0]), np.array([0.0, 1.0, 0.1]), 0.3, 0.25, 1.3),
    "towards": one_part(np.array([0.1, 0.9, -0.6]), np.array([0.1, 0.95, 0.7]), 0.2, 0.15),
    "away, thin end first": one_part(
        np.array([0.1, 0.9, 0.7]), np.array([0.2, 0.9, -0.6]), 0.08, 0.3
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_depth_and_light_agree_with_a_sphere_tracer(name: str) -> None:
    parts = SHAPES[name]
    surface = cast(parts, CAMERA, SIZE, 1, LIGHT, TEXTURE)
    expected, light = trace(parts)
    found = surface.depth[0]
    differ = np.isfinite(found) != np.isfinite(expected)
    assert np.isfinite(expected).sum() > 10
    assert differ.sum() <= 3  # rays that graze the rim
    both = np.isfinite(found) & np.isfinite(expected)
    assert np.quantile(np.abs(found[both] - expected[both]), 0.9) < 4e-3
    lit = np.full(SIZE * SIZE, np.nan)
    lit[surface.index] = surface.light
    error = np.abs(lit.reshape(SIZE, SIZE) - light)[both]
    assert np.median(error) < 0.01
    assert np.quantile(error, 0.9) < 0.08


def merge(*parts: PlacedParts) -> PlacedParts:
    def join(name: str, axis: int) -> np.ndarray:
        return np.concatenate([getattr(p, name) for p in parts], axis)

    placed = {name: join(name, 1) for name in ("origin", "axes", "length")}
    return PlacedParts(**placed, **{name: join(name, 0) for name in ("r0", "r1", "depth")})


def test_the_nearest_part_is_seen() -> None:
    a, b = SHAPES["across"], SHAPES["tapered up"]
    both = cast(merge(a, b), CAMERA, SIZE, 1, LIGHT, TEXTURE)
    alone = [cast(p, CAMERA, SIZE, 1, LIGHT, TEXTURE).depth for p in (a, b)]
    assert np.array_equal(both.depth, np.minimum(*alone))
    seen = np.full(both.depth.size, -1)
    seen[both.index] = both.texel // (TEXTURE[0] * TEXTURE[1])
    nearer = np.where(alone[0] < alone[1], 0, 1).ravel()
    finite = np.isfinite(both.depth).ravel()
    assert np.array_equal(seen[finite], nearer[finite]) and (seen[~finite] == -1).all()


def test_texels_tell_bottom_from_top_and_front_from_side() -> None:
    parts = one_part(np.array([0.0, 0.3, 0.0]), np.array([0.0, 1.4, 0.0]), 0.2, 0.2)
    surface = cast(parts, CAMERA, SIZE, 1, LIGHT, TEXTURE)
    row, column = np.divmod(surface.index, SIZE)
    v, u = np.divmod(surface.texel, TEXTURE[1])
    assert np.corrcoef(row, v)[0, 1] < -0.95  # up in the picture is up the part
    turn = (u + 0.5 + 2 * TEXTURE[1] / 4) % TEXTURE[1] - 2 * TEXTURE[1] / 4
    assert np.abs(turn).max() < TEXTURE[1] / 4 + 1  # only its front half is seen
    assert np.corrcoef(column, turn)[0, 1] > 0.9  # the part's x axis is the picture's


def shifted(surface: Surface) -> np.ndarray:
    return np.isfinite(surface.depth[0])


def test_supersampling_averages_to_the_same_silhouette() -> None:
    parts = SHAPES["flat"]
    coarse = shifted(cast(parts, CAMERA, SIZE, 1, LIGHT, TEXTURE)).mean()
    fine = shifted(cast(parts, CAMERA, SIZE, 5, LIGHT, TEXTURE))
    assert fine.shape == (5 * SIZE, 5 * SIZE)
    assert fine.mean() == pytest.approx(coarse, abs=0.02)
    centres = fine[2::5, 2::5]  # an odd grid's middle sample is the pixel's centre
    assert np.array_equal(centres, shifted(cast(parts, CAMERA, SIZE, 1, LIGHT, TEXTURE)))


def test_a_part_outside_the_window_is_skipped() -> None:
    far = one_part(np.array([9.0, 0.3, 0.0]), np.array([9.0, 1.4, 0.0]), 0.2, 0.2)
    surface = cast(far, CAMERA, SIZE, 2, LIGHT, TEXTURE)
    assert not np.isfinite(surface.depth).any()
    assert len(surface.index) == len(surface.texel) == len(surface.light) == 0


def test_hide_behind_drops_samples_and_keeps_the_nearest_depth() -> None:
    depth = np.full((2, 2, 2), np.inf, np.float32)
    depth[0, 0, 0], depth[1, 0, 0], depth[1, 1, 1] = 2.0, 4.0, 2.5
    index = np.flatnonzero(np.isfinite(depth))
    whole = Surface(depth, index, np.array([5, 6, 7], np.int32), np.ones(3, np.float32))
    screen = np.array([[3.0, 1.0], [np.inf, np.inf]], np.float32)
    seen = hide_behind(whole, screen)
    assert seen.index.tolist() == [0, 7] and seen.texel.tolist() == [5, 7]
    assert len(seen.light) == 2
    assert seen.depth[0].tolist() == [[2.0, 1.0], [np.inf, np.inf]]
    assert seen.depth[1].tolist() == [[3.0, 1.0], [np.inf, 2.5]]
