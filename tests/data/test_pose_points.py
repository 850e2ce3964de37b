"""2D poses from label files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.pose_points import join_banks, make_point_bank, named_joints, read_points
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton

NAMES = ["head", "left_hand", "right_hand"]


def write(path: Path, **changes: object) -> Path:
    data: dict[str, object] = {
        "keypoints": np.array(
            [[[0, 0], [10, 40], [-10, 40]], [[5, 5], [5, 25], [9, 25]]], np.float32
        ),
        "joint_names": np.array(NAMES),
    }
    data |= changes
    np.savez(path, **{k: v for k, v in data.items() if v is not None})  # type: ignore[arg-type]
    return path


def test_poses_are_scaled_and_centred(tmp_path: Path) -> None:
    bank = read_points(write(tmp_path / "p.npz"))
    assert bank is not None and bank.skeleton.joints == ("head", "l_hand", "r_hand")
    assert bank.skeleton.mirror == (0, 2, 1)
    np.testing.assert_allclose(bank.points[0], [[0, -0.5], [0.25, 0.5], [-0.25, 0.5]])
    np.testing.assert_allclose(np.ptp(bank.points, axis=1).max(axis=1), 1.0)


def test_poses_with_unseen_joints_are_left_out(tmp_path: Path) -> None:
    visible = np.array([[True, True, False], [True, True, True]])
    bank = read_points(write(tmp_path / "p.npz", visible=visible))
    assert bank is not None and len(bank.points) == 1
    scores = np.ones((2, 3, 3), np.float32)
    scores[..., :2] = np.random.default_rng(0).uniform(0, 9, (2, 3, 2))
    scores[0, 0, 2] = 0.1
    bank = read_points(write(tmp_path / "p.npz", keypoints=scores))
    assert bank is not None and len(bank.points) == 1


def test_other_files_are_not_meant(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", positions=np.zeros(3))
    assert read_points(tmp_path / "other.npz") is None
    assert read_points(tmp_path / "none.npz") is None and read_points(tmp_path) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"joint_names": None}, "needs 'joint_names'"),
        ({"keypoints": np.zeros((2, 4, 2))}, r"keypoints must be \(N,3,2\)"),
        ({"keypoints": np.full((2, 3, 2), np.nan)}, "pose 0 holds NaN"),
        ({"keypoints": np.zeros((2, 3, 2))}, "lie on one point"),
        ({"visible": np.zeros((2, 3), bool)}, "every pose has an unseen joint"),
        ({"visible": np.zeros((1, 3), bool)}, "visible must be"),
        ({"joint_names": np.array(["head", "left_hand", "neck"])}, "r_hand missing"),
    ],
)
def test_unusable_files_are_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named):
        read_points(write(tmp_path / "bad.npz", **changes))


def test_points_must_fit_the_skeleton() -> None:
    with pytest.raises(UserError, match=r"points must be \(N>0,12,2\)"):
        make_point_bank(np.zeros((4, 3, 2)), get_skeleton("limbs12"), "array")


def test_real_label_files(shared_data: Path) -> None:
    for name, joints in (("penn_action_train", 13), ("jhmdb_train1", 15), ("mini_rgbd", 14)):
        bank = read_points(shared_data / f"pose2d/{name}.npz")
        assert bank is not None and bank.points.shape[1:] == (joints, 2), name
    assert named_joints(["l_a", "r_a"], "f").mirror == (1, 0)


def with_origin(path: Path, sources: list[str], frames: list[int], **changes: object) -> Path:
    points = np.arange(len(sources))[:, None, None] + np.array([[0, 0], [10, 40], [30, 20]])
    origin = {"dataset": np.array("penn-action"), "source": np.array(sources)}
    more = {"source_frame": np.array(frames), "size": np.int64(128)}
    return write(path, keypoints=points.astype(np.float32), **{**origin, **more, **changes})


def test_places_and_origins_are_kept(tmp_path: Path) -> None:
    visible = np.array([[True] * 3, [True, False, True], [True] * 3])
    path = with_origin(tmp_path / "p.npz", ["a", "a", "b"], [3, 4, 9], visible=visible)
    bank = read_points(path)
    assert bank is not None and bank.placed is not None and bank.origin is not None
    np.testing.assert_allclose(bank.placed[0, 1], [2 * 10 / 127 - 1, 2 * 40 / 127 - 1], rtol=1e-6)
    assert bank.origin.source.tolist() == ["a", "b"] and bank.origin.frame.tolist() == [3, 9]
    assert bank.recordings == 2
    taken = bank.take(np.array([1, 1]))
    assert taken.origin is not None and taken.origin.frame.tolist() == [9, 9]
    with pytest.raises(UserError, match=r"source and source_frame must be \(3,\)"):
        read_points(with_origin(tmp_path / "q.npz", ["a", "a", "b"], [3, 4]))


def test_sources_can_be_equally_likely(tmp_path: Path) -> None:
    bank = read_points(with_origin(tmp_path / "p.npz", ["a", "a", "a", "b"], [0, 1, 2, 0]))
    assert bank is not None
    np.testing.assert_allclose(bank.balanced("clip").weights, [1 / 6, 1 / 6, 1 / 6, 1 / 2])
    np.testing.assert_allclose(bank.balanced("frame").weights, 0.25)


def test_several_files_of_the_same_joints(tmp_path: Path) -> None:
    files = [
        with_origin(tmp_path / "a.npz", ["a", "b"], [0, 1]),
        with_origin(tmp_path / "b.npz", ["c"], [7]),
        write(tmp_path / "c.npz"),
        write(tmp_path / "d.npz", joint_names=np.array(["nose", "l_x", "r_x"])),
    ]
    banks = [bank for file in files if (bank := read_points(file)) is not None]
    both = join_banks(banks[:2])
    assert both.origin is not None and both.origin.source.tolist() == ["a", "b", "c"]
    assert both.placed is not None and len(both.points) == 3
    every = join_banks(banks[:3])
    assert every.placed is None and len(every.points) == 5
    assert every.origin is not None and every.origin.source.tolist() == ["a", "b", "c", "", ""]
    assert every.origin.dataset.tolist() == ["penn-action"] * 3 + [""] * 2
    assert every.origin.frame.tolist() == [0, 1, 7, -1, -1] and every.recordings == 4
    np.testing.assert_allclose(every.balanced("clip").weights, 0.2)
    assert join_banks([banks[2], banks[2]]).origin is None
    with pytest.raises(UserError, match="d: its joints are not those of a"):
        join_banks([banks[0], banks[3]])


def test_coco_json(tmp_path: Path) -> None:
    people = [
        {"image_id": 1, "keypoints": [0, 0, 2, 10, 40, 1, 30, 20, 2]},
        {"image_id": 1, "keypoints": [0, 0, 2, 10, 40, 0, 30, 20, 2]},  # one is not labelled
        {"image_id": 1, "keypoints": [0, 0, 2, 10, 40, 1, 30, 20, 2], "iscrowd": 1},
    ]
    joints = {"keypoints": ["head", "left_hand", "right_hand"]}
    content = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": people}
    (tmp_path / "p.json").write_text(json.dumps({**content, "categories": [joints]}))
    bank = read_points(tmp_path / "p.json")
    assert bank is not None and bank.skeleton.joints == ("head", "l_hand", "r_hand")
    np.testing.assert_allclose(bank.points, [[[-0.375, -0.5], [-0.125, 0.5], [0.375, 0.0]]])
    (tmp_path / "q.json").write_text(json.dumps(content))  # 17 joints are meant
    with pytest.raises(UserError, match="labels nobody with the 17 joints"):
        read_points(tmp_path / "q.json")
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(UserError, match="not in COCO's keypoint format"):
        read_points(tmp_path / "r.json")


def test_csv(tmp_path: Path) -> None:
    rows = ["image,head_x,head_y,l_hand_x,l_hand_y,r_hand_x,r_hand_y", "a,0,1,10,41,30,21"]
    rows += ["b,5,5,0,0,9,9", "c,5,5,,,9,9"]  # two with a joint that has no label
    (tmp_path / "p.csv").write_text("\n".join(rows))
    bank = read_points(tmp_path / "p.csv")
    assert bank is not None and len(bank.points) == 1
    np.testing.assert_allclose(bank.points[0, 2], [0.375, 0.0])
    broken = rows[0] + "\na,x,1,1,1,1,1"
    for text, message in (("a,b\n1,2", "has no columns"), (broken, "is not a CSV of joints")):
        (tmp_path / "q.csv").write_text(text)
        with pytest.raises(UserError, match=message):
            read_points(tmp_path / "q.csv")


def test_real_labels(shared_data: Path) -> None:
    files = sorted((shared_data / "pose2d").glob("*.npz"))
    if not files:
        pytest.skip("no 2D labels among the shared data")
    for file in files:
        bank = read_points(file)
        assert bank is not None and len(bank.points) > 100, file.name
    table = shared_data / "lsp_extended" / "joints.csv"
    if table.is_file():
        bank = read_points(table)
        assert bank is not None and len(bank.skeleton.joints) == 14 and len(bank.points) > 100
