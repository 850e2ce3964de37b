"""Random cameras: 3D bodies to points of a square crop, all vectorised over the poses."""

from __future__ import annotations

import numpy as np


def project(
    joints: np.ndarray,
    yaw: np.ndarray,
    pitch: np.ndarray,
    roll: np.ndarray,
    distance: np.ndarray,
    aim: np.ndarray | float = 0.5,
) -> np.ndarray:
    """Perspective view of bodies, in body heights, x right and y down.

    The camera looks at the point ``aim`` over the ground at the body's root. At ``yaw`` 0 the
    body faces the camera; at 90 degrees its front points to the right of the picture. A point at
    the root's depth keeps its size, whatever the distance.

    Args:
        joints: (n,K,3), x to the person's left, y up, z forward, ground at y = 0.
        yaw, pitch, roll: (n,) degrees; a positive pitch looks down on the person, a positive
            roll turns the picture clockwise.
        distance: (n,) from camera to root, in body heights.
        aim: height over the ground that the camera looks at.

    Returns:
        (n,K,2) points with y = 0 at the ground under the root, seen at that depth.
    """
    x, y, z = turn(joints, yaw, pitch, aim)
    shrink = distance[:, None] / np.maximum(distance[:, None] - z, 0.1)
    points = roll_points(np.stack([x * shrink, -y * shrink], axis=-1), roll)
    points[..., 1] += aim
    return points - np.array([0.0, 2.0 * aim], joints.dtype)


def turn(
    joints: np.ndarray, yaw: np.ndarray, pitch: np.ndarray, aim: np.ndarray | float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bodies seen along the camera's axes, before its roll: x right, y up, z towards it, (n,K)."""
    a, b = (np.radians(v)[:, None] for v in (yaw, pitch))
    x, y, z = joints[..., 0], joints[..., 1] - aim, joints[..., 2]
    x, z = x * np.cos(a) + z * np.sin(a), z * np.cos(a) - x * np.sin(a)
    y, z = y * np.cos(b) - z * np.sin(b), z * np.cos(b) + y * np.sin(b)
    return x, y, z


def roll_points(points: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """Points (n,K,2), y down, turned clockwise by ``roll`` (n,) degrees about the origin."""
    c = np.radians(roll)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * np.cos(c) - y * np.sin(c), x * np.sin(c) + y * np.cos(c)], axis=-1)


def camera_positions(
    joints: np.ndarray, yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray
) -> np.ndarray:
    """Bodies (n,K,3) in camera space, relative to the first joint: x right, y down, z forward."""
    x, y, z = turn(joints, yaw, pitch)
    flat = roll_points(np.stack([x, -y], axis=-1), roll)
    space = np.concatenate([flat, -z[..., None]], axis=-1)
    return space - space[:, :1]


def pull_inside(points: np.ndarray, chains: np.ndarray, limit: float) -> np.ndarray:
    """Keep joints within ``limit`` of the picture without bending what is visible of a limb.

    A joint beyond [-limit, limit] slides along the limb that holds it, towards the joint before
    it, until it is at the border; a limb wholly outside collapses there. So a leg cut by the lower
    border is drawn as before inside the picture and its knee and foot lie on the border.

    Args:
        points: (n,K,2) normalised.
        chains: (m,2) pairs (joint, the joint before it), in the order to treat them.
        limit: at least 1 for whole limbs inside the picture.

    Returns:
        (n,K,2), a new array with every coordinate in [-limit, limit].
    """
    out = points.copy()
    held = np.clip(points, -limit, limit)
    for joint, before in chains:
        here, start = points[:, joint], out[:, before]
        outside = (np.abs(here) > limit).any(axis=-1)
        if not outside.any():
            continue
        # Where the line from the joint before (itself inside by now) leaves the square.
        start = np.clip(start[outside], -limit, limit)
        step = here[outside] - start
        edge = np.sign(step) * limit
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(np.abs(step) > 1e-9, (edge - start) / step, np.inf)
        share = np.clip(reach.min(axis=-1, keepdims=True), 0.0, 1.0)
        out[outside, joint] = start + share * step
    rest = np.setdiff1d(np.arange(points.shape[1]), chains[:, 0]) if len(chains) else slice(None)
    out[:, rest] = held[:, rest]
    return np.clip(out, -limit, limit)
