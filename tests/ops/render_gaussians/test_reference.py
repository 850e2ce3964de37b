"""The reference against the formula as written, autograd, known values and limiting cases."""

from __future__ import annotations

import math

import pytest
import torch

from fastpose import ops
from fastpose.ops.render_gaussians import reference
from fastpose.ops.render_gaussians.samples import affines, covariances, means
from fastpose.ops.samples import generator


def draw(mean, covariance, size, affine=None, **keywords):
    return ops.render_gaussians(mean, covariance, size, affine, backend="reference", **keywords)


def pixels(height, width):
    """(H, W, 2) normalised positions."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float64),
        torch.linspace(-1, 1, width, dtype=torch.float64),
        indexing="ij",
    )
    return torch.stack((x, y), -1)


def formula(mean, covariance, size):
    """exp(-1/2 (u - m)^T S^-1 (u - m)) as written."""
    height, width = size
    d = (pixels(height, width) - mean[..., None, None, :])[..., None]
    precision = torch.linalg.inv(covariance)[..., None, None, :, :]
    return (-0.5 * (d.mT @ precision @ d)[..., 0, 0]).exp()


def gradients(image, weights, leaves):
    return torch.autograd.grad((image * weights).sum(), leaves)


def test_is_the_formula_and_its_gradient():
    source = generator(0)
    mean, covariance = means(source, (3, 4), 1.1), covariances(source, (3, 4), 0.1, 0.7)
    covariance[..., 0, 1] += 0.01  # not symmetric: its symmetric part counts
    weights = torch.randn(3, 4, 17, 23, generator=source, dtype=torch.float64)
    leaves = [mean.requires_grad_(), covariance.requires_grad_()]
    own = draw(mean, covariance, (17, 23), jitter=0.02)
    spread = (covariance + covariance.mT) / 2 + 0.02 * torch.eye(2)
    want = formula(mean, spread, (17, 23))
    torch.testing.assert_close(own, want)
    for got, expected in zip(
        gradients(own, weights, leaves), gradients(want, weights, leaves), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_a_template_is_warped():
    """The map at u is the template at the point that the affine map brings to u."""
    source = generator(1)
    mean, covariance = means(source, (5,), 0.8), covariances(source, (5,), 0.1, 0.4)
    affine = affines(source, 3, 5)
    linear, shift = affine[..., :2], affine[..., 2]
    back = torch.linalg.inv(linear)
    d = (pixels(12, 15) - shift[..., None, None, :])[..., None]
    d = (back[..., None, None, :, :] @ d)[..., 0] - mean[:, None, None]
    precision = torch.linalg.inv(covariance)[:, None, None]
    want = (-0.5 * (d[..., None, :] @ precision @ d[..., None])[..., 0, 0]).exp()
    torch.testing.assert_close(draw(mean, covariance, (12, 15), affine), want)


@pytest.mark.parametrize("jitter", [0.0, 0.03])
@pytest.mark.parametrize("spread", ["tensor", "number"])
def test_gradients_of_templates(jitter, spread):
    """As autograd takes them through the composed mean and covariance."""
    source = generator(2)
    mean, covariance = means(source, (4,), 0.6), covariances(source, (4,), 0.15, 0.5)
    if spread == "number":
        covariance = 0.07 * torch.eye(2, dtype=torch.float64).expand(4, 2, 2)
    affine = affines(source, 3, 4)
    weights = torch.randn(3, 4, 11, 14, generator=source, dtype=torch.float64)
    leaves = [mean.requires_grad_(), affine.requires_grad_()]
    given = 0.07
    if spread == "tensor":
        given = covariance.requires_grad_()
        leaves.append(given)
    own = draw(mean, given, (11, 14), affine, jitter=jitter)
    linear = affine[..., :2]
    moved = (linear @ mean[..., None])[..., 0] + affine[..., 2]
    want = formula(moved, linear @ covariance @ linear.mT + jitter * torch.eye(2), (11, 14))
    torch.testing.assert_close(own, want)
    for got, expected in zip(
        gradients(own, weights, leaves), gradients(want, weights, leaves), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_a_heatmap_of_known_values():
    """Standard deviation of 2 pixels at pixel (5, 3)."""
    size = 11
    step = 2 / (size - 1)
    mean = torch.tensor([[[5 * step - 1, 3 * step - 1]]], dtype=torch.float64)
    image = draw(mean, (2 * step) ** 2, size)[0, 0]
    assert image[3, 5] == 1
    for dx, dy in ((0, 1), (1, 0), (2, 1), (-3, 5)):
        value = math.exp(-(dx**2 + dy**2) / 8)
        assert image[3 + dy, 5 + dx].item() == pytest.approx(value)


def test_axes_of_a_turned_gaussian():
    """One standard deviation along each axis the value is exp(-1/2)."""
    angle, deviations = 0.6, (0.5, 0.125)
    turn = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]],
        dtype=torch.float64,
    )
    covariance = turn @ torch.tensor(deviations, dtype=torch.float64).square().diag() @ turn.mT
    for axis, deviation in enumerate(deviations):
        # Moved by one deviation, it is seen so from the middle pixel.
        mean = (deviation * turn[:, axis])[None, None]
        assert draw(mean, covariance, 9)[0, 0, 4, 4].item() == pytest.approx(math.exp(-0.5))


def test_pixel_centres():
    like = torch.zeros((), dtype=torch.float64)
    assert reference.pixel_centres(1, like).tolist() == [0]
    assert reference.pixel_centres(2, like).tolist() == [-1, 1]
    assert reference.pixel_centres(5, like).tolist() == [-1, -0.5, 0, 0.5, 1]


def test_x_comes_before_y():
    corner = torch.tensor([[[1.0, -1.0]]])
    assert draw(corner, 0.1, (4, 6)).argmax() == 5  # top right
    wide = torch.tensor([[0.5, 0.0], [0.0, 0.01]])
    image = draw(torch.zeros(1, 1, 2), wide, 9)[0, 0]
    assert image[4, 0] > 0.3 and image[0, 4] < 1e-6


def test_the_gradient_of_a_covariance_is_symmetric():
    source = generator(3)
    covariance = covariances(source, (2, 3), 0.2, 0.5).requires_grad_()
    draw(means(source, (2, 3), 0.8), covariance, (7, 8)).square().sum().backward()
    assert covariance.grad is not None
    assert torch.equal(covariance.grad, covariance.grad.mT) and covariance.grad.abs().min() > 0


def test_jitter_adds_to_the_variances():
    mean = torch.tensor([[[0.1, -0.2]]], dtype=torch.float64)
    torch.testing.assert_close(draw(mean, 0.1, 9, jitter=0.05), draw(mean, 0.15, 9))
