"""What the public function promises beyond the generic tests, for every owner."""

from __future__ import annotations

import pytest
import torch

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.samples import Sample

MODES = ("marginal", "joint")
NARROW = (torch.bfloat16, torch.float16)


def some_logits(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * 3).to(dtype)


def decode(owner, logits, **keywords):
    """points, confidence on the CPU."""
    maps = logits.shape[1]
    result = owner("soft_argmax", Sample("", (logits,), keywords)).cpu()
    return result[:, : 2 * maps].unflatten(1, (maps, 2)), result[:, 2 * maps :]


def decoded(owner, logits, to_points=1.0, to_confidence=1.0, **keywords):
    """points, confidence and the gradient of a mixture of them, with those two weights."""
    leaf = logits.detach().requires_grad_()
    points, confidence = decode(owner, leaf, **keywords)
    weights = torch.cos(torch.arange(points.numel())).view(points.shape).to(points)
    loss = to_points * (points * weights).sum() + to_confidence * (confidence * 0.7).sum()
    return points.detach(), confidence.detach(), torch.autograd.grad(loss, leaf)[0]


def assert_same(results, others, **tolerances):
    for found, expected in zip(results, others, strict=True):
        torch.testing.assert_close(found, expected, equal_nan=True, **tolerances)


# --- memory formats -------------------------------------------------------------------------------

