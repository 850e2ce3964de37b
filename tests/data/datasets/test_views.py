from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.datasets.views import fit_intrinsics, fit_rotation, looking_at


def rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q if np.linalg.det(q) > 0 else -q


@pytest.mark.parametrize("seed", range(5))
def test_a_camera_is_found_again(seed: int) -> None:
    rng, true = np.random.default_rng(seed), rotation(seed)
    world = rng.normal(size=(40, 3))
    camera = 1000.0 * (world @ true.T) + np.array([50.0, -20.0, 6000.0])  # another unit
    np.testing.assert_allclose(fit_rotation(world, camera), true, atol=1e-9)
    inner = np.array([1145.0, 1143.0, 512.0, 515.0])
    points = camera[:, :2] / camera[:, 2:] * inner[:2] + inner[2:]
    np.testing.assert_allclose(fit_intrinsics(points, camera), inner, rtol=1e-6)


def test_a_mirror_image_is_no_rotation() -> None:
    world = np.random.default_rng(0).normal(size=(40, 3))
    found = fit_rotation(world, world * np.array([-1.0, 1.0, 1.0]))
    assert np.linalg.det(found) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "window", [(100.0, 50.0, 80.0), (-20.0, 300.0, 128.0), (450.5, 411.0, 0.0)]
)
def test_the_windows_centre_comes_onto_the_axis(window: tuple[float, float, float]) -> None:
    inner = np.array([600.0, 500.0, 320.0, 240.0])
    turned = looking_at(np.eye(3), inner, window)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    middle = np.array(window[:2]) + window[2] / 2
    ray = turned @ np.array([*(middle - inner[2:]) / inner[:2], 1.0])
    np.testing.assert_allclose(ray[:2], 0.0, atol=1e-12)
    assert ray[2] > 0
    # The horizon stays level: what was to the right stays there, without going up or down.
    assert (turned @ np.array([1.0, 0.0, 0.0]))[0] > 0
    assert turned[0, 1] == 0.0
