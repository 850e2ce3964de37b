"""ASF/AMC: the bones' own axes, units, and files that do not belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.motion_capture.asf_amc import bone_name, read_amc, read_asf
from fastpose.data.motion_capture.npz import read_npz
from fastpose.errors import UserError
from tests.data.bodies import J

_UNIT = 0.0254 / 0.45
_BONES = [  # name, parent, direction, length, axis, freedoms
    ("lhipjoint", "root", (1, 0, 0), 1.6, (0, 0, 0), ""),
    ("lfemur", "lhipjoint", (0, -1, 0), 7.5, (0, 0, 20), "rx ry rz"),
    ("ltibia", "lfemur", (0, -1, 0), 7.3, (0, 0, 0), "rx"),
    ("lfoot", "ltibia", (0, 0, 1), 2.2, (0, 0, 0), ""),
    ("rhipjoint", "root", (-1, 0, 0), 1.6, (0, 0, 0), ""),
    ("rfemur", "rhipjoint", (0, -1, 0), 7.5, (0, 0, 0), ""),
    ("rtibia", "rfemur", (0, -1, 0), 7.3, (0, 0, 0), ""),
    ("rfoot", "rtibia", (0, 0, 1), 2.2, (0, 0, 0), ""),
    ("lowerback", "root", (0, 1, 0), 2.0, (0, 0, 0), ""),
    ("thorax", "lowerback", (0, 1, 0), 4.0, (0, 0, 0), ""),
    ("upperneck", "thorax", (0, 1, 0), 3.0, (0, 0, 0), ""),
    ("head", "upperneck", (0, 1, 0), 1.7, (0, 0, 0), ""),
    ("lclavicle", "thorax", (1, 0, 0), 3.0, (0, 0, 0), ""),
    ("lhumerus", "lclavicle", (1, 0, 0), 5.0, (0, 0, 0), ""),
    ("lradius", "lhumerus", (1, 0, 0), 3.0, (0, 0, 0), ""),
    ("lwrist", "lradius", (1, 0, 0), 1.5, (0, 0, 0), ""),
    ("rclavicle", "thorax", (-1, 0, 0), 3.0, (0, 0, 0), ""),
    ("rhumerus", "rclavicle", (-1, 0, 0), 5.0, (0, 0, 0), ""),
    ("rradius", "rhumerus", (-1, 0, 0), 3.0, (0, 0, 0), ""),
    ("rwrist", "rradius", (-1, 0, 0), 1.5, (0, 0, 0), ""),
]
_FRAME = "1\nroot 0 17 0 0 90 0\nlfemur {}\nltibia 0\n"


def write(folder: Path, frames: str, name: str = "07_01.amc") -> Path:
    lines = [":version 1.10", ":units", "  length 0.45", "  angle deg", ":bonedata"]
    for bone, _, direction, length, axis, freedoms in _BONES:
        lines += ["  begin", f"    name {bone}", f"    direction {' '.join(map(str, direction))}"]
        lines += [f"    length {length}", f"    axis {' '.join(map(str, axis))} XYZ"]
        lines += [f"    dof {freedoms}", "    limits (-1 1)"] if freedoms else []
        lines += ["  end"]
    lines += [":hierarchy", "  begin", *(f"    {b[1]} {b[0]}" for b in _BONES), "  end"]
    (folder / "07.asf").write_text("\n".join(lines) + "\n")
    (folder / name).write_text(":FULLY-SPECIFIED\n:DEGREES\n" + frames)
    return folder / name


def test_rest_pose_turned_by_the_root(tmp_path: Path) -> None:
    (motion,) = read_amc(write(tmp_path, _FRAME.format("0 0 0")))
    assert (motion.name, motion.subject, motion.fps, len(motion)) == ("07_01", "07", 120.0, 1)
    joints = motion.positions[0] / _UNIT
    # The root is turned by 90 degrees about y: the person's left (+x) becomes -z.
    np.testing.assert_allclose(joints[J["pelvis"]], (0, 17, 0), atol=1e-4)
    np.testing.assert_allclose(joints[J["l_hip"]], (0, 17, -1.6), atol=1e-4)
    np.testing.assert_allclose(joints[J["l_wrist"]], (0, 23, -12.5), atol=1e-4)
    np.testing.assert_allclose(joints[J["l_toe"]], (2.2, 2.2, -1.6), atol=1e-4)
    np.testing.assert_allclose(joints[J["head_top"]], (0, 27.7, 0), atol=1e-4)


def test_a_bone_turns_about_its_own_axes(tmp_path: Path) -> None:
    frames = _FRAME.format("30 0 0").replace("0 90 0", "0 0 0")
    (motion,) = read_amc(write(tmp_path, frames))
    thigh = (motion.positions[0, J["l_knee"]] - motion.positions[0, J["l_hip"]]) / _UNIT / 7.5
    # 30 degrees about x of a frame that is itself turned by 20 degrees about z.
    z, x = np.radians(20.0), np.radians(30.0)
    axis = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    turn = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    np.testing.assert_allclose(thigh, axis @ turn @ axis.T @ [0, -1, 0], atol=1e-5)


def test_names_of_bones() -> None:
    assert bone_name("l_knee") == "lfemur" and bone_name("thorax") == "thorax"


def test_the_only_skeleton_of_a_folder_serves(tmp_path: Path) -> None:
    path = write(tmp_path, _FRAME.format("0 0 0"), name="walk.amc")
    assert len(read_amc(path)[0]) == 1
    (tmp_path / "08.asf").write_text("")
    with pytest.raises(UserError, match=r"walk.amc: needs its skeleton walk.asf"):
        read_amc(path)


@pytest.mark.parametrize(
    ("frames", "named"),
    [
        ("", "holds no frame"),
        (_FRAME.format("0 0"), "lfemur has 2 numbers, 3 expected"),
        (_FRAME.format("a b c"), "line 5 is not numbers"),
        (_FRAME.format("0 0 0") + "2\nroot 0 17 0 0 0 0\n", "cut off"),
        (_FRAME.format("0 0 nan"), "frame 0 holds NaN"),
    ],
)
def test_broken_motions_are_named(tmp_path: Path, frames: str, named: str) -> None:
    with pytest.raises(UserError) as caught:
        read_amc(write(tmp_path, frames))
    assert "07_01.amc" in str(caught.value) and named in str(caught.value)


def test_broken_skeletons_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, _FRAME.format("0 0 0"))
    skeleton = tmp_path / "07.asf"
    text = skeleton.read_text()
    for damage, named in (
        (text.replace("head", "skull"), "lacks the bones head"),
        (text.replace(":hierarchy", ":nothing"), "no ASF skeleton"),
        (text.replace("length 7.5", "length long"), "no ASF skeleton"),
        (text.replace("20 XYZ", "20 ZYX"), "axis order"),
    ):
        skeleton.write_text(damage)
        with pytest.raises(UserError, match=named):
            read_amc(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_asf(tmp_path / "none.asf")


@pytest.mark.parametrize("name", ["02/02_03", "35/35_01"])
def test_real_files_are_the_packed_ones(shared_data: Path, name: str) -> None:
    (motion,) = read_amc(shared_data / "mocap_raw/cmu_asf_amc" / f"{name}.amc")
    packed = read_npz(shared_data / "mocap/cmu_asfamc.npz")
    known = next(m for m in packed if m.name == f"cmu_{motion.name}")
    ours = motion.positions[::4][: len(known)]
    ours, theirs = (p - p[:, :1] for p in (ours, known.positions[: len(ours)]))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
