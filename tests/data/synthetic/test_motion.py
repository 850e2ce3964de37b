"""Motion on the ground: limits, smoothness, contact of the feet, travel."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.synthetic.activities import ACTIVITIES
from fastpose.data.synthetic.activities_indoor import INDOOR
from fastpose.data.synthetic.activities_infant import INFANT
from fastpose.data.synthetic.body import JOINT, LIMITS, SKELETON, random_body
from fastpose.data.synthetic.motion import (
    BodyMotion,
    activity_angles,
    check_activities,
    generate_motion,
    soft_limit,
)
from fastpose.errors import UserError

FEET = [JOINT[f"{side}_{name}"] for side in "lr" for name in ("ankle", "toe")]


def draw(name: str, seed: int = 0, *, fps: float = 30.0, travel: float = 10.0) -> BodyMotion:
    rng = np.random.default_rng([seed, len(name)])
    body = random_body(rng, bone_spread=0.1, girth_spread=0.25)
    return generate_motion(rng, body, name, frames=int(2 * fps), fps=fps, travel=travel)


STANDING = [*ACTIVITIES, *INDOOR]


@pytest.mark.parametrize("name", [*STANDING, *INFANT])
def test_joint_limits(name: str) -> None:
    t = np.arange(240) / 60
    for seed in range(6):
        angles = activity_angles(np.random.default_rng(seed), name, t)
        for key, (low, high) in LIMITS.items():
            assert low < angles[key].min() and angles[key].max() < high, key


@pytest.mark.parametrize("name", [*STANDING, *INFANT])
def test_motion_is_smooth(name: str) -> None:
    for seed in range(3):
        motion = draw(name, seed)
        speed = np.diff(motion.positions, axis=0) * 30
        assert np.linalg.norm(speed, axis=-1).max() < 12  # metres a second
        change = np.diff(speed, axis=0) * 30
        assert np.linalg.norm(change, axis=-1).max() < 160  # of a runner's foot
        turning = np.linalg.norm(np.diff(motion.face, axis=0), axis=-1)
        assert turning.max() < 0.3


@pytest.mark.parametrize("name", STANDING)
def test_feet_touch_the_ground_and_do_not_sink(name: str) -> None:
    lowest = draw(name).positions[:, FEET, 1].min(axis=1)
    assert lowest.min() > -0.02
    assert lowest.min() < 0.07
    if name not in ("run", "jumping_jack"):  # which leave the ground
        assert lowest.max() < 0.1


@pytest.mark.parametrize("name", ["squat", "lunge", "bend", "stretch", "kick", "box"])
def test_the_standing_foot_does_not_slide(name: str) -> None:
    motion = draw(name)
    feet = motion.positions[:, FEET].reshape(-1, 2, 2, 3).mean(axis=2)
    height, speed = feet[:-1, :, 1], np.diff(feet, axis=0) * 30
    standing = np.argmin(height, axis=1)
    slide = np.linalg.norm(speed[np.arange(len(speed)), standing][:, [0, 2]], axis=-1)
    assert np.median(slide) < 0.25  # metres a second


def test_a_walker_walks_forward() -> None:
    path = draw("walk").positions[:, JOINT["pelvis"]]
    assert 0.9 < (path[-1, 2] - path[0, 2]) / 2 < 1.8  # metres a second, towards +z
    assert abs(path[-1, 0] - path[0, 0]) < 0.4
    speed = np.diff(path[:, 2]) * 30
    assert speed.min() > 0.4 * speed.mean()  # and does not surge to and fro


def test_travel_bounds_the_path() -> None:
    wide = draw("run", travel=10).positions[:, JOINT["pelvis"]]
    assert np.ptp(wide[:, 2]) > 2
    narrow = draw("run", travel=0.5).positions[:, JOINT["pelvis"]]
    assert np.ptp(narrow[:, 2]) < 0.5 + 1e-6
    assert np.allclose(wide[:, 1], narrow[:, 1])


def test_the_frame_rate_samples_the_same_motion() -> None:
    coarse, fine = draw("wave", fps=15), draw("wave", fps=30)
    assert np.abs(coarse.positions - fine.positions[::2]).max() < 5e-3


def test_bones_stay_rigid() -> None:
    motion = draw("gesture")
    for a, b in SKELETON.limbs:
        length = np.linalg.norm(motion.positions[:, a] - motion.positions[:, b], axis=-1)
        assert np.ptp(length) < 1e-9


def test_soft_limit() -> None:
    x = np.linspace(-300, 300, 6001)
    y = soft_limit(x, -30, 120)
    assert y.min() >= -30 and y.max() <= 120
    inside = (x > -18) & (x < 108)
    assert np.array_equal(y[inside], x[inside])
    assert (np.diff(y) >= 0).all() and np.diff(y).max() < 0.11


def test_unknown_activity_names_the_nearest() -> None:
    assert check_activities(()) == tuple(ACTIVITIES)
    with pytest.raises(UserError, match="did you mean 'squat'"):
        check_activities(("walk", "squatt"))


@pytest.mark.parametrize("name", INFANT)
def test_infants_lie_on_the_bed_and_keep_their_bones(name: str) -> None:
    for seed in range(6):
        rng = np.random.default_rng([seed, len(name)])
        body = random_body(rng, bone_spread=0.1, girth_spread=0.2, kind="infant")
        motion = generate_motion(rng, body, name, frames=60, fps=30.0, travel=0.0)
        height = motion.positions[..., 1]
        assert motion.lying and 0.5 < motion.height < 0.8
        assert height.min() > -0.02 and height.max() < 0.6 * motion.height
        trunk = height[:, [JOINT[j] for j in ("pelvis", "spine", "thorax")]]
        assert trunk.min() > 0.02 and trunk.max() < 0.2 * motion.height
        assert motion.face[:, 1].min() > 0.2  # never on the stomach
        head = motion.positions[:, JOINT["head_top"]] - motion.positions[:, JOINT["pelvis"]]
        assert (head[:, 2] < 0).all()
        shin = motion.positions[:, JOINT["l_knee"]] - motion.positions[:, JOINT["l_ankle"]]
        assert np.ptp(np.linalg.norm(shin, axis=-1)) < 1e-9


def test_a_body_of_another_kind_has_other_proportions() -> None:
    adult, infant = (
        random_body(np.random.default_rng(0), bone_spread=0, girth_spread=0, kind=kind)
        for kind in ("adult", "infant")
    )
    assert adult.height == pytest.approx(adult.scale * 1.69)
    assert infant.height == pytest.approx(infant.scale * 1.69)
    assert infant.bones["head"] / infant.height > 1.8 * adult.bones["head"] / adult.height
    assert infant.bones["thigh"] / infant.height < 0.8 * adult.bones["thigh"] / adult.height
