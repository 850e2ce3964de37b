"""The reference against the paper's formula, known values and limiting cases."""

from __future__ import annotations

import math

import pytest
import torch

from fastpose import ops
from fastpose.ops.render_skeleton import reference


def draw(points, limbs, size, **keywords):
    return ops.render_skeleton(points, limbs, size, backend="reference", **keywords)


def paper_formula(points, limbs, size, sharpness=25.0, profile="exponential", eps=1e-6):
    """As the paper writes it: project, clamp, distance, fall-off of every limb, maximum."""
    height, width = size
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=points.dtype),
        torch.linspace(-1, 1, width, dtype=points.dtype),
        indexing="ij",
    )
    u = torch.stack((x, y), -1)
    first, second = torch.tensor(limbs).unbind(1)
    a, b = points[:, first, None, None], points[:, second, None, None]
    t = ((u - a) * (b - a)).sum(-1) / (b - a).square().sum(-1).clamp_min(1e-6)
    squared = (a + t.clamp(0, 1)[..., None] * (b - a) - u).square().sum(-1)
    exponent = (squared + eps).sqrt() if profile == "exponential" else squared
    return (-sharpness * exponent).exp().amax(1, keepdim=True)


@pytest.mark.parametrize("profile", ["exponential", "gaussian"])
def test_is_the_papers_formula(profile):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 6, 2, generator=generator, dtype=torch.float64) * 2.4 - 1.2
    limbs = ((0, 1), (1, 2), (3, 1), (4, 5), (2, 5))
    weights = torch.randn(3, 1, 17, 23, generator=generator, dtype=torch.float64)
    results = []
    for function in (draw, paper_formula):
        leaf = points.clone().requires_grad_()
        image = function(leaf, limbs, (17, 23), sharpness=7.0, profile=profile)
        results.append((image, *torch.autograd.grad((image * weights).sum(), leaf)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("pixels", "value"), [(0, 0.975), (1, 0.674), (2, 0.455), (4, 0.207), (8, 0.043), (16, 0.0018)]
)
def test_profile_at_128_pixels(pixels, value):
    """Values worked out by hand for sharpness 25: a horizontal limb through row 40."""
    row = 2 * 40 / 127 - 1
    points = torch.tensor([[[-0.5, row], [0.5, row]]], dtype=torch.float64)
    image = draw(points, ((0, 1),), 128)
    assert image[0, 0, 40 + pixels, 64].item() == pytest.approx(value, abs=6e-4)


def test_gaussian_profile():
    points = torch.zeros(1, 2, 2, dtype=torch.float64)
    image = draw(points, ((0, 1),), 3, profile="gaussian", sharpness=2.0)
    expected = torch.tensor([[2.0, 1, 2], [1, 0, 1], [2, 1, 2]], dtype=torch.float64)
    torch.testing.assert_close(image[0, 0], (-2 * expected).exp())


def test_pixel_centres():
    like = torch.zeros((), dtype=torch.float64)
    assert reference.pixel_centres(1, like).tolist() == [0]
    assert reference.pixel_centres(2, like).tolist() == [-1, 1]
    assert reference.pixel_centres(5, like).tolist() == [-1, -0.5, 0, 0.5, 1]


def test_x_comes_before_y():
    corner = torch.tensor([[[1.0, -1.0]]])
    image = draw(corner, ((0, 0),), (4, 6))
    assert image.argmax() == 5  # top right


def test_a_limb_of_no_length_is_a_point():
    points = torch.tensor([[[0.25, -0.5], [0.25, -0.5]]], dtype=torch.float64)
    image = draw(points, ((0, 1),), 9)
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    distance = ((x - 0.25).square() + (x[:, None] + 0.5).square() + 1e-6).sqrt()
    torch.testing.assert_close(image[0, 0], (-25 * distance).exp())
    assert torch.equal(image, draw(points, ((0, 1),), 9, widths=(0.5,)))


def test_a_width_makes_a_rectangle():
    points = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]], dtype=torch.float64)
    image = draw(points, ((0, 1),), 9, widths=(0.6,))[0, 0]
    inside = math.exp(-25 * math.sqrt(1e-6))
    assert (image[3:6, 2:7] == inside).all()  # |x| <= 0.5, |y| <= 0.3
    assert (image[2] < inside).all() and (image[:, 1] < inside).all()
    assert image[2, 4].item() == pytest.approx(math.exp(-25 * math.hypot(0.2, 1e-3)))
    assert image[4, 0].item() == pytest.approx(math.exp(-25 * math.hypot(0.5, 1e-3)))


def test_an_end_can_be_a_mean():
    points = torch.rand(2, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mean = points[:, [1, 2, 4]].mean(1, keepdim=True)
    explicit = draw(torch.cat((points, mean), 1), ((0, 5), (5, 3)), 12)
    torch.testing.assert_close(draw(points, ((0, (1, 2, 4)), ((4, 2, 1), 3)), 12), explicit)


def test_gradient_of_a_mean_is_shared():
    points = torch.tensor([[[-0.4, 0.1], [0.2, 0.3], [0.5, -0.2]]], dtype=torch.float64)
    points.requires_grad_()
    draw(points, (((0, 1), 2),), 11).sum().backward()
    assert torch.equal(points.grad[0, 0], points.grad[0, 1])
    assert points.grad[0, 0].abs().min() > 0


def test_the_first_limb_wins_a_tie():
    points = torch.tensor([[[0.0, -0.5], [0.0, 0.5]]], dtype=torch.float64).repeat(1, 2, 1)
    points.requires_grad_()
    draw(points, ((0, 1), (2, 3)), 9).sum().backward()
    assert points.grad[0, :2].abs().sum() > 0
    assert (points.grad[0, 2:] == 0).all()
