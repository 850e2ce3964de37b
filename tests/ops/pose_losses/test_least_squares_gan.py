"""What `least_squares_gan` promises beyond the generic tests, for every owner."""

from __future__ import annotations

import pytest
import torch

from fastpose import ops
from fastpose.ops.samples import Sample

SIDES = (14, 6, 2)


def loss(owner, scores, target):
    return owner("least_squares_gan", Sample("", (scores, target), {})).cpu()


def with_gradients(owner, scores, target):
    leaves = [s.detach().clone().requires_grad_() for s in scores]
    value = loss(owner, leaves, target)
    return value.detach(), torch.autograd.grad(value, leaves)


def some_scores(batch=3, seed=0, dtype=torch.float32):
    source = torch.Generator().manual_seed(seed)
    drawn = (torch.randn(batch, 1, s, s, generator=source, dtype=torch.float64) for s in SIDES)
    return [s.to(dtype) for s in drawn]


def test_averages_over_patches_then_scales(owner):
    scores = [torch.tensor([[0.0, 2.0]]), torch.tensor([[3.0]])]
    value, gradients = with_gradients(owner, scores, 1.0)
    assert float(value) == (1.0 + 4.0) / 2
    assert [g.tolist() for g in gradients] == [[[-0.5, 0.5]], [[2.0]]]


@pytest.mark.parametrize("target", [0.0, 1.0, 0.9])
def test_is_the_mean_squared_error(owner, target):
    scores = some_scores(dtype=torch.float64)
    leaves = [s.clone().requires_grad_() for s in scores]
    want = torch.stack([((s - target) ** 2).mean() for s in leaves]).mean()
    exact = torch.autograd.grad(want, leaves)
    value, gradients = with_gradients(owner, scores, target)
    torch.testing.assert_close(value, want.detach(), rtol=1e-12, atol=0)
    for got, expected in zip(gradients, exact, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-15)


def test_a_tuple_will_do():
    scores = some_scores()
    want = ops.least_squares_gan(scores, 1.0)
    assert torch.equal(ops.least_squares_gan(tuple(scores), 1.0), want)


def test_gradient_of_some_scales_only(owner):
    _, want = with_gradients(owner, some_scores(), 1.0)
    scores = some_scores()
    scores[1].requires_grad_()
    loss(owner, scores, 1.0).backward()
    assert torch.equal(scores[1].grad, want[1])
    assert scores[0].grad is None and scores[2].grad is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_scores(owner, dtype):
    """Nothing is rounded but the gradients, once: 0.1003 is 0.10009765625 in bfloat16."""
    scores = some_scores(dtype=dtype)
    value, gradients = with_gradients(owner, scores, 1.0)
    want, exact = with_gradients(owner, [s.float() for s in scores], 1.0)
    assert value.dtype == torch.float32 and torch.equal(value, want)
    for got, expected in zip(gradients, exact, strict=True):
        assert got.dtype == dtype and torch.equal(got, expected.to(dtype))


def test_does_not_round_under_autocast(owner):
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(owner, [torch.tensor([[0.1003]], dtype=torch.bfloat16)], 1.0)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx((1 - 0.10009765625) ** 2, rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.contiguous(memory_format=torch.channels_last),
        lambda s: s.mT.contiguous().mT,
        lambda s: torch.nn.functional.pad(s, (1, 2))[..., 1:-2],
    ],
    ids=["channels_last", "transposed", "window"],
)
def test_strides(owner, change):
    value, gradients = with_gradients(owner, some_scores(), 1.0)
    leaves = [change(s).requires_grad_() for s in some_scores()]
    moved = loss(owner, leaves, 1.0)
    assert torch.equal(moved.detach(), value)
    for got, want in zip(torch.autograd.grad(moved, leaves), gradients, strict=True):
        assert torch.equal(got, want)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_bad_score_spoils_the_loss_and_its_own_gradient(owner, bad):
    scores = some_scores()
    _, want = with_gradients(owner, scores, 0.0)
    scores[1][2, 0, 3, 3] = bad
    value, gradients = with_gradients(owner, scores, 0.0)
    assert not value.isfinite() and not gradients[1][2, 0, 3, 3].isfinite()
    assert torch.equal(gradients[0], want[0]) and torch.equal(gradients[2], want[2])
    assert int(gradients[1].isfinite().sum()) == scores[1].numel() - 1


def test_no_scores(owner):
    value, gradients = with_gradients(owner, [torch.zeros(0, 1, 3, 3), torch.zeros(0, 1)], 1.0)
    assert value == 0 and [g.shape for g in gradients] == [(0, 1, 3, 3), (0, 1)]
    half = loss(owner, [torch.zeros(2, 1), torch.zeros(0, 1)], 1.0)
    assert float(half) == 0.5
