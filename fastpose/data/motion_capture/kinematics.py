"""Joint chains of motion-capture files: rotations, forward kinematics, axes and units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def axis_rotation(axis: str, degrees: np.ndarray) -> np.ndarray:
    """(...,3,3) rotations about ``x``, ``y`` or ``z``."""
    angle = np.radians(np.asarray(degrees, np.float64))
    cos, sin = np.cos(angle), np.sin(angle)
    zero, one = np.zeros_like(cos), np.ones_like(cos)
    rows = {
        "x": [[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]],
        "y": [[cos, zero, sin], [zero, one, zero], [-sin, zero, cos]],
        "z": [[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]],
    }[axis]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def euler_rotation(order: str, degrees: np.ndarray) -> np.ndarray:
    """Rotations about the moving axes in the order of ``order``.

    Args:
        order: such as ``"zyx"``: R = Rz Ry Rx, the first named is the outermost.
        degrees: (...,len(order)).

    Returns:
        (...,3,3) float64.
    """
    result = np.broadcast_to(np.eye(3), (*np.shape(degrees)[:-1], 3, 3))
    for at, axis in enumerate(order):
        result = result @ axis_rotation(axis, degrees[..., at])
    return result


def forward_kinematics(
    parents: Sequence[int], offsets: np.ndarray, rotations: np.ndarray, root: np.ndarray
) -> np.ndarray:
    """Positions of all joints.

    Args:
        parents: for each of J joints its parent, which comes before it; -1 for the root.
        offsets: (J,3) from the parent in its frame, or (N,J,3) where they change over time.
        rotations: (N,J,3,3) of each joint's frame in its parent's.
        root: (N,3) position of the root joint.

    Returns:
        (N,J,3) float64.
    """
    count, joints = rotations.shape[:2]
    offsets = np.broadcast_to(offsets, (count, joints, 3))
    positions = np.empty((count, joints, 3))
    frames = np.empty((count, joints, 3, 3))
    for joint, parent in enumerate(parents):
        if parent < 0:
            positions[:, joint], frames[:, joint] = root, rotations[:, joint]
        else:
            step = (frames[:, parent] @ offsets[:, joint, :, None])[..., 0]
            positions[:, joint] = positions[:, parent] + step
            frames[:, joint] = frames[:, parent] @ rotations[:, joint]
    return positions


def turned_upright(positions: np.ndarray, up: str) -> np.ndarray:
    """From right-handed coordinates whose ``up`` axis is x, y or z to y up."""
    if up == "y":
        return positions
    if up == "z":  # (x, y, z) -> (x, z, -y)
        return np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], axis=-1)
    return np.stack([-positions[..., 1], positions[..., 0], positions[..., 2]], axis=-1)


def up_axis(lower: np.ndarray, upper: np.ndarray) -> str:
    """The axis along which people are upright: where ``upper`` (N,3) is most above ``lower``."""
    return "xyz"[int(np.argmax(np.median(upper - lower, axis=0)))]


# Units that motion-capture files come in, in metres: metre, centimetre, millimetre, inch, and the
# CMU database's (1/0.45 inch).
UNITS = (1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45)
_ADULT = 1.7  # metres from sole to head


def guess_unit(height: float) -> float:
    """Metres per unit, so that a body of ``height`` units is of human size.

    The unit of :data:`UNITS` that brings the height between 1.2 and 2.2 metres, the nearest to an
    adult's if several do; where none does the body is scaled to an adult's 1.7 metres.
    """
    sizes = {unit: height * unit for unit in UNITS}
    fitting = [unit for unit, size in sizes.items() if 1.2 <= size <= 2.2]
    if fitting:
        return min(fitting, key=lambda unit: abs(np.log(sizes[unit] / _ADULT)))
    return _ADULT / height
