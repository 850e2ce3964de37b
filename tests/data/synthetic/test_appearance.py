"""Appearance, rooms and noise: ranges, contrast, and evidence of the front."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.synthetic.appearance import TEXELS, random_appearance
from fastpose.data.synthetic.background import random_room, shadow
from fastpose.data.synthetic.camera import Camera
from fastpose.data.synthetic.noise import color_distance, fractal_noise, random_color, smooth_noise
from fastpose.data.synthetic.parts import PART, PARTS

CAMERA = Camera(
    np.diag([1.0, -1.0, -1.0]), np.array([0.0, 1.2, 4.0]), 80.0, np.array([31.5, 31.5]), 0.0
)
MIDDLE = np.array([0.0, 0.9, 0.0])


def half(texture: np.ndarray, part: str, back: bool) -> np.ndarray:
    """Mean colour of a part's front or back half."""
    quarter = TEXELS[1] // 4
    columns = np.arange(quarter, 3 * quarter) if back else np.r_[:quarter, 3 * quarter : TEXELS[1]]
    return texture[PART[part]][:, columns].mean(axis=(0, 1))


def test_texture_is_complete_and_in_range() -> None:
    for seed in range(10):
        look = random_appearance(np.random.default_rng(seed))
        assert look.texture.shape == (len(PARTS), *TEXELS, 3)
        assert look.texture.dtype == np.float32
        assert look.texture.min() >= 0 and look.texture.max() <= 1
        assert (look.texture.max(axis=(1, 2, 3)) > 0.03).all()  # every part is painted


def test_front_and_back_of_trunk_and_head_differ() -> None:
    distances = []
    for seed in range(30):
        texture = random_appearance(np.random.default_rng(seed)).texture
        distances.append(
            [
                color_distance(half(texture, p, False), half(texture, p, True))
                for p in ("chest", "head")
            ]
        )
    chest, head = np.array(distances).T
    assert np.quantile(chest, 0.1) > 0.15
    assert np.median(head) > 0.15


def test_left_and_right_limbs_wear_the_same() -> None:
    texture = random_appearance(np.random.default_rng(1)).texture
    for part in ("forearm", "thigh", "foot"):
        left, right = (half(texture, f"{side}_{part}", False) for side in "lr")
        assert np.abs(left - right).max() < 0.05


def test_clothes_keep_clear_of_each_other() -> None:
    for seed in range(20):
        front, _, legs, *_ = random_appearance(np.random.default_rng(seed)).colors
        assert color_distance(front, legs) > 0.15


def room(difficulty: float, seed: int = 0, avoid: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    avoid = np.array([[0.9, 0.1, 0.1]]) if avoid is None else avoid
    rng = np.random.default_rng(seed)
    return random_room(rng, CAMERA, 64, middle=MIDDLE, avoid=avoid, difficulty=difficulty)


def test_room_shows_wall_above_floor() -> None:
    made = room(0.0)
    assert made.plate.shape == (64, 64, 3) and made.plate.dtype == np.float32
    assert made.plate.min() > 0 and made.plate.max() < 1
    rows = made.floor // 64
    assert 0 < len(made.floor) < 64 * 64
    assert rows.min() > 32  # below the horizon, which is at the optical axis here


def test_ground_positions_project_back() -> None:
    made = room(0.0)
    point = np.stack([made.ground[:, 0], np.zeros(len(made.floor)), made.ground[:, 1]], axis=1)
    pixel = CAMERA.project(CAMERA.to_camera(point))
    expected = np.stack([made.floor % 64, made.floor // 64], axis=1)
    assert np.abs(pixel - expected).max() < 1e-2


def test_the_room_avoids_the_persons_colors() -> None:
    avoid = np.array([[0.85, 0.85, 0.85], [0.7, 0.7, 0.7]])
    near = [
        float(color_distance(room(0.0, s, avoid).plate.mean((0, 1)), avoid[0])) for s in range(8)
    ]
    assert min(near) > 0.2


def test_shadow_lies_under_the_feet() -> None:
    made = room(0.0)
    feet = np.array([[[0.0, 0.05, 0.3]], [[0.0, 0.9, 0.3]]])
    factor = shadow(made, feet, 64, 0.4)
    assert factor.shape == (2, 64, 64)
    y, x = np.unravel_index(np.argmin(factor[0]), (64, 64))
    under = CAMERA.project(CAMERA.to_camera(np.array([0.0, 0.0, 0.3])))
    assert np.abs(np.array([x, y]) - under).max() <= 1.5
    assert 0.6 <= factor[0].min() < 0.75
    assert (factor[1] == 1).all()  # high in the air
    assert (shadow(made, feet, 64, 0.0) == 1).all()


def test_noise_is_smooth_and_of_its_size() -> None:
    rng = np.random.default_rng(0)
    noise = smooth_noise(rng, 90, 60, 5, 2)
    assert noise.shape == (90, 60, 2)
    assert np.abs(np.diff(noise, axis=0)).max() < 0.4
    assert 0.3 < noise.std() < 1.5
    assert fractal_noise(rng, 32, (3, 8), 3).shape == (32, 32, 3)


def test_colors() -> None:
    rng = np.random.default_rng(0)
    grey = random_color(rng, (0.0, 0.0), (0.5, 0.5))
    assert grey == pytest.approx([0.5, 0.5, 0.5])
    assert color_distance(grey, grey) == 0
    assert color_distance(np.zeros(3), np.ones(3)) == pytest.approx(np.sqrt(3))
