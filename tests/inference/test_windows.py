"""Windows: the way out of the crop inverts the way in, and agrees with how pictures are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpose.inference.windows import crop_to_frame, full_window
from fastpose.media.images import crop_window

numbers = st.floats(-300, 300)


@given(
    x=numbers, y=numbers, side=st.floats(4, 500), size=st.integers(8, 256), seed=st.integers(0, 99)
)
def test_it_inverts_the_published_formula(
    x: float, y: float, side: float, size: int, seed: int
) -> None:
    frame = np.random.default_rng(seed).uniform(-100, 400, (1, 5, 2))
    crop = (frame - [x, y]) * size / side - 0.5
    back = crop_to_frame(crop, np.array([[x, y, side]]), size)
    np.testing.assert_allclose(back, frame, atol=1e-3)


def test_a_window_of_the_crops_size_only_shifts() -> None:
    points = np.array([[[0.0, 0.0], [31.0, 31.0]]])
    moved = crop_to_frame(points, np.array([[4.5, 6.5, 32.0]]), 32)
    np.testing.assert_allclose(moved, [[[5, 7], [36, 38]]])


def test_corners_follow_the_half_pixel_rule() -> None:
    # A window of 64 pixels into 32: the first crop pixel covers frame pixels 0 and 1.
    moved = crop_to_frame(np.array([[[0.0, 31.0]]]), np.array([[-0.5, -0.5, 64.0]]), 32)
    np.testing.assert_allclose(moved, [[[0.5, 62.5]]])


@pytest.mark.parametrize("window", [(3.0, -5.5, 40.0), (-8.25, 2.0, 71.5), (10.0, 4.0, 17.0)])
def test_a_dot_is_found_where_it_was_painted(paint, window) -> None:
    dots = np.array([[14.0, 12.0], [20.0, 15.0], [18.0, 9.0]])
    crop = crop_window(paint(48, 64, dots, radius=1.5), window, 128).astype(np.float64)
    weights = np.maximum(crop - 20, 0)
    y, x = np.mgrid[:128, :128]
    total = weights.sum((0, 1))
    found = (
        np.stack([(weights * x[..., None]).sum((0, 1)), (weights * y[..., None]).sum((0, 1))])
        / total
    )
    frame = crop_to_frame(found.T[None], np.array([window]), 128)
    np.testing.assert_allclose(frame[0], dots, atol=0.1)


def test_the_full_window_is_a_centred_square() -> None:
    assert full_window(100, 60) == (-20.5, -0.5, 100.0)
    assert full_window(60, 101) == (-0.5, -21.0, 101.0)
