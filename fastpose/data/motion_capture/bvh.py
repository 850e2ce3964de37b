"""Biovision hierarchy files: a tree of joints with offsets and channels, then frames of numbers.

The order of the rotations is that of the CHANNELS line. Files state no unit and no axis: the unit
follows from the height of the body (``kinematics.guess_unit``), the upward axis from where the head
is over the hips while the body moves.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from fastpose.data.motion_capture.joint_names import nearest_on_chain, place_joints
from fastpose.data.motion_capture.kinematics import (
    euler_rotation,
    forward_kinematics,
    guess_unit,
    turned_upright,
    up_axis,
)
from fastpose.data.motion_capture.motion import JOINTS, Motion, require_finite
from fastpose.errors import UserError

_SHORTEST_SKULL = 0.07  # body heights from head joint to its end; files with less have a stub
_SKULL = 0.115  # body heights from the head joint to the top of the head (assumed)


@dataclass
class Hierarchy:
    """The joints of a file in its order.

    Attributes:
        names: joint names; ends without a name are called after their parent with ``|end``.
        parents: for each joint its parent, -1 for the root.
        offsets: for each joint its offset from the parent.
        channels: for each joint its channels in order, such as ``("Zrotation", ...)``.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[tuple[float, float, float]] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)


def read_bvh(path: str | os.PathLike[str]) -> list[Motion]:
    """Read one recording; see the module for units and axes.

    Raises:
        UserError: not a BVH file, cut off, NaN, or joint names that are not known.
    """
    path = Path(path)
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    head, mark, body = text.partition("MOTION")
    if not mark or "HIERARCHY" not in head:
        raise UserError(f"{path}: is no BVH file (HIERARCHY and MOTION expected)")
    tree = parse_hierarchy(head, str(path))
    values, frame_time = _parse_motion(body, sum(map(len, tree.channels)), str(path))
    positions = joint_positions(tree, values)
    places = place_joints(tree.names, str(path))
    chosen = _to_mocap19(tree, positions, places)
    chosen = turned_upright(chosen, up_axis(chosen[:, 0], chosen[:, JOINTS.index("head")]))
    chosen *= guess_unit(_standing_height(chosen))
    require_finite(chosen, str(path), np.arange(len(chosen)))
    action = re.sub(r"[_\-\s]*\d+$", "", path.stem)
    fps = 1.0 / frame_time
    return [Motion(chosen.astype(np.float32), fps, path.stem, action, source=path.parent.name)]


def parse_hierarchy(text: str, file: str) -> Hierarchy:
    """The tree of joints of the text before MOTION; UserError where it makes no sense."""
    tree, stack = Hierarchy(), [-1]
    words = text.replace("{", " { ").replace("}", " } ").split()
    at = words.index("HIERARCHY") + 1
    try:
        while at < len(words):
            word = words[at].upper()
            if word in ("ROOT", "JOINT", "END"):
                parent = stack[-1]
                brace = words.index("{", at)
                name = "_".join(words[at + 1 : brace])
                tree.names.append(name if word != "END" else f"{tree.names[parent]}|end")
                tree.parents.append(parent)
                tree.offsets.append((0.0, 0.0, 0.0))
                tree.channels.append(())
                stack.append(len(tree.names) - 1)
                at = brace + 1
            elif word == "OFFSET":
                x, y, z = (float(v) for v in words[at + 1 : at + 4])
                tree.offsets[stack[-1]] = (x, y, z)
                at += 4
            elif word == "CHANNELS":
                count = int(words[at + 1])
                tree.channels[stack[-1]] = tuple(words[at + 2 : at + 2 + count])
                at += 2 + count
            elif word == "}":
                stack.pop()
                at += 1
            else:
                raise ValueError(f"unexpected '{words[at]}'")
    except (ValueError, IndexError) as error:
        raise UserError(f"{file}: its hierarchy cannot be read ({error})") from None
    known = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}
    strange = {c for channels in tree.channels for c in channels} - known
    if strange or not tree.names or len(stack) != 1 or tree.parents.count(-1) != 1:
        what = f"unknown channels {', '.join(sorted(strange))}" if strange else "one ROOT expected"
        raise UserError(f"{file}: its hierarchy cannot be read ({what})")
    return tree


