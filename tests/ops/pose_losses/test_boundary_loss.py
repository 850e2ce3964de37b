"""What `boundary_loss` promises beyond the generic tests, for every owner."""

from __future__ import annotations

import pytest
import torch

from fastpose.ops.samples import Sample


def loss(owner, points, *bound, **keywords):
    return owner("boundary_loss", Sample("", (points, *bound), keywords)).cpu()


def with_gradient(owner, points, *bound, **keywords):
    leaf = points.detach().clone().requires_grad_()
    value = loss(owner, leaf, *bound, **keywords)
    return value.detach(), torch.autograd.grad(value, leaf)[0]


POINTS = torch.tensor([[[0.5, -1.5], [2.0, 0.0]], [[-1.0, 1.0], [0.0, -4.0]]])


def test_paper_form(owner):
    """Sums of what lies outside, (1.5 + 2) and 4; the mean over the batch."""
    value, gradient = with_gradient(owner, POINTS)
    assert float(value) == (1.5 + 2.0 + 4.0) / 2
    sign = torch.tensor([[[0.0, -1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, -1.0]]])
    assert torch.equal(gradient, sign / 2)


def test_code_form(owner):
    """As the published code writes it: homogeneous points, a sum over points of means."""
    points = torch.randn(3, 32, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pixels = torch.cat(((points + 1) * 128, torch.ones(3, 32, 1, dtype=torch.float64)), 2)
    pixels[..., 2] = 128  # the last component, in the middle, never counts
    scaled = 2 * pixels / 256 - 1
    want = torch.where(scaled.abs() > 1, scaled.abs(), 0).sum(1).mean()
    torch.testing.assert_close(loss(owner, points, form="code"), want, rtol=1e-12, atol=0)
    torch.testing.assert_close(loss(owner, points) / 3, want, rtol=1e-12, atol=0)


def test_jumps_at_the_bound(owner):
    """What lies on it is inside."""
    for bound in (1.0, 0.25, 0.0):
        after = float(torch.nextafter(torch.tensor(bound), torch.tensor(torch.inf)))
        for z, want, slope in (
            (bound, 0, 0),
            (-bound, 0, 0),
            (after, after, 1),
            (-after, after, -1),
        ):
            points = torch.tensor([[[z, 0.0]]])
            value, gradient = with_gradient(owner, points, bound)
            if after < 1e-38:  # kernels may take subnormal numbers for 0
                continue
            assert float(value) == pytest.approx(want, rel=1e-6)
            assert gradient.flatten().tolist() == [slope, 0]


@pytest.mark.parametrize("form", ["paper", "code"])
def test_nothing_outside_costs_nothing(owner, form):
    points = torch.rand(4, 9, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    value, gradient = with_gradient(owner, points, form=form)
    assert value == 0 and not gradient.any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_points(owner, dtype):
    points = (torch.randn(3, 17, 2, generator=torch.Generator().manual_seed(1)) * 2).to(dtype)
    value, gradient = with_gradient(owner, points)
    want, exact = with_gradient(owner, points.float())
    assert value.dtype == torch.float32 and torch.equal(value, want)
    assert gradient.dtype == dtype and torch.equal(gradient, exact.to(dtype))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_bad_point_is_outside(owner, bad):
    points = POINTS.clone()
    points[0, 0, 0] = bad
    value, gradient = with_gradient(owner, points)
    assert not value.isfinite() and gradient[0, 0, 0].isnan()
    _, want = with_gradient(owner, POINTS)
    assert torch.equal(gradient.flatten()[1:], want.flatten()[1:])


@pytest.mark.parametrize("form", ["paper", "code"])
def test_no_points(owner, form):
    for shape in ((0, 32, 2), (3, 0, 2), (0, 0, 2)):
        value, gradient = with_gradient(owner, torch.zeros(shape), form=form)
        assert value == 0 and gradient.shape == shape
