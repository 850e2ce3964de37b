"""2D joints with their positions in space, from cameras around motion capture and from clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.bodies import STATURE, MotionBodies, read_bodies
from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton

SOURCE, TARGET = get_skeleton("mocap19"), get_skeleton("h36m17")


def people(count: int = 40) -> np.ndarray:
    """(N,19,3) standing figures with waving arms, metres, y up."""
    rng = np.random.default_rng(0)
    height = {
        "pelvis": 0.95, "hip": 0.92, "knee": 0.5, "ankle": 0.08, "toe": 0.03, "spine": 1.15,
        "thorax": 1.45, "head": 1.55, "head_top": 1.75, "shoulder": 1.42, "elbow": 1.15,
        "wrist": 0.9,
    }  # fmt: skip
    across = {"hip": 0.1, "knee": 0.1, "ankle": 0.1, "toe": 0.12, "shoulder": 0.2}
    across |= {"elbow": 0.25, "wrist": 0.27}
    body = np.zeros((count, 19, 3))
    for index, joint in enumerate(SOURCE.joints):
        name = joint.removeprefix("l_").removeprefix("r_")
        side = {"l_": 1.0, "r_": -1.0}.get(joint[:2], 0.0)
        body[:, index] = side * across.get(name, 0.0), height[name], 0.1 * (name == "toe")
    arms = [SOURCE.index(f"{s}_{j}") for s in "lr" for j in ("elbow", "wrist")]
    body[:, arms] += rng.normal(0.0, 0.15, (count, 4, 3))
    return body


def make_prior(**changes: object) -> PosePrior:
    config = replace(PriorConfig(outside_limit=0.0, mirror=False, thinning=0.0), **changes)  # type: ignore[arg-type]
    return PosePrior.from_poses3d(people(), TARGET, config)


def test_points_are_what_a_distant_camera_sees_of_the_positions() -> None:
    prior = make_prior(distance=(1e5, 1e5), roll_sd=20.0, pitch_sd=10.0)
    points, positions = MotionBodies(prior).sample(64, np.random.default_rng(1))
    assert points.shape == (64, 17, 2) and positions.shape == (64, 17, 3)
    assert points.dtype == positions.dtype == np.float32
    root = TARGET.index("pelvis")
    assert np.abs(positions[:, root]).max() < 1e-6
    flat = points - points[:, root : root + 1]
    seen = positions[..., :2]
    scale = (flat * seen).sum(axis=(1, 2)) / (seen**2).sum(axis=(1, 2))
    assert (scale > 0).all()
    assert np.abs(flat - scale[:, None, None] * seen).max() < 1e-2


def test_positions_are_metres_of_a_person() -> None:
    _, positions = MotionBodies(make_prior(roll_sd=0.0, pitch_sd=0.0)).sample(
        32, np.random.default_rng(1)
    )
    tall = np.ptp(positions[..., 1], axis=1)
    assert np.all((tall > 0.8 * STATURE) & (tall < 1.1 * STATURE))
    # y points down: the head is above the feet.
    assert (
        positions[:, TARGET.index("head_top"), 1] < positions[:, TARGET.index("l_ankle"), 1]
    ).all()


def test_the_far_hand_is_further_away() -> None:
    """z grows away from the camera: seen from the right side, the left shoulder is the far one."""
    prior = make_prior(frontal_share=1.0, side_share=0.0, yaw_spread=0.0, bone_jitter=0.0)
    bodies = prior.bank.positions()[:1]  # type: ignore[union-attr]
    from fastpose.data.camera import camera_positions

    zero = np.zeros(1)
    turned = camera_positions(bodies, zero + 90.0, zero, zero)
    left, right = SOURCE.index("l_shoulder"), SOURCE.index("r_shoulder")
    # At 90 degrees the front points to the right of the picture: the right side is towards us.
    assert turned[0, left, 2] > turned[0, right, 2] + 0.1


def test_two_dimensional_priors_have_no_bodies() -> None:
    prior = PosePrior.from_points2d(np.random.default_rng(0).normal(size=(9, 17, 2)), TARGET)
    with pytest.raises(UserError, match="need 3D poses"):
        MotionBodies(prior).sample(2, np.random.default_rng(0))


def write_clips(path: Path, *, space: bool = True) -> ClipStore:
    positions = people(6).astype(np.float32)
    positions[..., 1] *= -1.0
    positions[..., 2] += 4.0
    keypoints = (32.0 + 60.0 * positions[..., :2] / positions[..., 2:]).astype(np.float32)
    keypoints[5, 0] = np.nan
    with ClipWriter(path, 64, skeleton=SOURCE) as writer:
        for name in ("a", "b"):
            writer.add(
                name,
                np.full((6, 64, 64, 3), 7, np.uint8),
                fps=25.0,
                keypoints=keypoints,
                **({"keypoints3d": positions} if space else {}),
            )
    return ClipStore.open(path)


def test_clips_with_joints_in_space(tmp_path: Path) -> None:
    bodies = read_bodies(write_clips(tmp_path / "clips"), TARGET)
    assert len(bodies) == 10  # the frame without a pelvis is left out
    assert sorted(set(bodies.clip)) == [0, 1]
    assert np.abs(bodies.positions[:, TARGET.index("pelvis")]).max() == 0.0
    points, positions = bodies.sample(5, np.random.default_rng(0))
    assert points.shape == (5, 17, 2) and positions.shape == (5, 17, 3)
    assert np.abs(points).max() < 1.5


def test_joints_may_come_from_a_detector(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "clips")
    shown: list[int] = []

    def detect(frames: np.ndarray) -> np.ndarray:
        shown.append(len(frames))
        return np.full((len(frames), 17, 2), 31.5)

    bodies = read_bodies(store, TARGET, detect=detect, detected=TARGET)
    assert sum(shown) == 12 and np.abs(bodies.points).max() == 0.0


def test_clips_without_joints_in_space_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no joints in space"):
        read_bodies(write_clips(tmp_path / "clips", space=False), TARGET)