COUNTS = (2, 3, 5, 7, 8, 15, 16, 17, 30, 32, 33, 48, 70)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", COUNTS)
def test_channels_last(owner, mode, count):
    for seed, size in enumerate([(16, 16), (9, 13), (1, 7), (17, 1), (3, 40)]):
        logits = some_logits(2, count, *size, seed=seed)
        own = decoded(owner, logits.contiguous(memory_format=torch.channels_last), mode=mode)
        assert own[2].is_contiguous(memory_format=torch.channels_last)
        assert_same(own, decoded(owner, logits, mode=mode), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("mode", MODES)
def test_maps_of_a_larger_tensor(owner, mode):
    plain = some_logits(2, 6, 12, 10)
    expected = decoded(owner, plain[:, 1:4], mode=mode)
    wide = plain.contiguous(memory_format=torch.channels_last)
    assert_same(decoded(owner, wide[:, 1:4], mode=mode), expected, rtol=1e-5, atol=2e-6)
    expected = decoded(owner, plain[:, :, 2:9, 3:8], mode=mode)
    found = decoded(owner, wide[:, :, 2:9, 3:8], mode=mode)
    assert_same(found, expected, rtol=1e-5, atol=2e-6)
    assert found[2].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("mode", MODES)
def test_one_map_and_one_pixel_are_not_ambiguous(owner, mode):
    for shape in ((2, 1, 5, 6), (2, 4, 1, 1), (2, 1, 1, 1), (2, 4, 5, 1)):
        logits = some_logits(*shape)
        turned = logits.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        found = decoded(owner, turned, mode=mode)
        assert_same(found, decoded(owner, logits, mode=mode), rtol=1e-5, atol=1e-6)


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_narrow_logits_lose_nothing_but_their_own_rounding(owner, mode, dtype, form):
    for shape in ((2, 5, 12, 20), (1, 17, 16, 16), (1, 3, 5, 33)):
        logits = some_logits(*shape, dtype=dtype).contiguous(memory_format=form)
        points, confidence, grad = decoded(owner, logits, mode=mode)
        wide = decoded(owner, logits.float(), mode=mode)
        assert points.dtype == confidence.dtype == torch.float32 and grad.dtype == dtype
        assert torch.equal(points, wide[0]) and torch.equal(confidence, wide[1])
        assert torch.equal(grad, wide[2].to(dtype))


@pytest.mark.parametrize("mode", MODES)
def test_autocast_changes_nothing(owner, mode):
    logits = some_logits(2, 5, 16, 16)
    expected = decoded(owner, logits, mode=mode)
    with torch.autocast("cpu", torch.bfloat16):
        found = decoded(owner, logits, mode=mode)
    assert found[0].dtype == torch.float32
    assert_same(found, expected, rtol=0, atol=0)


# --- numbers that are not finite, or large --------------------------------------------------------


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("place", [(0, 0), (4, 8), (11, 20)])
def test_a_bad_logit_spoils_its_own_map_only(owner, form, mode, value, place):
    logits = some_logits(2, 3, 12, 21).contiguous(memory_format=form)
    good = decoded(owner, logits, mode=mode)
    logits[1, 1][place] = value
    points, confidence, grad = decoded(owner, logits, mode=mode)
    for found, expected in zip((points, confidence, grad), good, strict=True):
        assert found[1, 1].isnan().all()
        found[1, 1] = expected[1, 1]
        assert torch.equal(found, expected)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_minus_infinity_has_no_weight(owner, form):
    logits = some_logits(1, 3, 12, 21).contiguous(memory_format=form)
    good = decoded(owner, logits, mode="joint")
    masked = logits.clone()
    masked[0, 1, :9] = -torch.inf  # whole groups of rows
    masked[0, 1, 9, 4] = -torch.inf
    points, confidence, grad = decoded(owner, masked, mode="joint")
    lowered = masked.nan_to_num(neginf=-1e5)
    assert_same((points, confidence, grad), decoded(owner, lowered, mode="joint"), rtol=0, atol=0)
    assert not grad[0, 1, :9].any() and grad[0, 1, 10:].all()
    for found, expected in zip((points, confidence, grad), good, strict=True):
        assert torch.equal(found[0, ::2], expected[0, ::2])


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_minus_infinity_takes_its_column_and_row_from_the_margins(owner, form):
    logits = some_logits(1, 3, 6, 5).contiguous(memory_format=form)
    logits[0, 1, 2, 3] = -torch.inf
    points, confidence, grad = decoded(owner, logits)
    assert points.isfinite().all() and confidence.isfinite().all() and grad.isfinite().all()
    means = logits[0, 1].mean(0), logits[0, 1].mean(1)
    for axis, mean, size in ((0, means[0], 5), (1, means[1], 6)):
        expected = (mean.softmax(0) * torch.linspace(-1, 1, size)).sum()
        torch.testing.assert_close(points[0, 1, axis], expected)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("mode", MODES)
def test_a_map_without_weight_is_not_a_number(owner, form, mode):
    logits = some_logits(1, 3, 12, 21).contiguous(memory_format=form)
    logits[0, 1] = -torch.inf
    for result in decoded(owner, logits, mode=mode):
        assert result[0, 1].isnan().all() and result[0, ::2].isfinite().all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("level", [-3e38, -1e30, 1e5, 3e38])
def test_large_logits_do_not_overflow(owner, mode, level):
    logits = some_logits(2, 3, 12, 21)
    points, confidence, grad = decoded(owner, logits * 0 + level, mode=mode)
    flat = decoded(owner, logits * 0, mode=mode)
    assert_same((points, confidence, grad), flat, rtol=1e-5, atol=1e-6)
    logits[0, 1, 4, 5] = 3e38
    points, confidence, _ = decoded(owner, logits, mode=mode)
    torch.testing.assert_close(points[0, 1], torch.tensor([-0.5, 2 * 4 / 11 - 1]))
    assert float(confidence[0, 1]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("rise", [40.0, 70.0, 1e4])
def test_later_rows_may_lie_far_above_the_first(owner, form, rise):
    logits = some_logits(2, 5, 19, 20)
    logits[:, 1::2, 9:] += rise
    logits = logits.contiguous(memory_format=form)
    exact = ops.soft_argmax(logits.double(), mode="joint", backend="reference")
    assert_same(decode(owner, logits, mode="joint"), [e.float() for e in exact])
    assert torch.isfinite(decoded(owner, logits, mode="joint")[2]).all()


# --- gradients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_arriving_gradients_of_any_strides(owner, form, mode):
    """Turned, expanded, or every other number of a larger tensor."""
    logits = some_logits(3, 4, 9, 18).contiguous(memory_format=form).to(owner.device)
    leaf = logits.requires_grad_()
    results = ops.soft_argmax(leaf, mode=mode, backend=owner.backend)
    plain = [torch.arange(1.0, r.numel() + 1).sin().view(r.shape).to(r) for r in results]
    (want,) = torch.autograd.grad(results, leaf, plain, retain_graph=True)
    for layout in (
        lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
        lambda t: torch.stack((t, t * torch.nan), -1)[..., 0],
    ):
        (found,) = torch.autograd.grad(results, leaf, [layout(t) for t in plain], retain_graph=True)
        assert torch.equal(found, want)
    ones = [torch.ones_like(r) for r in results]
    (want,) = torch.autograd.grad(results, leaf, ones, retain_graph=True)
    expanded = [r.new_ones(()).expand(r.shape) for r in results]
    (found,) = torch.autograd.grad(results, leaf, expanded)
    assert torch.equal(found, want)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("mode", MODES)
def test_each_result_alone(owner, form, mode):
    """Gradients add up, whichever of them arrive."""
    logits = some_logits(2, 5, 9, 18, dtype=torch.float64).contiguous(memory_format=form)
    leaf = logits.requires_grad_()
    points, confidence = decode(owner, leaf, mode=mode)
    losses = points.square().sum(), confidence.square().sum()
    alone = [torch.autograd.grad(loss, leaf, retain_graph=True)[0] for loss in losses]
    (together,) = torch.autograd.grad(losses[0] + losses[1], leaf)
    assert alone[0].abs().max() > 1e-6 and alone[1].abs().max() > 1e-6
    torch.testing.assert_close(alone[0] + alone[1], together, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_of_equal_largest_weights_the_first_counts(owner, form):
    logits = torch.zeros(1, 3, 20, 19).contiguous(memory_format=form)
    logits[0, 1, 17, 6] = logits[0, 1, 17, 11] = logits[0, 1, 18, 2] = 4.0
    _, _, grad = decoded(owner, logits, to_points=0.0, mode="joint")
    own = grad[0, 1]
    assert own[17, 6] > 0 and (own > 0).sum() == 1
    assert (grad[0, 0] > 0).nonzero().tolist() == [[0, 0]]
    _, _, grad = decoded(owner, logits, to_points=0.0)
    assert (grad[0, 0] > 0).nonzero().tolist() == (
        [[0, x] for x in range(19)] + [[y, 0] for y in range(1, 20)]
    )


@pytest.mark.parametrize("mode", MODES)
def test_what_is_kept_for_backward(mode):
    logits = some_logits(2, 5, 16, 12).requires_grad_()
    points, _ = ops.soft_argmax(logits, mode=mode)
    saved = [t for t in points.grad_fn.saved_tensors if t is not None]
    if mode == "joint":
        assert [t.shape for t in saved] == [logits.shape, (2, 5, 6)]
        assert saved[0].data_ptr() == logits.data_ptr()
    else:
        assert [t.shape for t in saved] == [(2, 5, 28)]


def test_the_extent_scales_points_only(owner):
    logits = some_logits(2, 3, 8, 9)
    for mode in MODES:
        points, confidence = decode(owner, logits, mode=mode)
        wide, same = decode(owner, logits, mode=mode, extent=2.0)
        assert torch.equal(wide, 2 * points) and torch.equal(same, confidence)


def test_results_lie_on_the_grid(owner):
    logits = some_logits(4, 9, 7, 11) * 30
    for mode in MODES:
        points, confidence = decode(owner, logits, mode=mode)
        assert (points.abs() <= 1 + 1e-6).all()
        assert (confidence > 0).all() and (confidence <= 1 + 1e-6).all()


# --- where it is used -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_an_exported_graph_holds_no_operator_of_ours(mode):
    class Decoder(torch.nn.Module):
        def forward(self, logits):
            return ops.soft_argmax(logits, mode=mode)

    batch = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(Decoder(), (some_logits(2, 3, 16, 16),), dynamic_shapes=batch)
    assert "fastpose" not in str(program.graph)
    logits = some_logits(5, 3, 16, 16)
    assert_same(program.module()(logits), ops.soft_argmax(logits, mode=mode), rtol=1e-5, atol=1e-6)


def test_the_native_library_refuses_what_it_cannot_read():
    """Calls past the public function end in an exception, too."""
    operator = OPERATORS["soft_argmax"]
    if operator.owner("cpu") != "cpu":
        pytest.skip("the native cpu library is not built")
    forward, backward = (operator.kernel("cpu", role) for role in ("forward", "backward"))
    logits = some_logits(2, 3, 4, 5)
    good = (True, 1.0, 4, 5, torch.float32, False)
    kept = forward(logits, *good)[2]
    grad = torch.zeros(2, 3, 2)
    for arguments in (
        (logits[0], *good),
        (logits, True, 1.0, 5, 4, torch.float32, False),
        (logits, True, 1.0, 4, 0, torch.float32, False),
        (logits, True, 1.0, 4, 5, torch.float64, False),
        (logits.int(), True, 1.0, 4, 5, torch.int32, False),
    ):
        with pytest.raises(RuntimeError, match="fastpose: "):
            forward(*arguments)
    for arguments in (
        (grad, None, None, kept, *good),
        (grad, None, logits, kept[..., :5], *good),
        (grad, None, logits[:1], kept, *good),
        (grad, None, logits, kept.double(), *good),
        (grad[..., :1], None, logits, kept, *good),
        (grad.double(), None, logits, kept, *good),
        (None, grad, logits, kept, *good),
        (None, grad[:1, :, 0], logits, kept, *good),
    ):
        with pytest.raises(RuntimeError, match="fastpose: "):
            backward(*arguments)
