"""Calls of the pose losses as arguments of their operators, with float64 answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import Sample
from tests.cuda_on_cpu.pose_losses import Reference

LOSSES = ("anchor_loss", "boundary_loss", "gaussian_kl", "least_squares_gan")
Arguments = tuple[Any, ...]
WEIGHT = 0.75  # the gradient that arrives


def arguments(operator: str, sample: Sample) -> Arguments:
    """Of the operator, as the public functions make them."""
    code_form = sample.kwargs.get("form", "paper") == "code"
    if operator == "gaussian_kl":
        return (*sample.args, sample.kwargs.get("free_bits", 0.0))
    return sample.args if operator == "least_squares_gan" else (*sample.args, code_form)


def changed(given: Arguments, change: Callable[[Tensor], Tensor]) -> Arguments:
    """The same call with `change` applied to every tensor."""

    def each(value: Any) -> Any:
        if isinstance(value, list):
            return [change(v) for v in value]
        return change(value) if isinstance(value, Tensor) else value

    return tuple(each(value) for value in given)


def tensors_of(given: Arguments) -> list[Tensor]:
    return given[0] if isinstance(given[0], list) else [g for g in given if isinstance(g, Tensor)]


def results(owner: Any, given: Arguments, needs: tuple[bool, bool] = (True, True)) -> list[Tensor]:
    """The loss, and gradients of it times a weight, which an owner's forward and backward give."""
    forward = owner.forward(*given)
    loss, coordinates = forward if isinstance(forward, tuple) else (forward, None)
    grad = torch.full_like(loss, WEIGHT)
    tensors = tensors_of(given)
    if isinstance(given[0], list):
        return [loss, *owner.backward(grad, *given)]
    if coordinates is not None:
        return [loss, *owner.backward(grad, *tensors, coordinates, given[2], *needs)]
    if len(tensors) == 2:
        return [loss, *owner.backward(grad, *given, *needs)]
    return [loss, owner.backward(grad, *given)]


def assert_as_exact(operator: str, owner: Any, given: Arguments) -> None:
    """Losses err at most 2 times and gradients 3 times as much as PyTorch's own; in float64, where
    that is the answer, by what its own subtractions lose near the prior."""
    floors = {torch.float64: 1e-12, torch.float32: 4e-7, torch.bfloat16: 3e-3, torch.float16: 4e-4}
    reference = Reference(operator)
    exact = results(reference, changed(given, Tensor.double))
    plain, own = results(reference, given), results(owner, given)
    floor = floors[tensors_of(given)[0].dtype]
    for got, usual, want, factor in zip(own, plain, exact, (2, *[3] * len(exact)), strict=False):
        assert got.dtype == usual.dtype and got.shape == want.shape
        most = factor * float((usual - want).norm()) + floor * float(want.norm())
        assert float((got - want).norm()) <= most
    assert len(own) == len(exact)
