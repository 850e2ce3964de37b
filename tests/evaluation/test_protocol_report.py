"""The table, the JSON and the pictures of a protocol."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fastpose.errors import UserError
from fastpose.evaluation.protocol_report import CONSTANT, FORGIVEN, OURS
from fastpose.evaluation.protocol_run import describe_protocol_plan, evaluate_protocol
from fastpose.media.images import read_image
from fastpose.skeletons import get_skeleton

BODY = get_skeleton("limbs12")


def _arrays() -> dict[str, np.ndarray]:
    """Four frames: two right, one with its sides exchanged, one 30 pixels off."""
    pose = np.random.default_rng(0).uniform(20, 80, (12, 2))
    truth = np.repeat(pose[None], 4, axis=0)
    predicted = truth.copy()
    predicted[2] = BODY.swap_sides(pose)
    predicted[3] += (18, 24)
    return {
        "predicted": predicted,
        "truth": truth,
        "joint_names": np.array(BODY.joints),
        "side": np.array(100),
        "activity": np.array(["walk", "walk", "jump", "jump"]),
        "names": np.array(["a", "b", "c", "d"]),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.savez(tmp_path / "p.npz", **_arrays())
    return tmp_path / "p.npz"


def _text(report) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(report.tables())
    return console.export_text()


def test_the_papers_rows_stand_above_ours(file) -> None:
    report = evaluate_protocol(file, "infants")
    text = _text(report)
    lines = [line for line in text.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    methods = [row[0] for row in cells]
    assert methods[:6] == [
        "Xiao, fine-tuned",
        "KeypointGAN",
        "shape templates",
        OURS,
        FORGIVEN,
        CONSTANT,
    ]
    assert cells[2][2:] == ["4.86", "3.79", "4.60", "5.53", "3.19", "7.21", "[2]"]
    assert "[2] Schmidtke et al., CVPR 2021" in text
    assert "note: 'all' is the mean of the five groups" in text
    assert cells[4][2] == f"{report.value('all', FORGIVEN):.2f}" == "7.50"  # 30 px in one of four


def test_groups_count_the_same_and_elbows_in_none(tmp_path) -> None:
    arrays = _arrays()
    arrays["predicted"] = arrays["truth"].copy()
    for joint, off in (("l_hip", 20), ("r_wrist", 10), ("l_elbow", 70), ("r_elbow", 70)):
        arrays["predicted"][:, BODY.index(joint), 0] += off
    np.savez(tmp_path / "p.npz", **arrays)
    report = evaluate_protocol(tmp_path / "p.npz", "infants")
    values = report.ours[0].values
    assert values == pytest.approx(
        {"all": 3, "hips": 10, "knees": 0, "feet": 0, "shoulders": 0, "hands": 5}
    )


def test_json_holds_all_of_it(file, tmp_path) -> None:
    report = evaluate_protocol(file, "weizmann", out=tmp_path / "out")
    described = json.loads((tmp_path / "out/report.json").read_text())
    assert described["protocol"] == "weizmann"
    ours = described["ours"]
    assert ours[FORGIVEN] == {"all": 7.5, "jump": 15.0, "walk": 0.0}
    assert ours[OURS]["jump"] == pytest.approx(report.value("jump"), abs=1e-6)
    assert described["frames"] == {"all": 4, "jump": 2, "walk": 2}
    assert described["joints"] == list(BODY.joints)
    assert described["flips"]["body"]["ungated"] >= 0.25
    assert described["flips"]["body"]["frames"] == 4
    assert described["further"][FORGIVEN]["squared distance"] == pytest.approx(100 * 0.09 / 4)
    curve = described["curve"]
    assert curve["percent"][FORGIVEN][0] == 75 and len(curve["thresholds"]) == 41
    assert set(described["joint_errors"][FORGIVEN].values()) == {7.5}


def test_pictures_are_written_and_named(file, tmp_path) -> None:
    evaluate_protocol(file, "weizmann", out=tmp_path / "out")
    described = json.loads((tmp_path / "out/report.json").read_text())
    assert described["pictures"] == ["curve.png", "joints.png", "frames.png"]
    for name in described["pictures"]:
        picture = read_image(tmp_path / "out" / name)
        assert (np.ptp(picture.astype(int), axis=-1) > 60).mean() > 0.002, name


def test_the_worst_frame_comes_first(file) -> None:
    report = evaluate_protocol(file, "weizmann")
    assert int(np.argmax(report.errors)) == 3 and report.errors[3] == pytest.approx(30)
    assert report.error_unit == "% of side"


def test_shares_of_joints_pick_frames_by_distance(tmp_path) -> None:
    arrays = _arrays()
    head = np.full((4, 1, 2), 50.0)
    arrays["truth"] = np.concatenate((head, arrays["truth"]), axis=1)
    arrays["predicted"] = np.concatenate((head, arrays["predicted"]), axis=1)
    arrays["joint_names"] = np.array(("head", *BODY.joints))
    np.savez(tmp_path / "p.npz", **arrays)
    report = evaluate_protocol(tmp_path / "p.npz", "penn-action")
    assert report.error_unit == "% of box" and int(np.argmax(report.errors)) == 3


def test_pictures_of_pictures(tmp_path) -> None:
    truth = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    predicted = truth.copy()
    predicted[1] = 255 - truth[1]
    np.savez(tmp_path / "p.npz", predicted_pictures=predicted, true_pictures=truth)
    report = evaluate_protocol(tmp_path / "p.npz", "deepfashion", out=tmp_path / "out")
    described = json.loads((tmp_path / "out/report.json").read_text())
    assert described["pictures"] == ["frames.png"] and described["ours"][OURS]["PSNR"] == "inf"
    assert int(np.argmax(report.errors)) == 1 and report.errors[0] == 0
    assert "inf" in _text(report)


def test_poses_in_space_are_drawn_without_a_picture(tmp_path) -> None:
    skeleton = get_skeleton("h36m17")
    truth = np.random.default_rng(0).uniform(-1, 1, (3, 17, 3))
    np.savez(tmp_path / "p.npz", predicted=truth, truth=truth, joint_names=skeleton.joints)
    report = evaluate_protocol(tmp_path / "p.npz", "human36m-3d", out=tmp_path / "out")
    assert report.flips is None and report.error_unit == "mm"
    assert read_image(tmp_path / "out/frames.png").ndim == 3


def test_chosen_joints_are_said(file) -> None:
    joints = ["l_hip", "r_hip", "l_knee", "r_knee"]
    report = evaluate_protocol(file, "infants", joints=joints)
    assert report.joints == tuple(joints)
    assert report.notes[0].startswith("4 of the protocol's 12 joints count, without l_shoulder")
    assert report.value("hands") is None and report.value("hips") is not None
    line = next(line for line in _text(report).splitlines() if f"│ {OURS} " in line)
    assert line.split("│")[8].strip() == "-"


def test_landmarks_are_scored_through_a_linear_map(tmp_path) -> None:
    """Points that are twice the joints and in another order: right after the map, once fitted."""
    rng = np.random.default_rng(0)
    names = ("l_eye", "r_eye", "nose", "l_mouth", "r_mouth")
    train, truth = rng.uniform(0, 64, (2, 40, 5, 2))
    truth[:, 0] = truth[:, 1] + (12, 16)  # eyes 20 pixels apart
    landmarks = 2 * truth[:, ::-1]
    landmarks[:, 2] += (6, 8)  # the nose's landmark is off, by 5 pixels after the map
    np.savez(
        tmp_path / "p.npz",
        landmarks=landmarks,
        truth=truth,
        joint_names=names,
        side=64,
        train_landmarks=2 * train[:, ::-1],
        train_truth=train,
    )
    report = evaluate_protocol(tmp_path / "p.npz", "mafl", regress="imm")
    assert report.value("% of eyes") == pytest.approx(100 * 5 / 5 / 20)  # one point of five
    assert report.joint_errors[OURS]["nose"] == pytest.approx(25)
    assert report.joint_errors[OURS]["l_eye"] == pytest.approx(0, abs=1e-9)
    assert "linear map 'imm'" in report.notes[0]
    with pytest.raises(UserError, match="has landmarks without names; say how to fit"):
        evaluate_protocol(tmp_path / "p.npz", "mafl")


def test_the_plan() -> None:
    plan = describe_protocol_plan("run", "infants", "out")
    assert plan == (
        "would score run by infants (all, hips, knees, feet, shoulders, hands) and write to out"
    )


@pytest.mark.parametrize(
    ("protocol", "options", "message"),
    [
        ("infants", {"data": "clips"}, "p.npz: holds predictions and labels; leave --data out"),
        ("infants", {"labels": "x.npz"}, "leave --labels out"),
        ("infants", {"regress": "pca"}, "no linear protocol 'pca'"),
        ("mafl", {}, "share no joint of mafl"),
        ("human36m-3d", {}, r"truth must be \(N,12,3\)"),
        ("deepfashion", {}, "lacks predicted_pictures, true_pictures"),
        ("nobody", {}, "no protocol 'nobody' .known: simplified-human36m"),
    ],
)
def test_what_cannot_be_scored(file, protocol, options, message) -> None:
    with pytest.raises(UserError, match=message) as caught:
        evaluate_protocol(file, protocol, **options)
    assert "\n" not in str(caught.value)


def test_models_and_what_they_cannot_give(tmp_path) -> None:
    for protocol, options, message in (
        ("human36m-3d", {}, "joints in pictures and human36m-3d scores joints in space"),
        ("deepfashion", {}, "scores reconstructed pictures; give an npz"),
        ("infants", {}, "needs clips with labels; name their folder with --data"),
        ("infants", {"regress": "imm"}, "--regress: fits the landmarks of an npz"),
    ):
        with pytest.raises(UserError, match=message):
            evaluate_protocol(tmp_path / "model.onnx", protocol, **options)
