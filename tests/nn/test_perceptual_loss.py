"""The perceptual loss of a frozen network's features."""

from __future__ import annotations

import pytest
import torch

from fastpose.nn.across import Across
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.nn.perceptual_loss import PerceptualLoss


@pytest.fixture(scope="module")
def random_network() -> FeatureNetwork:
    with pytest.warns(UserWarning, match="fixed random network"):
        return FeatureNetwork("random")


def pictures(seed: int, batch: int = 2) -> torch.Tensor:
    drawn = torch.rand(batch, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return 2 * drawn - 1


def test_each_layer_is_divided_by_its_running_mean(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network)
    torch.manual_seed(0)
    x, y = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    assert float(loss(x, y)) == pytest.approx(1.0, abs=1e-5)  # the first step's mean is itself
    first = loss.running_mean.clone()
    z = torch.zeros_like(x)
    raw = torch.stack([((a - b) ** 2).mean() for a, b in zip(random_network(x), random_network(z),
                                                              strict=True)])  # fmt: skip
    expected = 0.99 * first + 0.01 * raw
    value = loss(x, z)
    torch.testing.assert_close(loss.running_mean, expected)
    assert float(value) == pytest.approx(float((raw / expected).mean()), rel=1e-5)


def test_evaluation_does_not_move_the_running_means(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network).eval()
    before = loss.running_mean.clone()
    loss(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))
    assert torch.equal(loss.running_mean, before)


def test_weights_are_not_in_checkpoints_but_running_means_are(
    random_network: FeatureNetwork,
) -> None:
    assert set(PerceptualLoss(random_network).state_dict()) == {"running_mean", "started"}


def test_pixel_weights_select_where_it_looks(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network)
    x = torch.zeros(1, 3, 16, 16)
    y = x.clone()
    y[..., :4] = 1.0
    left, right = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    left[..., :4], right[..., 12:] = 1.0, 1.0
    assert float(loss(x, y, left)) > 10 * float(loss(x, y, right))


def test_differences_are_not_rounded_under_autocast(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network).eval()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16))
    assert value.dtype == torch.float32


@pytest.mark.parametrize("through_mean", [False, True])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_both_published_forms(random_network: FeatureNetwork, norm, through_mean: bool) -> None:
    """A step from given running means: value, running means and gradient as autograd finds them."""
    initial = [0.5, 0.2, 0.3, 2.0, 1.0, 4.0]
    loss = PerceptualLoss(
        random_network, norm=norm, momentum=0.9, initial=initial, through_mean=through_mean
    )
    x, y = pictures(0).requires_grad_(), pictures(1)
    differences = [a - b for a, b in zip(random_network(x), random_network(y), strict=True)]
    raw = torch.stack([d.abs().mean() if norm == "l1" else (d * d).mean() for d in differences])
    mean = 0.9 * torch.tensor(initial) + 0.1 * raw
    want = (raw / ((mean if through_mean else mean.detach()) + 1e-8)).mean()
    (wanted,) = torch.autograd.grad(want, x)
    value = loss(x, y)
    (found,) = torch.autograd.grad(value, x)
    torch.testing.assert_close(value, want)
    torch.testing.assert_close(loss.running_mean, mean.detach())
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-8)


def test_units_of_the_weights_do_not_matter(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network, initial=[1.0] * 6).eval()
    weight = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    value = loss(pictures(0), pictures(1), weight)
    torch.testing.assert_close(loss(pictures(0), pictures(1), 1000 * weight), value)
    ones = torch.full((2, 1, 16, 16), 7.0)
    torch.testing.assert_close(loss(pictures(0), pictures(1), ones), loss(pictures(0), pictures(1)))


def test_weights_of_zero(random_network: FeatureNetwork) -> None:
    """Nothing counts: no distance, no gradient, and the running means know nothing of it."""
    loss, fresh = PerceptualLoss(random_network), PerceptualLoss(random_network)
    x = pictures(0).requires_grad_()
    for _ in range(2):
        value = loss(x, pictures(1), torch.zeros(2, 1, 16, 16))
        (found,) = torch.autograd.grad(value, x)
        assert float(value.detach()) == 0.0 and not found.any()
    assert not bool(loss.started) and torch.equal(loss.running_mean, torch.ones(6))
    ones = torch.ones(2, 1, 16, 16)
    first, expected = (each(x, pictures(1), ones) for each in (loss, fresh))
    assert torch.equal(first, expected) and torch.equal(loss.running_mean, fresh.running_mean)
    loss(x, pictures(1), 0 * ones)
    assert bool(loss.started) and torch.equal(loss.running_mean, fresh.running_mean)


def test_a_checkpoint_goes_on_where_it_was(random_network: FeatureNetwork) -> None:
    loss, again = PerceptualLoss(random_network), PerceptualLoss(random_network)
    loss(pictures(0), pictures(1))
    again.load_state_dict(loss.state_dict())
    assert torch.equal(loss(pictures(2), pictures(3)), again(pictures(2), pictures(3)))
    assert torch.equal(loss.running_mean, again.running_mean)


def test_running_means_of_another_network_are_refused(random_network: FeatureNetwork) -> None:
    with pytest.raises(ValueError, match="initial: expected 6 running means"):
        PerceptualLoss(random_network, initial=[1.0])
    loss = PerceptualLoss(random_network)
    state = {"running_mean": torch.ones(4), "started": torch.tensor(True)}
    with pytest.raises(RuntimeError, match="size mismatch for running_mean"):
        loss.load_state_dict(state)


def test_a_gradient_through_the_means_of_several_processes_is_refused(
    random_network: FeatureNetwork,
) -> None:
    class Two(Across):
        processes = 2

    loss = PerceptualLoss(random_network, through_mean=True)
    loss.across = Two()
    with pytest.raises(ValueError, match="through_mean: only for a single process"):
        loss(pictures(0), pictures(1))
