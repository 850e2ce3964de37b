"""Scenes in three dimensions: a room that all cameras share, and a cot seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.data.synthetic.background import Room
from fastpose.data.synthetic.camera import Camera
from fastpose.data.synthetic.noise import random_color, smooth_noise

_TEXELS = 384  # along a wall's side
_HIGH = 3.2  # metres from floor to ceiling
# Faces of a room: walls at -x, +x, -z, +z, then floor and ceiling.
_FLOOR, _CEILING = 4, 5


@dataclass(frozen=True)
class Interior:
    """A box of a room around the world's origin, the ground at y = 0.

    Args:
        half: half of its width along x and along z, metres.
        faces: (6,N,N,3) float32 pictures of the walls at -x, +x, -z, +z (top row up), of the
            floor and of the ceiling (rows along z, columns along x).
        light: (3,) unit vector towards the lamp.
    """

    half: float
    faces: np.ndarray
    light: np.ndarray


def random_interior(rng: np.random.Generator, half: float, difficulty: float) -> Interior:
    """Draw a room with doors, pictures and a carpet that marks where people move."""
    faces = np.empty((6, _TEXELS, _TEXELS, 3))
    wall = random_color(rng, (0.02, 0.12), (0.72, 0.95))
    floor = random_color(rng, (0.1, 0.3), (0.3, 0.6))
    strength = 0.015 + 0.05 * difficulty
    y, x = np.meshgrid(*[(np.arange(_TEXELS) + 0.5) / _TEXELS] * 2, indexing="ij")
    for face in range(4):
        faces[face] = wall * rng.uniform(0.85, 1.05)
        for _ in range(2 + rng.integers(0, 2 + round(4 * difficulty))):
            wide, tall = rng.uniform(0.06, 0.2), rng.uniform(0.15, 0.5)
            left, top = rng.uniform(0, 0.9), rng.uniform(0.05, 0.5)
            if rng.uniform() < 0.4:  # a door stands on the floor
                wide, top, tall = 0.14, 0.35, 0.65
            inside = (np.abs(x - left - wide / 2) < wide / 2) & (y > top) & (y < top + tall)
            faces[face][inside] = random_color(rng, (0, 0.35), (0.25, 0.9))
        faces[face][y > 0.97] = 0.5 * wall  # skirting
        faces[face] *= 1.05 - 0.2 * y[..., None]  # the lamp hangs high
    faces[_FLOOR] = floor
    faces[_CEILING] = 0.95
    planks = rng.integers(12, 40)
    faces[_FLOOR] *= 1 + 0.08 * rng.uniform(-1, 1, planks)[(x * planks).astype(int)][..., None]
    carpet = (np.abs(x - 0.5) < rng.uniform(0.2, 0.3)) & (np.abs(y - 0.5) < rng.uniform(0.2, 0.3))
    faces[_FLOOR][carpet] = random_color(rng, (0.05, 0.3), (0.35, 0.7))
    for face in faces:
        face += strength * smooth_noise(rng, _TEXELS, _TEXELS, 6)
        face += 0.7 * strength * smooth_noise(rng, _TEXELS, _TEXELS, 60)
    light = np.array([rng.uniform(-0.4, 0.4), 1.0, rng.uniform(-0.4, 0.4)])
    faces = np.clip(faces, 0.03, 0.97).astype(np.float32)
    return Interior(half, faces, light / np.sqrt((light**2).sum()))


def view_interior(interior: Interior, camera: Camera, size: int) -> Room:
    """The room as a camera's window of ``size`` pixels shows it."""
    ray = _rays(camera, size)
    low = np.array([-interior.half, 0.0, -interior.half])
    high = np.array([interior.half, _HIGH, interior.half])
    safe = np.where(np.abs(ray) < 1e-9, 1e-9, ray)
    to_wall = np.where(safe < 0, low - camera.centre, high - camera.centre) / safe
    axis = to_wall.argmin(axis=-1)
    hit = camera.centre + to_wall.min(axis=-1, keepdims=True) * ray
    share = np.clip((hit - low) / (high - low), 0, 1)
    up = np.take_along_axis(safe, axis[..., None], -1)[..., 0] > 0
    face = np.choose(axis, [up.astype(int), np.where(up, _CEILING, _FLOOR), 2 + up])
    row = np.where(axis == 1, share[..., 2], 1 - share[..., 1])
    column = np.where(axis == 0, share[..., 2], share[..., 0])
    plate = _sample(interior.faces, face, row, column)
    seen = _middle(face, size)
    floor = np.flatnonzero(seen == _FLOOR)
    ground = _middle(hit, size).reshape(-1, 3)[floor][:, [0, 2]]
    return Room(_halve(plate), floor, ground.astype(np.float32))


