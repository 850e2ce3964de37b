"""What `anchor_loss` promises beyond the generic tests, for every owner."""

from __future__ import annotations

import pytest
import torch

from fastpose.ops.samples import Sample

FORMS = ("paper", "code")


def loss(owner, a, b, **keywords):
    return owner("anchor_loss", Sample("", (a, b), keywords)).cpu()


def some_points(batch=3, pairs=17, seed=0, dtype=torch.float32):
    source = torch.Generator().manual_seed(seed)
    a = torch.rand(batch, pairs, 2, generator=source, dtype=torch.float64) * 2 - 1
    b = a + 0.1 * torch.randn(a.shape, generator=source, dtype=torch.float64)
    return a.to(dtype), b.to(dtype)


def test_paper_form(owner):
    """Of each pair |a - b|^2, the mean over all: here 9 + 16 and 0."""
    a = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    b = torch.tensor([[[3.0, -4.0], [1.0, 1.0]]])
    assert float(loss(owner, a, b)) == 12.5


def test_code_form(owner):
    """Pair by pair the mean squared error of homogeneous points, as in the published code."""
    a, b = some_points(dtype=torch.float64)
    ones = torch.ones(*a.shape[:2], 1, dtype=a.dtype)
    whole_a, whole_b = torch.cat((a, ones), 2), torch.cat((b, ones), 2)
    want = sum(torch.nn.functional.mse_loss(whole_a[:, i], whole_b[:, i]) for i in range(17))
    torch.testing.assert_close(loss(owner, a, b, form="code"), want, rtol=1e-12, atol=0)
    torch.testing.assert_close(loss(owner, a, b) * 17 / 3, want, rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_joined_points_cost_nothing(owner, form):
    a, _ = some_points()
    leaves = a.clone().requires_grad_(), a.clone().requires_grad_()
    value = loss(owner, *leaves, form=form)
    value.backward()
    assert value == 0 and not leaves[0].grad.any() and not leaves[1].grad.any()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", [0, 1])
def test_gradient_of_one_only(owner, form, which):
    both = [t.requires_grad_() for t in some_points()]
    loss(owner, *both, form=form).backward()
    one = [t.requires_grad_(i == which) for i, t in enumerate(some_points())]
    loss(owner, *one, form=form).backward()
    assert torch.equal(one[which].grad, both[which].grad) and one[1 - which].grad is None
    assert torch.equal(both[0].grad, -both[1].grad)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_points(owner, dtype):
    """Computed in float32, gradients rounded once."""
    a, b = some_points(dtype=dtype)
    leaves = a.clone().requires_grad_(), b.clone().requires_grad_()
    value = loss(owner, *leaves)
    value.backward()
    wide = a.float().requires_grad_(), b.float().requires_grad_()
    want = loss(owner, *wide)
    want.backward()
    assert value.dtype == torch.float32 and torch.equal(value, want)
    for narrow, exact in zip(leaves, wide, strict=True):
        assert torch.equal(narrow.grad, exact.grad.to(dtype))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_bad_point_spoils_the_loss_and_its_own_gradient(owner, bad):
    a, b = some_points()
    a[1, 4, 0] = bad
    leaves = a.clone().requires_grad_(), b.clone().requires_grad_()
    value = loss(owner, *leaves)
    value.backward()
    assert not value.isfinite()
    for leaf in leaves:
        assert not leaf.grad[1, 4, 0].isfinite()
        assert int(leaf.grad.isfinite().sum()) == a.numel() - 1


@pytest.mark.parametrize("form", FORMS)
def test_nothing_costs_nothing(owner, form):
    for shape in ((0, 17, 2), (3, 0, 2), (0, 0, 2)):
        points = torch.zeros(shape, requires_grad=True)
        value = loss(owner, points, torch.zeros(shape), form=form)
        value.backward()
        assert value == 0 and points.grad.shape == shape
