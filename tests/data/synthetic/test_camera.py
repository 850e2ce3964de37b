"""Cameras: axes, projection, yaw shares, and the window that holds the motion."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.synthetic.camera import Camera, CameraConfig, random_camera

BODY = np.array([[0.0, 0.05, 0.0], [0.0, 1.7, 0.0], [0.8, 1.3, 0.1], [-0.4, 0.9, -0.3]])
RADII = np.array([0.1, 0.1, 0.05, 0.05])


def draw(seed: int, points: np.ndarray = BODY[None], **changes: object) -> Camera:
    config = CameraConfig(**changes)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    return random_camera(rng, config, size=64, height=1.75, points=points, radii=RADII)


def test_axes_of_a_frontal_camera() -> None:
    camera = draw(0, frontal=1.0, yaw_spread=0.0, pitch_std=0.0, roll_std=0.0)
    assert np.allclose(camera.rotation, np.diag([1.0, -1.0, -1.0]), atol=1e-12)
    assert np.linalg.det(camera.rotation) == pytest.approx(1.0)
    left, right = camera.project(camera.to_camera(np.array([[0.2, 1, 0], [-0.2, 1, 0]])))
    assert left[0] > right[0]  # a frontal person's left is on the right of the picture
    high, low = camera.project(camera.to_camera(np.array([[0, 1.5, 0], [0, 0.5, 0]])))
    assert high[1] < low[1]


def test_rotation_is_orthonormal_with_roll_and_pitch() -> None:
    for seed in range(20):
        rotation = draw(seed, roll_std=20.0, pitch_std=20.0).rotation
        assert np.allclose(rotation @ rotation.T, np.eye(3))
        assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_the_window_holds_the_whole_body() -> None:
    rng = np.random.default_rng(0)
    for seed in range(60):
        points = BODY + rng.normal(0, 0.3, (5, 1, 3))
        camera = draw(seed, points)
        seen = camera.to_camera(points)
        pixel, radius = camera.project(seen), camera.focal * RADII / seen[..., 2]
        assert (pixel - radius[..., None] > -0.5).all()
        assert (pixel + radius[..., None] < 63.5).all()
        assert (seen[..., 2] > RADII).all()


def test_the_person_has_the_height_asked_for() -> None:
    for seed in range(20):
        camera = draw(seed, person_in_window=(0.6, 0.6), pitch_std=0.0, roll_std=0.0)
        ends = camera.project(camera.to_camera(np.array([[0.0, 0.0, 0.0], [0.0, 1.75, 0.0]])))
        assert (ends[0, 1] - ends[1, 1]) / 64 == pytest.approx(0.6, rel=0.1)


def test_shares_of_views() -> None:
    def yaws(**shares: float) -> np.ndarray:
        return np.array([draw(seed, yaw_spread=5.0, **shares).yaw for seed in range(300)])

    assert np.abs(yaws(frontal=1.0)).max() < 25
    assert np.abs(np.abs(yaws(side=1.0)) - 90).max() < 25
    assert 0.35 < (yaws(side=1.0) > 0).mean() < 0.65
    anywhere = np.histogram(yaws(), 6, (-180, 180))[0]
    assert anywhere.min() > 25
    mixed = yaws(frontal=0.5)
    assert 0.45 < (np.abs(mixed) < 25).mean() < 0.72


def test_the_camera_stays_above_the_ground() -> None:
    for seed in range(100):
        assert draw(seed, pitch_std=40.0).centre[1] > 0.0


def test_shift_moves_the_person_about() -> None:
    def middles(shift: float) -> np.ndarray:
        cameras = [draw(seed, shift=shift, pitch_std=0.0, roll_std=0.0) for seed in range(40)]
        return np.array([c.project(c.to_camera(BODY)).mean(axis=0) for c in cameras])

    assert middles(1.0).std(axis=0).max() > 1.5 * middles(0.0).std(axis=0).max()


def test_fixed_cameras_stand_where_they_are_told_and_look_at_the_middle() -> None:
    changes = {"directions": (0.0, 90.0, -135.0), "distance": 5.0, "eye": 1.6}
    config = CameraConfig(**changes)  # type: ignore[arg-type]
    for view, (x, z) in enumerate([(0, 5), (5, 0), (-np.sqrt(12.5), -np.sqrt(12.5))]):
        rng = np.random.default_rng(view)
        made = [
            random_camera(
                rng, config, size=64, height=1.75, points=BODY[None], radii=RADII, view=view
            )
            for _ in range(2)
        ]
        assert np.allclose(made[0].centre, [x, 1.6, z])
        assert np.array_equal(made[0].rotation, made[1].rotation)
        assert not np.array_equal(made[0].principal, made[1].principal)  # windows differ
        middle = made[0].to_camera(np.array([0.0, 0.8, 0.0]))
        assert np.abs(middle[:2]).max() < 1e-9 and middle[2] > 4.9


def test_a_fixed_window_films_the_same_place_whatever_moves_in_it() -> None:
    config = CameraConfig(directions=(0.0, 90.0), distance=5.0, eye=1.6, window=2.5)
    for view in range(2):
        made = [
            random_camera(
                np.random.default_rng(seed), config, size=64, height=1.75, points=BODY[None] + seed,
                radii=RADII, view=view,
            )
            for seed in range(2)
        ]  # fmt: skip
        assert made[0].focal == made[1].focal
        assert np.array_equal(made[0].principal, made[1].principal)
        # Two points 2.5 m apart on the line of sight's middle are one side apart.
        sideways = 1.25 * made[0].rotation[0]
        ends = made[0].to_camera(np.array([0.0, 0.8, 0.0]) + np.stack([-sideways, sideways]))
        left, right = made[0].project(ends)
        assert right[0] - left[0] == pytest.approx(64, rel=0.02)
        assert (left + right) / 2 == pytest.approx([31.5, 31.5])


def test_a_camera_from_above() -> None:
    for seed in range(20):
        camera = draw(seed, elevation=85.0, pitch_std=5.0, frontal=1.0, yaw_spread=0.0, roll_std=0)
        assert camera.rotation[2, 1] < -0.9
        assert camera.rotation[1, 2] > 0.9  # towards the world's z axis is down in the picture


def test_intrinsics_are_those_of_project() -> None:
    camera = draw(3)
    seen = camera.to_camera(BODY)
    flat = seen @ camera.intrinsics().T
    assert np.allclose(flat[:, :2] / flat[:, 2:], camera.project(seen))


def test_rays_meet_the_samples_of_the_pixels() -> None:
    camera = draw(3)
    rays = camera.rays(64)
    assert (rays[..., 2] == 1).all()
    pixels = camera.project(rays)
    assert np.allclose(pixels[5, 40], [40, 5]) and np.allclose(pixels[-1, 0], [0, 63])
    finer = camera.rays(64, 2)
    assert finer.shape == (128, 128, 3)
    assert np.allclose(finer.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3)), rays)
