"""The static room behind a synthetic actor, and the shadow at its feet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.data.synthetic.camera import Camera
from fastpose.data.synthetic.noise import color_distance, fractal_noise, random_color


@dataclass(frozen=True)
class Room:
    """A clip's background.

    Args:
        plate: (S,S,3) float32 colours in [0, 1].
        floor: (M,) flat indices of the pixels that show the floor.
        ground: (M,2) float32 (x, z) world positions of those pixels, metres.
    """

    plate: np.ndarray
    floor: np.ndarray
    ground: np.ndarray


def _clear_color(
    rng: np.random.Generator, avoid: np.ndarray, least: float, value: tuple[float, float]
) -> np.ndarray:
    """A muted colour at least ``least`` away from all of ``avoid`` (N,3), or the best of twenty."""
    best, best_distance = avoid[0], -1.0
    for _ in range(20):
        color = random_color(rng, (0.0, 0.16), value)
        distance = float(color_distance(avoid, color).min())
        if distance > best_distance:
            best, best_distance = color, distance
        if distance >= least:
            break
    return best


def random_room(
    rng: np.random.Generator,
    camera: Camera,
    size: int,
    *,
    middle: np.ndarray,
    avoid: np.ndarray,
    difficulty: float,
) -> Room:
    """Draw the wall and the floor behind a person.

    Args:
        rng: source of randomness.
        camera: the clip's camera.
        size: side of the picture in pixels.
        middle: (3,) where the person is, world space.
        avoid: (N,3) colours of the person.
        difficulty: 0 (plain, clear of the person's colours) to 1 (busy, maybe alike).
    """
    ray = np.einsum("hwc,cd->hwd", camera.rays(size), camera.rotation)  # to world axes
    falling = ray[..., 1] < -1e-3
    t = np.where(falling, -camera.centre[1] / np.where(falling, ray[..., 1], -1), np.inf)
    # The wall stands across the view, somewhere behind the person.
    away = middle[[0, 2]] - camera.centre[[0, 2]]
    distance = np.sqrt((away**2).sum())
    away /= distance
    wall = distance + rng.uniform(0.9, 3.0)
    approach = ray[..., 0] * away[0] + ray[..., 2] * away[1]
    beyond = np.where(np.isfinite(t), t, 1e6) * approach - wall  # metres the floor lies past it
    share = np.clip(0.5 - beyond / 0.15, 0, 1)[..., None]  # soft edge

    least = 0.5 - 0.35 * difficulty
    wall_color = _clear_color(rng, avoid, least, (0.25, 0.95))
    floor_color = _clear_color(rng, avoid, 0.7 * least, (0.2, 0.75))
    strength = 0.02 + 0.09 * difficulty
    slope = rng.normal(0, 0.04, (2, 3))
    ramp = (np.arange(size) / max(size - 1, 1) - 0.5)[:, None]
    walls = wall_color + (ramp * slope[0])[None] + (ramp * slope[1])[:, None]
    walls = _furnish(rng, walls, difficulty)
    walls = walls + strength * fractal_noise(rng, size, (3, 8, 20))
    floors = floor_color + strength * fractal_noise(rng, size, (4, 12, 28))
    tint = 0.15 * strength * fractal_noise(rng, size, (3, 6), channels=3)
    plate = np.clip(share * floors + (1 - share) * walls + tint, 0.02, 0.98)
    floor = np.flatnonzero((share[..., 0] > 0.5) & falling)
    hit = camera.centre + t.ravel()[floor, None] * ray.reshape(-1, 3)[floor]
    return Room(plate.astype(np.float32), floor, hit[:, [0, 2]].astype(np.float32))


def _furnish(rng: np.random.Generator, walls: np.ndarray, difficulty: float) -> np.ndarray:
    """Doors, windows and pictures: a few rectangles of other brightness and tint."""
    size = len(walls)
    walls = walls.copy()
    for _ in range(rng.integers(0, 2 + round(4 * difficulty))):
        width, height = rng.uniform(0.1, 0.4, 2) * size
        x, y = rng.uniform(-0.1, 0.9, 2) * size
        columns = np.clip(0.5 + width / 2 - np.abs(np.arange(size) - x - width / 2), 0, 1)
        rows = np.clip(0.5 + height / 2 - np.abs(np.arange(size) - y - height / 2), 0, 1)
        tint = rng.choice([-1, 1]) * rng.uniform(0.04, 0.1 + 0.1 * difficulty)
        change = tint + rng.normal(0, 0.02, 3)
        walls += (rows[:, None] * columns[None])[..., None] * change
    return walls


def shadow(
    room: Room, feet: np.ndarray, size: int, strength: float, reach: float = 0.14
) -> np.ndarray:
    """Factor (T,S,S) float32 by which feet (T,N,3) in world space darken the floor.

    ``reach`` is the shadow's width in metres.
    """
    factor = np.ones((len(feet), size * size), np.float32)
    if strength == 0 or not len(room.floor):
        return factor.reshape(-1, size, size)
    feet = feet.astype(np.float32)
    dark = np.zeros((len(feet), len(room.floor)), np.float32)
    width = np.float32(0.5 / reach**2)
    for n in range(feet.shape[1]):
        square = (room.ground[:, 0] - feet[:, n, 0, None]) ** 2
        square += (room.ground[:, 1] - feet[:, n, 2, None]) ** 2
        touch = np.clip(1 - feet[:, n, 1, None] / np.float32(0.6), 0, 1)
        dark += touch * np.exp(-square * width)
    factor[:, room.floor] = 1 - np.float32(strength) * np.minimum(dark, 1)
    return factor.reshape(-1, size, size)
