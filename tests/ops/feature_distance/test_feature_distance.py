"""What is particular to `feature_distance`; the generic tests are one folder up."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fastpose import ops
from fastpose.ops.samples import generator

TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
SHAPES = ((2, 3, 12, 13), (2, 16, 11, 12), (2, 70, 5, 6), (2, 9, 1, 1))
LAST = torch.channels_last


def drawn(seed: int, shapes: Any = SHAPES, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    source = generator(seed)
    return [torch.randn(s, generator=source, dtype=torch.float64).to(dtype) for s in shapes]


def mask_of(seed: int, batch: int = 2, size: tuple[int, int] = (12, 13)) -> Tensor:
    return torch.rand(batch, 1, *size, generator=generator(seed))


def run(
    kernel: Any, features: list[Tensor], targets: list[Tensor], weight: float = 1.0, **more: Any
) -> tuple[Tensor, list[Tensor]]:
    """Loss and gradients of `weight` times the loss, by that owner."""
    leaves = [x.to(kernel.device).detach().requires_grad_() for x in features]
    here: dict[str, Any] = dict(more)
    for name, value in more.items():
        if isinstance(value, Tensor):
            here[name] = value.to(kernel.device)
    there = [y.to(kernel.device) for y in targets]
    loss = ops.feature_distance(leaves, there, backend=kernel.backend, **here)
    found = torch.autograd.grad(loss * weight, leaves)
    return loss.detach().cpu(), [g.cpu() for g in found]


def as_published(
    features: list[Tensor], targets: list[Tensor], mask: Tensor | None, state: dict[str, Tensor]
) -> Tensor:
    """KeypointGAN's loss as its authors wrote it, step after step; `state` is what it keeps."""
    losses = []
    for feature, wanted in zip(features, targets, strict=True):
        square = (feature.float() - wanted.float()) ** 2
        if mask is not None:
            square = square * F.adaptive_avg_pool2d(mask, (square.shape[2], square.shape[3]))
        losses.append(square.mean())
    stacked = torch.stack(losses)
    with torch.no_grad():
        before = state.get("mean", stacked)
        state["mean"] = torch.lerp(stacked, before, 0.99)
    return (stacked / (state["mean"] + 1e-8)).mean()


@pytest.mark.parametrize("masked", [False, True])
def test_five_steps_as_published(owner: Any, masked: bool) -> None:
    mean = torch.full((len(SHAPES),), torch.nan, device=owner.device)  # nobody reads it
    started = torch.tensor(False, device=owner.device)
    state: dict[str, Tensor] = {}
    for step in range(5):
        features, targets = drawn(step), [y * (1 + step) for y in drawn(100 + step)]
        mask = mask_of(step) if masked else None
        leaves = [x.clone().requires_grad_() for x in features]
        want = as_published(leaves, targets, mask, state)
        want.backward()
        here: dict[str, Any] = dict(running_mean=mean, started=started, update=True)
        loss, found = run(owner, features, targets, mask=mask, **here)
        torch.testing.assert_close(loss, want.detach(), rtol=2e-6, atol=0)
        torch.testing.assert_close(mean.cpu(), state["mean"], rtol=2e-6, atol=0)
        assert bool(started)
        for got, leaf in zip(found, leaves, strict=True):
            torch.testing.assert_close(got, leaf.grad, rtol=1e-5, atol=1e-9)
    assert float(loss) != pytest.approx(1.0, abs=1e-3)


def test_without_update_nothing_moves(owner: Any) -> None:
    mean = torch.tensor([1.0, 2.0, 3.0, 4.0], device=owner.device)
    started = torch.tensor(False, device=owner.device)
    loss, _ = run(owner, drawn(0), drawn(1), running_mean=mean, started=started)
    assert mean.tolist() == [1, 2, 3, 4] and not started
    each = [float((a - b).square().mean()) for a, b in zip(drawn(0), drawn(1), strict=True)]
    want = sum(d / m for d, m in zip(each, (1, 2, 3, 4), strict=True)) / 4
    assert float(loss) == pytest.approx(want, rel=1e-5)


