from __future__ import annotations

import numpy as np
import pytest

from fastpose.media.filters import box_blur
from fastpose.media.stabilize import ShakeMeter, translate
from tests.media import scenes


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 200, (120, 160)).astype(np.float32)
    grey = np.clip(128 + box_blur(noise, 2, passes=2), 0, 255)
    return np.repeat(grey[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize("move", [(0.0, 0.0), (3.0, -4.0), (1.4, 2.6), (-0.6, 0.5)])
def test_measures_a_shift_to_a_fraction_of_a_pixel(move: tuple[float, float]) -> None:
    still = texture()
    shaken = translate(still, *move)
    dy, dx = ShakeMeter(still).shift(shaken)
    np.testing.assert_allclose((dy, dx), (-move[0], -move[1]), atol=0.3)
    back = translate(shaken, dy, dx)[12:-12, 12:-12].astype(int)
    before = np.abs(shaken[12:-12, 12:-12].astype(int) - still[12:-12, 12:-12]).mean()
    after = np.abs(back - still[12:-12, 12:-12]).mean()
    assert after <= before * 0.7 + 1


def test_a_person_who_moves_is_no_shake() -> None:
    frames = scenes.wave(12)
    meter = ShakeMeter(frames[0])
    assert all(meter.shift(frame) == (0.0, 0.0) for frame in frames)


def test_another_scene_and_a_blank_one_are_no_shift() -> None:
    meter = ShakeMeter(texture(0))
    assert meter.shift(texture(5)) == (0.0, 0.0)
    assert meter.shift(np.full((120, 160, 3), 90, np.uint8)) == (0.0, 0.0)
    assert ShakeMeter(np.zeros((1, 1, 3), np.uint8)).shift(np.zeros((1, 1, 3), np.uint8)) == (0, 0)


def test_translate_moves_whole_pixels_exactly() -> None:
    image = texture()
    moved = translate(image, 2, -3)
    np.testing.assert_array_equal(moved[2:, :-3], image[:-2, 3:])
    np.testing.assert_array_equal(moved[:2, :-3], image[:1, 3:].repeat(2, 0))
    assert translate(image, 0, 0) is image


def test_translate_interpolates_and_keeps_the_type() -> None:
    ramp = np.arange(10, dtype=np.float32)[None].repeat(4, 0)
    np.testing.assert_allclose(translate(ramp, 0, 0.25)[:, 1:], ramp[:, 1:] - 0.25, atol=1e-6)
    assert translate(ramp, 0, 0.25).dtype == np.float32
    assert translate(texture(), 0.5, 0.5).dtype == np.uint8
