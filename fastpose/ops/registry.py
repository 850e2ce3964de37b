"""Schema, fallback, fake kernel and autograd of one operator, registered in one call.

An operator is one schema with several owners. The reference is registered for every device; a
native library that is loaded overrides it on its own device (`fastpose/_native.py`); on a GPU
without one the Triton kernels step in. `using(backend)` calls one given owner, for tests and
benchmarks.

Naming does the wiring. A forward with one result calls it nothing, one with several names each.
The arguments of the backward operator are

- ``grad_<result>``, or ``grad_output`` where there is one: the gradients that arrive. They come
  first. Results without one are not differentiable. Typed ``Tensor?`` they may be None.
- ``<argument>`` or ``<result>`` of the forward, kept for the backward;
- ``needs_<argument>`` (bool): whether anybody wants that gradient. If not, an empty tensor will do.

A result ``slope_<argument>`` is part of that argument's gradient, formed in the forward for the
backward alone: public functions do not hand it out.

The backward's results are called ``grad_<argument>``. Where names cannot say it, the operator
brings its own autograd (`register`). What an operator offers to the generic tests of `tests/ops/`
is in its module `samples`; its Triton kernels, if any, are in its module `triton`: functions
`forward`, `backward` and `into` with the arguments of the schemas. Operators that share a room have
modules of their own in packages of those names there.
"""

import importlib
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

NAMESPACE = "fastpose"
BACKENDS = ("reference", "cpu", "cuda", "triton")
OPERATORS: dict[str, "Operator"] = {}

# From an owner's forward and backward to the operator with autograd, called with its arguments.
Differentiate = Callable[[Callable[..., Any], Callable[..., Any]], Callable[[tuple[Any, ...]], Any]]

_library = torch.library.Library(NAMESPACE, "FRAGMENT")
# Looking functions up in torch takes time in every call.
_is_compiling, _is_grad_enabled = torch.compiler.is_compiling, torch.is_grad_enabled
_below_autograd = torch._C._AutoDispatchBelowAutograd


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
    unsaved: Callable[..., Collection[str]] | None = None
    differentiate: Differentiate | None = None
    room: str = ""  # the folder under fastpose/ops

    def __call__(self, *args: Any) -> Any:
        if _is_compiling():
            return self.overload("forward")(*args)
        return _entry(self.name)(args)

    def overload(self, role: str) -> Callable[..., Any]:
        """The dispatcher's entry for "forward", "backward" or "into"."""
        return _overload(self.name, role)

    def using(self, backend: str, role: str = "forward") -> Callable[..., Any]:
        """The given owner's `forward` (with autograd), `backward` or `into`; not for torch.compile.

        Raises:
            ValueError: there is no such owner, or it is not there.
        """
        self._check_backend(backend)
        if role == "forward":
            run = _run_function(self.name, backend)
            return lambda *args: run(args)
        return self.kernel(backend, role)

    def write(self, out: Tensor, *args: Any, backend: str | None = None) -> Tensor:
        """Compute into `out`, which is returned; with autograd. The arguments are the forward's."""
        if _is_compiling():  # which drops the gradient of a function that writes
            return out.copy_(self.overload("forward")(*args))
        if backend is not None:
            self._check_backend(backend)
        return _write_function(self.name, backend)(out, args)

    def kernel(self, backend: str, role: str) -> Callable[..., Any]:
        """One owner's bare kernel, without autograd."""
        if backend == "reference":
            return getattr(self, role).reference
        if backend == "triton":
            return getattr(module_of(self.name, "triton"), role)
        return _direct(self.name, role)

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
    name: str,
    *,
    forward: Kernel,
    backward: Kernel,
    into: Kernel | None = None,
    unsaved: Callable[..., Collection[str]] | None = None,
    differentiate: Differentiate | None = None,
    room: str | None = None,
) -> Operator:
    """Define `fastpose::<name>`, `<name>_backward` and, with `into`, `<name>_out`.

    `unsaved`, called with the forward's arguments, names those of them that the backward does
    without this time: it gets None for them and they are not kept. With `differentiate` nothing is
    wired by name: it makes the operator with autograd from an owner's forward and backward. `room`
    is the folder it lives in, where several operators share one.
    """
    operator = Operator(name, forward, backward, into, unsaved, differentiate, room or name)
    OPERATORS[name] = operator
    for role, suffix in _SUFFIX.items():
        kernel: Kernel | None = getattr(operator, role)
        if kernel is None:
            continue
        _library.define(f"{name}{suffix}{kernel.schema}", tags=(torch.Tag.pt2_compliant_tag,))
        _library.impl(name + suffix, _fallback(operator, role), "CompositeExplicitAutograd")
        torch.library.register_fake(
            f"{NAMESPACE}::{name}{suffix}", kernel.fake or (lambda *_: None), lib=_library
        )
    _library.impl(name, lambda *args: _entry(name)(args), "Autograd")
    if differentiate is None:
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


