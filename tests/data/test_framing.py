"""Placing poses in the crop."""

from __future__ import annotations

import numpy as np

from fastpose.data.framing import frame_boxes, frame_points, mirror_bodies


def test_height_ground_and_centre() -> None:
    points = np.array([[[0.0, 0.0], [0.0, -1.0], [0.25, -0.5]]])
    full = np.ones(1)
    found = frame_points(points, 0.8 * full, 0.9 * full, 0.5 * full)[0]
    np.testing.assert_allclose(found, [[0.0, 0.8], [0.0, -0.8], [0.4, 0.0]], atol=1e-12)


def test_boxes_fill_the_crop() -> None:
    points = np.random.default_rng(0).normal(size=(50, 7, 2)) * 3.0
    full = np.ones(50)
    found = frame_boxes(points, 0.8 * full, 0.5 * full, 0.4 * full)
    size = np.ptp(found, axis=1)
    np.testing.assert_allclose(size.max(axis=1), 1.6, atol=1e-9)
    middle = 0.5 * (found.min(axis=1) + found.max(axis=1))
    np.testing.assert_allclose(middle, np.tile([0.0, -0.2], (50, 1)), atol=1e-9)


def test_one_point_is_no_division_by_zero() -> None:
    assert np.isfinite(frame_boxes(np.zeros((1, 3, 2)), *np.full((3, 1), 0.5))).all()


def test_mirrored_bodies() -> None:
    points = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]] * 2)
    found = mirror_bodies(points, np.array([False, True]), [0, 2, 1])
    np.testing.assert_array_equal(found[0], points[0])
    np.testing.assert_array_equal(found[1], [[-1.0, 2.0], [-5.0, 6.0], [-3.0, 4.0]])
    deep = mirror_bodies(np.ones((1, 3, 3)), np.array([True]), [0, 2, 1])
    np.testing.assert_array_equal(deep[0, 0], [-1.0, 1.0, 1.0])
