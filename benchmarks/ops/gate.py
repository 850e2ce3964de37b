"""Correctness before speed: every contender against the reference in float64.

Inputs are fresh (another seed than the timed ones), memory that ours gets is filled with NaN, and
the gradient that arrives is zero in the boundary band: pixels where rounding may change which
branch is taken (`unstable` of the operator's samples), because there no gradient is the right one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from benchmarks.ops.declare import Case, Drawer, Problem
from fastpose.ops.samples import samples_of

# Largest relative L2 errors: of float32, and of what rounds its results to 16 bits (True). Peers
# keep the guards that the papers put around small numbers, and get more room.
OURS = {False: dict(output=2e-6, gradient=2e-5), True: dict(output=5e-3, gradient=1e-2)}
PEERS = {False: dict(output=1e-4, gradient=1e-2), True: dict(output=5e-3, gradient=1e-2)}

Errors = dict[str, float]


def difference(found: Tensor, exact: Tensor) -> Errors:
    """How far two tensors are apart: relative L2 and L1 norm, one minus cosine, signed bias."""
    found, exact = found.detach().double().flatten(), exact.detach().double().flatten()
    size = exact.norm().clamp_min(1e-300)
    total = exact.abs().sum().clamp_min(1e-300)
    cosine = found @ exact / (found.norm().clamp_min(1e-300) * size)
    return {
        "l2": float((found - exact).norm() / size),
        "l1": float((found - exact).abs().sum() / total),
        "one_minus_cosine": float(1 - cosine),
        "bias": float((found - exact).sum() / total),
    }


def right(errors: dict[str, Errors], rounded: bool, ours: bool) -> bool:
    """Whether a gate's errors are small enough; NaN is not."""
    limits = (OURS if ours else PEERS)[rounded]
    return all(errors[what]["l2"] <= limit for what, limit in limits.items())


def band_of(operator: str, problem: Problem, like: Tensor) -> Tensor:
    """Where the incoming gradient is 1 and where, in the boundary band, 0."""
    unstable = samples_of(operator).unstable(problem.sample)
    return (~unstable).to(like) if unstable.shape == like.shape else torch.ones_like(like)


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """New tensors hold NaN instead of what was there."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def gate(
    operator: str, case: Case, problem: Problem, drawers: dict[str, Drawer], threads: Sequence[int]
) -> dict[str, dict[str, Errors]]:
    """Every contender's errors, the larger ones of those with so many threads.

    Raises:
        ValueError: ours is wrong. A peer's errors are only noted, see :func:`right`.
    """
    dtype, rounded = case.torch_dtype, case.dtype != "float32"
    exact_leaves = problem.leaves(gradients=True, dtype=torch.float64)
    exact = problem.exact(operator)(*exact_leaves)
    weights = case.random(*exact.shape, seed=3).to(exact) * band_of(operator, problem, exact)
    weights = weights.to(dtype)
    exact.backward(weights.double())
    errors: dict[str, dict[str, Errors]] = {}
    most = torch.get_num_threads()
    for count, (name, draw) in itertools.product(threads, drawers.items()):
        torch.set_num_threads(count)
        ours = name.startswith("fastpose")
        leaves = problem.leaves(gradients=True)
        with poisoned_memory() if ours else nullcontext():
            found = draw(*leaves)
            found.backward(weights.to(found.dtype))
        mine = {"output": difference(found, exact), "gradient": _worst(leaves, exact_leaves)}
        if ours and not right(mine, rounded, ours):
            raise ValueError(f"{operator}, {name}: wrong on {case}: {mine}")
        if name not in errors or not mine["gradient"]["l2"] <= errors[name]["gradient"]["l2"]:
            errors[name] = mine
    torch.set_num_threads(most)
    return errors


def _worst(leaves: Sequence[Tensor], exact: Sequence[Tensor]) -> Errors:
    """The errors of the gradient that is most wrong."""
    found = []
    for mine, theirs in zip(leaves, exact, strict=True):
        assert mine.grad is not None and theirs.grad is not None
        found.append(difference(mine.grad, theirs.grad))
    return max(found, key=lambda e: e["l2"] if e["l2"] == e["l2"] else float("inf"))
