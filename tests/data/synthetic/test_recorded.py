"""Actors moved by motion capture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.motion_capture import PARENTS, Motion
from fastpose.data.synthetic import RecordedMotion, SyntheticPeople, motion_clips, write_poses
from fastpose.data.synthetic.body import JOINT, Body, joint_distances, random_body
from fastpose.data.synthetic.motion import BodyMotion
from fastpose.data.synthetic.retarget import retarget
from fastpose.errors import UserError


@pytest.fixture(scope="module")
def walk() -> Motion:
    from fastpose.data.synthetic import SyntheticConfig

    config = SyntheticConfig(activities=("walk",), travel=10.0)
    return motion_clips(1, 3, frames_per_clip=90, fps=30.0, config=config)[0]


def draw(
    source: RecordedMotion,
    seed: int = 0,
    frames: int = 20,
    travel: float = 9,
    body: Body | None = None,
) -> BodyMotion:
    rng = np.random.default_rng(seed)
    body = body or random_body(rng, bone_spread=0, girth_spread=0)
    return source.draw(rng, body, frames=frames, fps=15.0, travel=travel)


def turned(motion: Motion, degrees: float, lift: float) -> Motion:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    positions = (motion.positions @ turn.T + [3, lift, -5]).astype(np.float32)
    return Motion(positions, motion.fps, motion.name, motion.action)


def test_heading_and_place_of_the_recording_do_not_matter(walk: Motion) -> None:
    plain = draw(RecordedMotion([walk]))
    moved = draw(RecordedMotion([turned(walk, 130.0, 2.0)]))
    assert np.abs(plain.positions - moved.positions).max() < 1e-4
    hips = plain.positions[0, JOINT["l_hip"]] - plain.positions[0, JOINT["r_hip"]]
    assert hips[0] > 0.1 and abs(hips[2]) < 1e-6  # faces +z at first
    assert plain.positions[..., 1].min() == pytest.approx(0.03 * plain.scale)
    assert plain.activity == "walk"
    assert np.allclose(np.linalg.norm(plain.face, axis=-1), 1)


def leg(positions: np.ndarray) -> float:
    chain = positions[0][[JOINT["l_hip"], JOINT["l_knee"], JOINT["l_ankle"]]]
    return float(np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum())


def test_resampling_keeps_speed_and_bones(walk: Motion) -> None:
    slow = draw(RecordedMotion([walk]))
    forward = np.diff(slow.positions[:, JOINT["pelvis"], 2]) * 15 / leg(slow.positions)
    recorded = np.diff(walk.positions[:, JOINT["pelvis"], 2]) * 30 / leg(walk.positions)
    assert forward.mean() == pytest.approx(recorded.mean(), rel=0.1)
    thigh = np.linalg.norm(
        slow.positions[:, JOINT["l_hip"]] - slow.positions[:, JOINT["l_knee"]], axis=-1
    )
    assert np.ptp(thigh) < 0.01


@pytest.mark.parametrize("kind", ["adult", "infant"])
def test_the_actor_makes_the_motion_with_its_own_body(walk: Motion, kind: str) -> None:
    rng = np.random.default_rng(4)
    body = random_body(rng, bone_spread=0.1, girth_spread=0.1, kind=kind)
    moved = draw(RecordedMotion([walk]), body=body)
    seen = np.linalg.norm(moved.positions[:, 1:] - moved.positions[:, PARENTS[1:]], axis=-1)
    assert np.allclose(seen, joint_distances(body))
    assert (moved.scale, moved.height) == (body.scale, body.height)
    # The directions are the recording's: of the first actor's clip, whose moments are the same.
    plain = draw(RecordedMotion([walk]), body=random_body(rng, bone_spread=0, girth_spread=0))
    steps = [p.positions[:, 1:] - p.positions[:, PARENTS[1:]] for p in (moved, plain)]
    a, b = (s / np.linalg.norm(s, axis=-1, keepdims=True) for s in steps)
    assert np.abs(a - b).max() < 1e-9


def test_strides_and_jumps_fit_the_legs(walk: Motion) -> None:
    body = random_body(np.random.default_rng(0), bone_spread=0, girth_spread=0, kind="infant")
    made = retarget(walk.positions.astype(float), body)
    ratio = leg(made) / leg(walk.positions)
    assert 0.2 < ratio < 0.4
    way = [p[-1, 0, [0, 2]] - p[0, 0, [0, 2]] for p in (made, walk.positions)]
    assert np.allclose(way[0], ratio * way[1], atol=1e-4)
    jump = np.array(walk.positions, float)
    jump[30:40, :, 1] += 0.5
    lowest = [retarget(p, body)[..., 1].min(axis=1) for p in (jump, walk.positions.astype(float))]
    raised = lowest[0] - lowest[1]
    assert np.allclose(raised[30:40], 0.5 * ratio, atol=1e-4)
    assert np.allclose(np.delete(raised, range(30, 40)), 0, atol=1e-9)


def test_a_bone_recorded_without_length_follows_the_one_before(walk: Motion) -> None:
    body = random_body(np.random.default_rng(0), bone_spread=0, girth_spread=0)
    flat = walk.positions.astype(float)
    flat[:, JOINT["head_top"]] = flat[:, JOINT["head"]]
    made = retarget(flat, body)
    head = made[:, JOINT["head_top"]] - made[:, JOINT["head"]]
    neck = made[:, JOINT["head"]] - made[:, JOINT["thorax"]]
    assert np.allclose(head / body.bones["head"], neck / body.bones["neck"])


def test_travel_bounds_the_path(walk: Motion) -> None:
    path = draw(RecordedMotion([walk]), travel=0.4).positions[:, JOINT["pelvis"], 2]
    assert np.ptp(path) < 0.4 + 1e-6
    still = draw(RecordedMotion([walk]), travel=0.0).positions[:, JOINT["pelvis"], [0, 2]]
    assert np.ptp(still, axis=0).max() < 1e-6


def test_gaps_are_not_bridged(walk: Motion) -> None:
    broken = walk.positions.copy()
    broken[45:] += np.float32(2.0)  # the body jumps: frames are missing
    source = RecordedMotion([Motion(broken, 30.0, "broken")])
    for seed in range(10):
        steps = np.diff(draw(source, seed).positions, axis=0)
        assert np.linalg.norm(steps, axis=-1).max() < 0.5
    with pytest.raises(UserError, match=r"longest recording 1\.4"):
        draw(source, frames=40)


def test_too_short_recordings_are_named(walk: Motion) -> None:
    with pytest.raises(UserError, match="ask for fewer frames"):
        draw(RecordedMotion([walk]), frames=100)
    with pytest.raises(UserError, match=r"longest recording 0\.00 s"):
        draw(RecordedMotion([]))


def test_people_move_by_a_file(tmp_path: Path) -> None:
    path = write_poses(tmp_path / "poses.npz", 4, 1, frames_per_clip=40)
    people = SyntheticPeople(32, 6, motion=RecordedMotion.from_path(path))
    clips = list(people.render_clips(range(3), threads=2))
    assert all(clip.mask.max() == 255 for clip in clips)
    again = SyntheticPeople(32, 6, motion=RecordedMotion.from_path(path)).clip(1)
    assert np.array_equal(again.frames, clips[1].frames)


def test_people_move_by_real_motion_capture(shared_data: Path) -> None:
    source = RecordedMotion.from_path(shared_data / "mocap" / "animated_drawings.npz")
    clip = SyntheticPeople(48, 8, motion=source).clip(0)
    assert (clip.keypoints > -0.5).all() and (clip.keypoints < 47.5).all()
    assert clip.visible.mean() > 0.4


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        RecordedMotion.from_path(tmp_path / "none.npz")
