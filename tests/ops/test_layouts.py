"""Strided, expanded, empty and narrow tensors: the same values as plain ones."""

import pytest
import torch

from fastpose.ops.samples import samples_of

LAYOUTS = {
    "transposed": lambda t: t.mT.contiguous().mT,
    "every_other": lambda t: torch.stack((t, t + 7), -1).flatten(-2)[..., ::2],
    "padded": lambda t: torch.nn.functional.pad(t, (1, 2))[..., 1:-2],
    "batch_last": lambda t: t.movedim(0, -1).contiguous().movedim(-1, 0),
}


def _problem(operator):
    """A random problem with more than one item."""
    problems = (samples_of(operator).random_problem(seed, torch.float32) for seed in range(100))
    return next(p for p in problems if all(t.shape[0] > 1 and t.ndim > 1 for t in p.tensors()))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strided_inputs(owner, operator, layout, gradients):
    problem = _problem(operator)
    expected, expected_found = gradients(owner, operator, problem)
    strided = problem.with_tensors(lambda t: LAYOUTS[layout](t).requires_grad_())
    assert any(not t.is_contiguous() for t in strided.tensors())
    output = owner(operator, strided)
    assert torch.equal(output.detach().cpu(), expected)
    weights = torch.cos(1 + torch.arange(output.numel(), dtype=torch.float64))
    output.backward(weights.reshape(output.shape).to(output))
    for leaf, want in zip(strided.tensors(), expected_found, strict=True):
        assert torch.equal(leaf.grad, want)


def test_expanded_inputs(owner, operator, gradients):
    problem = _problem(operator).with_items(lambda t: t[:1])
    output, found = gradients(owner, operator, problem.repeated(3))
    one = problem.with_tensors(lambda t: t.clone().requires_grad_())
    wide = owner(operator, one.with_items(lambda t: t.expand(3, *t.shape[1:])))
    assert torch.equal(wide.detach().cpu(), output)
    weights = torch.cos(1 + torch.arange(output.numel(), dtype=torch.float64)).reshape(output.shape)
    wide.backward(weights.to(wide))
    for leaf, expected, batched in zip(one.tensors(), found, problem.batched(), strict=True):
        torch.testing.assert_close(
            leaf.grad, expected.sum(0, keepdim=True) if batched else expected
        )


@pytest.mark.parametrize(
    "layout",
    [
        lambda g: g.expand_as(g) * 0 + 1,
        lambda g: g.new_ones(()).expand(g.shape),  # what sum().backward() gives
        lambda g: torch.ones_like(g).contiguous(memory_format=torch.channels_last),
        lambda g: torch.ones_like(g).mT.contiguous().mT,
        lambda g: torch.nn.functional.pad(torch.ones_like(g), (3, 1, 1, 2))[..., 1:-2, 3:-1],
    ],
    ids=["plain", "expanded", "channels_last", "transposed", "window"],
)
def test_strided_gradients(kernel, operator, layout):
    problem = _problem(operator)
    if kernel(operator, problem).ndim != 4:
        pytest.skip("results are not images")

    def run(weights):
        leaves = problem.with_tensors(lambda t: t.clone().requires_grad_())
        output = kernel(operator, leaves)
        output.backward(weights(output.detach()))
        return [t.grad for t in leaves.tensors()]

    for got, want in zip(run(layout), run(torch.ones_like), strict=True):
        assert torch.equal(got, want)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.usefixtures("needs_dtype")
def test_result_type(owner, operator, dtype):
    """Another type of result is the plain result, rounded once."""
    problem = _problem(operator)
    plain = owner(operator, problem)
    other = owner(operator, problem, dtype=dtype)
    assert other.dtype == dtype
    assert torch.equal(other, plain.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.usefixtures("needs_dtype")
def test_gradient_of_another_type(kernel, reference, operator, gradients, dtype):
    problem = _problem(operator)
    _, found = gradients(kernel, operator, problem, dtype=dtype)
    _, expected = gradients(reference, operator, problem, dtype=dtype)
    for got, want in zip(found, expected, strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-3 * float(want.abs().max()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.usefixtures("needs_out")
def test_out_is_a_slice_of_a_larger_buffer(owner, operator, dtype, memory_format):
    problem = _problem(operator)
    expected = owner(operator, problem).to(dtype)
    batch, channels, *size = expected.shape
    buffer = torch.full((batch, channels + 5, *size), 7.0, dtype=dtype, device=expected.device)
    buffer = buffer.contiguous(memory_format=memory_format)
    part = buffer[:, 3 : 3 + channels]
    assert owner(operator, problem, out=part) is part
    assert torch.equal(part, expected)
    assert (buffer[:, :3] == 7).all() and (buffer[:, 3 + channels :] == 7).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.usefixtures("needs_out")
def test_nothing_beside_the_rows_of_out_is_written(owner, operator, dtype):
    """Not even where another row is written later: what lies between rows belongs to nobody."""
    between = 16  # pixels of the widest vector
    for seed in range(6):
        problem = samples_of(operator).random_problem(seed, torch.float32)
        expected = owner(operator, problem).to(dtype)
        *planes, height, width = expected.shape
        buffer = torch.full((*planes, height + 2, width + 2 * between), 7.0, dtype=dtype)
        buffer = buffer.to(expected.device)
        inside = torch.zeros_like(buffer, dtype=torch.bool)
        inside[..., 1:-1, between:-between] = True
        owner(operator, problem, out=buffer[..., 1:-1, between:-between])
        assert torch.equal(buffer[inside], expected.flatten())
        assert (buffer[~inside] == 7).all()


@pytest.mark.usefixtures("needs_out")
def test_out_with_other_strides(owner, operator):
    problem = _problem(operator)
    expected = owner(operator, problem)
    out = torch.zeros_like(expected).mT.contiguous().mT
    assert torch.equal(owner(operator, problem, out=out), expected)
    every_other = torch.zeros(*expected.shape, 2, device=expected.device)
    assert torch.equal(owner(operator, problem, out=every_other[..., 1]), expected)
    assert (every_other[..., 0] == 0).all()


@pytest.mark.usefixtures("needs_out")
def test_gradient_flows_through_out(kernel, operator, gradients):
    problem = _problem(operator)
    expected, expected_found = gradients(kernel, operator, problem)
    batch, channels, *size = expected.shape
    leaves = problem.with_tensors(lambda t: t.clone().requires_grad_())
    frame = torch.ones(batch, 3, *size, requires_grad=True)
    buffer = torch.empty(batch, 3 + channels, *size, device=kernel.device)
    buffer = buffer.contiguous(memory_format=torch.channels_last)
    buffer[:, :3] = frame.to(kernel.device)
    kernel(operator, leaves, out=buffer[:, 3:])
    weights = torch.cos(1 + torch.arange(expected.numel(), dtype=torch.float64))
    weights = weights.reshape(expected.shape)
    ((buffer[:, 3:] * weights.to(buffer)).sum() + 2 * buffer[:, :3].sum()).backward()
    assert torch.equal(frame.grad, torch.full_like(frame, 2))
    for leaf, want in zip(leaves.tensors(), expected_found, strict=True):
        torch.testing.assert_close(leaf.grad.cpu(), want.cpu(), rtol=1e-5, atol=1e-5)


def test_empty_batch(owner, operator, gradients):
    problem = _problem(operator)
    shape = owner(operator, problem).shape
    problem = problem.with_items(lambda t: t[:0])
    output, found = gradients(owner, operator, problem)
    assert output.shape == ((0, *shape[1:]) if shape else ())
    assert [g.shape for g in found] == [t.shape for t in problem.tensors()]
