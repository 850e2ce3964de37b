"""The bag of poses: units, proportions, thinning, balance, and recombined limbs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastpose.data.motion_capture import Motion
from fastpose.data.pose_bank import BONE_GROUPS, PoseBank, build_bank, recombine
from fastpose.errors import UserError
from tests.data.bodies import J, body, bowing, waving


def turned(motion: Motion, degrees: float, scale: float = 1.0) -> Motion:
    angle = np.radians(degrees)
    x, y, z = np.moveaxis(scale * motion.positions, -1, 0)
    spun = np.stack(
        [x * np.cos(angle) + z * np.sin(angle), y, z * np.cos(angle) - x * np.sin(angle)], -1
    )
    return replace(motion, positions=spun.astype(np.float32))


def bones_lengths(joints: np.ndarray, a: str, b: str) -> np.ndarray:
    return np.linalg.norm(joints[:, J[a]] - joints[:, J[b]], axis=-1)


def test_bodies_face_the_camera_and_stand_on_the_ground() -> None:
    bank = build_bank([turned(waving(), 130.0)], thinning=0.0)
    joints = bank.positions()
    across = joints[:, J["l_shoulder"]] - joints[:, J["r_shoulder"]]
    assert (across[:, 0] > 0.1).all() and np.abs(across[:, 2]).max() < 1e-5
    assert joints[:, [J["l_toe"], J["r_toe"]], 1].min() == pytest.approx(0.0, abs=1e-5)
    np.testing.assert_allclose(joints[:, J["pelvis"], [0, 2]], 0.0, atol=1e-6)
    assert (joints[:, J["l_toe"], 2] > joints[:, J["l_ankle"], 2]).all()


def test_size_does_not_matter() -> None:
    small, large = (build_bank([turned(waving(), 0.0, s)], thinning=0.0) for s in (0.5, 2.0))
    np.testing.assert_allclose(small.positions(), large.positions(), atol=1e-5)
    top = small.positions()[:, J["head_top"], 1]
    assert top.min() > 0.9 and top.max() < 1.05


def test_jumps_stay_above_the_ground() -> None:
    motion = waving()
    positions = motion.positions.copy()
    positions[20:, :, 1] += 0.5
    joints = build_bank([replace(motion, positions=positions)], thinning=0.0).positions()
    assert joints[20:, J["l_toe"], 1].min() > 0.2
    assert joints[:20, J["l_toe"], 1].max() < 0.05


def test_proportions_become_alike() -> None:
    other = waving(name="x", source="b")
    positions = other.positions.copy()
    for side in "lr":  # longer shins: everything above moves up
        for joint in J:
            if joint not in (f"{side}_ankle", f"{side}_toe") and not joint.endswith(
                ("ankle", "toe")
            ):
                positions[:, J[joint], 1] += 0.1
    motions = [waving(), replace(other, positions=positions)]
    for share, equal in ((0.0, False), (1.0, True)):
        bank = build_bank(motions, thinning=0.0, bone_normalisation=share)
        shins = bones_lengths(bank.positions(), "l_knee", "l_ankle")
        assert (abs(shins[:24].mean() - shins[24:].mean()) < 1e-5) == equal


def test_thinning_leaves_frames_apart() -> None:
    slow = Motion(np.repeat(waving().positions, 10, axis=0), 30.0, "slow")
    all_of_it, thinned = (build_bank([slow], thinning=t) for t in (0.0, 0.03))
    assert len(all_of_it) == 240 and 8 <= len(thinned) <= 24
    joints = thinned.positions()
    step = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(axis=-1)
    assert step.min() >= 0.029


def test_tilted_trunks_can_be_left_out() -> None:
    assert len(build_bank([bowing()], thinning=0.0)) == 16
    assert 4 < len(build_bank([bowing()], thinning=0.0, max_tilt=45.0)) < 12
    with pytest.raises(UserError, match="none of the 1 recordings"):
        build_bank([Motion(np.stack([body(bow=80.0)] * 3), 30.0, "m")], max_tilt=10.0)


@pytest.mark.parametrize(
    ("balance", "share"),
    [("frame", 24 / 88), ("clip", 1 / 3), ("action", 1 / 2), ("source", 1 / 2)],
)
def test_balance(balance: str, share: float) -> None:
    again = replace(bowing(48, name="bow2"), source="b")
    bank = build_bank([waving(), bowing(), again], thinning=0.0, balance=balance)
    assert bank.recordings == 3 and bank.weights.sum() == pytest.approx(1.0)
    assert bank.weights[:24].sum() == pytest.approx(share)


def test_unknown_balance() -> None:
    with pytest.raises(UserError, match="balance must be one of frame, clip"):
        build_bank([waving()], balance="fair")


def test_bodies_without_length_are_named() -> None:
    with pytest.raises(UserError, match=r"'dot' of m\.npz: its bones have no length"):
        build_bank([Motion(np.zeros((3, 19, 3), np.float32), 30.0, "dot", source="m.npz")])


def test_scaled_bones_keep_the_feet_on_the_ground() -> None:
    bank = build_bank([waving()], thinning=0.0)
    legs = next(i for i, g in enumerate(BONE_GROUPS) if "l_knee" in g)
    scale = np.ones((len(bank), len(BONE_GROUPS)), np.float32)
    scale[:, legs] = 1.2
    plain, longer = bank.positions(), bank.positions(scale)
    np.testing.assert_allclose(
        bones_lengths(longer, "r_hip", "r_knee"),
        1.2 * bones_lengths(plain, "r_hip", "r_knee"),
        rtol=1e-5,
    )
    assert (longer[:, J["head_top"], 1] > plain[:, J["head_top"], 1] + 0.03).all()
    np.testing.assert_allclose(longer[:, J["l_toe"], 1], plain[:, J["l_toe"], 1], atol=1e-6)


def test_recombined_poses() -> None:
    bank = build_bank([waving(), bowing()], thinning=0.0)
    many = bank.take(bank.draw(2000, np.random.default_rng(0)))
    same = recombine(many, 0.0, np.random.default_rng(1))
    assert same is many
    mixed = recombine(many, 1.0, np.random.default_rng(1), bank)
    plain, joints = many.positions(), mixed.positions()
    for a, b in (("l_shoulder", "l_elbow"), ("l_elbow", "l_wrist"), ("r_hip", "r_knee")):
        np.testing.assert_allclose(
            bones_lengths(joints, a, b), bones_lengths(plain, a, b), atol=2e-3, err_msg=a
        )
    # New combinations appear: arms that match, and trunks that bend further than any recorded one.
    rise = joints[:, [J["l_wrist"], J["r_wrist"]], 1] - joints[:, [J["thorax"]], 1]
    assert 0.35 < (np.abs(rise[:, 0] - rise[:, 1]) < 0.02).mean() < 0.9
    drop = joints[:, J["thorax"], 1] - joints[:, J["pelvis"], 1]
    assert drop.min() < (plain[:, J["thorax"], 1] - plain[:, J["pelvis"], 1]).min() - 0.05


def test_a_share_is_recombined() -> None:
    bank = build_bank([waving()], thinning=0.0)
    many = bank.take(bank.draw(4000, np.random.default_rng(0)))
    mixed = recombine(many, 0.3, np.random.default_rng(1), bank)
    changed = (np.abs(mixed.bones - many.bones).max(axis=(1, 2)) > 1e-6).mean()
    assert 0.2 < changed < 0.32


def test_replacing_some() -> None:
    bank = build_bank([waving()], thinning=0.0)
    first, second = bank.take(np.zeros(3, int)), bank.take(np.full(3, 6))
    found = first.replaced(np.array([True, False, True]), second)
    assert isinstance(found, PoseBank)
    np.testing.assert_array_equal(found.bones[1], first.bones[1])
    np.testing.assert_array_equal(found.bones[2], second.bones[2])