def test_running_means_tell_autograd_that_they_changed() -> None:
    mean = torch.ones(len(SHAPES))
    factor = torch.ones(len(SHAPES), requires_grad=True)
    product = (factor * mean).sum()  # keeps `mean` for its backward
    ops.feature_distance(drawn(0), drawn(1), running_mean=mean, update=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_momentum(owner: Any) -> None:
    for momentum, want in ((1.0, 5.0), (0.0, None), (0.75, None)):
        mean = torch.full((len(SHAPES),), 5.0, device=owner.device)
        run(owner, drawn(0), drawn(1), running_mean=mean, momentum=momentum, update=True)
        each = [(a - b).square().mean() for a, b in zip(drawn(0), drawn(1), strict=True)]
        expected = momentum * 5.0 + (1 - momentum) * torch.stack(each)
        torch.testing.assert_close(mean.cpu(), expected)
        assert want is None or mean.tolist() == [want] * 4


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_gradient_through_the_running_mean(owner: Any, first: bool, norm: str) -> None:
    """As autograd finds it where nothing is detached."""
    features, targets = (drawn(i, dtype=torch.float64) for i in (0, 1))
    before = torch.tensor([0.5, 3.0, 1.0, 2.0], dtype=torch.float64)
    leaves = [x.clone().requires_grad_() for x in features]
    differences = [x - y for x, y in zip(leaves, targets, strict=True)]
    each = torch.stack([d.abs().mean() if norm == "l1" else (d * d).mean() for d in differences])
    mean = each if first else 0.9 * before + 0.1 * each
    (each / (mean + 1e-8)).mean().backward()
    started = torch.tensor(not first)
    options: dict[str, Any] = dict(norm=norm, momentum=0.9, update=True, through_mean=True)
    _, found = run(owner, features, targets, running_mean=before, started=started, **options)
    for got, leaf in zip(found, leaves, strict=True):
        assert leaf.grad is not None
        scale = 1e-9 if first else float(leaf.grad.abs().max())  # at first all of it cancels
        torch.testing.assert_close(got / scale, leaf.grad / scale, rtol=1e-6, atol=1e-6)


# --- masks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("size", [(12, 13), (1, 1), (5, 40), (64, 64), (31, 29)])
def test_mask_of_any_size(owner: Any, norm: str, size: tuple[int, int]) -> None:
    mask = mask_of(0, size=size)
    features, targets = drawn(0), drawn(1)
    want = torch.zeros(())
    for x, y in zip(features, targets, strict=True):
        small = F.adaptive_avg_pool2d(mask, (x.shape[2], x.shape[3]))
        distance = (x - y).abs() if norm == "l1" else (x - y).square()
        want += (distance * small).mean() / len(features)
    loss, _ = run(owner, features, targets, mask=mask, norm=norm)
    torch.testing.assert_close(loss, want, rtol=3e-6, atol=0)


def test_the_mask_multiplies(owner: Any) -> None:
    loss, found = run(owner, drawn(0), drawn(1), mask=mask_of(0))
    for scale in (2.0**-10, 4096.0):
        other, others = run(owner, drawn(0), drawn(1), mask=mask_of(0) * scale)
        assert torch.equal(other, loss * scale)
        for got, want in zip(others, found, strict=True):
            assert torch.equal(got, want * scale)


def test_mask_of_ones_is_no_mask(owner: Any) -> None:
    loss, found = run(owner, drawn(0), drawn(1), mask=torch.ones(2, 1, 7, 7))
    plain, plainly = run(owner, drawn(0), drawn(1))
    torch.testing.assert_close(loss, plain)
    for got, want in zip(found, plainly, strict=True):
        torch.testing.assert_close(got, want)


def test_mask_of_zeros(owner: Any) -> None:
    """No distance, no gradient, no NaN; the running mean of a first step is 0, too."""
    mean, started = torch.ones(4, device=owner.device), torch.tensor(False, device=owner.device)
    for _ in range(2):
        loss, found = run(
            owner, drawn(0), drawn(1), mask=torch.zeros(2, 1, 12, 13), running_mean=mean,
            started=started, update=True,
        )  # fmt: skip
        assert float(loss) == 0.0 and mean.tolist() == [0.0] * 4
        assert not any(g.any() for g in found)


def test_where_the_mask_is_0_nothing_counts(owner: Any) -> None:
    mask = mask_of(0, size=(12, 12))
    mask[:, :, :6] = 0
    x, y = drawn(0, ((2, 3, 12, 12), (2, 4, 6, 6))), drawn(1, ((2, 3, 12, 12), (2, 4, 6, 6)))
    loss, found = run(owner, x, y, mask=mask)
    x[0][:, :, :6] += 5
    x[1][:, :, :3] -= 5
    again, others = run(owner, x, y, mask=mask)
    assert torch.equal(loss, again)
    for gradient, other in zip(found, others, strict=True):
        half = gradient.shape[2] // 2
        assert not gradient[:, :, :half].any() and gradient[:, :, half:].abs().min() > 0
        assert torch.equal(gradient, other)


def test_weights_of_the_call_before_do_not_matter(kernel: Any) -> None:
    """Not even where vectors reach behind the last number."""
    for channels, width in ((3, 11), (3, 3), (5, 7), (7, 5), (11, 3)):
        x, y = (
            drawn(i, ((1, channels, 1, width),))[0].contiguous(memory_format=LAST) for i in (0, 1)
        )
        mask = mask_of(0, 1, (1, width))
        large = torch.full((1, channels, 1, 40 * width), 1.0).contiguous(memory_format=LAST)
        run(kernel, [large], [large], mask=torch.full((1, 1, 1, 1), torch.nan))
        loss, _ = run(kernel, [x], [y], mask=mask)
        torch.testing.assert_close(loss, ((x - y).square() * mask).mean())


def test_negative_weights_count_as_they_are(owner: Any) -> None:
    mask = torch.tensor([3.0, -1.0]).view(1, 1, 1, 2)
    x, y = torch.tensor([2.0, 1.0]).view(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)
    loss, (found,) = run(owner, [x], [y], mask=mask)
    assert float(loss) == pytest.approx((3 * 4 - 1) / 2)
    torch.testing.assert_close(found.flatten(), torch.tensor([6.0, -1.0]))


@pytest.mark.parametrize("dtype", TYPES)
def test_mask_of_any_type_and_layout(owner: Any, dtype: torch.dtype) -> None:
    mask = (mask_of(0) * 4).round().to(dtype)  # every type holds these
    plain, _ = run(owner, drawn(0), drawn(1), mask=mask.float())
    strided = mask.mT.contiguous().mT
    assert torch.equal(run(owner, drawn(0), drawn(1), mask=strided)[0], plain)
    wide = mask[:1].expand(2, -1, -1, -1)
    repeated = mask[:1].repeat(2, 1, 1, 1).float()
    assert torch.equal(
        run(owner, drawn(0), drawn(1), mask=wide)[0],
        run(owner, drawn(0), drawn(1), mask=repeated)[0],
    )


# --- types and layouts ---------------------------------------------------------------------------


def exact(
    features: list[Tensor], targets: list[Tensor], weight: float, **more: Any
) -> tuple[Tensor, list[Tensor]]:
    """The reference in float64."""
    leaves = [x.double().requires_grad_() for x in features]
    wide: dict[str, Any] = dict(more)
    for name, value in more.items():
        if isinstance(value, Tensor):
            wide[name] = value.double()
    loss = ops.feature_distance(leaves, [y.double() for y in targets], backend="reference", **wide)
    return loss.detach(), list(torch.autograd.grad(loss * weight, leaves))


@pytest.mark.parametrize("weight", [1.0, 10.0])
@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_types(owner: Any, dtype: torch.dtype, masked: bool, norm: str, weight: float) -> None:
    """Sums are wide whatever the features are; gradients are rounded twice at most."""
    features, targets = drawn(0, dtype=dtype), drawn(1, dtype=dtype)
    weight *= 2.0**12 if dtype == torch.float16 else 1.0  # or it could not hold them
    more: dict[str, Any] = dict(norm=norm)
    if masked:
        more["mask"] = mask_of(0)
    for step in range(2):
        options = dict(more)
        if step:
            mean = torch.full((4,), 2.0, dtype=dtype if dtype == torch.float64 else torch.float32)
            options |= dict(running_mean=mean, update=True)
        want, wanted = exact(features, targets, weight, **{**options, **copies(options)})
        loss, found = run(owner, features, targets, weight, **copies(options))
        assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        torch.testing.assert_close(loss.double(), want, rtol=1e-6, atol=0)
        tolerance = {torch.float64: 1e-12, torch.float32: 1e-6}.get(
            dtype, 1.01 * torch.finfo(dtype).eps
        )
        for got, expected in zip(found, wanted, strict=True):
            assert got.dtype == dtype
            torch.testing.assert_close(
                got.double(), expected, rtol=tolerance, atol=1e-6 * float(expected.abs().max())
            )


def copies(options: dict[str, Any]) -> dict[str, Any]:
    return {k: v.clone() if isinstance(v, Tensor) else v for k, v in options.items()}


def test_mixed_types_as_under_autocast(owner: Any) -> None:
    """The picture itself in float32, what convolutions gave in narrow types."""
    kinds = (torch.float32, torch.bfloat16, torch.float16, torch.bfloat16)
    features = [x.to(t) for x, t in zip(drawn(0), kinds, strict=True)]
    targets = [x.to(t) for x, t in zip(drawn(1), kinds, strict=True)]
    loss, found = run(owner, features, targets, 512.0, mask=mask_of(0))
    want, wanted = exact(features, targets, 512.0, mask=mask_of(0))
    assert loss.dtype == torch.float32 and [g.dtype for g in found] == list(kinds)
    torch.testing.assert_close(loss.double(), want, rtol=1e-6, atol=0)
    for got, expected in zip(found, wanted, strict=True):
        assert F.cosine_similarity(got.double().flatten(), expected.flatten(), 0) > 0.99999


def test_float16_gradients_do_not_vanish_before_they_are_scaled(owner: Any) -> None:
    """As a gradient scaler asks for them: the loss times 65536."""
    shape = ((1, 64, 64, 64),)
    features, targets = drawn(0, shape, torch.float16), drawn(1, shape, torch.float16)
    _, (found,) = run(owner, features, targets, 65536.0)
    _, (want,) = exact(features, targets, 65536.0)
    assert float(found.double().norm() / want.norm()) == pytest.approx(1.0, rel=1e-3)
    assert (found != 0).double().mean() > 0.99


LAYOUTS = {
    "channels_last": lambda t: t.contiguous(memory_format=LAST),
    "transposed": lambda t: t.mT.contiguous().mT,
    "window": lambda t: F.pad(t, (1, 2, 3, 1))[..., 3:-1, 1:-2],
    "not_aligned": lambda t: F.pad(t.flatten(), (1, 0))[1:].view(t.shape),
    "channels_last_not_aligned": lambda t: (
        F.pad(t.permute(0, 2, 3, 1).flatten(), (3, 0))[3:]
        .view(t.shape[0], t.shape[2], t.shape[3], t.shape[1])
        .permute(0, 3, 1, 2)
    ),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(owner: Any, layout: str, masked: bool, dtype: torch.dtype) -> None:
    features, targets = drawn(0, dtype=dtype), drawn(1, dtype=dtype)
    more: dict[str, Any] = dict(mask=mask_of(0)) if masked else {}
    plain, plainly = run(owner, features, targets, 64.0, **more)
    change = LAYOUTS[layout]
    for xs, ys in (
        ([change(x) for x in features], targets),
        (features, [change(y) for y in targets]),
        ([change(x) for x in features], [change(y) for y in targets]),
    ):
        loss, found = run(owner, xs, ys, 64.0, **more)
        torch.testing.assert_close(loss, plain, rtol=2e-6, atol=0)
        for got, want in zip(found, plainly, strict=True):
            torch.testing.assert_close(got, want, rtol=max(1e-6, torch.finfo(dtype).eps), atol=0)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, LAST])
