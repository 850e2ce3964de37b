"""BVH files: channel orders, units, axes, dialects, and files that are broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.motion_capture.bvh import joint_positions, parse_hierarchy, read_bvh
from fastpose.data.motion_capture.kinematics import axis_rotation
from fastpose.data.motion_capture.motion import JOINTS
from fastpose.data.motion_capture.npz import read_npz
from fastpose.errors import UserError
from tests.data.bodies import J

_TREE = [  # name, parent, offset in centimetres, y up, person facing +z
    ("Hips", None, (0, 0, 0)), ("Spine", "Hips", (0, 25, 0)), ("Neck", "Spine", (0, 25, 0)),
    ("Head", "Neck", (0, 10, 0)), ("Head|end", "Head", (0, 18, 0)),
    *(
        (f"{side}{part}", holder if holder in ("Hips", "Neck") else f"{side}{holder}", at)
        for side, s in (("Left", 1), ("Right", -1))
        for part, holder, at in (
            ("UpLeg", "Hips", (9 * s, 0, 0)), ("Leg", "UpLeg", (0, -43, 0)),
            ("Foot", "Leg", (0, -42, 0)), ("Toe", "Foot", (0, -5, 14)),
            ("Arm", "Neck", (18 * s, -3, 0)), ("ForeArm", "Arm", (28 * s, 0, 0)),
            ("Hand", "ForeArm", (25 * s, 0, 0)),
        )
    ),
]  # fmt: skip


def bvh(
    *,
    order: str = "ZXY",
    turn: dict[str, tuple[float, float, float]] | None = None,
    scale: float = 1.0,
    up: str = "y",
    frames: int = 3,
    time: str = "0.0333333",
) -> str:
    """A person with arms spread; ``turn`` gives the joints' angles in the channels' order."""
    children: dict[str | None, list[str]] = {}
    for name, parent, _ in _TREE:
        children.setdefault(parent, []).append(name)
    offsets = {name: np.array(at, float) * scale for name, _, at in _TREE}
    if up == "z":
        offsets = {n: np.array([x, -z, y]) for n, (x, y, z) in offsets.items()}
    lines, numbers = ["HIERARCHY"], []

    def write(name: str, depth: int) -> None:
        pad, kind = "\t" * depth, "ROOT" if name == "Hips" else "JOINT"
        end = name.endswith("|end")
        lines.append(f"{pad}{'End Site' if end else f'{kind} {name}'}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}\tOFFSET {' '.join(map(str, offsets[name]))}")
        if not end:
            turning = " ".join(f"{a}rotation" for a in order)
            moving = "Xposition Yposition Zposition " if name == "Hips" else ""
            lines.append(f"{pad}\tCHANNELS {6 if moving else 3} {moving}{turning}")
            root = np.array([0.0, 92.0, 0.0]) * scale
            numbers.extend(([root[0], 0.0, root[1]] if up == "z" else root) if moving else [])
            numbers.extend((turn or {}).get(name, (0.0, 0.0, 0.0)))
        for child in children.get(name, []):
            write(child, depth + 1)
        lines.append(f"{pad}}}")

    write("Hips", 0)
    row = " ".join(map(str, numbers))
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {time}", *[row] * frames]
    return "\n".join(lines) + "\n"


def read(tmp_path: Path, text: str, name: str = "arms_spread_01.bvh") -> np.ndarray:
    (tmp_path / name).write_text(text)
    (motion,) = read_bvh(tmp_path / name)
    return motion.positions


def test_joints_in_metres(tmp_path: Path) -> None:
    (tmp_path / "salsa_10.bvh").write_text(bvh())
    (motion,) = read_bvh(tmp_path / "salsa_10.bvh")
    assert (motion.name, motion.action, len(motion)) == ("salsa_10", "salsa", 3)
    assert motion.fps == pytest.approx(30.0, rel=1e-4)
    expected = {
        "pelvis": (0.0, 0.92, 0.0), "spine": (0.0, 1.17, 0.0), "thorax": (0.0, 1.42, 0.0),
        "head_top": (0.0, 1.7, 0.0), "l_shoulder": (0.18, 1.39, 0.0), "r_wrist": (-0.71, 1.39, 0.0),
        "l_knee": (0.09, 0.49, 0.0), "r_toe": (-0.09, 0.02, 0.14),
    }  # fmt: skip
    for joint, place in expected.items():
        np.testing.assert_allclose(motion.positions[0, J[joint]], place, atol=1e-5, err_msg=joint)


def test_channels_order_the_rotations(tmp_path: Path) -> None:
    angles = {"LeftArm": (20.0, -35.0, 50.0)}
    for order in ("ZXY", "XYZ", "YZX"):
        found = read(tmp_path, bvh(order=order, turn=angles))
        a, b, c = (
            axis_rotation(x.lower(), np.array(v))
            for x, v in zip(order, angles["LeftArm"], strict=True)
        )
        upper = found[0, J["l_elbow"]] - found[0, J["l_shoulder"]]
        np.testing.assert_allclose(upper, a @ b @ c @ [0.28, 0.0, 0.0], atol=1e-5, err_msg=order)


@pytest.mark.parametrize("scale", [1.0, 0.01, 1.0 / 2.54, 0.45 / 2.54])
def test_units_do_not_matter(tmp_path: Path, scale: float) -> None:
    np.testing.assert_allclose(read(tmp_path, bvh(scale=scale)), read(tmp_path, bvh()), atol=1e-4)


def test_z_may_be_up(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(tmp_path, bvh(up="z")), read(tmp_path, bvh()), atol=1e-5)


def test_a_stub_of_a_head_is_lengthened(tmp_path: Path) -> None:
    found = read(tmp_path, bvh().replace("OFFSET 0.0 18.0 0.0", "OFFSET 0.0 0.0 0.0"))
    assert 0.12 < found[0, J["head_top"], 1] - found[0, J["head"], 1] < 0.25


def test_a_position_replaces_the_offset() -> None:
    text = bvh().split("MOTION")[0]
    tree = parse_hierarchy(text, "f")
    values = np.zeros((1, sum(map(len, tree.channels))))
    values[0, :3] = (3.0, 4.0, 5.0)
    np.testing.assert_allclose(joint_positions(tree, values)[0, 0], (3.0, 4.0, 5.0))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda t: "hello", "no BVH file"),
        (lambda t: t[: t.index("Frame Time")], "Frame Time"),
        (lambda t: t[:-40], "cut off"),
        (lambda t: t.replace("Frames: 3", "Frames: 0"), "holds no frame"),
        (lambda t: t.replace("LeftUpLeg", "Bone7"), "no joint is named for l_hip"),
        (lambda t: t.replace("Zrotation", "Wrotation"), "unknown channels Wrotation"),
        (lambda t: t.replace("OFFSET 0.0 25.0", "OFFSET oops 25.0"), "hierarchy cannot be read"),
        (lambda t: t.replace("MOTION", "}\nMOTION"), "hierarchy cannot be read"),
        (lambda t: t.replace(" 92.0 ", " nan "), "frame 0 holds NaN"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, damage: Callable[[str], str], named: str) -> None:
    path = tmp_path / "broken.bvh"
    path.write_text(damage(bvh()))
    with pytest.raises(UserError) as caught:
        read_bvh(path)
    message = str(caught.value)
    assert "broken.bvh" in message and named in message and "\n" not in message


@pytest.mark.parametrize(
    ("raw", "packed", "name"),
    [
        ("animated_drawings/jumping.bvh", "animated_drawings", "jumping"),
        (
            "bandai_namco/dataset-1/dataset-1_guide_normal_001.bvh",
            "bandai1",
            "dataset-1_guide_normal_001",
        ),
    ],
)
def test_real_files_agree_with_the_packed_ones(
    shared_data: Path, raw: str, packed: str, name: str
) -> None:
    (motion,) = read_bvh(shared_data / "mocap_raw" / raw)
    known = next(m for m in read_npz(shared_data / f"mocap/{packed}.npz") if m.name == name)
    at = np.round(np.arange(len(known)) * motion.fps / known.fps).astype(int)
    ours = motion.positions[np.minimum(at, len(motion) - 1)]
    ours, theirs = (p - p[:, :1] for p in (ours, known.positions))
    # Files state no unit and packers chose their own spine and skull: compare limbs, scaled.
    limbs = [i for j, i in J.items() if j not in ("spine", "head_top")]
    scale = np.linalg.norm(theirs, axis=-1).mean() / np.linalg.norm(ours, axis=-1).mean()
    assert 0.94 < scale < 1.06
    error = np.linalg.norm(scale * ours - theirs, axis=-1)[:, limbs]
    assert error.mean() < 0.012


def test_every_real_dialect_stands_on_its_feet(shared_data: Path) -> None:
    files = sorted((shared_data / "mocap_raw").rglob("*.bvh"))
    assert len({f.parent.parent if "bandai" in str(f) else f.parent for f in files}) >= 3
    for file in files:
        (motion,) = read_bvh(file)
        heights = motion.positions[..., 1]
        assert 1.3 < np.median(np.ptp(heights, axis=1)) < 1.9, file
        feet = heights[:, [J["l_toe"], J["r_toe"], J["l_ankle"], J["r_ankle"]]].min(axis=1)
        assert abs(np.percentile(feet, 5.0)) < 0.15, file
        assert len(JOINTS) == motion.positions.shape[1]