def _overload(name: str, role: str) -> torch._ops.OpOverload:
    return getattr(torch.ops.fastpose, name + _SUFFIX[role]).default


def _direct(name: str, role: str) -> Callable[..., Any]:
    """The same without a function in Python around it; not for torch.compile."""
    return _overload(name, role)._op


@cache
def module_of(name: str, part: str) -> ModuleType:
    """The module `part` of an operator's room; `part`.`name` where several operators share it."""
    room = OPERATORS[name].room
    own = "" if room == name else f".{name}"
    return importlib.import_module(f"fastpose.ops.{room}.{part}{own}")


def _fallback(operator: Operator, role: str) -> Callable[..., Any]:
    """What runs on a device without a native owner: Triton on a GPU, else the reference."""

    def fallback(*args: Any) -> Any:
        each = (t for a in args for t in (a if type(a) is list else (a,)))
        cuda = next(t for t in each if isinstance(t, Tensor)).is_cuda
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
# Written by hand because a call costs as much as a kernel: the forward and backward of one limb on
# 8 x 8 pixels take 52 microseconds, and those of a product of two numbers, which are torch's own,
# 24 (measured on the CPU, one thread).


@cache
def _entry(name: str) -> Callable[[tuple[Any, ...]], Any]:
    """The operator from its arguments: with autograd where one of them requires grad."""
    run_forward, wants_gradients = _direct(name, "forward"), _wants_gradients(name)

    def call(args: tuple[Any, ...]) -> Any:
        if wants_gradients(args):
            return _run_function(name, None)(args)
        with _below_autograd():
            return run_forward(*args)

    return call


def _wants_gradients(name: str) -> Callable[[tuple[Any, ...]], bool]:
    """Whether autograd has to know of a call with these arguments of the forward."""
    schema = torch._C.parse_schema(name + OPERATORS[name].forward.schema)
    pick = _picks([i for i, a in enumerate(schema.arguments) if "Tensor" in str(a.type)])

    def check(args: tuple[Any, ...]) -> bool:
        if _is_grad_enabled():
            for a in pick(args):
                if type(a) is list:
                    if any(t.requires_grad for t in a):
                        return True
                elif a is not None and a.requires_grad:
                    return True
        return False

    return check


