"""Stands in for CUDA graphs on the CPU, and finds what no CUDA graph could hold.

A capture records every operator with its very tensors; a replay runs the operators again on them.
So whatever Python computed or decided during the capture is frozen, as it is in a CUDA graph, and
a result that is not the eager one shows that a step left something to the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fastpose.training.cuda_graph import Graphs, Replay, Run
from fastpose.training.state import TrainState
from tests.training.tiny import all_tensors

HOST_READS = {"item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__"}
READING_OPERATORS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique")


class HostRead(RuntimeError):
    """Something waits for a value that the device computes."""


class _InPython(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in HOST_READS:
            raise HostRead(f"{func.__name__} reads a tensor")
        return func(*args, **(kwargs or {}))


class _InOperators(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        by_mask = str(func).startswith("aten.index") and any(
            t.dtype == torch.bool for t in _tensors(args[1:])
        )
        if by_mask or any(name in str(func) for name in READING_OPERATORS):
            raise HostRead(f"{func} reads a tensor")
        return func(*args, **(kwargs or {}))


@contextmanager
def no_host_reads() -> Iterator[None]:
    """Whatever would make the host wait for a device raises :class:`HostRead`."""
    with _InPython(), _InOperators():
        yield


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


class _Tape(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[], None]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        taken = {t.untyped_storage()._cdata for t in _tensors((args, kwargs))}
        fresh = [t.untyped_storage()._cdata not in taken for t in _tensors(out)]

        def again() -> None:
            found = func(*args, **kwargs)
            for old, new, is_new in zip(_tensors(out), _tensors(found), fresh, strict=True):
                if is_new:
                    old.copy_(new)

        self.steps.append(again)
        return out


class RecordedGraphs(Graphs):
    """Captures without executing, as far as ``state`` can tell."""

    def __init__(self, state: TrainState) -> None:
        self.state, self.captures, self.replays = state, 0, 0

    def warm_up(self, run: Run) -> Tensor:
        return run()

    def capture(self, run: Run) -> Replay:
        self.captures += 1
        tensors = list(all_tensors(self.state).values())
        before, rng = [t.clone() for t in tensors], torch.get_rng_state()
        tape = _Tape()
        with no_host_reads(), tape:
            values = run()
        with torch.no_grad():
            for tensor, old in zip(tensors, before, strict=True):
                tensor.copy_(old)
        torch.set_rng_state(rng)

        def replay() -> Tensor:
            self.replays += 1
            with torch.no_grad():
                for step in tape.steps:
                    step()
            return values

        return replay
