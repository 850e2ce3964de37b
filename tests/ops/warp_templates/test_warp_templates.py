"""What the public function promises beyond the generic tests, for every owner."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpose import ops
from fastpose.ops.samples import Sample, generator
from fastpose.ops.warp_templates.samples import blobs, lattice_gaps, random_affine

TEMPLATE, SIZE = (14, 17), (18, 21)


def warp(owner, templates, affine, size, **keywords):
    return owner("warp_templates", Sample("", (templates, affine, size), keywords)).cpu()


def grads(owner, templates, affine, size, weights=None, **keywords):
    leaves = [t.detach().clone().requires_grad_() for t in (templates, affine)]
    image = warp(owner, *leaves, size, **keywords)
    weights = torch.ones_like(image) if weights is None else weights
    return image.detach(), *torch.autograd.grad(image, leaves, weights)


def some_templates(count=2, template=TEMPLATE, seed=0, dtype=torch.float32):
    return torch.rand(count, *template, generator=generator(seed), dtype=dtype)


def some_affine(batch=3, count=2, seed=0, dtype=torch.float32, **how):
    return random_affine(seed, batch, count, TEMPLATE, SIZE, turn=math.pi, **how).to(dtype)


# --- maps and numbers without an answer -----------------------------------------------------------

SINGULAR = {
    "zero": [[0.0, 0, 1], [0, 0, 1]],
    "rank_one": [[1.0, 2, 0], [2, 4, 0]],
    "rank_one_after_rounding": [[0.1, 0.3, 0], [0.2, 0.6, 0]],
    "one_axis": [[1.0, 0, 0], [0, 0, 0]],
    "nan": [[math.nan, 0, 0], [0, 1, 0]],
    "nan_shift": [[1.0, 0, 0], [0, 1, math.nan]],
    "infinite": [[1.0, 0, 0], [math.inf, 1, 0]],
    "infinite_shift": [[1.0, 0, -math.inf], [0, 1, 0]],
    "too_small": [[1e-25, 0, 0], [0, 1e-25, 0]],
    "too_large": [[1e25, 0, 0], [0, 1e25, 0]],
    "too_thin": [[1e30, 0, 0], [0, 1e-45, 0]],
}


@pytest.mark.parametrize("name", SINGULAR)
def test_a_singular_map_is_nan_and_nothing_else_is(owner, name):
    templates, affine = some_templates(), some_affine()
    good, good_templates, good_affine = grads(owner, templates, affine, SIZE)
    affine[1, 0] = torch.tensor(SINGULAR[name])
    image, grad_templates, grad_affine = grads(owner, templates, affine, SIZE)
    assert image[1, 0].isnan().all() and grad_affine[1, 0].isnan().all()
    assert grad_templates[0].isnan().all()
    assert torch.equal(grad_templates[1], good_templates[1])
    image[1, 0], grad_affine[1, 0] = good[1, 0], good_affine[1, 0]
    assert torch.equal(image, good) and torch.equal(grad_affine, good_affine)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_nan_in_every_type_of_result(owner, dtype):
    affine = some_affine(1)
    affine[0, 1] = 0
    image = warp(owner, some_templates(), affine, SIZE, dtype=dtype)
    assert image.dtype == dtype
    assert image[0, 1].isnan().all() and image[0, 0].isfinite().all()


def test_what_is_singular_depends_on_the_type(owner):
    """1e-25 squared is 0 in float32, but not in float64."""
    templates = some_templates(dtype=torch.float64)
    affine = torch.eye(2, 3, dtype=torch.float64).expand(1, 2, 2, 3) * 1e-25
    assert warp(owner, templates, affine, 4).isfinite().all()
    assert warp(owner, templates.float(), affine.float(), 4).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reach", [1e4, 1e9, 1e18, 1e30])
def test_maps_that_are_far_off(owner, dtype, reach):
    """Nothing is drawn, nothing moves, and no address is computed from such numbers."""
    affine = some_affine(2, dtype=dtype)
    affine[0, :, :, 2] += reach
    affine[1, :, 0, 2] -= reach
    image, *gradients = grads(owner, some_templates(dtype=dtype), affine, SIZE)
    assert (image == 0).all()
    assert all((g == 0).all() for g in gradients)


@pytest.mark.parametrize("scale", [1e-18, 1e-9, 1e-4, 1e4, 1e9, 1e18])
def test_maps_that_are_tiny_or_huge(owner, scale):
    """The template shrinks to one pixel, or one texel square fills the image."""
    templates = some_templates()
    middle = torch.tensor([8.25, 6.75])
    affine = torch.eye(2, 3).repeat(1, 2, 1, 1)
    affine[..., :2] *= scale
    affine[..., 2] = torch.tensor([10.0, 9.0]) - scale * middle
    image, grad_templates, grad_affine = grads(owner, templates, affine, SIZE)
    assert ((image >= 0) & (image <= 1)).all()
    assert grad_templates.isfinite().all() and grad_affine.isfinite().all()
    if scale > 1:
        assert (image > 0).all()
    else:
        assert (image > 0).sum() <= 2


def test_one_far_entry_in_the_matrix(owner):
    """Such a map is regular: it squeezes the template into a line."""
    affine = torch.tensor([[[[1e30, 0, 0], [0, 1, 0]]] * 2])
    image = warp(owner, some_templates(), affine, SIZE)
    templates = some_templates()
    assert torch.equal(image[0, :, :14], templates[:, :, :1].expand(2, 14, 21))
    assert (image[0, :, 14:] == 0).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_texel_that_is_not_finite_spoils_what_sees_it(owner, value):
    templates, affine = some_templates(), some_affine()
    good, _, good_affine = grads(owner, templates, affine, SIZE)
    templates[1, 6, 8] = value
    image, _, grad_affine = grads(owner, templates, affine, SIZE)
    spoilt = ~image.isfinite()
    assert spoilt[:, 1].any() and not spoilt[:, 0].any()
    assert spoilt[:, 1].flatten(1).sum(1).max() < 40
    assert torch.equal(image[~spoilt], good[~spoilt])
    assert torch.equal(grad_affine[:, 0], good_affine[:, 0])
    assert not grad_affine[:, 1].isfinite().all(-1).all(-1).any()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_reaches_what_it_would_move(owner, value):
    """A pixel off the template, or one that sees only zeros, moves nothing."""
    templates, affine = blobs(2, *TEMPLATE).float(), some_affine(1)
    affine[0, :, :, :2] *= 0.6
    image, good_templates, good_affine = grads(owner, templates, affine, SIZE)
    weights = torch.ones_like(image)
    ones = warp(owner, torch.ones(2, *TEMPLATE), affine, SIZE)
    off = ones == 0
    assert off.any() and (image[~off] == 0).any()
    weights[off] = value
    _, grad_templates, grad_affine = grads(owner, templates, affine, SIZE, weights)
    assert torch.equal(grad_templates, good_templates)
    assert torch.equal(grad_affine, good_affine)
    empty = torch.nn.functional.max_pool2d(image, 3, 1, 1) == 0  # no slope there either
    assert (empty & ~off).any()
    weights = torch.ones_like(image).where(~empty, value)
    _, grad_templates, grad_affine = grads(owner, templates, affine, SIZE, weights)
    torch.testing.assert_close(grad_affine, good_affine)
    assert not grad_templates.isfinite().all()
    weights = torch.ones_like(image)
    weights[0, 1, image[0, 1].argmax() // SIZE[1], image[0, 1].argmax() % SIZE[1]] = value
    _, grad_templates, grad_affine = grads(owner, templates, affine, SIZE, weights)
    assert torch.equal(grad_affine[0, 0], good_affine[0, 0])
    assert not grad_affine[0, 1].isfinite().any()
    assert (~grad_templates[1].isfinite()).sum() == 4


# --- invariants -----------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(0.3, 3), st.booleans())
def test_invariants(seed, scale, mirrored):
    templates = some_templates(seed=seed, dtype=torch.float64)
    affine = some_affine(2, seed=seed, dtype=torch.float64, scale=scale, mirrored=mirrored)

    def image(templates, affine, size=SIZE):
        return ops.warp_templates(templates, affine, size)

    drawn = image(templates, affine)
    assert drawn.min() >= 0 and drawn.max() <= templates.max()
    doubled = image(3 * templates - 1, affine)  # linear in the templates
    ones = image(torch.ones_like(templates), affine)
    torch.testing.assert_close(doubled, 3 * drawn - ones, rtol=1e-9, atol=1e-9)
    moved = affine.clone()
    moved[..., 2] += torch.tensor([3.0, -2.0])
    torch.testing.assert_close(
        image(templates, moved)[..., :-2, 3:], drawn[..., 2:, :-3], rtol=1e-9, atol=1e-9
    )
    mirror = torch.tensor([[-1.0, 0], [0, 1]], dtype=torch.float64)
    edge = torch.tensor([SIZE[1] - 1.0, 0], dtype=torch.float64)[:, None]
    turned = mirror @ affine
    turned[..., 2:] += edge
    torch.testing.assert_close(image(templates, turned), drawn.flip(3), rtol=1e-9, atol=1e-9)
    swapped = image(templates.mT.contiguous(), affine.flip(2)[..., [1, 0, 2]], SIZE[::-1])
    torch.testing.assert_close(swapped.mT, drawn, rtol=1e-9, atol=1e-9)
    padded = torch.nn.functional.pad(templates, (4, 3, 2, 5))
    further = affine.clone()
    further[..., 2] -= affine[..., :2] @ torch.tensor([4.0, 2], dtype=torch.float64)
    torch.testing.assert_close(image(padded, further), drawn, rtol=1e-9, atol=1e-9)


def test_every_map_has_its_own_template(owner):
    templates, affine = some_templates(4), some_affine(2, 4)
    together = warp(owner, templates, affine, SIZE)
    for k in range(4):
        alone = warp(owner, templates[k : k + 1], affine[:, k : k + 1], SIZE)
        assert torch.equal(alone, together[:, k : k + 1])


def test_gradient_of_templates_adds_up_over_the_batch(owner):
    templates, affine = some_templates(dtype=torch.float64), some_affine(5, dtype=torch.float64)
    _, together, _ = grads(owner, templates, affine, SIZE)
    alone = [grads(owner, templates, affine[b : b + 1], SIZE)[1] for b in range(5)]
    torch.testing.assert_close(together, sum(alone), rtol=1e-12, atol=1e-12)


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("turn", [0.0, math.pi])
def test_every_size_of_block(kernel, reference, scale, turn):
    """Heights, widths and templates around the borders of blocks, tiles and bands."""
    for height, width in ((1, 5), (3, 4), (4, 3), (5, 17), (17, 31), (33, 32), (130, 9), (9, 130)):
        for template in ((1, 3), (7, 8), (31, 33), (64, 5)):
            size = (height, width)
            affine = random_affine(height, 2, 2, template, size, scale, turn or 1e-9)
            affine = affine.float().double()
            templates = some_templates(2, template, dtype=torch.float64)
            weights = torch.randn(2, 2, *size, generator=generator(1), dtype=torch.float64)
            weights[lattice_gaps(affine, template, size) < 2e-3] = 0
            expected = grads(reference, templates, affine, size, weights)
            got = grads(kernel, templates.float(), affine.float(), size, weights.float())
            for own, want in zip(got, expected, strict=True):
                scale_of = float(want.abs().max()) + 1
                torch.testing.assert_close(own.double(), want, rtol=1e-4, atol=2e-5 * scale_of)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("height", [3, 8])
def test_nothing_beside_an_image_that_is_all_template_is_written(owner, height, dtype):
    """Blocks that hang over the end of a row leave what lies there alone."""
    templates = 1 + torch.rand(2, 24, 40, generator=generator(0), dtype=torch.float64)
    affine = torch.tensor([[1.0, 0.0, -2.5], [0.0, 1.0, -3.5]]).expand(3, 2, 2, 3)
    if dtype != torch.float64:
        templates = templates.float()
    for width in range(1, 21):
        buffer = torch.full((3, 2, height + 2, width + 20), 7.0, dtype=dtype, device=owner.device)
        inside = torch.zeros_like(buffer, dtype=torch.bool)
        inside[..., 1:-1, 4:-16] = True
        image = warp(
            owner, templates, affine.to(templates), (height, width), out=buffer[..., 1:-1, 4:-16]
        )
        assert (image >= 1).all()
        assert (buffer[~inside] == 7).all()


def test_a_small_part_of_a_large_image(kernel, reference):
    """Sums keep their digits wherever the template lands."""
    templates = some_templates(1, (9, 9))
    weights = torch.randn(1, 1, 390, 410, generator=generator(2))
    for x, y in ((3.3, 4.2), (401.7, 5.3), (200.4, 380.6)):
        affine = torch.tensor([[[[0.41, 0.13, x], [-0.09, 0.37, y]]]])
        exact = grads(
            reference, templates.double(), affine.double(), weights.shape[2:], weights.double()
        )
        plain = grads(reference, templates, affine, weights.shape[2:], weights)
        own = grads(kernel, templates, affine, weights.shape[2:], weights)
        for got, want, other in zip(own, exact, plain, strict=True):
            assert (got - want).norm() <= 2 * (other - want).norm() + 1e-6 * want.norm()


def test_size_as_a_number_or_a_pair(owner):
    templates, affine = some_templates(), some_affine()
    square = warp(owner, templates, affine, 17)
    assert torch.equal(square, warp(owner, templates, affine, (17, 17)))
    assert warp(owner, templates, affine, [5, 9]).shape == (3, 2, 5, 9)


def test_without_templates_there_is_nothing(owner):
    templates, affine = some_templates(0), some_affine(2, 0)
    image, grad_templates, grad_affine = grads(owner, templates, affine, SIZE)
    assert image.shape == (2, 0, *SIZE)
    assert grad_templates.shape == templates.shape and grad_affine.shape == affine.shape


def test_an_empty_batch_gives_templates_a_gradient_of_zero(owner):
    image, grad_templates, _ = grads(owner, some_templates(), some_affine(0), SIZE)
    assert image.shape == (0, 2, *SIZE)
    assert (grad_templates == 0).all()


# --- the call -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["templates", "affine"])
def test_only_the_wanted_gradient_is_formed(owner, wanted):
    templates, affine = some_templates(), some_affine()
    _, *both = grads(owner, templates, affine, SIZE)
    given = {"templates": templates.clone(), "affine": affine.clone()}
    given[wanted].requires_grad_()
    image = warp(owner, given["templates"], given["affine"], SIZE)
    (alone,) = torch.autograd.grad(image.sum(), given[wanted])
    assert torch.equal(alone, both[0] if wanted == "templates" else both[1])
    flags = (wanted == "templates", wanted == "affine")
    gradient = torch.ones(image.shape)
    kernel = ops.registry.OPERATORS["warp_templates"].kernel(owner.backend, "backward")
    results = kernel(gradient, templates, affine, *flags)
    assert [r.numel() > 0 for r in results] == list(flags)


def test_half_gradients_of_every_kind(kernel, reference):
    """Subnormal, negative, large and tiny numbers arrive as they are."""
    templates, affine = some_templates(), some_affine(1)
    kinds = torch.tensor([0.0, -0.0, 6e-8, -5.9e-5, 6.1e-5, 1.0, -3.5, 65504.0, 0.333])
    for dtype in (torch.float16, torch.bfloat16):
        weights = kinds.repeat(84).reshape(1, 2, *SIZE).to(dtype)
        results = [
            grads(owner, templates, affine, SIZE, weights, dtype=dtype)[1:]
            for owner in (kernel, reference)
        ]
        for got, want in zip(*results, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6 * float(want.abs().max()))


def test_compiles_for_other_sizes():
    torch._dynamo.reset()
    compiled = torch.compile(ops.warp_templates, fullgraph=True, backend="aot_eager")
    templates, affine = some_templates(), some_affine()
    for size in (8, (5, 9), (9, 5)):
        expected = ops.warp_templates(templates, affine, size)
        assert torch.equal(compiled(templates, affine, size), expected)


@pytest.mark.parametrize("role", ["forward", "into", "backward"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"templates": torch.zeros(2, 4)},
        {"templates": torch.zeros(2, 0, 4)},
        {"templates": torch.zeros(3, 4, 4)},
        {"templates": torch.zeros(2, 4, 4).half()},
        {"templates": torch.zeros(2, 4, 4).double()},
        {"affine": torch.zeros(1, 2, 3, 3)},
        {"affine": torch.zeros(1, 2, 2, 2)},
        {"affine": torch.zeros(2, 2, 3)},
        {"image": torch.zeros(2, 2, 8, 8)},
        {"image": torch.zeros(1, 3, 8, 8)},
        {"image": torch.zeros(1, 2, 8, 0)},
        {"image": torch.zeros(2, 8, 8)},
    ],
    ids=lambda w: "-".join(f"{k}_{'x'.join(map(str, v.shape))}_{v.dtype}" for k, v in w.items()),
)
def test_the_bare_operator_refuses_what_would_leave_its_memory(role, wrong):
    """Below the public checks there are those that memory safety needs."""
    if ops.registry.OPERATORS["warp_templates"].owner("cpu") != "cpu":
        pytest.skip("the native cpu library is not built")
    given = {
        "templates": torch.zeros(2, 4, 4),
        "affine": torch.eye(2, 3).repeat(1, 2, 1, 1),
        "image": torch.zeros(1, 2, 8, 8),
        **wrong,
    }
    templates, affine, image = given.values()
    if role == "forward" and "image" in wrong:
        pytest.skip("makes its own image")
    with pytest.raises(RuntimeError, match="fastpose"):
        if role == "forward":
            torch.ops.fastpose.warp_templates(templates, affine, 8, 8, torch.float32)
        elif role == "into":
            torch.ops.fastpose.warp_templates_out(templates, affine, image)
        else:
            torch.ops.fastpose.warp_templates_backward(image, templates, affine, True, True)
