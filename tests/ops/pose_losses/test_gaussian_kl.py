"""What `gaussian_kl` promises beyond the generic tests, for every owner."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from fastpose.ops.samples import Sample


def loss(owner, mean, log_variance, **keywords):
    return owner("gaussian_kl", Sample("", (mean, log_variance), keywords)).cpu()


def with_gradients(owner, mean, log_variance, **keywords):
    leaves = [t.detach().clone().requires_grad_() for t in (mean, log_variance)]
    value = loss(owner, *leaves, **keywords)
    return value.detach(), *torch.autograd.grad(value, leaves)


def some_gaussians(batch=4, size=9, seed=0, spread=0.7, dtype=torch.float32):
    source = torch.Generator().manual_seed(seed)
    drawn = spread * torch.randn(2, batch, size, generator=source, dtype=torch.float64)
    return drawn[0].to(dtype), drawn[1].to(dtype)


def coordinates_of(mean, log_variance):
    """By torch.distributions, averaged over the batch."""
    own = Normal(mean.double(), (0.5 * log_variance.double()).exp())
    return kl_divergence(own, Normal(0.0, 1.0)).mean(0)


def test_is_the_divergence(owner):
    mean, log_variance = some_gaussians(dtype=torch.float64)
    want = coordinates_of(mean, log_variance).sum()
    torch.testing.assert_close(loss(owner, mean, log_variance), want, rtol=1e-12, atol=0)


def test_the_prior_itself(owner):
    zero = torch.zeros(3, 5)
    value, by_mean, by_log_variance = with_gradients(owner, zero, zero)
    assert value == 0 and not by_mean.any() and not by_log_variance.any()


def test_no_digits_are_lost_near_the_prior(owner):
    """Where the divergence is a difference of almost equal numbers: lv^2 / 4 for small lv."""
    small = torch.full((2, 3), 1e-4)
    value = loss(owner, torch.zeros(2, 3), small)
    assert float(value) == pytest.approx(3 * 1e-8 / 4, rel=1e-2)


@pytest.mark.parametrize("log_variance", [-300.0, -60.0, -20.0, -1.0, 0.3, 5.0, 40.0, 88.0])
def test_variances_of_any_size(owner, log_variance):
    value, _, gradient = with_gradients(
        owner, torch.zeros(1, 1), torch.full((1, 1), log_variance), free_bits=0.0
    )
    want = 0.5 * (math.exp(log_variance) - 1 - log_variance)
    assert float(value) == pytest.approx(want, rel=3e-6)
    assert float(gradient) == pytest.approx(0.5 * math.expm1(log_variance), rel=3e-6)


@pytest.mark.parametrize("free_bits", [0.2, 0.35, 0.5])
def test_free_bits(owner, free_bits):
    """Each coordinate costs at least as much, and those that would cost less get no gradient."""
    mean, log_variance = some_gaussians(7, 23, dtype=torch.float64)
    each = coordinates_of(mean, log_variance)
    value, *gradients = with_gradients(owner, mean, log_variance, free_bits=free_bits)
    torch.testing.assert_close(value, each.clamp_min(free_bits).sum(), rtol=1e-12, atol=0)
    pressed = each > free_bits
    assert pressed.any() and not pressed.all()
    _, *unbounded = with_gradients(owner, mean, log_variance)
    for got, want in zip(gradients, unbounded, strict=True):
        torch.testing.assert_close(got, want * pressed, rtol=1e-12, atol=0)


def test_free_bits_look_at_the_mean_over_the_batch(owner):
    """Not at every item: here one costs 2 nats, the other none."""
    mean = torch.tensor([[2.0], [0.0]])
    zero = torch.zeros(2, 1)
    assert float(loss(owner, mean, zero, free_bits=0.9)) == 1.0
    value, by_mean, _ = with_gradients(owner, mean, zero, free_bits=1.1)
    assert float(value) == pytest.approx(1.1) and not by_mean.any()


@pytest.mark.parametrize("free_bits", [0.0, 0.1])
@pytest.mark.parametrize("which", [0, 1])
def test_gradient_of_one_only(owner, which, free_bits):
    _, *both = with_gradients(owner, *some_gaussians(), free_bits=free_bits)
    one = [t.requires_grad_(i == which) for i, t in enumerate(some_gaussians())]
    loss(owner, *one, free_bits=free_bits).backward()
    assert torch.equal(one[which].grad, both[which]) and one[1 - which].grad is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_numbers(owner, dtype):
    value, *gradients = with_gradients(owner, *some_gaussians(dtype=dtype), free_bits=0.1)
    wide = [t.float() for t in some_gaussians(dtype=dtype)]
    want, *exact = with_gradients(owner, *wide, free_bits=0.1)
    assert value.dtype == torch.float32 and torch.equal(value, want)
    for got, expected in zip(gradients, exact, strict=True):
        assert got.dtype == dtype and torch.equal(got, expected.to(dtype))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("free_bits", [0.0, 0.1])
def test_a_bad_number_spoils_the_loss(owner, bad, which, free_bits):
    both = some_gaussians()
    _, *wanted = with_gradients(owner, *both, free_bits=free_bits)
    both[which][1, 4] = bad
    value, *found = with_gradients(owner, *both, free_bits=free_bits)
    assert not value.isfinite()
    others = [i for i in range(9) if i != 4]
    for got, want in zip(found, wanted, strict=True):
        assert torch.equal(got[:, others], want[:, others])


@pytest.mark.parametrize("free_bits", [0.0, 0.1])
def test_nothing_costs_nothing(owner, free_bits):
    for shape in ((0, 5), (3, 0), (0, 0)):
        empty = torch.zeros(shape)
        value, by_mean, _ = with_gradients(owner, empty, empty, free_bits=free_bits)
        assert value == 0 and by_mean.shape == shape
