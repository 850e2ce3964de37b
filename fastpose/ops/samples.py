"""What an operator's room offers to the generic tests and benchmarks: see `tests/ops/`.

`fastpose/ops/<operator>/samples.py` has

- ``samples(dtype, device)``: named calls that cover the operator's corners;
- ``random_problem(seed, dtype, device)``: one of an endless row of ordinary calls;
- ``unstable(sample)``: the parts of its output where rounding may change which branch is taken,
  and with it the gradient; shaped like the output (like `as_one` of several results);
- ``error_cases()``: calls that must raise, with the exception and a piece of its message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from fastpose.ops import registry


@dataclass(frozen=True)
class Sample:
    """One call of a public operator.

    Attributes:
        name: for test names.
        args, kwargs: what the public function is called with. The floating tensors among `args`,
            also in lists, are what gradients are taken of; tensors in `kwargs` get none and follow
            those in type and device.
        smooth: no input lies so near a kink that a finite difference of 1e-5 would cross it.
        shared: indices in `args` of floating tensors that have no batch dimension.
        batched_constants: keywords whose tensors have a batch dimension.
        state: keywords whose tensors a call changes: each call gets copies.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True
    shared: tuple[int, ...] = ()
    batched_constants: tuple[str, ...] = ()
    state: tuple[str, ...] = ()

    def call(self, function: Callable[..., Any], **more: Any) -> Tensor:
        """The result; several become one, (B, N)."""
        kwargs = {k: v.clone() if k in self.state else v for k, v in self.kwargs.items()}
        return as_one(function(*self.args, **kwargs, **more))

    def with_tensors(self, change: Callable[[Tensor], Tensor]) -> Sample:
        """The same call with `change` applied to the tensors that get gradients."""
        changed = replace(self, args=tuple(_each(a, change) for a in self.args))
        like = changed.tensors()[0]
        kwargs = {k: v.to(like.device) if k in self.state else v for k, v in self.kwargs.items()}
        follow = {k: _each(v, lambda t: t.to(like)) for k, v in kwargs.items()}
        return replace(changed, kwargs=follow)

    def with_items(self, change: Callable[[Tensor], Tensor]) -> Sample:
        """The same call with `change`, which works along the batch, applied where there is one."""
        args = tuple(a if i in self.shared else _each(a, change) for i, a in enumerate(self.args))
        more = {k: _each(self.kwargs[k], change) for k in self.batched_constants}
        return replace(self, args=args, kwargs=self.kwargs | more)

    def repeated(self, times: int) -> Sample:
        """The same call with the batch `times` over."""
        return self.with_items(lambda t: t.repeat(times, *(1,) * (t.ndim - 1)))

    def batched(self) -> list[bool]:
        """Of each of `tensors()`, whether it has a batch dimension."""
        return [i not in self.shared for i, a in enumerate(self.args) for _ in _floating(a)]

    def tensors(self) -> list[Tensor]:
        """Those that get gradients."""
        return [t for a in self.args for t in _floating(a)]


@dataclass(frozen=True)
class ErrorCase:
    """A call of a public operator that must raise `error` with `message` in its text."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    error: type[Exception]
    message: str


def as_one(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The result of an operator, or all of its results, (B, N)."""
    if isinstance(result, Tensor):
        return result
    return torch.cat([r.flatten(1) for r in result], 1)


def _floating(value: Any) -> list[Tensor]:
    """The floating tensors in an argument: itself, or those of a list."""
    each = value if isinstance(value, list) else (value,)
    return [t for t in each if isinstance(t, Tensor) and t.is_floating_point()]


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """An argument with `change` applied to the floating tensors in it."""
    if isinstance(value, list):
        return [_each(v, change) for v in value]
    return change(value) if _floating(value) else value


def samples_of(operator: str) -> ModuleType:
    """The module `samples` of an operator."""
    return registry.module_of(operator, "samples")


def generator(seed: int) -> torch.Generator:
    """Random numbers are drawn on the CPU and moved, so that every device sees the same."""
    return torch.Generator().manual_seed(seed)


def whole_numbers(source: torch.Generator) -> Callable[[int, int], int]:
    """Draws whole numbers, called with the least and the largest one that may come."""
    return lambda least, most: int(torch.randint(least, most + 1, (), generator=source))
