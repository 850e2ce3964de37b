"""Pictures from samples: averages, cover, blur, rounding, visibility."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.synthetic.compose import (
    blur,
    gather,
    joints_visible,
    part_masks,
    shade,
    through_jpeg,
    to_bytes,
)
from fastpose.data.synthetic.render import Surface


def surface() -> Surface:
    depth = np.full((1, 4, 4), np.inf, np.float32)  # 2x2 pixels of 2x2 samples
    depth[0, 0, :3] = 2.0
    index = np.flatnonzero(np.isfinite(depth))
    light = np.array([1.0, 0.5, -1.0], np.float32)
    return Surface(depth, index, np.array([0, 1, 1], np.int32), light)


def test_shade_is_lambert_over_ambient() -> None:
    texture = np.array([[[[1, 0, 0], [0, 1, 0]]]], np.float32)  # one part of 1x2 texels
    color = shade(surface(), texture, gain=1.0, ambient=0.4)
    assert color == pytest.approx(np.array([[1, 0, 0], [0, 0.7, 0], [0, 0.4, 0]]))


def test_gather_averages_samples() -> None:
    color = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    image, cover = gather(surface(), color, size=2, supersample=2)
    assert image.shape == (1, 2, 2, 3) and cover.shape == (1, 2, 2)
    assert cover[0].tolist() == [[0.5, 0.25], [0, 0]]
    assert image[0, 0].tolist() == [[0.25, 0.25, 0], [0, 0, 0.25]]


def test_blur_keeps_constants_and_spreads_points() -> None:
    flat = np.full((1, 5, 5, 3), 0.7, np.float32)
    assert np.allclose(blur(flat, 0.1), flat)
    point = np.zeros((1, 5, 5, 3), np.float32)
    point[0, 2, 2] = 1
    out = blur(point, 0.1)[0, :, :, 0]
    assert out[2, 2] == pytest.approx(0.64) and out[2, 1] == pytest.approx(0.08)
    assert out[1, 1] == pytest.approx(0.01) and out.sum() == pytest.approx(1)


def test_to_bytes_rounds_and_clips() -> None:
    values = np.array([-1.0, 0.0, 0.5 / 255, 0.49 / 255, 1.0, 2.0], np.float32)
    assert to_bytes(values).tolist() == [0, 0, 1, 0, 255, 255]


def test_joints_visible() -> None:
    depth = np.full((1, 8, 8), np.inf, np.float32)
    depth[0, 4, 4] = 2.0
    points = np.array([[[4.2, 3.8], [4.0, 4.0], [0.0, 0.0], [7.6, 1.0], [-0.6, 1.0]]])
    z = np.array([[2.05, 2.5, 3.0, 3.0, 3.0]])
    seen = joints_visible(depth, points, z, np.full(5, 0.1))
    # Under its skin; behind another part; before the empty room; outside twice.
    assert seen.tolist() == [[True, False, True, False, False]]


def test_part_masks_show_the_part_under_the_middle_sample() -> None:
    depth = np.full((1, 4, 4), np.inf, np.float32)
    depth[0, 1, 1] = depth[0, 1, 3] = depth[0, 2, 0] = 2.0
    index = np.flatnonzero(np.isfinite(depth))
    texel = np.array([0, 2 * 8 + 3, 8], np.int32)  # parts 0, 2 and 1 of 2x4 texels
    seen = part_masks(Surface(depth, index, texel, np.ones(3, np.float32)), (2, 4), 2)
    assert seen.tolist() == [[[1, 3], [0, 0]]] and seen.dtype == np.uint8


def test_jpeg_loses_more_at_low_quality() -> None:
    ramp = 120 + 90 * np.sin(np.arange(32) / 3)
    frames = np.repeat((ramp[:, None] / 2 + ramp / 2)[None, ..., None], 3, -1).astype(np.uint8)
    low, high = (through_jpeg(frames, quality).astype(int) for quality in (10, 95))
    assert low.shape == frames.shape
    assert np.abs(low - frames).mean() > 2 * np.abs(high - frames).mean() > 0
    flat = np.full((1, 16, 16, 3), 90, np.uint8)
    assert np.abs(through_jpeg(flat, 50).astype(int) - 90).max() <= 2