def test_gradients_lie_as_the_features_do(owner: Any, memory_format: torch.memory_format) -> None:
    features = [x.contiguous(memory_format=memory_format) for x in drawn(0)]
    for weight in (1.0, 3.0):
        _, found = run(owner, features, drawn(1), weight)
        for gradient, feature in zip(found, features, strict=True):
            assert gradient.stride() == feature.stride()


def test_many_numbers(kernel: Any, reference: Any) -> None:
    """More than one thread or block takes at a time, cut where nothing divides."""
    shapes = ((2, 37, 63, 61), (2, 3, 130, 129), (2, 301, 9, 7))
    for masked in (False, True):
        for memory_format in (torch.contiguous_format, LAST):
            x = [t.contiguous(memory_format=memory_format) for t in drawn(0, shapes)]
            y = [t.contiguous(memory_format=memory_format) for t in drawn(1, shapes)]
            more: dict[str, Any] = dict(mask=mask_of(0, size=(130, 129))) if masked else {}
            loss, found = run(kernel, x, y, **more)
            want, wanted = exact(x, y, 1.0, **more)
            torch.testing.assert_close(loss.double(), want, rtol=1e-6, atol=0)
            for got, expected in zip(found, wanted, strict=True):
                torch.testing.assert_close(got.double(), expected, rtol=2e-6, atol=1e-12)


