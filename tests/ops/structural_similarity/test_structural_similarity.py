"""What the public function promises beyond the generic tests, for every owner."""

from __future__ import annotations

import pytest
import torch

from fastpose import ops
from fastpose.ops.samples import Sample
from fastpose.ops.structural_similarity.samples import pictures

WINDOWS = ("gaussian", "uniform")
REACH = {"gaussian": 10, "uniform": 6}


def some_pictures(shape=(2, 3, 30, 37), seed=0, likeness=0.6, dtype=torch.float32):
    both = pictures(torch.Generator().manual_seed(seed), shape, likeness, 1.0)
    return [t.to(dtype) for t in both]


def compare(owner, x, y, **keywords):
    return owner("structural_similarity", Sample("", (x, y), keywords)).cpu()


def with_gradients(owner, x, y, **keywords):
    """(value, gradient by x, gradient by y) of the sum over the batch."""
    leaves = [t.detach().clone(memory_format=torch.preserve_format) for t in (x, y)]
    leaves = [t.requires_grad_() for t in leaves]
    value = compare(owner, *leaves, **keywords)
    return value.detach(), *torch.autograd.grad(value.sum(), leaves)


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_equal_images(kernel, window, dtype):
    """Exactly 1, and exactly no gradient."""
    x, _ = some_pictures(dtype=dtype)
    value, by_x, by_y = with_gradients(kernel, x, x.clone(), window=window)
    assert (value == 1).all() and not by_x.any() and not by_y.any()


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (0.25, 0.5), (1.0, 1.0), (-0.5, 0.5)])
def test_flat_images(owner, window, a, b):
    """Luminance alone is left of the formula."""
    x, y = torch.full((1, 1, 20, 20), a), torch.full((1, 1, 20, 20), b)
    want = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert float(compare(owner, x, y, window=window)) == pytest.approx(want, abs=2e-4)


@pytest.mark.parametrize("window", WINDOWS)
def test_bright_and_flat_images_lose_no_digits(kernel, window):
    """Where variances are differences of large numbers: a faint pattern on white."""
    pattern = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)) * 2**-7
    x, y = 1 - pattern, 1 - pattern.flip(-1)
    found = compare(kernel, x, y, window=window)
    want = ops.structural_similarity(x.double(), y.double(), window=window, backend="reference")
    assert abs(float(found) - float(want)) < 2e-7


