"""Silhouettes of capsule bodies, and how the crop resamples them."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.body_shapes import CANVAS, EXTENT, crop_matrix, draw_bodies
from fastpose.data.camera import project
from fastpose.data.pose_bank import build_bank
from tests.data.bodies import J, bowing, waving


def views(yaw: float = 0.0) -> np.ndarray:
    bank = build_bank([waving(), bowing()], thinning=0.0)
    full = np.ones(len(bank))
    return project(bank.positions(), yaw * full, 0 * full, 0 * full, 5.0 * full)


def cell_of(value: np.ndarray, start: float) -> np.ndarray:
    return np.floor((value - start) / EXTENT[2] * CANVAS).astype(int)


def test_joints_lie_inside_the_silhouette() -> None:
    points = views()
    drawn = draw_bodies(points)
    assert drawn.shape == (40, CANVAS, CANVAS) and drawn.dtype == np.uint8
    poses = np.arange(len(points))
    for joint in ("pelvis", "l_shoulder", "r_elbow", "l_wrist", "r_knee", "l_ankle"):
        x = cell_of(points[:, J[joint], 0], EXTENT[0])
        y = cell_of(points[:, J[joint], 1], EXTENT[1])
        assert (drawn[poses, y, x] > 100).all(), joint


def test_a_disc_has_its_area() -> None:
    # All joints on one spot: the widest capsule, of the trunk, is a disc.
    drawn = draw_bodies(np.zeros((1, 19, 2)), 0.07, extent=(-0.3, -0.3, 0.6), cells=60)
    area = drawn.sum() / 255.0 * (0.6 / 60) ** 2
    assert area == pytest.approx(np.pi * 0.14**2, rel=0.02)


def test_clothes_make_wider() -> None:
    areas = [draw_bodies(views(), cover).sum() for cover in (0.0, 0.02, 0.04)]
    assert areas[0] < 0.9 * areas[1] < 0.8 * areas[2]


def test_other_units() -> None:
    points = views()[:2] * np.array([0.5, 2.0])[:, None, None]
    drawn = [
        draw_bodies(p[None], 0.01, height=h, extent=(EXTENT[0] * h, EXTENT[1] * h, EXTENT[2] * h))[
            0
        ]
        for p, h in zip(points, (0.5, 2.0), strict=True)
    ]
    np.testing.assert_allclose(np.stack(drawn).astype(int), draw_bodies(views()[:2], 0.01), atol=1)


def test_chunks_do_not_show() -> None:
    points = views()
    np.testing.assert_array_equal(draw_bodies(points, chunk=7), draw_bodies(points, chunk=64))


def test_a_mirrored_view_is_the_mirrored_silhouette() -> None:
    points = views(30.0)
    mirrored = points * np.array([-1.0, 1.0])
    np.testing.assert_allclose(
        draw_bodies(mirrored).astype(int), draw_bodies(points)[:, :, ::-1].astype(int), atol=1
    )


@pytest.mark.parametrize(("height", "ground"), [(0.9, 1.0), (0.6, 0.8)])
def test_cropping_is_drawing_in_the_crop(height: float, ground: float) -> None:
    points = views()
    rows = crop_matrix(32, height, ground, EXTENT[1])
    columns = crop_matrix(32, height, 0.5, EXTENT[0])
    cut = rows @ (draw_bodies(points) / 255.0) @ columns.T
    placed = points * height + np.array([0.5, ground])
    direct = draw_bodies(placed, height=height, extent=(0.0, 0.0, 1.0), cells=32) / 255.0
    both, either = np.minimum(cut, direct).sum(), np.maximum(cut, direct).sum()
    assert both / either > 0.9


def test_crop_weights_sum_to_the_covered_share() -> None:
    weights = crop_matrix(16, 0.5, 0.5, EXTENT[0])
    inside = weights.sum(axis=1)
    assert inside.max() == pytest.approx(1.0) and inside.min() >= 0.0
    assert inside[8] == pytest.approx(1.0)
