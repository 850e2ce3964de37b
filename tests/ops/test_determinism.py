"""The same bytes on every call, for any number of threads, with NaN in every fresh tensor."""

import pytest
import torch

from fastpose import ops
from fastpose.ops.samples import samples_of


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def _same(first, second):
    return torch.equal(first[0], second[0]) and all(
        torch.equal(a, b) for a, b in zip(first[1], second[1], strict=True)
    )


def _large(operator, dtype=torch.float32):
    """The largest of some random problems, so that work is really split."""
    problems = [samples_of(operator).random_problem(seed, dtype) for seed in range(40)]
    return max(problems, key=lambda s: _numbers(operator, s))


def _numbers(operator, sample):
    """That go in and come out."""
    tensors = [*sample.tensors(), sample.call(getattr(ops, operator))]
    return sum(t.numel() for t in tensors)


def test_a_thousand_repeats_are_bit_identical(kernel, operator):
    leaves = samples_of(operator).random_problem(1, torch.float32)
    leaves = leaves.with_items(lambda t: t[:1]).with_tensors(lambda t: t.requires_grad_())

    def run():
        output = kernel(operator, leaves)
        return output, torch.autograd.grad(output, leaves.tensors(), weights)

    weights = torch.cos(torch.arange(kernel(operator, leaves).numel(), device=kernel.device))
    weights = weights.reshape(kernel(operator, leaves).shape)
    first = run()
    assert all(_same(first, run()) for _ in range(1000))


def test_threads_do_not_matter(kernel, operator, gradients, threads):
    problem = _large(operator).repeated(8)
    results = []
    for count in (1, 2, 3, 7):
        threads(count)
        results.append(gradients(kernel, operator, problem))
    assert all(_same(results[0], other) for other in results[1:])


def test_batch_does_not_matter(kernel, operator, gradients):
    """An item gives the same alone and among others."""
    problem = _large(operator)
    output, found = gradients(kernel, operator, problem)
    if output.ndim == 0:
        pytest.skip("the result is one number of the whole batch")
    weights = torch.cos(1 + torch.arange(output.numel(), dtype=torch.float64)).reshape(output.shape)
    for i in range(output.shape[0]):
        alone = problem.with_items(lambda t, i=i: t[i : i + 1])
        one, one_found = gradients(kernel, operator, alone, weights[i : i + 1])
        assert torch.equal(one, output[i : i + 1])
        for own, among_others, batched in zip(one_found, found, problem.batched(), strict=True):
            assert not batched or torch.equal(own, among_others[i : i + 1])


def test_deterministic_mode_is_allowed(owner, operator, sample, gradients):
    expected = gradients(owner, operator, sample)
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory  # torch.empty is full of NaN now
    try:
        assert _same(expected, gradients(owner, operator, sample))
    finally:
        torch.use_deterministic_algorithms(False)
