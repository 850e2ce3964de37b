"""The error of a kernel against that of plain PyTorch in the same type, both measured in float64.

At most twice the error in the output and three times in the gradients, over 200 random problems.
The floor is twice what one more rounding of the inputs does to the exact result, and twice the
rounding noise of the result. Parts of the output where rounding may change which branch is taken
(`unstable`) get no weight in the gradients.
"""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.samples import generator, samples_of

CHUNKS, PER_CHUNK = 10, 20
TYPES = (torch.float32, torch.bfloat16, torch.float16)


@functools.cache
def _expected(operator, seed):
    """A problem, weights of its output; results: exact, in float32, with inputs rounded again."""
    module = samples_of(operator)
    problem = module.random_problem(seed, torch.float32)
    unstable = module.unstable(problem)
    assert unstable.float().mean() < 0.05
    weights = torch.randn(unstable.shape, generator=generator(seed)) * ~unstable
    exact = problem.with_tensors(Tensor.double)
    noise = generator(seed)
    rounded = exact.with_tensors(
        lambda t: t + (torch.rand(t.shape, generator=noise) - 0.5).sign() * 2**-24 * _scale(t)
    )
    runs = [_run(operator, p, weights, backend="reference") for p in (exact, problem, rounded)]
    return problem, weights, *runs


def _scale(tensor):
    """Of the numbers in the same place of each matrix or map."""
    leading = tuple(range(max(tensor.ndim - 2, 1)))
    return tensor.abs().amax(leading, keepdim=True) if tensor.numel() else tensor


def _run(operator, problem, weights, **more):
    leaves = problem.with_tensors(lambda t: t.detach().requires_grad_())
    output = leaves.call(getattr(ops, operator), **more)
    return output.detach(), torch.autograd.grad(output, leaves.tensors(), weights.to(output))


def _within(found, exact, plain, rounded, factor):
    """`found` errs at most `factor` times as much as `plain`, at the worst and on average."""
    found, plain = (found.double() - exact).abs(), (plain.double() - exact).abs()
    narrow = exact.float()
    noise = max(((narrow + 0.3) - 0.3 - narrow).abs().max(), narrow.abs().max() * 2**-24)
    floor = 2 * (noise + (rounded - exact).abs().max())
    assert found.max() <= factor * plain.max() + floor
    assert found.square().mean().sqrt() <= factor * plain.square().mean().sqrt() + floor


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_error_rule(kernel, operator, chunk):
    for seed in range(chunk * PER_CHUNK, (chunk + 1) * PER_CHUNK):
        problem, weights, exact, plain, rounded = _expected(operator, seed)
        here = problem.with_tensors(lambda t: t.to(kernel.device))
        output, found = _run(operator, here, weights.to(kernel.device), backend=kernel.backend)
        _within(output.cpu(), exact[0], plain[0], rounded[0], 2)
        for got, want, *others in zip(found, exact[1], plain[1], rounded[1], strict=True):
            _within(got.cpu(), want, *others, 3)
            assert (
                torch.cosine_similarity(got.cpu().double().flatten(), want.flatten(), 0) > 0.99999
            )


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.usefixtures("needs_dtype")
def test_error_rule_of_narrow_results(kernel, operator, dtype):
    for seed in range(0, 200, 20):
        problem, weights, exact, plain, rounded = _expected(operator, seed)
        here = problem.with_tensors(lambda t: t.to(kernel.device))
        output, _ = _run(
            operator, here, weights.to(kernel.device), backend=kernel.backend, dtype=dtype
        )
        _within(output.cpu(), exact[0], plain[0].to(dtype), rounded[0], 2)


def test_results_are_not_biased(kernel, operator):
    """Over many problems, errors go both ways."""
    bias = total = 0.0
    for seed in range(0, 200, 10):
        problem, weights, exact, *_ = _expected(operator, seed)
        here = problem.with_tensors(lambda t: t.to(kernel.device))
        output, _ = _run(operator, here, weights.to(kernel.device), backend=kernel.backend)
        bias += float((output.cpu().double() - exact[0]).sum())
        total += float(exact[0].abs().sum())
    assert abs(bias) <= 1e-6 * total
