"""Outfits: complete, of any length, patterned, and different in front and behind."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.synthetic.appearance import Appearance, Canvas
from fastpose.data.synthetic.noise import color_distance
from fastpose.data.synthetic.parts import PART, PARTS
from fastpose.data.synthetic.wardrobe import (
    TEXELS,
    random_baby_clothes,
    random_outfit,
    random_pattern,
)

DRAWS = {"outfit": random_outfit, "baby": random_baby_clothes}


def looks(kind: str, count: int = 40) -> list[Appearance]:
    return [DRAWS[kind](np.random.default_rng(seed)) for seed in range(count)]


def front_and_back(texture: np.ndarray, part: str) -> tuple[np.ndarray, np.ndarray]:
    quarter = TEXELS[1] // 4
    columns = np.roll(texture[PART[part]], quarter, axis=1)
    halves = columns[:, : 2 * quarter], columns[:, 2 * quarter :]
    return halves[0].mean(axis=(0, 1)), halves[1].mean(axis=(0, 1))


@pytest.mark.parametrize("kind", DRAWS)
def test_textures_are_complete_and_in_range(kind: str) -> None:
    for look in looks(kind, 15):
        assert look.texture.shape == (len(PARTS), *TEXELS, 3)
        assert look.texture.dtype == np.float32
        assert look.texture.min() >= 0 and look.texture.max() <= 1
        assert (look.texture.max(axis=(1, 2, 3)) > 0.03).all()  # every part is painted
        assert set(look.hair) == {"start", "shift"}


@pytest.mark.parametrize("kind", DRAWS)
def test_every_draw_is_another(kind: str) -> None:
    textures = [look.texture for look in looks(kind, 10)]
    for i, texture in enumerate(textures):
        assert all(np.abs(texture - other).mean() > 0.01 for other in textures[:i])


def test_front_and_back_differ_on_chest_and_head() -> None:
    chest, head = [], []
    for look in looks("outfit"):
        chest.append(color_distance(*front_and_back(look.texture, "chest")))
        head.append(color_distance(*front_and_back(look.texture, "head")))
    assert np.quantile(chest, 0.1) > 0.12
    assert np.median(head) > 0.12


def bare_share(look: Appearance, part: str) -> float:
    """Share of a limb, from its bottom, whose front has the colour of the skin."""
    skin = look.colors[-1] if len(look.colors) == 5 else look.colors[2]
    column = look.texture[PART[part]][:, 0]
    return float((color_distance(column, skin) < 0.15).mean())


def test_sleeves_and_trousers_have_many_lengths() -> None:
    arms = [
        round(bare_share(look, "l_forearm") + bare_share(look, "l_upper_arm"), 1)
        for look in looks("outfit", 60)
    ]
    legs = [
        round(bare_share(look, "l_shin") + bare_share(look, "l_thigh"), 1)
        for look in looks("outfit", 60)
    ]
    assert len(set(arms)) >= 5 and min(arms) < 0.3 and max(arms) > 1.2
    assert len(set(legs)) >= 4 and min(legs) < 0.2 and max(legs) > 0.8


def test_left_and_right_wear_the_same() -> None:
    for look in looks("outfit", 10):
        for part in ("upper_arm", "forearm", "thigh", "shin", "foot"):
            left, right = (look.texture[PART[f"{side}_{part}"]].mean((0, 1)) for side in "lr")
            assert np.abs(left - right).max() < 0.06, part


def test_infants_have_bare_hands_and_some_bare_feet() -> None:
    bare = []
    for look in looks("baby"):
        hand, foot = (look.texture[PART[part]].mean(axis=(0, 1)) for part in ("l_hand", "l_foot"))
        assert color_distance(hand, look.colors[2]) < 0.2
        bare.append(color_distance(foot, look.colors[2]) < 0.1)
    assert 0.3 < np.mean(bare) < 1.0


def test_patterns_cover_part_of_a_canvas_and_a_third_are_plain() -> None:
    canvas = Canvas(TEXELS)
    shares = [random_pattern(np.random.default_rng(s))(canvas).mean() for s in range(120)]
    plain = np.mean([share == 0 for share in shares])
    assert 0.2 < plain < 0.5
    assert max(shares) < 0.9


def test_canvas_coordinates() -> None:
    canvas = Canvas((4, 8))
    assert canvas.v[:, 0] == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert canvas.turn[0] == pytest.approx([0.25, 0.75, 1.25, 1.75, -1.75, -1.25, -0.75, -0.25])
    canvas("nose", np.array([2.0, 0.5, -1.0]), canvas.v < 0.5)
    assert canvas.texture[PART["nose"], 0, 0] == pytest.approx([1.0, 0.5, 0.0])
    assert canvas.texture[PART["nose"], 3].max() == 0
