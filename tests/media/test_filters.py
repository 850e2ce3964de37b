from __future__ import annotations

import numpy as np
import pytest

from fastpose.media.filters import (
    box_blur,
    dilate,
    fill_unknown,
    guided_filter,
    label_components,
    local_range,
)

RNG = np.random.default_rng(0)


def brute_mean(image: np.ndarray, radius: int) -> np.ndarray:
    padded = np.pad(image, radius, mode="edge")
    size = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    return windows.mean(axis=(2, 3))


@pytest.mark.parametrize("shape", [(1, 1), (3, 9), (20, 13)])
@pytest.mark.parametrize("radius", [1, 2, 5])
def test_box_blur_is_the_mean_of_the_square(shape: tuple[int, int], radius: int) -> None:
    image = RNG.normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(box_blur(image, radius), brute_mean(image, radius), atol=1e-5)
    stack = np.stack([image, 2 * image])
    np.testing.assert_allclose(box_blur(stack, radius)[1], 2 * brute_mean(image, radius), atol=1e-5)


def test_box_blur_of_no_radius_and_two_passes() -> None:
    image = RNG.normal(size=(8, 8)).astype(np.float32)
    assert box_blur(image, 0) is image
    twice = box_blur(box_blur(image, 1), 1)
    np.testing.assert_allclose(box_blur(image, 1, passes=2), twice, atol=1e-6)


def test_guided_filter_smooths_flats_and_keeps_edges() -> None:
    guide = np.zeros((40, 40), np.float32)
    guide[:, 20:] = 1
    values = guide + RNG.normal(0, 0.2, guide.shape).astype(np.float32)
    out = guided_filter(guide, values, 4, 1e-3)
    assert np.abs(out - guide).mean() < 0.05
    assert out[20, 21] - out[20, 18] > 0.8
    flat = guided_filter(np.zeros_like(guide), values, 4, 1e-3)
    assert flat[20, 21] - flat[20, 18] < 0.5


@pytest.mark.parametrize("radius", [1, 2])
def test_local_range_is_the_extreme_of_the_square(radius: int) -> None:
    image = RNG.integers(0, 256, (9, 12, 3)).astype(np.uint8)
    low, high = local_range(image, radius)
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    size = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    np.testing.assert_array_equal(low, windows.min(axis=(3, 4)))
    np.testing.assert_array_equal(high, windows.max(axis=(3, 4)))


def test_dilate_widens_by_rows_and_columns() -> None:
    mask = np.zeros((11, 15), bool)
    mask[5, 7] = True
    wide = dilate(mask, 2, 3)
    rows, columns = np.nonzero(wide)
    assert wide.sum() == 5 * 7
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 7, 4, 10)
    np.testing.assert_array_equal(dilate(mask, 0, 0), mask)
    corner = np.zeros((4, 4), bool)
    corner[0, 0] = True
    assert dilate(corner, 1, 1).sum() == 4


def test_fill_unknown_keeps_what_is_known_and_continues_it() -> None:
    columns = np.arange(32, dtype=np.float32)
    image = np.repeat(np.repeat(columns[None, :, None] * 4, 24, 0), 3, 2)
    weight = np.ones((24, 32), np.float32)
    weight[8:16, 10:18] = 0
    damaged = image * weight[..., None]
    filled = fill_unknown(damaged, weight)
    np.testing.assert_allclose(filled[weight == 1], image[weight == 1], atol=1e-4)
    assert np.abs(filled - image)[weight == 0].mean() < 10  # of 128 grey levels
    assert fill_unknown(image, np.ones_like(weight)) is image


def test_fill_unknown_of_odd_sizes_and_nothing_known() -> None:
    image = np.full((7, 5, 3), 50, np.float32)
    weight = np.zeros((7, 5), np.float32)
    assert (fill_unknown(image, weight) == 0).all()
    weight[6, 4] = 1
    np.testing.assert_allclose(fill_unknown(image, weight), 50, atol=1e-3)


def flood(mask: np.ndarray) -> np.ndarray:
    """Labels by flooding, slow and plain."""
    labels = np.zeros(mask.shape, int)
    number = 0
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        number += 1
        stack = [start]
        while stack:
            y, x = stack.pop()
            inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
            if not inside or not mask[y, x] or labels[y, x]:
                continue
            labels[y, x] = number
            stack += [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return labels


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (13, 17), (24, 24)])
@pytest.mark.parametrize("density", [0.0, 0.2, 0.4, 0.6, 1.0])
def test_label_components_agrees_with_flooding(shape: tuple[int, int], density: float) -> None:
    mask = RNG.random(shape) < density
    labels, count = label_components(mask)
    expected = flood(mask)
    assert count == expected.max() and ((labels > 0) == mask).all()
    pairs = set(zip(labels.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len(set(labels.ravel())) == len(set(expected.ravel()))


def test_label_components_joins_arms_that_meet_below() -> None:
    mask = np.zeros((6, 7), bool)
    mask[:, [0, 6]] = mask[5] = mask[0, 3] = True
    labels, count = label_components(mask)
    assert count == 2 and labels[0, 0] == labels[0, 6] != labels[0, 3]
