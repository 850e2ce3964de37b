"""Furniture: boxes that stand about a person, before it or behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.data.synthetic.background import Room
from fastpose.data.synthetic.camera import Camera
from fastpose.data.synthetic.noise import random_color

# Boxes of one piece: middle (x, y, z) and half sizes as shares of its width, height and depth.
Piece = tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...]
_LEGS: Piece = tuple(
    ((x, 0.45, z), (0.04, 0.45, 0.04)) for x in (-0.44, 0.44) for z in (-0.44, 0.44)
)
_TABLE: Piece = (((0.0, 0.95, 0.0), (0.5, 0.05, 0.5)), *_LEGS)
_CHAIR: Piece = (
    ((0.0, 0.5, 0.0), (0.5, 0.04, 0.5)),
    ((0.0, 0.8, -0.46), (0.5, 0.2, 0.04)),
    *(((x, 0.25, z), (0.05, 0.25, 0.05)) for x in (-0.43, 0.43) for z in (-0.43, 0.43)),
)
_CABINET: Piece = (((0.0, 0.5, 0.0), (0.5, 0.5, 0.5)), ((0.0, 0.5, 0.5), (0.02, 0.45, 0.02)))
_PILLAR: Piece = (((0.0, 0.5, 0.0), (0.5, 0.5, 0.5)),)
# Each with how often it is chosen, its smallest and its largest width, height and depth in metres.
# Only tall pieces can hide the upper body; they are rare, and so narrow that hardly anybody is
# hidden whole.
_PIECES: tuple[tuple[Piece, float, tuple[float, ...], tuple[float, ...]], ...] = (
    (_TABLE, 0.28, (0.5, 0.4, 0.4), (1.1, 0.75, 0.7)),
    (_CHAIR, 0.28, (0.38, 0.75, 0.38), (0.5, 0.95, 0.5)),
    (_CABINET, 0.28, (0.25, 0.3, 0.25), (0.6, 0.9, 0.5)),
    (_CABINET, 0.06, (0.22, 1.5, 0.2), (0.35, 2.0, 0.3)),
    (_PILLAR, 0.1, (0.1, 2.0, 0.1), (0.2, 2.8, 0.2)),
)
_SHARES = [share for _, share, _, _ in _PIECES]


@dataclass(frozen=True)
class Boxes:
    """N boxes on the ground, turned about the vertical axis.

    Args:
        centre: (N,3) middles, world space, metres.
        half: (N,3) half sizes, metres.
        turn: (N,) radians from the world's x axis to the box's.
        color: (N,3) in [0, 1].
    """

    centre: np.ndarray
    half: np.ndarray
    turn: np.ndarray
    color: np.ndarray


def random_furniture(
    rng: np.random.Generator, count: int, points: np.ndarray, scale: float
) -> Boxes:
    """Stand ``count`` tables, chairs, cabinets and now and then a cupboard or a pillar around a
    person's whole motion.

    Args:
        rng: source of randomness.
        count: how many pieces.
        points: (T,K,3) the person's joints, world space; nothing comes close to any of them.
        scale: size of the pieces, 1 for an adult's.
    """
    flat = points[..., [0, 2]].reshape(-1, 2)
    middle = 0.5 * (flat.min(axis=0) + flat.max(axis=0))
    reach = float(np.sqrt(((flat - middle) ** 2).sum(axis=-1)).max())
    rows = []
    for _ in range(count):
        piece, _, least, most = _PIECES[rng.choice(len(_PIECES), p=_SHARES)]
        size = scale * rng.uniform(least, most)
        around, turn = rng.uniform(-np.pi, np.pi), rng.uniform(-np.pi, np.pi)
        away = reach + 0.12 * scale + 0.5 * np.hypot(size[0], size[2]) + scale * rng.uniform(0, 0.3)
        x, z = middle + away * np.array([np.sin(around), np.cos(around)])
        color = random_color(rng, (0.1, 0.5), (0.2, 0.85))
        c, s = np.cos(turn), np.sin(turn)
        for centre, half in piece:
            px, py, pz = size * centre
            place = (x + c * px + s * pz, py, z - s * px + c * pz)
            rows.append((*place, *(size * half), turn, *(color * rng.uniform(0.8, 1.1))))
    table = np.array(rows).reshape(-1, 10)
    return Boxes(table[:, :3], table[:, 3:6], table[:, 6], np.clip(table[:, 7:], 0, 1))


def view_boxes(
    boxes: Boxes, camera: Camera, size: int, supersample: int, light: np.ndarray, ambient: float
) -> tuple[np.ndarray, np.ndarray]:
    """What a window's samples see of the boxes: camera z (W,W), infinite beside them, and colours.

    Args:
        boxes: the boxes.
        camera: the window's camera.
        size: side of the window in pixels; W is ``size * supersample``.
        supersample: samples along a pixel's side.
        light: (3,) unit vector towards the light, world space.
        ambient: share of the light that comes from everywhere.
    """
    ray = camera.rays(size, supersample) @ camera.rotation
    depth = np.full(ray.shape[:2], np.inf, np.float32)
    color = np.zeros(ray.shape, np.float32)
    for centre, half, turn, paint in zip(
        boxes.centre, boxes.half, boxes.turn, boxes.color, strict=True
    ):
        c, s = np.cos(turn), np.sin(turn)
        to_box = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        start, d = to_box @ (camera.centre - centre), ray @ to_box.T
        d = np.where(np.abs(d) < 1e-9, 1e-9, d)
        enter = (-np.sign(d) * half - start) / d  # at which a ray passes each slab's near side
        leave = (np.sign(d) * half - start) / d
        axis, t = enter.argmax(axis=-1), enter.max(axis=-1)
        nearer = (t < leave.min(axis=-1)) & (t > 0.05) & (t < depth)
        side = np.take_along_axis(d, axis[..., None], -1)[..., 0]
        facing = -np.sign(side) * (to_box @ light)[axis]
        shine = ambient + (1 - ambient) * np.maximum(facing, 0)
        depth[nearer] = t[nearer]
        color[nearer] = (paint * shine[..., None])[nearer]
    return depth, color


def furnish(room: Room, depth: np.ndarray, color: np.ndarray, supersample: int) -> Room:
    """The room with the boxes before it; their pixels get no shadow of the person."""
    size = len(depth) // supersample
    blocks = (size, supersample, size, supersample)
    cover = np.isfinite(depth).reshape(blocks).mean(axis=(1, 3), dtype=np.float32)
    seen = color.reshape(*blocks, 3).mean(axis=(1, 3))
    plate = (1 - cover[..., None]) * room.plate + seen
    clear = cover.ravel()[room.floor] == 0
    return Room(plate.astype(np.float32), room.floor[clear], room.ground[clear])
