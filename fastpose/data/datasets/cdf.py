"""Poses in NASA's Common Data Format, as Human3.6M has them, through cdflib."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.errors import UserError

_JOINTS = 32


def load_pose(path: Path, axes: int) -> np.ndarray:
    """The variable ``Pose`` of a file, (1,N,32*axes), as (N,32,axes) float64.

    Raises:
        UserError: Missing, damaged, no CDF, of another shape; or cdflib is not installed.
    """
    try:
        import cdflib
    except ModuleNotFoundError:
        raise UserError(
            f"{path}: reading CDF files needs cdflib; pip install 'fastpose[datasets]'"
        ) from None
    if not path.is_file():
        raise UserError(f"{path}: no such file; unpack the poses again")
    try:
        pose = np.asarray(cdflib.CDF(path).varget("Pose"), np.float64)
    except Exception as error:  # the parser lets through whatever a damage leads to
        reason = (" ".join(str(error).split()) or type(error).__name__)[:80]
        raise UserError(f"{path}: cannot be read as CDF ({reason}); unpack it again") from None
    if pose.size % (_JOINTS * axes) or not pose.size or pose.shape[-1] != _JOINTS * axes:
        raise UserError(
            f"{path}: Pose must be (1,N,{_JOINTS * axes}), not {pose.shape}; unpack it again"
        )
    return pose.reshape(-1, _JOINTS, axes)
