"""Schema, fallback, fake kernel and autograd of one operator, registered in one call.

An operator is one schema with several owners. The reference is registered for every device; a
native library that is loaded overrides it on its own device (`fastpose/_native.py`); on a GPU
without one the Triton kernels step in. `using(backend)` calls one given owner, for tests and
benchmarks.

Naming does the wiring: the arguments of the backward operator after `grad_output` are arguments of
the forward, by name, and its results are called `grad_<argument>`. What an operator offers to the
generic tests of `tests/ops/` is in its module `samples`; its Triton kernels, if any, are in its
module `triton`: functions `forward`, `backward` and `into` with the arguments of the schemas.
"""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

NAMESPACE = "fastpose"
BACKENDS = ("reference", "cpu", "cuda", "triton")
OPERATORS: dict[str, "Operator"] = {}

_library = torch.library.Library(NAMESPACE, "FRAGMENT")


@dataclass(frozen=True)
class Kernel:
    """One entry of an operator: its arguments and results in torch's schema language, and what
    computes it on any device."""

    schema: str
    reference: Callable[..., Any]
    fake: Callable[..., Any] | None = None  # shapes only; not needed where nothing is returned


@dataclass(frozen=True)
class Operator:
    """A registered operator. Calling it goes through torch's dispatcher, with autograd."""

    name: str
    forward: Kernel
    backward: Kernel
    into: Kernel | None  # as forward, but writes into its last argument `out`

    def __call__(self, *args: Any) -> Any:
        return getattr(torch.ops.fastpose, self.name).default(*args)

    def write(self, *args: Any) -> None:
        """The form that writes into its last argument; no autograd of its own."""
        getattr(torch.ops.fastpose, f"{self.name}_out").default(*args)

    def run_backward(self, *args: Any) -> Any:
        """The backward operator through the dispatcher."""
        return getattr(torch.ops.fastpose, f"{self.name}_backward").default(*args)

    def using(self, backend: str, role: str = "forward") -> Callable[..., Any]:
        """The given owner's `forward` (with autograd), `backward` or `into`.

        Raises:
            ValueError: there is no such owner, or it is not there.
        """
        self._check_backend(backend)
        if role == "forward":
            return _function(self.name, backend).apply
        return self.kernel(backend, role)

    def kernel(self, backend: str, role: str) -> Callable[..., Any]:
        """One owner's bare kernel, without autograd."""
        if backend == "reference":
            return getattr(self, role).reference
        if backend == "triton":
            return getattr(_module(self.name, "triton"), role)
        suffix = {"forward": "", "backward": "_backward", "into": "_out"}[role]
        return getattr(torch.ops.fastpose, self.name + suffix).default

    def owner(self, device: str) -> str:
        """Which backend serves tensors on this type of device ("cpu", "cuda", ...)."""
        if self._native(device):
            return device
        return "triton" if device == "cuda" and has_triton(self.name) else "reference"

    def _native(self, device: str) -> bool:
        key = {"cpu": "CPU", "cuda": "CUDA"}.get(device)
        return key is not None and torch._C._dispatch_has_kernel_for_dispatch_key(
            f"{NAMESPACE}::{self.name}", key
        )

    def _check_backend(self, backend: str) -> None:
        if backend not in BACKENDS:
            raise ValueError(
                f"backend must be one of {', '.join(BACKENDS)} or None, got {backend!r}"
            )
        if backend in ("cpu", "cuda") and not self._native(backend):
            raise ValueError(
                f"backend={backend!r}: the native library is not loaded; see `fastpose info`"
            )
        if backend == "triton" and not has_triton(self.name):
            raise ValueError("backend='triton': Triton is not installed or has no such kernel")


