"""Finding the pose, the side and the place that a silhouette shows."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.body_shapes import draw_bodies
from fastpose.data.camera import project
from fastpose.data.framing import frame_points, mirror_bodies
from fastpose.data.motion_capture import Motion
from fastpose.data.pose_bank import PoseBank, build_bank
from fastpose.data.silhouette_match import GRID, centred, crops_of, make_views, match, overlap_of
from fastpose.skeletons import get_skeleton
from tests.data.bodies import body, bowing, waving

YAWS = np.array([-90.0, -45.0, 0.0, 45.0, 90.0])
EVEN = np.full(5, 0.2)
HEIGHT, GROUND = 0.85, 1.1


def bank() -> PoseBank:
    return build_bank([waving(48), bowing(32)], thinning=0.03)


def seen(poses: PoseBank, yaw: float, centre: float, mirrored: bool = False) -> np.ndarray:
    """Masks of all poses, drawn straight into the crop."""
    full = np.ones(len(poses))
    swap = list(get_skeleton("mocap19").mirror)
    joints = mirror_bodies(poses.positions(), full.astype(bool) & mirrored, swap)
    view = project(joints, yaw * full, 0 * full, 0 * full, 5 * full)
    points = frame_points(view, HEIGHT * full, GROUND * full, centre * full)
    drawn = draw_bodies(0.5 * (points + 1), height=HEIGHT, extent=(0.0, 0.0, 1.0), cells=GRID)
    return drawn / np.float32(255.0)


@pytest.mark.parametrize(("yaw", "centre"), [(0.0, 0.5), (90.0, 0.4), (-45.0, 0.62)])
def test_the_pose_the_side_and_the_place_are_found(yaw: float, centre: float) -> None:
    poses = bank()
    views = make_views(poses, YAWS, EVEN, 0.0, 0.0)
    found = match(
        seen(poses, yaw, centre), views, HEIGHT, GROUND, sharpness=40.0, keep=4, mirror=False
    )
    assert found.score.shape == (len(poses), 4) and not found.mirrored.any()
    assert (np.diff(found.score, axis=1) <= 0).all()
    assert found.overlap[:, 0].mean() > 0.85
    joints = poses.positions()
    apart = np.linalg.norm(joints[views.pose[found.view[:, 0]]] - joints, axis=-1).mean(axis=1)
    assert np.median(apart) < 0.01 and apart.mean() < 0.04
    np.testing.assert_allclose(np.median(found.centre[:, 0]), centre, atol=1.0 / GRID)
    if yaw:  # the front cannot be told from the back, nor need it be
        assert (np.sign(views.yaw[found.view[:, 0]]) == np.sign(yaw)).mean() > 0.6


def test_mirrored_bodies_are_found() -> None:
    arms = np.stack([body(left=a) for a in (40.0, 80.0, 120.0, 160.0)])
    raised = build_bank([Motion(arms, 30.0, "left arm")], thinning=0.0)
    views = make_views(raised, np.zeros(1), np.ones(1), 0.0, 0.0)
    masks = seen(raised, 0.0, 0.45, mirrored=True)
    found = match(masks, views, HEIGHT, GROUND, sharpness=40.0, keep=1, mirror=True)
    assert found.mirrored.all()
    np.testing.assert_allclose(found.centre, 0.45, atol=1.5 / GRID)
    without = match(masks, views, HEIGHT, GROUND, sharpness=40.0, keep=1, mirror=False)
    assert without.overlap.mean() < found.overlap.mean() - 0.02


def test_likely_views_win_ties() -> None:
    poses = build_bank([waving()], thinning=0.03)
    masks = seen(poses, 0.0, 0.5)
    density = np.array([1e-6, 1e-6, 1e-6, 1.0, 1e-6])
    views = make_views(poses, YAWS, density, 0.0, 0.0)
    vague = match(masks, views, HEIGHT, GROUND, sharpness=1.0, keep=1, mirror=False)
    assert (views.yaw[vague.view] == 45.0).all()


def test_centring() -> None:
    masks = np.zeros((2, GRID, GRID), np.float32)
    masks[0, 4:8, 2:6] = 1.0
    masks[1, 4:8, 14:18] = 1.0
    flat, shift = centred(masks)
    np.testing.assert_array_equal(flat[0], flat[1])
    np.testing.assert_allclose(shift, [-12 / GRID, 0.0])
    empty, none = centred(np.zeros((1, GRID, GRID), np.float32))
    assert not empty.any() and abs(none[0]) <= 0.5


def test_overlap_of_soft_masks() -> None:
    a = np.array([[1.0, 1.0, 0.0, 0.0]], np.float32)
    b = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(overlap_of(a, b), [[0.5, 0.0, 1.0]])
    assert np.isfinite(overlap_of(0 * a, 0 * b)).all()


def test_crops_are_cut_by_the_border() -> None:
    poses = bank()
    views = make_views(poses, np.zeros(1), np.ones(1), 0.0, 0.0)
    near, _ = crops_of(views.canvas, 1.5, 1.7)
    far, _ = crops_of(views.canvas, 0.6, 0.9)
    rows = [c.reshape(-1, GRID, GRID).any(axis=2) for c in (near, far)]
    assert rows[0][:, -1].all() and not rows[1][:, -1].any()
