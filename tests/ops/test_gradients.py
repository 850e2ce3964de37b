"""Hand-written backward passes against finite differences, in float64, for every owner."""

import pytest
import torch

from fastpose import ops
from fastpose.ops.samples import generator, samples_of


def test_gradcheck(owner, operator, sample):
    if not sample.smooth:
        pytest.skip("lies at a kink")
    leaves = sample.with_tensors(lambda t: t.to(owner.device).requires_grad_())
    shape = owner(operator, sample).shape
    weights = torch.randn(4, *shape, generator=generator(0), dtype=torch.float64).to(owner.device)

    def run(*tensors):
        """Four random mixtures of all pixels: a Jacobian row for each pixel would take minutes."""
        given = iter(tensors)
        output = owner(operator, leaves.with_tensors(lambda _: next(given)))
        return (weights * output).reshape(4, -1).sum(1)

    fast = owner.backend == "reference"  # the whole Jacobian of the slow owner takes too long
    assert torch.autograd.gradcheck(
        run, leaves.tensors(), eps=1e-6, atol=1e-6, rtol=1e-5, fast_mode=fast
    )


def test_no_gradient_is_missing(owner, operator, gradients):
    """What moves the output has a gradient: no tensor's gradient is silently zero."""
    sample = samples_of(operator).random_problem(0, torch.float64)
    _, found = gradients(owner, operator, sample)
    assert all(g.abs().max() > 1e-6 for g in found)


def test_second_derivative_raises(operator):
    sample = samples_of(operator).random_problem(0, torch.float64)
    leaves = sample.with_tensors(lambda t: t.requires_grad_())
    output = leaves.call(getattr(ops, operator))
    found = torch.autograd.grad(output.sum(), leaves.tensors(), create_graph=True)
    with pytest.raises(RuntimeError, match=f"{operator} can be differentiated once, not twice"):
        torch.autograd.grad(sum(g.sum() for g in found), leaves.tensors())