def register(
    name: str, *, forward: Kernel, backward: Kernel, into: Kernel | None = None
) -> Operator:
    """Define `fastpose::<name>`, `<name>_backward` and, with `into`, `<name>_out`."""
    operator = Operator(name, forward, backward, into)
    for role, suffix in (("forward", ""), ("backward", "_backward"), ("into", "_out")):
        kernel: Kernel | None = getattr(operator, role)
        if kernel is None:
            continue
        _library.define(f"{name}{suffix}{kernel.schema}", tags=(torch.Tag.pt2_compliant_tag,))
        _library.impl(name + suffix, _fallback(operator, role), "CompositeExplicitAutograd")
        torch.library.register_fake(
            f"{NAMESPACE}::{name}{suffix}", kernel.fake or (lambda *_: None), lib=_library
        )
    run_backward = getattr(torch.ops.fastpose, f"{name}_backward").default
    save, gradients = _autograd(operator, run_backward)
    torch.library.register_autograd(
        f"{NAMESPACE}::{name}", gradients, setup_context=save, lib=_library
    )
    torch.library.register_autograd(
        f"{NAMESPACE}::{name}_backward", _second_order(name), lib=_library
    )
    OPERATORS[name] = operator
    return operator


def has_triton(name: str) -> bool:
    """Whether the operator has Triton kernels and Triton is installed."""
    try:
        _module(name, "triton")
    except ImportError:
        return False
    return True


@cache
def _module(name: str, part: str) -> ModuleType:
    return importlib.import_module(f"fastpose.ops.{name}.{part}")


def _fallback(operator: Operator, role: str) -> Callable[..., Any]:
    """What runs on a device without a native owner: Triton on a GPU, else the reference."""

    def fallback(*args: Any) -> Any:
        cuda = next(a for a in args if isinstance(a, Tensor)).is_cuda
        if cuda and has_triton(operator.name):
            return operator.kernel("triton", role)(*args)
        if cuda:
            _warn_slow(operator.name)
        return getattr(operator, role).reference(*args)

    return fallback


@cache
def _warn_slow(name: str) -> None:
    warnings.warn(
        f"fastpose.ops.{name}: neither the CUDA library nor Triton is there, so the slow reference "
        "runs on the GPU (see `fastpose info`)",
        stacklevel=3,
    )


def _autograd(
    operator: Operator, run_backward: Callable[..., Any]
) -> tuple[Callable[..., None], Callable[..., Any]]:
    """Hooks that save the forward's arguments by name and call the backward with them."""
    parse = torch._C.parse_schema
    names = [a.name for a in parse(operator.name + operator.forward.schema).arguments]
    schema = parse(operator.name + operator.backward.schema)
    wanted = [names.index(a.name) for a in schema.arguments[1:]]
    targets = [names.index(r.name.removeprefix("grad_")) for r in schema.returns]

    def save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        values = [inputs[i] for i in wanted]
        ctx.save_for_backward(*(v for v in values if isinstance(v, Tensor)))
        ctx.values = [_SAVED if isinstance(v, Tensor) else v for v in values]

    def gradients(ctx: Any, grad_output: Tensor) -> Any:
        saved = iter(ctx.saved_tensors)
        values = [next(saved) if v is _SAVED else v for v in ctx.values]
        results = run_backward(grad_output, *values)
        gradient: list[Tensor | None] = [None] * len(names)
        for i, result in zip(targets, (results,) if len(targets) == 1 else results, strict=True):
            gradient[i] = result
        return tuple(gradient)

    return save, gradients


_SAVED = object()  # stands for a tensor that save_for_backward holds


def _second_order(name: str) -> Callable[..., Any]:
    def raise_error(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(f"fastpose.ops.{name} can be differentiated once, not twice")

    return raise_error


@cache
def _function(name: str, backend: str) -> type[torch.autograd.Function]:
    """An autograd function that runs both ways on one owner."""
    operator = OPERATORS[name]
    run_forward = operator.kernel(backend, "forward")
    save, gradients = _autograd(operator, operator.kernel(backend, "backward"))

    def forward(ctx: Any, *args: Any) -> Any:
        output = run_forward(*args)
        save(ctx, args, output)
        return output

    members = {
        "forward": staticmethod(forward),
        "backward": staticmethod(torch.autograd.function.once_differentiable(gradients)),
    }
    return type(f"{name}_{backend}", (torch.autograd.Function,), members)
