"""The reference against the definition, known values and limiting cases."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.soft_argmax import reference


def decode(logits, **keywords):
    return ops.soft_argmax(logits, backend="reference", **keywords)


def some_logits(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * 2


def expectation(weights: list[float], extent: float = 1.0) -> float:
    last = max(len(weights) - 1, 1)
    places = [(2 * i / last - 1) * extent if len(weights) > 1 else 0.0 for i in range(len(weights))]
    return sum(w * x for w, x in zip(weights, places, strict=True))


def softmax(logits: list[float]) -> list[float]:
    exponentials = [math.exp(a) for a in logits]
    return [e / sum(exponentials) for e in exponentials]


def test_marginal_form_by_hand():
    logits = some_logits(1, 1, 3, 4)
    points, confidence = decode(logits, extent=1.5)
    rows = logits[0, 0].tolist()
    across = softmax([sum(column) / 3 for column in zip(*rows, strict=True)])
    down = softmax([sum(row) / 4 for row in rows])
    assert points[0, 0].tolist() == pytest.approx(
        [expectation(across, 1.5), expectation(down, 1.5)], abs=1e-14
    )
    assert float(confidence) == pytest.approx(math.sqrt(max(across) * max(down)), abs=1e-14)


def test_joint_form_by_hand():
    logits = some_logits(1, 1, 3, 4, seed=1)
    points, confidence = decode(logits, mode="joint", extent=0.5)
    weights = softmax(logits.flatten().tolist())
    rows = [weights[4 * i : 4 * i + 4] for i in range(3)]
    across = [sum(column) for column in zip(*rows, strict=True)]
    assert points[0, 0].tolist() == pytest.approx(
        [expectation(across, 0.5), expectation([sum(row) for row in rows], 0.5)], abs=1e-14
    )
    assert float(confidence) == pytest.approx(max(weights), abs=1e-14)


def test_the_two_forms_differ():
    logits = some_logits(1, 1, 8, 8)
    marginal, joint = (decode(logits, mode=mode)[0] for mode in ("marginal", "joint"))
    assert (marginal - joint).abs().max() > 0.05


def test_of_maps_that_are_sums_of_sides_the_joint_form_is_the_marginal_one_of_its_means():
    across, down = some_logits(1, 2, 1, 6), some_logits(1, 2, 5, 1, seed=1)
    points, _ = decode(across + down, mode="joint")
    torch.testing.assert_close(points, decode(across + down)[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_backward_is_the_gradient_of_the_definition(joint, channels_last):
    logits = some_logits(2, 3, 5, 4).requires_grad_()
    grad_points, grad_confidence = some_logits(2, 3, 2, seed=1), some_logits(2, 3, seed=2)
    options = (joint, 1.25, 5, 4, torch.float64, channels_last)
    points, confidence, kept = reference.forward(logits, *options)
    loss = (points * grad_points).sum() + (confidence * grad_confidence).sum()
    (expected,) = torch.autograd.grad(loss, logits)
    with torch.no_grad():
        found = reference.backward(
            grad_points, grad_confidence, logits if joint else None, kept, *options
        )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    form = torch.channels_last if channels_last else torch.contiguous_format
    assert found.is_contiguous(memory_format=form)


@pytest.mark.parametrize("joint", [False, True])
def test_gradients_that_do_not_arrive_are_zeros(joint):
    logits = some_logits(1, 2, 4, 3)
    options = (joint, 1.0, 4, 3, torch.float64, False)
    kept = reference.forward(logits, *options)[2]
    some, none = some_logits(1, 2, 2), torch.zeros(1, 2, dtype=torch.float64)
    found = reference.backward(some, None, logits, kept, *options)
    assert torch.equal(found, reference.backward(some, none, logits, kept, *options))
    assert not reference.backward(None, None, logits, kept, *options).any()


@pytest.mark.parametrize("mode", ["marginal", "joint"])
def test_a_sharp_peak_gives_its_corner_aligned_position(mode):
    logits = torch.zeros(1, 1, 16, 16)
    logits[0, 0, 3, 12] = 1e4
    points, confidence = decode(logits, mode=mode)
    assert points[0, 0].tolist() == pytest.approx([-1 + 2 * 12 / 15, -1 + 2 * 3 / 15], abs=1e-6)
    assert float(confidence) == 1.0


def test_flat_maps_give_the_centre_and_little_confidence():
    logits = torch.full((2, 3, 8, 16), 7.0)
    for mode, expected in (("marginal", (1 / 8 * 1 / 16) ** 0.5), ("joint", 1 / 128)):
        points, confidence = decode(logits, mode=mode)
        assert points.abs().max() < 1e-6
        assert confidence.tolist() == [pytest.approx([expected] * 3)] * 2
