"""The reference is the function that the papers use, against other implementations of it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fastpose.ops import warp_templates
from fastpose.ops.warp_templates.samples import lattice_gaps, random_affine

TEMPLATE, SIZE = (21, 26), (24, 19)


def warp(templates: Tensor, affine: Tensor, size: int | tuple[int, int]) -> Tensor:
    return warp_templates(templates, affine, size, backend="reference")


def normalising(size: tuple[int, int]) -> Tensor:
    """(3, 3): from pixels to [-1, 1], corner aligned."""
    height, width = size
    return torch.tensor(
        [[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1], [0, 0, 1]], dtype=torch.float64
    )


def grid_sample(templates: Tensor, affine: Tensor, size: tuple[int, int]) -> Tensor:
    """torch's affine_grid and grid_sample with the equivalent normalised matrix."""
    batch, count = affine.shape[:2]
    last_row = torch.tensor([0, 0, 1.0]).to(affine).expand(batch, count, 1, 3)
    inverse = torch.linalg.inv(torch.cat((affine, last_row), 2))
    template = templates.shape[1:]
    theta = normalising((template[0], template[1])).to(affine) @ inverse
    theta = theta @ torch.linalg.inv(normalising(size).to(affine))
    grid = torch.nn.functional.affine_grid(
        theta[..., :2, :].flatten(0, 1), [batch * count, 1, *size], align_corners=True
    )
    images = templates.expand(batch, *templates.shape).flatten(0, 1)[:, None]
    warped = torch.nn.functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return warped.view(batch, count, *size)


def kornia_warp(templates: Tensor, affine: Tensor, size: tuple[int, int]) -> Tensor:
    kornia = pytest.importorskip("kornia", reason="kornia is not installed")
    batch, count = affine.shape[:2]
    images = templates.expand(batch, *templates.shape).flatten(0, 1)[:, None]
    warped = kornia.geometry.warp_affine(
        images,
        affine.flatten(0, 1),
        size,
        mode="bilinear",
        padding_mode="zeros",
        align_corners=True,
    )
    return warped.view(batch, count, *size)


@pytest.mark.parametrize("other", [grid_sample, kornia_warp])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_is_the_papers_function(other, dtype):
    """Values to 1e-5 and, away from where texels change, gradients."""
    generator = torch.Generator().manual_seed(0)
    templates = torch.rand(3, *TEMPLATE, generator=generator, dtype=torch.float64)
    affine = random_affine(3, 4, 3, TEMPLATE, SIZE, turn=math.pi)
    weights = torch.randn(4, 3, *SIZE, generator=generator, dtype=torch.float64)
    weights[lattice_gaps(affine, TEMPLATE, SIZE) < 1e-3] = 0
    results = []
    for function in (warp, other):
        leaves = [t.to(dtype).requires_grad_() for t in (templates, affine)]
        image = function(*leaves, SIZE)
        results.append((image, *torch.autograd.grad((image * weights.to(dtype)).sum(), leaves)))
    tolerance = 1e-11 if dtype == torch.float64 else 1e-5
    for got, want in zip(*results, strict=True):
        scale = float(want.detach().abs().max().clamp(min=1))
        torch.testing.assert_close(got, want, rtol=0, atol=tolerance * scale)


def test_a_pixel_by_hand():
    """The four texels of one pixel, mixed as the formula says."""
    templates = torch.tensor([[[1.0, 2.0], [4.0, 8.0]]], dtype=torch.float64)
    # Pixel (0, 0) sees s = (0.25, 0.5), because A doubles and t is -A s.
    affine = torch.tensor([[[[2.0, 0, -0.5], [0, 2, -1]]]], dtype=torch.float64)
    image = warp(templates, affine, 1)
    upper, lower = 0.75 * 1 + 0.25 * 2, 0.75 * 4 + 0.25 * 8
    assert image.item() == pytest.approx(0.5 * upper + 0.5 * lower, abs=1e-14)


def test_the_identity_copies():
    templates = torch.rand(2, 5, 7)
    affine = torch.eye(2, 3).expand(1, 2, 2, 3)
    assert torch.equal(warp(templates, affine, (5, 7))[0], templates)


def test_x_comes_before_y_and_the_map_is_forward():
    """A spot at column 1, row 2 moves by (+3, +1), and is stretched along x about the origin."""
    templates = torch.zeros(1, 5, 9)
    templates[0, 2, 1] = 1
    moved = warp(templates, torch.tensor([[[[1.0, 0, 3], [0, 1, 1]]]]), (5, 9))
    assert moved[0, 0].nonzero().tolist() == [[3, 4]]
    stretched = warp(templates, torch.tensor([[[[4.0, 0, 0], [0, 1, 0]]]]), (5, 9))
    assert stretched[0, 0, 2].tolist() == [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0]


def test_the_border_fades_within_one_texel():
    templates = torch.ones(1, 3, 3, dtype=torch.float64)
    affine = torch.tensor([[[[4.0, 0, 8], [0, 1, 0]]]], dtype=torch.float64)
    row = warp(templates, affine, (3, 24))[0, 0, 1]
    rise = [0.25 * i for i in range(4)]
    assert row[4:8].tolist() == rise and row[:4].tolist() == [0] * 4
    assert row[8:17].tolist() == [1] * 9
    assert row[17:20].tolist() == rise[:0:-1] and row[20:].tolist() == [0] * 4


def test_derivative_at_a_texel_is_that_of_the_next_square():
    """Moving the image right moves the source left; at s = 1 the square 1 .. 2 counts."""
    templates = torch.tensor([[[0.0, 1.0, 5.0]]], dtype=torch.float64)
    affine = torch.tensor([[[[1.0, 0, 0], [0, 1, 0]]]], dtype=torch.float64, requires_grad=True)
    image = warp(templates, affine, (1, 3))
    (gradient,) = torch.autograd.grad(image[0, 0, 0, 1], affine)
    assert gradient[0, 0, 0].tolist() == [-4, 0, -4]
    assert gradient[0, 0, 1].tolist() == [1, 0, 1]  # below there is nothing, so it fades


@pytest.mark.parametrize("size", [1, 3])
def test_templates_of_one_texel_are_tents(size):
    affine = torch.tensor([[[[2.0, 0, 1], [0, 2, 1]]]])
    image = warp(torch.full((1, 1, 1), 8.0), affine, size)
    tent = torch.tensor([0.5, 1, 0.5])
    assert torch.equal(image[0, 0], (8 * tent[:, None] * tent)[:size, :size])
