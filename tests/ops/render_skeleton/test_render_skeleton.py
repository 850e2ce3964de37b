"""What the public function promises beyond the generic tests, for every owner."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpose import ops
from fastpose.ops.samples import Sample

CHAIN = ((0, 1), (1, 2), (2, 3))


def draw(owner, points, limbs, size, **keywords):
    return owner("render_skeleton", Sample("", (points, limbs, size), keywords)).cpu()


def grads(owner, points, limbs, size, **keywords):
    leaf = points.detach().clone().requires_grad_()
    image = draw(owner, leaf, limbs, size, **keywords)
    return image.detach(), torch.autograd.grad(image.sum(), leaf)[0]


def some_points(batch=2, joints=4, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, joints, 2, generator=generator, dtype=dtype) * 1.6 - 0.8


# --- numbers that are not finite ------------------------------------------------------------------


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e30])
def test_a_bad_joint_reaches_its_channels_in_its_image_only(owner, value):
    points = some_points(3)
    points[1, 2, 0] = value
    limbs, channels = ((0, 1), (1, 2), (0, 3), (2, 3)), (0, 1, 2, 2)
    image, grad = grads(owner, points, limbs, (10, 40), channels=channels)
    good, good_grad = grads(owner, some_points(3), limbs, (10, 40), channels=channels)
    assert image[1, 1].isnan().all() and image[1, 2].isnan().all()
    image[1, 1:] = good[1, 1:]
    assert torch.equal(image, good)
    # Joints 1 and 2 of channel 1 and 2 and 3 of channel 2 belong to limbs that are NaN.
    assert grad[1, 1:].isnan().all()
    assert torch.equal(grad[[0, 2]], good_grad[[0, 2]])
    assert grad[1, 0].isfinite().all()


def test_a_bad_joint_spares_the_long_channel_before_it(owner):
    points = some_points(1, joints=24)
    points[0, 23] = torch.inf
    chain = tuple((joint, joint + 1) for joint in range(20))
    image = draw(owner, points, (*chain, (22, 23)), (40, 70), channels=(0,) * 20 + (1,))
    assert torch.equal(image[:, :1], draw(owner, points, chain, (40, 70)))
    assert image[0, 1].isnan().all()


def test_a_bad_mean_is_a_bad_end(owner):
    points = some_points(1)
    points[0, 3] = torch.nan
    assert draw(owner, points, ((0, (1, 3)),), 8).isnan().all()
    assert draw(owner, points, ((0, (1, 2)),), 8).isfinite().all()


@pytest.mark.parametrize("reach", [1e2, 1e6, 1e12, 1e17])
def test_joints_far_off_the_image(owner, reach):
    points = some_points(1)
    points[0, 3] = torch.tensor([reach, -reach])
    image, grad = grads(owner, points, CHAIN, 32)
    assert ((image >= 0) & (image <= 1)).all()
    assert grad.isfinite().all()


def test_nothing_on_the_image_is_an_empty_drawing(owner):
    points = some_points() + 1000
    image, grad = grads(owner, points, CHAIN, 32)
    assert (image == 0).all() and (grad == 0).all()


# --- channels -------------------------------------------------------------------------------------


def test_a_channel_without_limbs_is_empty(owner):
    image = draw(owner, some_points(), CHAIN, 20, channels=(3, 0, 3))
    assert image.shape[1] == 4
    assert (image[:, 1:3] == 0).all() and (image[:, [0, 3]] > 0).all()


def test_channels_are_drawings_of_their_own(owner):
    points = some_points(2, 6)
    limbs = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))
    together, grad = grads(owner, points, limbs, (33, 18), channels=(1, 0, 1, 2, 0))
    total = torch.zeros_like(grad)
    for channel, own in enumerate((((1, 2), (4, 5)), ((0, 1), (2, 3)), ((3, 4),))):
        alone, own_grad = grads(owner, points, own, (33, 18))
        assert torch.equal(together[:, channel], alone[:, 0])
        total += own_grad
    torch.testing.assert_close(grad, total)


def test_five_hundred_limbs(kernel, reference):
    points = some_points(1, 33)
    limbs = tuple((i, j) for i in range(33) for j in range(i + 1, 33))[:512]
    channels = tuple(e % 3 for e in range(512))
    for keywords in ({}, {"channels": channels}):
        image, grad = grads(kernel, points, limbs, (24, 37), **keywords)
        expected, expected_grad = grads(reference, points.double(), limbs, (24, 37), **keywords)
        torch.testing.assert_close(image.double(), expected, rtol=1e-4, atol=1e-5)
        near = torch.nn.functional.cosine_similarity(
            grad.double().flatten(), expected_grad.flatten(), 0
        )
        assert near > 0.999  # some of the many pixels lie between two limbs


@pytest.mark.parametrize("limbs", [((0, 1), (2, 3)), ((4, 5), (2, 3), (0, 1))])
def test_the_first_of_equal_limbs_gets_the_gradient(owner, limbs):
    near, far = [[-0.5, -0.2], [0.6, 0.3]], [[-0.9, 0.9], [0.9, 0.9]]
    _, grad = grads(owner, torch.tensor([near + near + far]), limbs, (20, 37))
    first, second = limbs[-2:]
    assert (grad[0, first].abs() > 1).all() and (grad[0, second] == 0).all()


# --- invariants -----------------------------------------------------------------------------------

# In steps, so that a limb does not lose or gain its direction by being moved.
coordinate = st.integers(-96, 96).map(lambda step: step / 64)
joints = st.lists(st.tuples(coordinate, coordinate), min_size=4, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(joints, st.floats(1, 40), st.sampled_from(["exponential", "gaussian"]), st.booleans())
def test_invariants(points, sharpness, profile, wide):
    points = torch.tensor([points], dtype=torch.float64)
    widths = (0.2, 0.0, 0.4) if wide else None

    def image(points, limbs=CHAIN, widths=widths, size=(19, 23)):
        return ops.render_skeleton(
            points, limbs, size, sharpness=sharpness, profile=profile, widths=widths
        )

    drawn = image(points)
    assert drawn.min() >= 0 and drawn.max() <= 1
    other = image(points, CHAIN[::-1], widths and widths[::-1])
    assert torch.equal(drawn, other)  # the order of limbs does not matter
    mirrored = image(points * torch.tensor([-1.0, 1.0]))
    torch.testing.assert_close(mirrored, drawn.flip(3), rtol=1e-6, atol=1e-9)
    turned = image(points.flip(2), size=(23, 19))
    torch.testing.assert_close(turned.mT, drawn, rtol=1e-6, atol=1e-9)
    reversed_ends = image(points, tuple((b, a) for a, b in CHAIN))
    torch.testing.assert_close(reversed_ends, drawn, rtol=1e-6, atol=1e-9)
    pixel = torch.tensor([2 / 22, 2 / 18], dtype=torch.float64)
    moved = image(points + torch.tensor([3.0, -2.0]) * pixel)
    torch.testing.assert_close(moved[..., :-2, 3:], drawn[..., 2:, :-3], rtol=1e-6, atol=1e-9)
    more = image(points, (*CHAIN, (3, 0)), widths and (*widths, 0.1))
    assert (more >= drawn).all()  # a limb only adds


# --- the call -------------------------------------------------------------------------------------


def test_size_as_a_number_or_a_pair(owner):
    points = some_points()
    assert torch.equal(draw(owner, points, CHAIN, 17), draw(owner, points, CHAIN, (17, 17)))
    assert draw(owner, points, CHAIN, [5, 9]).shape == (2, 1, 5, 9)


def test_every_size_of_tile(kernel, reference):
    """Heights and widths around the borders of tiles, blocks and bands."""
    points = some_points(1)
    for height in (1, 7, 8, 9, 31, 32, 33, 65):
        for width in (1, 15, 16, 17, 63, 64, 65, 129):
            image, grad = grads(kernel, points, CHAIN, (height, width))
            expected, expected_grad = grads(reference, points.double(), CHAIN, (height, width))
            torch.testing.assert_close(image.double(), expected, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(grad.double(), expected_grad, rtol=1e-3, atol=1e-2)


def test_compiles_for_other_limbs_and_sizes():
    torch._dynamo.reset()
    compiled = torch.compile(ops.render_skeleton, fullgraph=True, backend="aot_eager")
    points = some_points()
    for limbs in (CHAIN, ((0, 3),), [[1, 2], [0, [2, 3]]], [[1, 3], [0, [2, 3]]]):
        for size in (8, (5, 9)):
            expected = ops.render_skeleton(points, limbs, size)
            assert torch.equal(compiled(points, limbs, size), expected)


def test_compiles_inside_a_model():
    class Model(torch.nn.Module):
        limbs = CHAIN

        def forward(self, points):
            return 2 * ops.render_skeleton(points, self.limbs, 16, channels=(0, 1, 0)) - 1

    torch._dynamo.reset()
    model, points = Model(), some_points().requires_grad_()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    results = [torch.autograd.grad(m(points).square().sum(), points)[0] for m in (model, compiled)]
    torch.testing.assert_close(*results)


@pytest.mark.parametrize(("dtype", "dropped"), [(torch.bfloat16, 16), (torch.float16, 13)])
def test_narrow_results_are_rounded_to_even(kernel, dtype, dropped):
    points = some_points(1)
    plain = draw(kernel, points, CHAIN, 1024, sharpness=3.0)
    digits = plain.view(torch.int32) & (1 << dropped) - 1
    assert (digits == 1 << dropped - 1).sum() > 2  # as far from one narrow number as from the next
    narrow = draw(kernel, points, CHAIN, 1024, sharpness=3.0, dtype=dtype)
    assert torch.equal(narrow, plain.to(dtype))


def test_half_gradients_of_every_kind(kernel, reference):
    """Subnormal, negative, large and tiny numbers arrive as they are."""
    points = some_points(1)
    kinds = torch.tensor([0.0, -0.0, 6e-8, -5.9e-5, 6.1e-5, 1.0, -3.5, 65504.0, 0.333])
    for dtype in (torch.float16, torch.bfloat16):
        weights = kinds.repeat(64).reshape(1, 1, 16, 36).to(dtype)
        results = []
        for owner in (kernel, reference):
            leaf = points.to(owner.device).requires_grad_()
            image = owner("render_skeleton", Sample("", (leaf, CHAIN, (16, 36)), {"dtype": dtype}))
            image.backward(weights.to(owner.device))
            results.append(leaf.grad.cpu())
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-1)


@pytest.mark.parametrize("role", ["forward", "backward"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"plan": torch.tensor([0, 1, 0, 1, 2, 0, 9], dtype=torch.int32)},  # joint 9 of 2
        {"plan": torch.tensor([0, 1, 0, 1, 2, 0, 2], dtype=torch.int32)},
        {"plan": torch.tensor([0, 1, 0, 1, 2, 0, -1], dtype=torch.int32)},
        {"plan": torch.tensor([0, 1, 0, 1, 7, 0, 1], dtype=torch.int32)},
        {"plan": torch.tensor([0, 2, 0, 1, 2, 0, 1], dtype=torch.int32)},
        {"plan": torch.tensor([0, 1, 0, 1], dtype=torch.int32)},
        {"plan": torch.tensor([0, 1, 0, 1, 2, 0, 1])},  # int64
        {"widths": torch.ones(3)},
        {"limbs": 0},
        {"limbs": 513},
        {"limbs": -1},
    ],
    ids=lambda w: "-".join(w),
)
def test_the_bare_operator_refuses_what_would_leave_its_memory(role, wrong):
    """Below the public checks there are those that memory safety needs."""
    if ops.registry.OPERATORS["render_skeleton"].owner("cpu") != "cpu":
        pytest.skip("the native cpu library is not built")
    plan = torch.tensor([0, 1, 0, 1, 2, 0, 1], dtype=torch.int32)
    given = {"plan": plan, "widths": None, "limbs": 1, **wrong}
    static = (torch.zeros(1, 2, 2), *given.values())
    with pytest.raises(RuntimeError, match="fastpose"):
        if role == "forward":
            torch.ops.fastpose.render_skeleton(*static, 1, 8, 8, 25.0, 0, 1e-6, torch.float32)
        else:
            grad = torch.zeros(1, 1, 8, 8)
            torch.ops.fastpose.render_skeleton_backward(grad, *static, 25.0, 0, 1e-6)
