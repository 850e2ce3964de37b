"""Acclaim files of the CMU database: a skeleton (ASF) and the motion of its bones (AMC).

A bone's rotation is X, then Y, then Z about the axes of the bone's own ``axis`` frame, in degrees.
Lengths are in units of 1/0.45 inch, 0.056444 m, where the skeleton says ``length 0.45``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastpose.data.motion_capture.kinematics import euler_rotation
from fastpose.data.motion_capture.motion import JOINTS, Motion, require_finite
from fastpose.errors import UserError

_FPS = 120.0  # of the CMU database; AMC files do not say

# The bone at whose end each joint is.
_BONE_OF: dict[str, str] = {
    "spine": "lowerback", "thorax": "thorax", "head": "upperneck", "head_top": "head",
    "hip": "hipjoint", "knee": "femur", "ankle": "tibia", "toe": "foot",
    "shoulder": "clavicle", "elbow": "humerus", "wrist": "wrist",
}  # fmt: skip


@dataclass(frozen=True)
class Bone:
    """One bone of an ASF skeleton: its parent's name, vector at rest, axis frame, and freedoms."""

    parent: str
    vector: np.ndarray
    axis: np.ndarray
    freedoms: tuple[str, ...]


def read_amc(path: str | os.PathLike[str]) -> list[Motion]:
    """Read one recording; its skeleton is ``<subject>.asf`` beside it, or the only one there.

    Raises:
        UserError: no skeleton, unknown bones, cut off, or NaN.
    """
    path = Path(path)
    skeleton_path = _skeleton_of(path)
    bones, unit = read_asf(skeleton_path)
    needed = {bone_name(joint) for joint in JOINTS if joint != "pelvis"}
    lost = sorted(needed - set(bones))
    if lost:
        raise UserError(f"{skeleton_path}: lacks the bones {', '.join(lost)}")
    frames = _parse_frames(path, bones)
    ends, root = _bone_ends(bones, frames)
    columns = []
    for joint in JOINTS:
        if joint == "pelvis":
            columns.append(0.5 * (ends["lhipjoint"] + ends["rhipjoint"]))
        else:
            columns.append(ends[bone_name(joint)])
    positions = np.stack(columns, axis=1) * unit
    require_finite(positions, str(path), np.arange(len(root)))
    subject = path.stem.split("_")[0]
    return [Motion(positions.astype(np.float32), _FPS, path.stem, "", subject, path.parent.name)]


def bone_name(joint: str) -> str:
    """The bone at whose end ``joint`` of mocap19 is, such as ``lfemur`` for ``l_knee``."""
    if joint[:2] in ("l_", "r_"):
        return joint[0] + _BONE_OF[joint[2:]]
    return _BONE_OF[joint]


def _skeleton_of(path: Path) -> Path:
    own = path.with_name(path.stem.split("_")[0] + ".asf")
    if own.is_file():
        return own
    found = sorted(path.parent.glob("*.asf"))
    if len(found) != 1:
        raise UserError(f"{path}: needs its skeleton {own.name} beside it; found {len(found)} .asf")
    return found[0]


def read_asf(path: str | os.PathLike[str]) -> tuple[dict[str, Bone], float]:
    """Bones in an order in which parents come first, and metres per unit of length."""
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    sections: dict[str, list[list[str]]] = {}
    name = ""
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            name = words[0][1:].lower()
            sections[name] = []
        else:
            sections.setdefault(name, []).append(words)
    try:
        length = next(float(w[1]) for w in sections["units"] if w[0] == "length")
        parents = {child: w[0] for w in sections["hierarchy"] for child in w[1:] if len(w) > 1}
        data = _bone_data(sections["bonedata"])
        order = [child for w in sections["hierarchy"] for child in w[1:]]
        bones = {
            bone: Bone(parents[bone], vector, axis, freedoms)
            for bone, (vector, axis, freedoms) in ((b, data[b]) for b in order)
        }
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        raise UserError(
            f"{path}: is no ASF skeleton that can be read ({type(error).__name__}: {error})"
        ) from None
    return bones, 0.0254 / length


def _bone_data(
    lines: list[list[str]],
) -> dict[str, tuple[np.ndarray, np.ndarray, tuple[str, ...]]]:
    data, current = {}, {}
    for words in lines:
        if words[0] == "begin":
            current = {}
        elif words[0] == "end":
            direction = np.array(current["direction"][:3], np.float64)
            vector = direction / np.linalg.norm(direction) * float(current["length"][0])
            axis = np.array(current["axis"][:3], np.float64)
            if [w.upper() for w in current["axis"][3:]] not in ([], ["XYZ"]):
                raise ValueError(f"axis order {current['axis'][3:]} of {current['name'][0]}")
            data[current["name"][0]] = (vector, axis, tuple(current.get("dof", [])))
        else:
            current[words[0]] = words[1:]
    return data


def _parse_frames(path: Path, bones: dict[str, Bone]) -> dict[str, np.ndarray]:
    """For ``root`` and each bone that moves the numbers of all frames, (N,D)."""
    expected = {"root": 6} | {b: len(bone.freedoms) for b, bone in bones.items() if bone.freedoms}
    columns: dict[str, list[list[float]]] = {name: [] for name in expected}
    frames = 0
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            frames += 1
            continue
        try:
            values = [float(v) for v in words[1:]]
        except ValueError:
            raise UserError(f"{path}: line {number} is not numbers: '{line[:60]}'") from None
        if words[0] in columns:
            if len(values) != expected[words[0]]:
                raise UserError(
                    f"{path}: line {number}: {words[0]} has {len(values)} numbers, "
                    f"{expected[words[0]]} expected; does it belong to this skeleton?"
                )
            columns[words[0]].append(values)
    if not frames:
        raise UserError(f"{path}: holds no frame")
    short = [name for name, rows in columns.items() if len(rows) != frames]
    if short:
        raise UserError(
            f"{path}: {frames} frames, but {short[0]} is given in {len(columns[short[0]])}; "
            "is the file cut off?"
        )
    return {name: np.array(rows) for name, rows in columns.items()}


def _bone_ends(
    bones: dict[str, Bone], frames: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Ends of all bones (N,3) in the file's units, and the root."""
    root = frames["root"]
    ends = {"root": root[:, :3]}
    turned = {"root": euler_rotation("zyx", root[:, [5, 4, 3]])}
    for name, bone in bones.items():
        axis = euler_rotation("zyx", bone.axis[::-1])
        angles = np.zeros((len(root), 3))
        for at, freedom in enumerate(bone.freedoms):
            if freedom in ("rx", "ry", "rz"):
                angles[:, "xyz".index(freedom[1])] = frames[name][:, at]
        local = axis @ euler_rotation("zyx", angles[:, ::-1]) @ axis.T
        turned[name] = turned[bone.parent] @ local
        ends[name] = ends[bone.parent] + turned[name] @ bone.vector
    return ends, root[:, :3]
