from __future__ import annotations

import numpy as np
import pytest
import torch

from fastpose.data.thin_plate import FIRST, SECOND, ThinPlate, WarpConfig, warp

STILL = WarpConfig(shift=0.0, bend=(0.0, 0.0))


def picture(size: int = 32) -> torch.Tensor:
    return torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0))


def test_no_warp_is_the_identity() -> None:
    grids = ThinPlate(32).draw(1, STILL, np.random.default_rng(0))
    torch.testing.assert_close(warp(picture(), grids), picture(), atol=1e-5, rtol=0)


def test_a_shift_moves_the_picture() -> None:
    config = WarpConfig(shift=0.5, bend=(0.0, 0.0))
    grids = ThinPlate(33).draw(400, config, np.random.default_rng(0))
    offsets = grids - ThinPlate(33).draw(1, STILL, np.random.default_rng(0))
    assert offsets.std(dim=(1, 2)).max() < 1e-5  # the same everywhere
    np.testing.assert_allclose(offsets[:, 0, 0].std(dim=0), 0.5, rtol=0.1)


def test_rotation_and_scale_have_their_spread() -> None:
    config = WarpConfig(rotation=5.0, scale=0.1, shift=0.0, bend=(0.0, 0.0))
    grids = ThinPlate(9).draw(2000, config, np.random.default_rng(0))
    right = (grids[:, 4, 8] - grids[:, 4, 0]).numpy() / 2.0  # where the x axis goes
    angle = np.degrees(np.arctan2(right[:, 1], right[:, 0]))
    assert angle.std() == pytest.approx(5.0, rel=0.1)
    assert np.linalg.norm(right, axis=1).std() == pytest.approx(0.1, rel=0.1)


def test_the_spline_is_the_formula() -> None:
    """One knot's weight alone: an offset of w r^2 log r^2."""
    config, size = WarpConfig(shift=0.0, bend=(1.0, 0.0)), 12
    spline, rng = ThinPlate(size), np.random.default_rng(3)
    grids = spline.draw(1, config, rng)[0].double().numpy()
    weights = np.random.default_rng(3).standard_normal((2, 1, 100, 2))[0, 0]
    knots, axis = np.linspace(-1, 1, 10), np.linspace(-1, 1, size)
    for row, column in ((0, 0), (5, 7), (11, 3)):
        place = np.array([axis[column], axis[row]])
        expected = place.copy()
        for k in range(100):
            r2 = max(((place - [knots[k % 10], knots[k // 10]]) ** 2).sum(), 1e-8)
            expected += weights[k] * r2 * np.log(r2)
        np.testing.assert_allclose(grids[row, column], expected, rtol=1e-4, atol=1e-3)


def test_half_of_the_knots_bend_more() -> None:
    rng = np.random.default_rng(0)
    mild = ThinPlate(16).draw(50, WarpConfig(shift=0.0, bend=(0.001, 0.0)), rng)
    strong = ThinPlate(16).draw(50, WarpConfig(shift=0.0, bend=(0.001, 0.01)), rng)
    straight = ThinPlate(16).draw(1, STILL, rng)
    ratio = (strong - straight).std() / (mild - straight).std()
    assert float(ratio) == pytest.approx(np.sqrt(1 + 0.5 * 100), rel=0.3)
    first, second = (
        WarpConfig(0.0, 0.0, 0.1, (0.001, 0.005)),
        WarpConfig(5.0, 0.1, 0.1, (0.001, 0.01)),
    )
    assert (first, second) == (FIRST, SECOND)


def test_outside_is_black() -> None:
    grids = torch.full((1, 4, 4, 2), 1.5)
    assert float(warp(torch.ones(1, 3, 8, 8), grids).abs().max()) == 0.0