@pytest.mark.parametrize("window", WINDOWS)
def test_which_image_comes_first_does_not_matter(owner, window):
    x, y = some_pictures(dtype=torch.float64)
    value, by_x, by_y = with_gradients(owner, x, y, window=window)
    swapped, by_second, by_first = with_gradients(owner, y, x, window=window)
    torch.testing.assert_close(swapped, value, rtol=1e-12, atol=0)
    torch.testing.assert_close(by_first, by_x, rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(by_second, by_y, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("window", WINDOWS)
def test_data_range_is_the_unit(owner, window):
    """The same images in other units: the same bytes where the unit is a power of 2."""
    x, y = some_pictures()
    value, by_x, by_y = with_gradients(owner, x, y, window=window)
    scaled = with_gradients(owner, 256 * x, 256 * y, window=window, data_range=256.0)
    torch.testing.assert_close(scaled[0], value, rtol=1e-6, atol=0)
    torch.testing.assert_close(256 * scaled[1], by_x, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(256 * scaled[2], by_y, rtol=1e-4, atol=1e-8)


def test_a_little_noise_costs_a_little(owner):
    x, _ = some_pictures()
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    values = [float(compare(owner, x, x + s * noise).mean()) for s in (0, 0.01, 0.03, 0.1, 0.3)]
    assert values[0] > 0.999999 and values == sorted(values, reverse=True)
    assert values[-1] < 0.5


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("size", [(200, 23), (23, 300), (131, 129), (64, 128), (65, 138)])
def test_images_of_several_tiles(kernel, reference, window, size):
    x, y = some_pictures((1, 2, *size), dtype=torch.float64)
    found = with_gradients(kernel, x, y, window=window)
    for got, want in zip(found, with_gradients(reference, x, y, window=window), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-14)


# --- types and strides ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("window", WINDOWS)
def test_narrow_images(owner, dtype, window):
    """The value is that of the same numbers in float32; gradients are rounded twice."""
    x, y = some_pictures(dtype=dtype)
    value, *gradients = with_gradients(owner, x, y, window=window)
    want, *wanted = with_gradients(owner, x.float(), y.float(), window=window)
    assert value.dtype == torch.float32 and torch.equal(value, want)
    digit = torch.finfo(dtype).eps
    # Below their normal numbers types have fewer digits.
    least = torch.finfo(dtype).smallest_normal * digit
    for got, exact in zip(gradients, wanted, strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got.float(), exact, rtol=1.1 * digit, atol=float(least))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_channels_last(kernel, dtype):
    """The same bytes, and gradients that lie like the images."""
    x, y = some_pictures(dtype=dtype)
    plain = with_gradients(kernel, x, y)
    moved = [t.contiguous(memory_format=torch.channels_last) for t in (x, y)]
    found = with_gradients(kernel, *moved)
    for got, want in zip(found, plain, strict=True):
        assert torch.equal(got, want)
    assert all(g.is_contiguous(memory_format=torch.channels_last) for g in found[1:])
    assert all(g.is_contiguous() for g in plain[1:])


def test_parts_of_larger_images(kernel):
    x, y = some_pictures((2, 5, 40, 47))
    part = (slice(None), slice(1, 4), slice(5, 38), slice(7, 40))
    want = with_gradients(kernel, x[part].contiguous(), y[part].contiguous())
    for a, b in ((x[part], y[part]), (x[part], y[part].contiguous())):
        for got, expected in zip(with_gradients(kernel, a, b), want, strict=True):
            assert torch.equal(got, expected)


# --- gradients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_gradient_of_one_image_only(owner, which):
    """The same bytes as among both, and nothing is kept for the other."""
    x, y = some_pictures()
    value, *both = with_gradients(owner, x, y)
    leaves = [x.clone(), y.clone()]
    leaves[which].requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        alone = compare(owner, *leaves)
    assert sum(t.numel() for t in kept) == x.numel()
    alone.sum().backward()
    assert torch.equal(alone.detach(), value)
    assert torch.equal(leaves[which].grad, both[which]) and leaves[1 - which].grad is None


def test_gradient_of_an_image_against_itself(owner):
    x, _ = some_pictures()
    leaf = x.clone().requires_grad_()
    compare(owner, leaf, leaf).sum().backward()
    assert float(leaf.grad.abs().max()) < 1e-7


def test_climbing_the_gradient_restores_the_image(owner):
    target, _ = some_pictures((1, 1, 24, 24))
    image = torch.full_like(target, 0.5).requires_grad_()
    for _ in range(200):
        value = compare(owner, image, target)
        (gradient,) = torch.autograd.grad(value.sum(), image)
        with torch.no_grad():
            image += 0.05 * gradient / gradient.abs().max()
    assert float(value.detach()) > 0.9


# --- numbers that are not finite ------------------------------------------------------------------


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 1e30])
@pytest.mark.parametrize("place", [(0, 0), (20, 17), (29, 36)])
def test_a_bad_pixel_reaches_as_far_as_its_windows(owner, window, bad, place):
    x, y = some_pictures((3, 2, 40, 45))
    want, *wanted = with_gradients(owner, x, y, window=window)
    row, column = place
    x[1, 1, row, column] = bad
    value, *found = with_gradients(owner, x, y, window=window)
    assert value[1].isnan() and torch.equal(value[[0, 2]], want[[0, 2]])
    reach = REACH[window]
    near = torch.zeros(x.shape, dtype=torch.bool)
    rows = slice(max(0, row - reach), row + reach + 1)
    near[1, 1, rows, max(0, column - reach) : column + reach + 1] = True
    for got, plain in zip(found, wanted, strict=True):
        assert got[near].isnan().all() and got[~near].isfinite().all()
        torch.testing.assert_close(got[~near], plain[~near], rtol=1e-4, atol=1e-8)