def _parse_motion(text: str, channels: int, file: str) -> tuple[np.ndarray, float]:
    frames = re.search(r"Frames:\s*(\d+)", text)
    time = re.search(r"Frame Time:\s*([-+.\deE]+)", text)
    try:
        if frames is None or time is None:
            raise ValueError("'Frames:' and 'Frame Time:' expected")
        count, frame_time = int(frames[1]), float(time[1])
        values = np.array(text[time.end() :].split(), np.float64)
    except ValueError as error:
        raise UserError(f"{file}: its motion cannot be read ({error})") from None
    if count < 1 or frame_time <= 0.0:
        raise UserError(f"{file}: holds no frame ({count} frames of {frame_time} s)")
    if len(values) != count * channels:
        raise UserError(
            f"{file}: {count} frames of {channels} numbers expected, {len(values)} numbers found; "
            "is the file cut off?"
        )
    return values.reshape(count, channels), frame_time


def joint_positions(tree: Hierarchy, values: np.ndarray) -> np.ndarray:
    """(N,J,3) positions of all joints in the file's units, from the frames' numbers (N,C)."""
    count, joints = len(values), len(tree.names)
    offsets = np.broadcast_to(np.array(tree.offsets), (count, joints, 3)).copy()
    rotations = np.broadcast_to(np.eye(3), (count, joints, 3, 3)).copy()
    at = 0
    for joint, channels in enumerate(tree.channels):
        columns = values[:, at : at + len(channels)]
        at += len(channels)
        turning = [i for i, c in enumerate(channels) if c.endswith("rotation")]
        order = "".join(channels[i][0].lower() for i in turning)
        rotations[:, joint] = euler_rotation(order, columns[:, turning])
        moving = [i for i, c in enumerate(channels) if c.endswith("position")]
        for i in moving:  # a position replaces the offset, in the joint's parent's frame
            offsets[:, joint, "XYZ".index(channels[i][0])] = columns[:, i]
    root = offsets[:, 0]
    return forward_kinematics(tree.parents, offsets, rotations, root)


def _to_mocap19(tree: Hierarchy, positions: np.ndarray, places: dict[str, int]) -> np.ndarray:
    """(N,19,3), missing joints made from those there are."""
    hips = [places["l_hip"], places["r_hip"]]
    pelvis = positions[:, hips].mean(axis=1)
    neck, head = places["thorax"], places["head"]
    middle = nearest_on_chain(tree.parents, positions, pelvis, neck)
    made = {
        "pelvis": pelvis,
        "spine": 0.5 * (pelvis + positions[:, neck]) if middle is None else positions[:, middle],
        "head_top": _top_of_head(tree, positions, head, neck, pelvis, places),
    }
    for side in "lr":
        ankle = places[f"{side}_ankle"]
        made[f"{side}_toe"] = positions[:, places.get(f"{side}_toe", _end_of(tree, ankle))]
    columns = [made[j] if j in made else positions[:, places[j]] for j in JOINTS]
    return np.stack(columns, axis=1)


def _end_of(tree: Hierarchy, joint: int) -> int:
    """The joint's own end, or the joint itself where it has none."""
    ends = [j for j, p in enumerate(tree.parents) if p == joint and tree.names[j].endswith("|end")]
    return ends[0] if ends else joint


def _top_of_head(
    tree: Hierarchy,
    positions: np.ndarray,
    head: int,
    neck: int,
    pelvis: np.ndarray,
    places: dict[str, int],
) -> np.ndarray:
    """The end of the head's bone; along the neck where the file gives a stub."""
    leg = positions[:, places["l_knee"]] - positions[:, places["l_hip"]]
    trunk = positions[:, neck] - pelvis
    height = np.median(np.linalg.norm(2.0 * leg, axis=-1) + np.linalg.norm(trunk, axis=-1)) / 0.8
    end = positions[:, _end_of(tree, head)] - positions[:, head]
    length = np.linalg.norm(end, axis=-1, keepdims=True)
    if np.median(length) < _SHORTEST_SKULL * height:
        end = positions[:, head] - positions[:, neck]
        length = np.linalg.norm(end, axis=-1, keepdims=True)
        end = end / np.maximum(length, 1e-9) * _SKULL * height
    return positions[:, head] + end


def _standing_height(positions: np.ndarray) -> float:
    """Legs, trunk, neck and head stretched out, and a share for the sole; mocap19, any unit."""
    chain = ("l_ankle", "l_knee", "l_hip"), ("pelvis", "thorax", "head", "head_top")
    total = 0.0
    for joints in chain:
        for a, b in pairwise(joints):
            step = positions[:, JOINTS.index(a)] - positions[:, JOINTS.index(b)]
            total += float(np.median(np.linalg.norm(step, axis=-1)))
    return total * 1.05
