"""Motion capture packed as npz: positions of all clips in one array.

Keys: ``positions`` (F,19,3) metres, y up; ``joint_names`` (19,); ``fps``; optional ``valid`` (F,),
``clip_start``, ``clip_length``, ``clip_name``, ``clip_action``, ``clip_subject``, ``source``.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastpose.data.motion_capture.motion import JOINTS, Motion, require_finite
from fastpose.errors import UserError
from fastpose.files import replacing


def load_arrays(
    path: str | os.PathLike[str], what: str = "a motion-capture file or folder"
) -> dict[str, np.ndarray]:
    """All arrays of an npz file; UserError where it is missing, damaged or holds pickles.

    Where it is missing, the error asks for ``what``.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files}
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such file; name {what}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path}: cannot be read as npz ({reason}); fetch or make it again"
        ) from None


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an npz file, complete or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_npz(path: str | os.PathLike[str]) -> list[Motion]:
    """Read every clip of ``path``, without the frames that ``valid`` marks as broken.

    Raises:
        UserError: unreadable file, wrong joints, NaN in a valid frame, or no clip.
    """
    path = Path(path)
    data = load_arrays(path)
    if "positions" not in data:
        raise UserError(
            f"{path}: has no 'positions' (F,19,3); found {', '.join(data) or 'nothing'}"
        )
    positions = data["positions"].astype(np.float32)
    names = [str(n) for n in data.get("joint_names", np.array(JOINTS))]
    if positions.ndim != 3 or positions.shape[1:] != (len(names), 3):
        raise UserError(
            f"{path}: positions must be (F,{len(names)},3) for its joint names, "
            f"not {positions.shape}"
        )
    positions = positions[:, _joint_order(path, names)]
    total = len(positions)
    valid = np.asarray(data.get("valid", np.ones(total, bool)), bool)
    start = np.atleast_1d(np.asarray(data.get("clip_start", [0]), np.int64))
    length = np.atleast_1d(np.asarray(data.get("clip_length", [total]), np.int64))
    if valid.shape != (total,) or start.shape != length.shape:
        raise UserError(f"{path}: 'valid' or the clip table does not fit its {total} frames")
    if not total or not len(start):
        raise UserError(f"{path}: holds no clip; give a file with recorded frames")
    if start.min() < 0 or length.min() < 0 or (start + length).max() > total:
        raise UserError(f"{path}: its clip table reaches outside its {total} frames")

    def column(key: str, fallback: str) -> list[str]:
        values = np.atleast_1d(data.get(key, np.full(len(start), fallback)))
        return [str(v) for v in values] if len(values) == len(start) else [fallback] * len(start)

    clip_names = column("clip_name", path.stem)
    actions, subjects = column("clip_action", ""), column("clip_subject", "")
    fps = float(data.get("fps", np.float32(30.0)))
    motions = []
    for i, (s, n) in enumerate(zip(start, length, strict=True)):
        numbers = s + np.flatnonzero(valid[s : s + n])
        if not len(numbers):
            continue
        kept = positions[numbers]
        require_finite(kept, str(path), numbers)
        motions.append(Motion(kept, fps, clip_names[i], actions[i], subjects[i], path.name))
    if not motions:
        raise UserError(f"{path}: no clip with a valid frame; give a file with recorded frames")
    return motions


def _joint_order(path: Path, names: list[str]) -> list[int]:
    lost = [joint for joint in JOINTS if joint not in names]
    if lost:
        raise UserError(
            f"{path}: lacks the joints {', '.join(lost)}; expected {', '.join(JOINTS)}; "
            f"got {', '.join(names)}"
        )
    return [names.index(joint) for joint in JOINTS]
