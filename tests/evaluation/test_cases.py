"""Which joints and frames a protocol takes, and what it says of those it leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.evaluation.cases import (
    Given,
    choose,
    restrict,
    with_mean_label,
    with_sides_forgiven,
)
from fastpose.evaluation.protocols import get_protocol
from fastpose.skeletons import get_skeleton

SIMPLIFIED, PENN = get_protocol("simplified-human36m"), get_protocol("penn-action")
SPACE = get_protocol("human36m-3d")


def _given(skeleton: str, frames: int = 4, dims: int = 2, **changes) -> Given:
    joints = get_skeleton(skeleton).joints
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1 if dims == 3 else 100, (frames, len(joints), dims))
    given = Given(
        predicted=truth + 1,
        predicted_joints=joints,
        truth=truth,
        truth_joints=joints,
        visible=np.ones(truth.shape[:2], bool),
        activity=np.array(["Walking 1"] * frames),
        actor=np.array(["S11"] * frames),
        split=np.array(["test"] * frames),
        names=np.array([str(i) for i in range(frames)]),
        side=np.full(frames, 100.0),
        head=None,
        box=None,
        source_scale=None,
        label="labels.npz",
    )
    return replace(given, **changes)


def test_frames_by_activity_and_subject() -> None:
    activity = np.array(["Walking 1.60457274", "posing", "WalkDog", "Walking.2"])
    actor = np.array(["S11", "s_11", "S11", "S9"])
    cases = choose(_given("h36m32", activity=activity, actor=actor), SIMPLIFIED)
    assert cases.names.tolist() == ["0", "1"]
    assert cases.activity.tolist() == ["walking", "posing"]
    assert cases.notes == (
        "1 frames of S9 are left out: the test split is S11",
        "1 frames of other activities are left out",
        "no frame of waiting, greeting, directions, discussion: the mean is over the other "
        "activities",
    )


def test_training_splits_are_left_out() -> None:
    split = np.array(["train", "test", "", "train2017"])
    cases = choose(_given("body13", split=split), PENN)
    assert cases.names.tolist() == ["1", "2"]
    assert cases.notes[0] == "2 frames of the training split are left out"
    weizmann = choose(_given("limbs12", split=split), get_protocol("weizmann"))
    assert len(weizmann) == 4 and weizmann.notes == ()
    both = _given("h36m32", split=split, actor=np.array(["S11", "S9", "S9", "S11"]))
    with pytest.raises(UserError, match="all frames are of S9; simplified-human36m tests on S11"):
        choose(both, SIMPLIFIED)


def test_names_that_data_sets_give_the_same_activity() -> None:
    activity = np.array(["Phoning 1", "phone_call", "TakingPhoto", "WalkTogether"])
    given = _given("h36m17", activity=activity, actor=np.array(["S9"] * 4))
    chosen = choose(given, get_protocol("human36m"))
    assert chosen.activity.tolist() == ["phoning", "phoning", "photo", "walktogether"]


def test_people_whom_nobody_names_count_and_are_said() -> None:
    cases = choose(_given("h36m32", actor=np.array(["", "", "S11", "S11"])), SIMPLIFIED)
    assert len(cases) == 4 and "of 2 frames nobody says who is seen" in cases.notes[0]


def test_joints_that_both_have_on_both_sides() -> None:
    given = _given("h36m32")
    few = ("head", "l_hip", "r_hip", "l_knee", "pelvis")
    at = [given.predicted_joints.index(j) for j in few]
    cases = choose(
        replace(given, predicted=given.predicted[:, at], predicted_joints=few), SIMPLIFIED
    )
    assert cases.skeleton is not None
    assert set(cases.skeleton.joints) == {"l_hip", "r_hip", "pelvis", "head"}  # one knee is none
    assert "4 of the protocol's 32 joints count, without root, " in cases.notes[0]
    places = [given.truth_joints.index(j) for j in cases.skeleton.joints]
    assert np.array_equal(cases.truth, given.truth[:, places])
    assert np.allclose(cases.predicted - cases.truth, 1)
    wanted = choose(given, SIMPLIFIED, ["head", "l_hip", "r_hip"]).skeleton
    assert wanted is not None and set(wanted.joints) == {"head", "l_hip", "r_hip"}


def test_a_smaller_skeleton_keeps_its_limbs_and_sides() -> None:
    body = get_skeleton("body13")
    arms = restrict(body, ["head", "l_shoulder", "r_shoulder", "l_elbow", "r_elbow"])
    assert arms.mirror == (0, 2, 1, 4, 3)
    ends = {tuple(np.ravel(limb[0])) + tuple(np.ravel(limb[1])) for limb in arms.limbs}
    assert ends == {(0, 1, 2), (1, 2), (1, 3), (2, 4)}


def test_labels_that_are_not_there_do_not_count() -> None:
    given = _given("body13")
    given.truth[1] = np.nan
    given.visible[2, :5] = False
    cases = choose(given, PENN)
    assert cases.visible.sum(axis=1).tolist() == [13, 0, 8, 13]
    assert np.isfinite(cases.truth).all()
    assert np.isnan(cases.sizes["box"][1]) and np.isfinite(cases.sizes["box"][2])


def test_boxes_of_the_data_set_come_first() -> None:
    boxes = np.array([[0.0, 0, 30, 40]] * 4)
    cases = choose(_given("body13", box=boxes), PENN)
    assert cases.sizes["box"].tolist() == [40] * 4
    templates = choose(_given("h36m17", box=boxes), get_protocol("human36m-templates"))
    assert templates.sizes["diagonal"].tolist() == [50] * 4
    assert not any("box" in note for note in cases.notes + templates.notes)


def test_the_joints_box_is_named_where_it_stands_in() -> None:
    cases = choose(_given("body13"), PENN)
    assert cases.notes[-1].startswith("'box' is that of the box about the visible joints")
    templates = choose(_given("h36m17"), get_protocol("human36m-templates"))
    assert templates.notes[-1].startswith("'diagonal' is that of the box about the visible joints")
    others = choose(_given("h36m32", activity=np.array(["Walking"] * 4)), SIMPLIFIED)
    assert not any("box" in note for note in others.notes)


def test_the_mean_label() -> None:
    given = _given("body13", side=np.array([100.0, 100, 200, 200]))
    given.truth[2:] = 2 * given.truth[:2]  # the same people in pictures twice as large
    given.visible[0, 0] = False
    cases = choose(given, PENN)
    mean = with_mean_label(cases, None).predicted
    assert np.allclose(mean[2:], 2 * mean[:2])
    assert np.allclose(mean[0, 1:], (given.truth[0, 1:] + given.truth[1, 1:]) / 2)
    assert np.allclose(mean[0, 0], (2 * given.truth[1, 0] + given.truth[2, 0] / 2) / 3)


def test_the_mean_label_in_space_has_its_root_at_the_origin() -> None:
    given = _given("h36m17", dims=3)
    cases = choose(given, SPACE)
    assert cases.skeleton is not None
    root = cases.skeleton.index("pelvis")
    moved = replace(cases, truth=cases.truth + np.arange(4.0)[:, None, None])
    first, second = (with_mean_label(c, "pelvis").predicted for c in (cases, moved))
    assert np.allclose(first, second) and np.allclose(first[:, root], 0)


def test_forgiven_sides_keep_the_sizes() -> None:
    given = _given("limbs12")
    skeleton = get_skeleton("limbs12")
    given = replace(given, predicted=skeleton.swap_sides(given.truth))
    cases = choose(given, get_protocol("weizmann"))
    forgiven = with_sides_forgiven(cases)
    assert np.allclose(forgiven.truth, cases.predicted)
    assert forgiven.sizes is cases.sizes


@pytest.mark.parametrize(
    ("skeleton", "changes", "protocol", "wanted", "message"),
    [
        ("h36m32", {"actor": np.array(["S9"] * 4)}, SIMPLIFIED, None, "all frames are of S9"),
        (
            "h36m32",
            {"activity": np.array(["Eating"] * 4)},
            SIMPLIFIED,
            None,
            r"no frame is of simplified-human36m's activities \(waiting, .*\); found: Eating",
        ),
        (
            "body13",
            {"split": np.array(["train"] * 4)},
            PENN,
            None,
            "all frames are of the training split; penn-action tests on videos with train = -1",
        ),
        (
            "h36m32",
            {"side": None},
            SIMPLIFIED,
            None,
            "'side', .* pixels, one number or one for each frame",
        ),
        ("h36m32", {}, SIMPLIFIED, ["l_knee"], "l_knee must be scored together"),
        ("h36m32", {}, SIMPLIFIED, ["l_ear"], "no joint 'l_ear'"),
        ("limbs12", {}, PENN, ["head"], "the predictions lack the joint 'head'"),
        ("limbs12", {}, get_protocol("mafl"), None, "share no joint of mafl"),
        (
            "body13",
            {"visible": np.zeros((4, 13), bool)},
            PENN,
            None,
            "no frame has a visible joint",
        ),
        (
            "body13",
            {"predicted": np.full((4, 13, 2), np.nan)},
            PENN,
            None,
            r"labels.npz: predicted must be finite, but joint 'head' of frame 0 is at "
            r"\(nan, nan\), one of \d+ such joints; every scored joint needs a position",
        ),
        ("h36m32", {}, get_protocol("mpii"), None, "needs 'head'"),
    ],
)
def test_what_cannot_be_scored(skeleton, changes, protocol, wanted, message) -> None:
    with pytest.raises(UserError, match=message) as caught:
        choose(_given(skeleton, **changes), protocol, wanted)
    assert "\n" not in str(caught.value)


def test_a_prediction_that_is_nowhere_is_named() -> None:
    given = _given("body13")
    predicted = np.array(given.predicted)
    predicted[3, 2, 1] = np.nan
    given = replace(given, predicted=predicted, names=np.array(["a", "b", "c", "clip 7"]))
    joint = given.predicted_joints[2]
    with pytest.raises(UserError, match=rf"joint '{joint}' of frame 3 \(clip 7\) is at .*nan\)"):
        choose(given, PENN)
    with pytest.raises(UserError) as caught:
        choose(replace(given, names=np.array(list("0123"))), PENN)
    assert "of frame 3 is at" in str(caught.value) and "np.int64" not in str(caught.value)


def test_joints_in_space_need_metres_and_a_root() -> None:
    given = _given("h36m17", dims=3)
    with pytest.raises(UserError, match=r"people are \d+ large; .* in metres"):
        choose(replace(given, truth=1000 * given.truth), SPACE)
    hidden = given.visible.copy()
    hidden[1, 0] = False
    with pytest.raises(UserError, match="'pelvis' is not visible in 1 frames; leave"):
        choose(replace(given, visible=hidden), SPACE)
    with pytest.raises(UserError, match="needs the joint 'pelvis' in both"):
        choose(given, SPACE, ["l_hip", "r_hip"])
