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
    """A registered operator. Calling it computes with the device's owner, with autograd."""

    name: str
    forward: Kernel
    backward: Kernel
    into: Kernel | None  # as forward, but writes into its last argument `out`

    def __call__(self, *args: Any) -> Any:
        if torch.compiler.is_compiling():
            return self.overload("forward")(*args)
        return _call(self.name, args)

    def overload(self, role: str) -> Callable[..., Any]:
        """The dispatcher's entry for "forward", "backward" or "into"."""
        return _overload(self.name, role)

    def using(self, backend: str, role: str = "forward") -> Callable[..., Any]:
        """The given owner's `forward` (with autograd), `backward` or `into`.

        Raises:
            ValueError: there is no such owner, or it is not there.
        """
        self._check_backend(backend)
        if role == "forward":
            run = _run_function(self.name, backend)
            return lambda *args: run(args)
        return self.kernel(backend, role)

    def kernel(self, backend: str, role: str) -> Callable[..., Any]:
        """One owner's bare kernel, without autograd."""
        if backend == "reference":
            return getattr(self, role).reference
        if backend == "triton":
            return getattr(module_of(self.name, "triton"), role)
        return self.overload(role)

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
            known = ", ".join(BACKENDS)
            raise ValueError(f"backend must be one of {known} or None, got {backend!r}")
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
    operator = OPERATORS[name] = Operator(name, forward, backward, into)
    for role, suffix in _SUFFIX.items():
        kernel: Kernel | None = getattr(operator, role)
        if kernel is None:
            continue
        _library.define(f"{name}{suffix}{kernel.schema}", tags=(torch.Tag.pt2_compliant_tag,))
        _library.impl(name + suffix, _fallback(operator, role), "CompositeExplicitAutograd")
        torch.library.register_fake(
            f"{NAMESPACE}::{name}{suffix}", kernel.fake or (lambda *_: None), lib=_library
        )
    _library.impl(name, lambda *args: _call(name, args), "Autograd")
    torch.library.register_autograd(
        f"{NAMESPACE}::{name}_backward", _second_order(name), lib=_library
    )
    return operator


def has_triton(name: str) -> bool:
    """Whether the operator has Triton kernels and Triton is installed."""
    try:
        module_of(name, "triton")
    except ImportError:
        return False
    return True


_SUFFIX = {"forward": "", "backward": "_backward", "into": "_out"}


def _overload(name: str, role: str) -> Callable[..., Any]:
    return getattr(torch.ops.fastpose, name + _SUFFIX[role]).default


@cache
def module_of(name: str, part: str) -> ModuleType:
    """The module `part` of an operator's folder."""
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


# --- autograd ------------------------------------------------------------------------------------
# Written by hand because a call costs as much as a kernel: the forward and backward of an operator
# that does nothing take 110 microseconds with torch.library.register_autograd and 50 with this, of
# which 30 are torch's own (measured on the CPU).

_below_autograd = torch._C._AutoDispatchBelowAutograd


def _call(name: str, args: tuple[Any, ...]) -> Any:
    if torch.is_grad_enabled():
        for a in args:
            if isinstance(a, Tensor) and a.requires_grad:
                return _run_function(name, None)(args)
    with _below_autograd():
        return _overload(name, "forward")(*args)


@cache
def _run_function(name: str, backend: str | None) -> Callable[[tuple[Any, ...]], Any]:
    """The operator with autograd, on the device's owner or on the given one, from its arguments."""
    operator = OPERATORS[name]
    run_forward = operator.kernel(backend or "dispatcher", "forward")
    run_backward = operator.kernel(backend or "dispatcher", "backward")
    tracked_backward = operator.overload("backward")

    names = [a.name for a in torch._C.parse_schema(name + operator.forward.schema).arguments]
    schema = torch._C.parse_schema(name + operator.backward.schema)
    wanted = [(names.index(a.name), "Tensor" in str(a.type)) for a in schema.arguments[1:]]
    tensors = [i for i, is_tensor in wanted if is_tensor]
    constants = [i for i, is_tensor in wanted if not is_tensor]
    order = [(tensors + constants).index(i) for i, _ in wanted]
    targets = [names.index(r.name.removeprefix("grad_")) for r in schema.returns]

    def forward(ctx: Any, args: tuple[Any, ...], *_: Any) -> Any:
        ctx.save_for_backward(*[args[i] for i in tensors])
        ctx.constants = [args[i] for i in constants]
        with _below_autograd():
            return run_forward(*args)

    def backward(ctx: Any, grad_output: Tensor) -> Any:
        values = [*ctx.saved_tensors, *ctx.constants]
        args = [values[i] for i in order]
        if torch.is_grad_enabled():  # so that differentiating once more raises, see _second_order
            results = tracked_backward(grad_output, *args)
        else:
            with _below_autograd():
                results = run_backward(grad_output, *args)
        return (None, results) if len(targets) == 1 else (None, *results)

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function = type(f"{name}_{backend or 'owner'}", (torch.autograd.Function,), members)
    # All arguments travel as one, and next to them only those that get gradients: torch spends time
    # on every argument of a function.
    return lambda args: function.apply(args, *[args[i] for i in targets])


def _second_order(name: str) -> Callable[..., Any]:
    def raise_error(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(f"fastpose.ops.{name} can be differentiated once, not twice")

    return raise_error