@cache
def _run_function(name: str, backend: str | None) -> Callable[[tuple[Any, ...]], Any]:
    """The operator with autograd, on the device's owner or on the given one, from its arguments."""
    operator = OPERATORS[name]
    run_forward = operator.kernel(backend or "dispatcher", "forward")
    if operator.differentiate is not None:
        return operator.differentiate(
            run_forward, operator.kernel(backend or "dispatcher", "backward")
        )
    schema = torch._C.parse_schema(name + operator.forward.schema)
    results = [r.name or "output" for r in schema.returns]
    wiring = _Wiring(operator, backend, [a.name for a in schema.arguments], results, before=1)
    arriving = [results.index(name.removeprefix("grad_")) for name in wiring.gradients]
    fixed = [i for i in range(len(results)) if i not in arriving]
    # Slopes count as differentiable, so that differentiating twice reaches them and raises.
    slopes = [i for i in fixed if results[i].startswith("slope_")]
    pick_arriving, pick_targets = _picks(arriving), _picks(wiring.targets)
    pick_plain = _picks([i for i in fixed if i not in slopes])

    def forward(ctx: Any, args: tuple[Any, ...], *_: Any) -> Any:
        with _below_autograd():
            output = run_forward(*args)
        outputs = output if isinstance(output, tuple) else (output,)
        wiring.save(ctx, args, outputs)
        if fixed:
            ctx.mark_non_differentiable(*pick_plain(outputs))
        if slopes:
            ctx.set_materialize_grads(False)  # zeros as large as they are would be filled in
        return output

    def backward(ctx: Any, *gradients: Any) -> Any:
        arrived = pick_arriving(gradients)
        if slopes and all(g is None for g in arrived):
            return None, *[None] * len(wiring.targets)
        return None, *wiring.run(ctx, arrived)

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function = type(f"{name}_{backend or 'owner'}", (torch.autograd.Function,), members)
    # All arguments travel as one, and next to them only those that get gradients: torch spends time
    # on every argument of a function.
    apply = apply_of(function)
    return lambda args: apply(args, *pick_targets(args))


@cache
def _write_function(name: str, backend: str | None) -> Callable[[Tensor, tuple[Any, ...]], Any]:
    """As `_run_function`, into a given tensor. What that held before is lost: its gradient is 0."""
    operator = OPERATORS[name]
    assert operator.into is not None
    write = operator.kernel(backend or "dispatcher", "into")
    names = _argument_names(name, operator.forward)
    taken = [names.index(n) for n in _argument_names(name, operator.into)[:-1]]
    wiring = _Wiring(operator, backend, names, ["output"], before=2)

    def forward(ctx: Any, out: Tensor, args: tuple[Any, ...], *_: Any) -> Tensor:
        write(*[args[i] for i in taken], out)
        ctx.mark_dirty(out)
        wiring.save(ctx, args, (out,))
        return out

    def backward(ctx: Any, grad_output: Tensor) -> Any:
        # Not None: where `out` is a part of a buffer, torch would drop the buffer's gradient.
        grad_out = torch.zeros_like(grad_output) if ctx.needs_input_grad[0] else None
        return grad_out, None, *wiring.run(ctx, (grad_output,))

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function = type(f"{name}_into_{backend or 'owner'}", (torch.autograd.Function,), members)
    apply, pick_targets = apply_of(function), _picks(wiring.targets)
    wants_gradients, pick_taken = _wants_gradients(name), _picks(taken)

    def call(out: Tensor, args: tuple[Any, ...]) -> Tensor:
        if wants_gradients(args) or out.requires_grad:
            return apply(out, args, *pick_targets(args))
        write(*pick_taken(args), out)  # has no autograd of its own that would have to be passed by
        increment_version(out)  # autograd must know: `out` may have been saved for a backward
        return out

    return call


def apply_of(function: Any) -> Callable[..., Any]:
    """`function.apply` for functions that are written like those here: torch's own spends a tenth
    of a call on finding out which form a function has."""
    apply = super(torch.autograd.Function, function).apply  # type: ignore[misc]
    unwrap = torch._C._functorch.unwrap_if_dead  # type: ignore[attr-defined]

    def direct(*args: Any) -> Any:
        if torch._C._are_functorch_transforms_active():
            return function.apply(*args)
        return apply(*[unwrap(a) if isinstance(a, Tensor) else a for a in args])

    return direct


def _argument_names(name: str, kernel: Kernel) -> list[str]:
    return [a.name for a in torch._C.parse_schema(name + kernel.schema).arguments]


