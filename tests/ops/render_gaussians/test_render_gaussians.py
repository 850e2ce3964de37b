"""What the public function promises beyond the generic tests, for every owner."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.render_gaussians import reference as reference_module
from fastpose.ops.render_gaussians.samples import affines, covariances, means
from fastpose.ops.samples import Sample, generator
from tests.cuda_on_cpu.gaussian_problems import (
    assert_thin_maps_as_exact,
    flat_templates,
    gradient_for,
    results_of,
)
from tests.cuda_on_cpu.problems import error

NARROW = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def draw(owner, mean, covariance, size, affine=None, **keywords):
    return owner("render_gaussians", Sample("", (mean, covariance, size, affine), keywords)).cpu()


def grads(owner, mean, covariance, size, affine=None, weights=None, **keywords):
    """The image and the gradients of all tensors, of a sum weighted by `weights`."""
    given = (mean, covariance, affine)
    leaves = [t.detach().clone().requires_grad_() if torch.is_tensor(t) else t for t in given]
    image = draw(owner, leaves[0], leaves[1], size, leaves[2], **keywords)
    weights = torch.ones_like(image) if weights is None else weights.to(image)
    tensors = [t for t in leaves if torch.is_tensor(t)]
    return image.detach(), [g.cpu() for g in torch.autograd.grad((image * weights).sum(), tensors)]


def blobs(batch=3, maps=4, seed=0, dtype=torch.float32, least=0.15, most=0.5):
    source = generator(seed)
    mean = means(source, (batch, maps), 0.8)
    return mean.to(dtype), covariances(source, (batch, maps), least, most).to(dtype)


def templates(batch=3, maps=4, seed=0, dtype=torch.float32):
    source = generator(seed)
    mean, covariance = means(source, (maps,), 0.5), covariances(source, (maps,), 0.15, 0.5)
    return mean.to(dtype), covariance.to(dtype), affines(source, batch, maps).to(dtype)


# --- what is no Gaussian --------------------------------------------------------------------------

NOT_POSITIVE = {
    "singular": [[0.3, 0.3], [0.3, 0.3]],
    "nearly_singular": [[0.1, 0.3], [0.3, 0.9]],
    "no_width": [[0.0, 0.0], [0.0, 0.2]],
    "no_height": [[0.2, 0.0], [0.0, 0.0]],
    "nothing": [[0.0, 0.0], [0.0, 0.0]],
    "negative": [[-0.2, 0.0], [0.0, -0.2]],
    "negative_width": [[-0.2, 0.0], [0.0, 0.2]],
    "negative_height": [[0.2, 0.0], [0.0, -0.2]],
    "indefinite": [[0.1, 0.2], [0.2, 0.1]],
    "nan": [[torch.nan, 0.0], [0.0, 0.2]],
    "nan_corner": [[0.2, torch.nan], [0.0, 0.2]],
    "infinite": [[0.2, 0.0], [0.0, torch.inf]],
    "infinite_width": [[torch.inf, 0.0], [0.0, 0.2]],
    "infinite_corner": [[0.2, -torch.inf], [0.0, 0.2]],
    "subnormal": [[1e-40, 0.0], [0.0, 0.2]],
}


@pytest.mark.parametrize("kind", NOT_POSITIVE)
def test_a_bad_covariance_spoils_its_map_only(owner, kind):
    mean, covariance = blobs()
    good, good_grads = grads(owner, mean, covariance, (10, 40))
    covariance[1, 2] = torch.tensor(NOT_POSITIVE[kind])
    image, found = grads(owner, mean, covariance, (10, 40))
    assert image[1, 2].isnan().all()
    image[1, 2] = good[1, 2]
    assert torch.equal(image, good)
    for own, want in zip(found, good_grads, strict=True):
        assert own[1, 2].isnan().all()
        own[1, 2] = want[1, 2]
        assert torch.equal(own, want)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("spread", ["tensor", "number"])
def test_a_bad_mean_spoils_its_map_only(owner, value, axis, spread):
    mean, covariance = blobs()
    covariance = covariance if spread == "tensor" else 0.05
    good, good_grads = grads(owner, mean, covariance, (10, 40))
    mean[0, 3, axis] = value
    image, found = grads(owner, mean, covariance, (10, 40))
    assert image[0, 3].isnan().all()
    image[0, 3] = good[0, 3]
    assert torch.equal(image, good)
    for own, want in zip(found, good_grads, strict=True):
        assert own[0, 3].isnan().all()
        own[0, 3] = want[0, 3]
        assert torch.equal(own, want)


SINGULAR = {
    "nothing": [[0.0, 0.0], [0.0, 0.0]],
    "one_row": [[0.7, -0.3], [0.0, 0.0]],
    "one_column": [[0.0, 0.7], [0.0, 1.3]],
    "equal_rows": [[0.7, -0.3], [0.7, -0.3]],
    "multiples": [[0.1, 0.3], [0.3, 0.9]],
    "projection": [[0.36, 0.48], [0.48, 0.64]],
    "nan": [[1.0, 0.0], [torch.nan, 1.0]],
    "infinite": [[1.0, torch.inf], [0.0, 1.0]],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", SINGULAR)
def test_a_singular_affine_spoils_its_map_only(owner, kind, dtype):
    mean, covariance, affine = templates(dtype=dtype)
    good, good_grads = grads(owner, mean, covariance, (10, 40), affine)
    affine[1, 2, :, :2] = torch.tensor(SINGULAR[kind])
    image, found = grads(owner, mean, covariance, (10, 40), affine)
    assert image[1, 2].isnan().all()
    image[1, 2] = good[1, 2]
    assert torch.equal(image, good)
    of_affine, want = found[2], good_grads[2]
    assert of_affine[1, 2].isnan().all()
    of_affine[1, 2] = want[1, 2]
    assert torch.equal(of_affine, want)
    for own, want in zip(found[:2], good_grads[:2], strict=True):  # the template is in all images
        assert own[2].isnan().all()
        own[2] = want[2]
        assert torch.equal(own, want)


def test_a_bad_translation_spoils_its_map_only(owner):
    mean, covariance, affine = templates()
    affine[2, 1, 0, 2] = torch.nan
    image, found = grads(owner, mean, covariance, 12, affine)
    bad = image.isnan().flatten(2)
    assert bad[2, 1].all() and bad.sum() == bad[2, 1].sum()
    assert found[2][2, 1].isnan().all() and found[2].isnan().sum() == 6


def test_jitter_saves_a_singular_affine(owner, reference):
    mean, covariance, affine = templates(dtype=torch.float64)
    for k, kind in enumerate(("nothing", "one_row", "multiples", "projection")):
        affine[0, k, :, :2] = torch.tensor(SINGULAR[kind])
    image, found = grads(owner, mean, covariance, 12, affine, jitter=0.01)
    want, expected = grads(reference, mean, covariance, 12, affine, jitter=0.01)
    assert image.isfinite().all()
    torch.testing.assert_close(image, want)
    for own, other in zip(found, expected, strict=True):
        torch.testing.assert_close(own, other)


def test_a_gradient_that_is_not_finite_reaches(owner):
    """At a pixel where the value has underflowed to 0, too; the other maps do not see it."""
    mean, covariance = blobs(2, 3, least=0.03, most=0.05)
    mean = mean.clamp(-0.5, 0.5)
    covariance[:, 0] = 0.002 * torch.eye(2)  # a product of tables
    for value in (torch.nan, torch.inf):
        for y, x in ((0, 0), (47, 69), (24, 69), (0, 35)):
            for k in (0, 1):
                weights = torch.ones(2, 3, 48, 70)
                weights[1, k, y, x] = value
                leaf, spread = mean.clone().requires_grad_(), covariance.clone().requires_grad_()
                image = draw(owner, leaf, spread, (48, 70))
                assert image[1, k, y, x] == 0
                found = torch.autograd.grad(image, (leaf, spread), weights)
                for own in found:
                    assert own[1, k].isnan().all()
                    assert own.isnan().sum() == own[1, k].numel()


# --- range ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variance", [1e-4, 1e-8, 1e-12, 1e-20, 1e-30, 1e-37])
@pytest.mark.parametrize("turned", [False, True])
def test_small_variances(owner, variance, turned):
    mean = torch.tensor([[[0.0, 0.0], [0.3, -0.1], [5.0, 5.0]]])
    covariance = torch.tensor([[1.0, 0.5], [0.5, 1.0]]) if turned else torch.eye(2)
    image, found = grads(owner, mean, covariance * variance, 9)
    assert image[0, 0, 4, 4] == 1 and ((image >= 0) & (image <= 1)).all()
    assert (image[0, 2] == 0).all()
    if variance < 1e-6:
        assert image.sum() == 1
        assert all(g[..., 1:, :].eq(0).all() for g in found[:1])
    assert all(g.isfinite().all() for g in found)


@pytest.mark.parametrize("pixels", [0.15, 0.005])
@pytest.mark.parametrize("turned", [False, True])
def test_a_dot_on_every_column(owner, turned, pixels):
    """Wherever it lies, not a pixel of a Gaussian is left out, nor of its gradient."""
    width = 140
    x = torch.linspace(-1, 1, width)
    mean = torch.stack((x, torch.zeros(width)), -1)[None]
    covariance = torch.tensor([[1.0, 0.5], [0.5, 1.0]]) if turned else torch.eye(2)
    deviation = pixels * 2 / (width - 1)
    size, spread = (3, width), covariance * deviation**2
    image = draw(owner, mean, spread, size)
    torch.testing.assert_close(image[0, :, 1], torch.eye(width), rtol=0, atol=1e-5)
    off = mean + torch.tensor([deviation, 0.0])
    _, (found, _) = grads(owner, off, spread, size, weights=image)
    assert (found[..., 0] < -1).all()


@pytest.mark.parametrize("variance", [1e4, 1e12, 1e30, 1e38])
@pytest.mark.parametrize("turned", [False, True])
def test_large_variances(owner, variance, turned):
    mean = torch.tensor([[[0.0, 0.0], [0.3, -0.1]]])
    covariance = torch.tensor([[1.0, 0.5], [0.5, 1.0]]) if turned else torch.eye(2)
    image, found = grads(owner, mean, covariance * variance, 9)
    torch.testing.assert_close(image, torch.ones_like(image), rtol=1e-3, atol=0)
    assert all(g.isfinite().all() for g in found)


@pytest.mark.parametrize("reach", [1e2, 1e6, 1e12, 1e20, 1e30])
@pytest.mark.parametrize("turned", [False, True])
def test_means_far_off(owner, reach, turned):
    mean = torch.tensor([[[1.0, 0.0], [0.0, -1.0], [-1.0, 1.0]]]) * reach
    covariance = torch.tensor([[0.1, 0.05], [0.05, 0.1]]) if turned else 0.1 * torch.eye(2)
    image, found = grads(owner, mean, covariance, 12)
    assert (image == 0).all() and all((g == 0).all() for g in found)


def test_templates_of_small_and_large_variances(owner, reference):
    mean, _, affine = templates(dtype=torch.float32)
    for variance in (1e-30, 1e-12, 1e12, 1e30):
        image = draw(owner, mean, variance, 10, affine)
        assert ((image >= 0) & (image <= 1)).all()
        torch.testing.assert_close(image, draw(reference, mean, variance, 10, affine))


def test_elongated(owner, reference):
    """One hundred times as long as wide, at any angle."""
    mean, _ = blobs(2, 12, seed=5)
    covariance = covariances(generator(5), (2, 12), 0.0, 0.0)
    angle = torch.arange(24, dtype=torch.float64).reshape(2, 12) * 0.13
    axis = torch.stack((angle.cos(), angle.sin()), -1)[..., None]
    covariance = axis @ axis.mT * 4 + 4e-4 * torch.eye(2, dtype=torch.float64)
    image, found = grads(owner, mean.double(), covariance, (40, 50))
    want, expected = grads(reference, mean.double(), covariance, (40, 50))
    torch.testing.assert_close(image, want, rtol=1e-8, atol=1e-10)
    for own, other in zip(found, expected, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-7, atol=1e-7)
    narrow = draw(owner, mean, covariance.float(), (40, 50))
    torch.testing.assert_close(narrow.double(), want, rtol=0, atol=2e-3)


def results_of_function(owner):
    def results(problem, gradient):
        size = (problem.height, problem.width)
        given = (problem.mean, problem.covariance, size, problem.affine)
        image, found = grads(owner, *given, weights=gradient, jitter=problem.jitter)
        return [image, *found]

    return results


@pytest.mark.parametrize("moved", [False, True])
def test_thin_maps(kernel, moved):
    """They lose no more digits than their inputs lack, and fewer than the reference."""
    assert_thin_maps_as_exact(results_of_function(kernel), moved, 40)


def test_jitter_saves_flat_templates(owner):
    problem = flat_templates()
    gradient = gradient_for(problem)
    truth = results_of(reference_module)(problem.to(torch.float64), gradient)
    for own, want in zip(results_of_function(owner)(problem, gradient), truth, strict=True):
        assert error(own, want) < 1e-4


def test_both_paths_agree(kernel):
    """A covariance that is diagonal, and one that is so but for a last digit."""
    mean, _ = blobs(2, 6)
    straight = covariances(generator(1), (2, 6), 0.1, 0.4, turn=0.0).float()
    tilted = straight.clone()
    tilted[..., 0, 1] = tilted[..., 1, 0] = 1e-12
    weights = torch.randn(2, 6, 30, 140, generator=generator(2))
    image, found = grads(kernel, mean, straight, (30, 140), weights=weights)
    other, other_found = grads(kernel, mean, tilted, (30, 140), weights=weights)
    torch.testing.assert_close(image, other, rtol=1e-5, atol=1e-7)
    for own, want in zip(found, other_found, strict=True):
        torch.testing.assert_close(own, want, rtol=1e-4, atol=1e-4)


# --- the same thing said in different ways --------------------------------------------------------


def test_a_number_is_an_isotropic_covariance(owner):
    mean, _ = blobs()
    want = draw(owner, mean, 0.04 * torch.eye(2), (9, 14))
    assert torch.equal(draw(owner, mean, 0.04, (9, 14)), want)
    assert draw(owner, mean, 2, (9, 14)).shape == want.shape


def test_covariances_that_broadcast(owner):
    mean, covariance = blobs()
    c = covariance
    for some in (c[0, 0], c[0], c[:, :1], c[:1], c[:1, :1], c[0, :1]):
        want, wanted = grads(owner, mean, some.expand(3, 4, 2, 2).contiguous(), (8, 9))
        image, found = grads(owner, mean, some, (8, 9))
        assert torch.equal(image, want) and found[1].shape == some.shape
        torch.testing.assert_close(found[0], wanted[0])
        total = wanted[1].sum_to_size(some.shape)
        torch.testing.assert_close(found[1], total, rtol=1e-4, atol=1e-4)


def test_the_identity_moves_nothing(owner):
    mean, covariance, affine = templates(2, 3)
    affine = torch.eye(2, 3).expand_as(affine)
    image = draw(owner, mean, covariance, 11, affine)
    torch.testing.assert_close(image, draw(owner, mean.expand(2, -1, -1), covariance, 11))


def test_templates_are_gaussians_that_moved(owner):
    """Composed outside, by PyTorch, with its gradients."""
    mean, covariance, affine = templates(dtype=torch.float64)
    weights = torch.randn(3, 4, 17, 20, generator=generator(1), dtype=torch.float64)
    image, found = grads(owner, mean, covariance, (17, 20), affine, weights, jitter=0.01)
    leaves = [t.clone().requires_grad_() for t in (mean, covariance, affine)]
    linear = leaves[2][..., :2]
    centre = (linear @ leaves[0][..., None])[..., 0] + leaves[2][..., 2]
    moved = linear @ leaves[1] @ linear.mT
    want = draw(owner, centre, moved, (17, 20), jitter=0.01)
    torch.testing.assert_close(image, want)
    for own, other in zip(found, torch.autograd.grad((want * weights).sum(), leaves), strict=True):
        torch.testing.assert_close(own, other)


number = st.integers(-77, 77).map(lambda step: step / 64)
deviation = st.floats(0.1, 0.8)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(number, number, deviation, deviation, st.floats(-0.9, 0.9))
def test_invariants(x, y, wide, high, correlation):
    mean = torch.tensor([[[x, y]]], dtype=torch.float64)
    cross = wide * high * correlation
    covariance = torch.tensor([[wide**2, cross], [cross, high**2]], dtype=torch.float64)

    def image(mean, covariance, size=(19, 23), affine=None):
        return ops.render_gaussians(mean, covariance, size, affine)

    def same(a, b):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)

    drawn = image(mean, covariance)
    assert drawn.min() >= 0 and drawn.max() <= 1
    mirror = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    same(image(mean * mirror, covariance * mirror * mirror[:, None]), drawn.flip(3))
    same(image(mean.flip(2), covariance.flip(0, 1), (23, 19)).mT, drawn)
    pixel = torch.tensor([2 / 22, 2 / 18], dtype=torch.float64)
    moved = image(mean + torch.tensor([3.0, -2.0]) * pixel, covariance)
    same(moved[..., :-2, 3:], drawn[..., 2:, :-3])
    same(image(mean, covariance / 4) ** 0.25, drawn.where(image(mean, covariance / 4) > 0, 0))
    square = image(mean, covariance, 21)
    turn = torch.tensor([[[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]], dtype=torch.float64)
    same(image(mean[0], covariance, 21, turn), square.rot90(-1, (2, 3)))


# --- sizes and layouts ----------------------------------------------------------------------------


def test_every_size_of_piece(kernel, reference):
    """Heights and widths around the borders of vectors, tables and bands."""
    mean, covariance = blobs(1, 2, dtype=torch.float64)
    covariance[0, 0, 0, 1] = covariance[0, 0, 1, 0] = 0
    for height in (1, 7, 31, 32, 33, 127, 128, 129, 260):
        for width in (1, 2, 7, 8, 15, 16, 17, 33, 127, 128, 129, 145, 257):
            weights = torch.randn(1, 2, height, width, generator=generator(3))
            image, found = grads(
                kernel, mean.float(), covariance.float(), (height, width), weights=weights
            )
            want, expected = grads(reference, mean, covariance, (height, width), weights=weights)
            torch.testing.assert_close(image.double(), want, rtol=1e-4, atol=1e-5)
            for own, other in zip(found, expected, strict=True):
                limit = 1e-4 * float(other.abs().max())
                torch.testing.assert_close(own.double(), other, rtol=1e-3, atol=limit + 1e-5)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("maps", [1, 2, 4, 5, 8, 9, 16, 17, 18, 21, 32, 33, 40])
def test_number_of_maps_in_channels_last(kernel, dtype, maps):
    """Forward and backward, for every way to share a vector; the same bytes as map by map."""
    mean, covariance = blobs(2, maps)
    covariance[:, ::3] *= torch.eye(2)
    weights = torch.randn(2, maps, 5, 37, generator=generator(0)).to(dtype)
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        buffer = torch.full((2, maps + 5, 5, 37), 7.0, dtype=dtype, device=kernel.device)
        buffer = buffer.contiguous(memory_format=memory_format)
        leaves = [t.to(kernel.device).requires_grad_() for t in (mean, covariance)]
        with torch.no_grad():
            kernel("render_gaussians", Sample("", (*leaves, (5, 37))), out=buffer[:, 2:-3])
        assert (buffer[:, :2] == 7).all() and (buffer[:, -3:] == 7).all()
        arriving = torch.full_like(buffer, torch.nan)
        arriving[:, 2:-3] = weights.to(kernel.device)
        image = kernel("render_gaussians", Sample("", (*leaves, (5, 37)), {"dtype": dtype}))
        found = torch.autograd.grad(image, leaves, arriving[:, 2:-3])
        results.append((buffer[:, 2:-3], *found))
        assert torch.equal(results[-1][0], image)
    for plain, other in zip(*results, strict=True):
        assert torch.equal(plain, other)


def test_half_gradients_of_every_kind(kernel, reference):
    """Subnormal, negative, large and tiny numbers arrive as they are."""
    mean, covariance = blobs(1, 1)
    kinds = torch.tensor([0.0, -0.0, 6e-8, -5.9e-5, 6.1e-5, 1.0, -3.5, 65504.0, 0.333])
    for dtype in (torch.float16, torch.bfloat16):
        weights = kinds.repeat(64).reshape(1, 1, 16, 36).to(dtype)
        results = []
        for owner in (kernel, reference):
            leaf = mean.to(owner.device).requires_grad_()
            call = Sample("", (leaf, covariance.to(owner.device), (16, 36)), {"dtype": dtype})
            image = owner("render_gaussians", call)
            (found,) = torch.autograd.grad(image, leaf, weights.to(owner.device))
            results.append(found.cpu())
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-1)


def test_size_as_a_number_or_a_pair(owner):
    mean, covariance = blobs()
    assert torch.equal(draw(owner, mean, covariance, 17), draw(owner, mean, covariance, (17, 17)))
    assert draw(owner, mean, covariance, [5, 9]).shape == (3, 4, 5, 9)


# --- wiring ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_only_the_gradients_that_are_wanted(owner, wanted):
    leaves = [t.to(owner.device) for t in templates()]
    everything = [t.clone().requires_grad_() for t in leaves]
    some = [t.clone().requires_grad_(i in wanted) for i, t in enumerate(leaves)]
    for mean, covariance, affine in (everything, some):
        call = Sample("", (mean, covariance, 9, affine))
        owner("render_gaussians", call).square().sum().backward()
    for i, (want, got) in enumerate(zip(everything, some, strict=True)):
        assert (got.grad is not None) == (i in wanted)
        if got.grad is not None and want.grad is not None:
            assert torch.equal(got.grad, want.grad)


def test_the_operator_computes_nothing_that_is_not_wanted(owner):
    kernel = OPERATORS["render_gaussians"].using(owner.backend, "backward")
    mean, covariance, affine = (t.to(owner.device) for t in templates())
    arriving = torch.ones(3, 4, 8, 8, device=owner.device)
    shapes = (mean.shape, covariance.shape, affine.shape)
    for needs in ((True, False, False), (False, True, False), (False, False, True)):
        found = kernel(arriving, mean, covariance, affine, 0.0, 0.0, *needs)
        for needed, shape, gradient in zip(needs, shapes, found, strict=True):
            assert gradient.shape == (shape if needed else (0,))


@torch._dynamo.config.patch(recompile_limit=16)
def test_compiles_for_other_sizes_and_kinds():
    torch._dynamo.reset()
    compiled = torch.compile(ops.render_gaussians, fullgraph=True, backend="aot_eager")
    mean, covariance = blobs()
    for size in (8, (5, 9)):
        for spread in (covariance, covariance[0], covariance[0, 0], 0.1):
            expected = ops.render_gaussians(mean, spread, size, jitter=0.01)
            assert torch.equal(compiled(mean, spread, size, jitter=0.01), expected)
        mean_, covariance_, affine = templates()
        expected = ops.render_gaussians(mean_, covariance_, size, affine)
        assert torch.equal(compiled(mean_, covariance_, size, affine), expected)


@pytest.mark.parametrize("role", ["forward", "into", "backward"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": torch.zeros(2, 3, 3)},
        {"mean": torch.zeros(3, 2)},
        {"mean": torch.zeros(2, 3, 2).half()},
        {"covariance": torch.zeros(2, 2, 2, 2)},
        {"covariance": torch.zeros(1, 3, 2, 2)},
        {"covariance": torch.zeros(3, 2, 2)},
        {"covariance": torch.zeros(2, 3, 2, 1)},
        {"covariance": torch.zeros(2, 3, 2, 2).double()},
        {"affine": torch.zeros(2, 3, 2, 3)},
        {"mean": torch.zeros(3, 2), "covariance": None, "affine": torch.zeros(2, 4, 2, 3)},
        {"mean": torch.zeros(3, 2), "covariance": None, "affine": torch.zeros(2, 3, 2, 2)},
        {"mean": torch.zeros(3, 2), "covariance": None, "affine": torch.zeros(2, 3, 2, 3).double()},
    ],
    ids=lambda w: "-".join(f"{k}{tuple(v.shape) if v is not None else ''}" for k, v in w.items()),
)
def test_the_bare_operator_refuses_what_would_leave_its_memory(role, wrong):
    """Below the public checks there are those that memory safety needs."""
    if OPERATORS["render_gaussians"].owner("cpu") != "cpu":
        pytest.skip("the native cpu library is not built")
    given = {"mean": torch.zeros(2, 3, 2), "covariance": None, "affine": None, **wrong}
    inputs, widening = tuple(given.values()), (0.1, 0.0)
    kernel, image = OPERATORS["render_gaussians"].overload(role), torch.zeros(2, 3, 8, 8)
    with pytest.raises(RuntimeError, match="fastpose"):
        if role == "forward":
            kernel(*inputs, 8, 8, *widening, torch.float32)
        elif role == "into":
            kernel(*inputs, *widening, image)
        else:
            kernel(image, *inputs, *widening, True, True, True)


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (2, 2, 8, 8), (3, 8, 8)])
def test_the_bare_operator_refuses_other_maps(shape):
    if OPERATORS["render_gaussians"].owner("cpu") != "cpu":
        pytest.skip("the native cpu library is not built")
    mean, operator = torch.zeros(2, 3, 2), OPERATORS["render_gaussians"]
    with pytest.raises(RuntimeError, match="fastpose"):
        operator.overload("into")(mean, None, None, 0.1, 0.0, torch.zeros(shape))
    with pytest.raises(RuntimeError, match="fastpose"):
        operator.overload("backward")(
            torch.zeros(shape), mean, None, None, 0.1, 0.0, True, True, True
        )