# --- gradients -----------------------------------------------------------------------------------


def test_only_wanted_gradients_are_formed(owner: Any) -> None:
    features = [x.to(owner.device) for x in drawn(0)]
    targets = [y.to(owner.device) for y in drawn(1)]
    features[1].requires_grad_()
    features[3].requires_grad_()
    loss = ops.feature_distance(features, targets, backend=owner.backend)
    loss.backward()
    assert [x.grad is not None for x in features] == [False, True, False, True]
    _, found = run(owner, drawn(0), drawn(1))
    for i in (1, 3):
        assert torch.equal(features[i].grad.cpu(), found[i])  # type: ignore[union-attr]


def test_nothing_to_differentiate(owner: Any) -> None:
    features, targets = ([t.to(owner.device) for t in drawn(i)] for i in (0, 1))
    assert not ops.feature_distance(features, targets, backend=owner.backend).requires_grad
    features[0].requires_grad_()
    with torch.no_grad():
        loss = ops.feature_distance(features, targets, backend=owner.backend)
    assert not loss.requires_grad


@pytest.mark.parametrize("update", [False, True])
def test_backward_twice_through_one_graph(owner: Any, update: bool) -> None:
    """Gradients are finished in place, but not while the graph is kept for another pass."""
    leaves = [x.to(owner.device).requires_grad_() for x in drawn(0)]
    targets = [y.to(owner.device) for y in drawn(1)]
    mean = torch.full((4,), 0.5, device=owner.device)
    loss = ops.feature_distance(
        leaves, targets, running_mean=mean, update=update, backend=owner.backend
    )
    first = torch.autograd.grad(2 * loss, leaves, retain_graph=True)
    kept = [g.clone() for g in first]
    second = torch.autograd.grad(loss, leaves, retain_graph=True)
    third = torch.autograd.grad(2 * loss, leaves)
    for a, before, b, c in zip(first, kept, second, third, strict=True):
        assert torch.equal(a, before) and torch.equal(a, c)
        torch.testing.assert_close(a, 2 * b)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, leaves)