def _picks(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """What takes the values at these places out of a tuple: a loop costs more."""
    if len(places) > 1:
        return itemgetter(*places)
    return (lambda values: (values[places[0]],)) if places else lambda _: ()


class _Wiring:
    """How the arguments of an operator's backward come about, from their names in the schemas.

    `names` are the forward's arguments. Autograd sees `before` arguments and then the targets,
    those that get gradients.
    """

    def __init__(
        self,
        operator: Operator,
        backend: str | None,
        names: list[str],
        results: list[str],
        before: int,
    ) -> None:
        schema = torch._C.parse_schema(operator.name + operator.backward.schema)
        given = {a.name: a for a in schema.arguments}
        self.gradients = [n for n in given if n[:5] == "grad_" and n[5:] in results]
        self.optional = any("Optional" in str(given[n].type) for n in self.gradients)
        self.targets = [names.index(r.name.removeprefix("grad_")) for r in schema.returns]
        self._run = operator.kernel(backend or "dispatcher", "backward")
        self._tracked = operator.overload("backward")
        self._unsaved = operator.unsaved
        self._before = before
        rest = [n for n in given if n not in self.gradients]
        tensors = [n for n in rest if "Tensor" in str(given[n].type)]
        flags = [n for n in rest if n not in names and n not in tensors]
        constants = [n for n in rest if n not in tensors and n not in flags]
        self._tensors = tensors
        self._pick_tensors = _picks([[*names, *results].index(n) for n in tensors])
        self._pick_constants = _picks([names.index(n) for n in constants])
        wanted = [names.index(n.removeprefix("needs_")) for n in flags]
        self._pick_flags = _picks([before + self.targets.index(i) for i in wanted])
        # The values are lined up like this, and then put in order.
        line = [*self.gradients, *tensors, *constants, *flags]
        self._put_in_order = _picks([line.index(n) for n in given])

    def save(self, ctx: Any, args: tuple[Any, ...], outputs: tuple[Tensor, ...]) -> None:
        kept = self._pick_tensors((*args, *outputs))
        if self._unsaved is not None and (dropped := self._unsaved(*args)):
            kept = [None if n in dropped else t for n, t in zip(self._tensors, kept, strict=True)]
        ctx.save_for_backward(*kept)
        ctx.constants = self._pick_constants(args)
        if self.optional:
            ctx.set_materialize_grads(False)

    def run(self, ctx: Any, gradients: tuple[Any, ...]) -> Sequence[Tensor | None]:
        """Gradients of the targets; None for those that nobody wants."""
        needed = ctx.needs_input_grad
        args = self._put_in_order(
            (*gradients, *ctx.saved_tensors, *ctx.constants, *self._pick_flags(needed))
        )
        if _is_grad_enabled():  # so that differentiating once more raises, see _second_order
            results = self._tracked(*args)
        else:
            with _below_autograd():
                results = self._run(*args)
        found = (results,) if len(self.targets) == 1 else results
        needed = needed[self._before :]
        return (
            found if all(needed) else [g if n else None for g, n in zip(found, needed, strict=True)]
        )


def _second_order(name: str) -> Callable[..., Any]:
    def raise_error(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(f"fastpose.ops.{name} can be differentiated once, not twice")

    return raise_error


def differentiable_once(name: str, tracked: Tensor, gradients: list[Tensor]) -> list[Tensor]:
    """The gradients; differentiating them raises, where `tracked`, what they come of, requires
    grad. For operators that bring their own autograd."""
    return list(_once(name).apply(tracked, gradients))


@cache
def _once(name: str) -> Any:
    def forward(ctx: Any, tracked: Tensor, gradients: list[Tensor]) -> tuple[Tensor, ...]:
        return tuple(gradients)

    members = {"forward": staticmethod(forward), "backward": staticmethod(_second_order(name))}
    return type(f"{name}_once", (torch.autograd.Function,), members)
