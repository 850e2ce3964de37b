"""The separable soft-argmax against its definition."""

from __future__ import annotations

import pytest
import torch

from fastpose.nn.soft_argmax import marginal_soft_argmax


def test_a_sharp_peak_gives_its_corner_aligned_position() -> None:
    logits = torch.full((1, 1, 16, 16), 0.0)
    logits[0, 0, 3, 12] = 1e4
    points, confidence = marginal_soft_argmax(logits)
    assert points[0, 0].tolist() == pytest.approx([-1 + 2 * 12 / 15, -1 + 2 * 3 / 15], abs=1e-5)
    assert float(confidence) == pytest.approx(1.0)


def test_flat_maps_give_the_centre_and_little_confidence() -> None:
    points, confidence = marginal_soft_argmax(torch.zeros(2, 3, 8, 16))
    assert points.abs().max() < 1e-6
    assert confidence[0, 0] == pytest.approx((1 / 8 * 1 / 16) ** 0.5)


def test_the_extent_scales_the_grid() -> None:
    logits = torch.randn(2, 3, 8, 8)
    narrow, _ = marginal_soft_argmax(logits)
    wide, _ = marginal_soft_argmax(logits, 1.5)
    torch.testing.assert_close(wide, 1.5 * narrow)


def test_it_is_the_marginal_form_and_not_the_joint_one() -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(1, 1, 8, 8)
    across = torch.softmax(logits.mean(2), -1)
    expected = float((across * torch.linspace(-1, 1, 8)).sum())
    joint = torch.softmax(logits.flatten(2), -1).view_as(logits).sum(2)
    points, _ = marginal_soft_argmax(logits)
    assert float(points[0, 0, 0]) == pytest.approx(expected, abs=1e-6)
    assert abs(float((joint * torch.linspace(-1, 1, 8)).sum()) - expected) > 0.05


def test_gradients_match_finite_differences() -> None:
    logits = torch.randn(1, 2, 5, 4, requires_grad=True)
    points, _ = marginal_soft_argmax(logits)
    points.sum().backward()
    step = torch.zeros_like(logits)
    step[0, 1, 2, 3] = 1e-2
    change = (
        marginal_soft_argmax(logits + step)[0] - marginal_soft_argmax(logits - step)[0]
    ).sum() / 2e-2
    assert logits.grad is not None
    assert float(logits.grad[0, 1, 2, 3]) == pytest.approx(float(change), abs=1e-4)