def test_gradient_of_1_is_passed_on_as_it_is(kernel: Any) -> None:
    """And another one multiplies it."""
    _, ones = run(kernel, drawn(0), drawn(1), 1.0)
    _, halves = run(kernel, drawn(0), drawn(1), 0.5)
    for one, half in zip(ones, halves, strict=True):
        assert torch.equal(half, one * 0.5)


def test_features_and_targets_are_not_kept() -> None:
    leaf = torch.ones(1, requires_grad=True)
    feature, target = leaf * torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    loss = ops.feature_distance([feature], [target])
    gone = weakref.ref(feature), weakref.ref(target)
    del feature, target
    gc.collect()
    assert gone[1]() is None
    loss.backward()
    assert float(leaf.grad) == pytest.approx(2.0)  # type: ignore[arg-type]


def test_gradient_flows_through_copies_of_strided_features(owner: Any) -> None:
    base = drawn(0, ((2, 6, 8, 8),))[0].to(owner.device).requires_grad_()
    y = drawn(1, ((2, 3, 8, 8),))
    ops.feature_distance(
        [base[:, ::2]], [t.to(owner.device) for t in y], backend=owner.backend
    ).backward()
    _, (want,) = run(owner, [base.detach().cpu()[:, ::2]], y)
    assert base.grad is not None and not base.grad[:, 1::2].any()
    torch.testing.assert_close(base.grad[:, ::2].cpu(), want)


# --- values that are not finite ------------------------------------------------------------------


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_not_finite(owner: Any, reference: Any, norm: str, value: float) -> None:
    """The loss says so; without a running mean no other number's gradient is touched."""
    features, targets = drawn(0), drawn(1)
    features[1][1, 3, 4, 5] = value
    loss, found = run(owner, features, targets, norm=norm)
    want, wanted = run(reference, features, targets, norm=norm)
    assert not loss.isfinite()
    torch.testing.assert_close(loss, want, equal_nan=True)
    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, equal_nan=True, rtol=1e-5, atol=1e-9)
        assert (~got.isfinite()).sum() <= 1


def test_a_running_mean_that_is_not_finite_spoils_its_own_layer(owner: Any) -> None:
    features, targets = drawn(0), drawn(1)
    features[1][1, 3, 4, 5] = torch.nan
    mean = torch.ones(4, device=owner.device)
    loss, found = run(owner, features, targets, running_mean=mean, update=True)
    assert loss.isnan() and mean.isnan().tolist() == [False, True, False, False]
    assert [bool(g.isnan().all()) for g in found] == [False, True, False, False]
    assert [bool(g.isnan().any()) for g in found] == [False, True, False, False]


def test_equal_features_have_no_distance(owner: Any) -> None:
    for norm in ("l2", "l1"):
        loss, found = run(owner, drawn(0), drawn(0), norm=norm)
        assert float(loss) == 0.0 and not any(g.any() for g in found)


def test_an_empty_batch_moves_nothing(owner: Any) -> None:
    mean, started = torch.ones(1, device=owner.device), torch.tensor(False, device=owner.device)
    x = torch.zeros(0, 3, 4, 4)
    loss, (found,) = run(
        owner, [x], [x], running_mean=mean, started=started, update=True, mask=x[:, :1]
    )
    assert float(loss) == 0.0 and found.shape == x.shape
    assert mean.tolist() == [1.0] and not started