def random_cot(rng: np.random.Generator, camera: Camera, size: int, difficulty: float) -> Room:
    """A mattress around the world's origin, in a frame on a floor, seen from above."""
    ray = _rays(camera, size)
    t = camera.centre[1] / np.maximum(-ray[..., 1], 1e-3)
    ground = camera.centre + t[..., None] * ray
    x, z = ground[..., 0] - rng.uniform(-0.1, 0.1), ground[..., 2] - rng.uniform(-0.1, 0.1)
    wide, long = rng.uniform(0.30, 0.42), rng.uniform(0.5, 0.65)
    sheet = random_color(rng, (0.05, 0.4), (0.55, 0.95))
    second = np.clip(sheet + rng.uniform(0.08, 0.25) * rng.choice([-1, 1]), 0, 1)
    wood, floor = (
        random_color(rng, (0.1, 0.5), (0.4, 0.9)),
        random_color(rng, (0.05, 0.4), (0.15, 0.5)),
    )
    period = rng.uniform(0.04, 0.12)
    style = rng.integers(4)
    if style == 0:
        printed = np.sin(2 * np.pi * x / period) > 0.2
    elif style == 1:
        printed = (np.sin(2 * np.pi * x / period) > 0.2) ^ (np.sin(2 * np.pi * z / period) > 0.2)
    elif style == 2:  # dots
        printed = np.hypot((x / period) % 1 - 0.5, (z / period) % 1 - 0.5) < 0.22
    else:
        printed = np.zeros(x.shape, bool)
    plate = np.where(printed[..., None], second, sheet)
    folds = smooth_noise(rng, 2 * size, 2 * size, 5) + 0.6 * smooth_noise(
        rng, 2 * size, 2 * size, 14
    )
    plate = plate * (1 + (0.03 + 0.05 * difficulty) * folds)
    edge = np.maximum(np.abs(x) - wide, np.abs(z) - long)
    bars = 0.8 + 0.2 * (np.sin(2 * np.pi * z / 0.09) > 0)
    plate = np.where((edge > 0)[..., None], wood * bars[..., None], plate)
    plate = np.where((edge > 0.05)[..., None], floor, plate)
    plate = np.where(((edge > -0.015) & (edge <= 0))[..., None], 0.6 * plate, plate)
    plate = np.clip(plate + 0.01 * smooth_noise(rng, 2 * size, 2 * size, 40), 0.02, 0.98)
    ground = _middle(ground, size).reshape(-1, 3)[:, [0, 2]].astype(np.float32)
    return Room(_halve(plate.astype(np.float32)), np.arange(size * size), ground)


def _rays(camera: Camera, size: int) -> np.ndarray:
    """Directions (2S,2S,3) in world space, two samples along a pixel's side."""
    return np.einsum("hwc,cd->hwd", camera.rays(size, 2), camera.rotation)


def _sample(faces: np.ndarray, face: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Colours of the faces' pictures at shares of their height and width, bilinear."""
    row, column = (np.clip(v * _TEXELS - 0.5, 0, _TEXELS - 1) for v in (row, column))
    y, x = row.astype(int), column.astype(int)
    y1, x1 = np.minimum(y + 1, _TEXELS - 1), np.minimum(x + 1, _TEXELS - 1)
    b, a = (row - y)[..., None].astype(np.float32), (column - x)[..., None].astype(np.float32)
    top = (1 - a) * faces[face, y, x] + a * faces[face, y, x1]
    return (1 - b) * top + b * ((1 - a) * faces[face, y1, x] + a * faces[face, y1, x1])


def _halve(plate: np.ndarray) -> np.ndarray:
    """Mean of every 2 x 2 samples."""
    size = len(plate) // 2
    return plate.reshape(size, 2, size, 2, 3).mean(axis=(1, 3))


def _middle(values: np.ndarray, size: int) -> np.ndarray:
    """One of the four samples of every pixel; half a sample off its centre."""
    return values[1::2, 1::2][:size, :size]
