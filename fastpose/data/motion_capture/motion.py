"""What every motion-capture reader returns: one recording as positions of the mocap19 joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton

JOINTS = get_skeleton("mocap19").joints

# The joint that each joint of mocap19 hangs on; the pelvis is the root.
PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 10, 13, 14, 10, 16, 17)


@dataclass(frozen=True)
class Motion:
    """One recording of one person.

    Args:
        positions: (N,19,3) float32, metres, right-handed, y up, joints of ``mocap19``.
        fps: frames per second.
        name: name of the recording, unique within its source.
        action: what the person does, as the source calls it; empty where unknown.
        subject: who, as the source calls them; empty where unknown.
        source: the file (or collection) the recording comes from.
    """

    positions: np.ndarray
    fps: float
    name: str
    action: str = ""
    subject: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        shape = self.positions.shape
        if len(shape) != 3 or shape[1:] != (len(JOINTS), 3):
            raise UserError(
                f"motion '{self.name}': positions must be (N,{len(JOINTS)},3), not {shape}"
            )

    def __len__(self) -> int:
        return len(self.positions)


def require_finite(positions: np.ndarray, file: str, frame_numbers: np.ndarray) -> None:
    """UserError naming the first frame of ``positions`` (N,K,3) that is not finite."""
    bad = ~np.isfinite(positions).all(axis=(1, 2))
    if bad.any():
        first = int(frame_numbers[int(np.argmax(bad))])
        raise UserError(
            f"{file}: frame {first} holds NaN or infinite positions ({int(bad.sum())} such "
            "frames); mark them in 'valid' or repair the file"
        )
