"""Times everything that computes one case: ours, its peers, their compilations, and the ceilings
that memory sets."""

from __future__ import annotations

import itertools
import sys
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Contender, interleave, ratio
from benchmarks.memory import allocated
from benchmarks.ops.declare import (
    AGAIN,
    AUTOTUNE,
    BOTH,
    COMPILED,
    COPY,
    DEFAULT,
    FORWARD,
    GRAPHS,
    INTO,
    MEMSET,
    MEMSET_NEW,
    OURS,
    READ,
    Benchmark,
    Case,
    Drawer,
    Problem,
)
from fastpose import _native

CEILING = "ceiling"  # the group of what only moves memory

# Modes of torch.compile that are for GPUs: this one captures graphs.
LEFT_OUT = {GRAPHS: f"on a CPU it generates the same code as {AUTOTUNE}"}

Drawers = tuple[dict[str, Drawer], dict[str, str]]  # by name: the computation, its group


@dataclass(frozen=True)
class Timing:
    """How long to measure.

    Attributes:
        rounds: of every contender that is not slow.
        warm_up: seconds, of each contender.
        longest: seconds after which a contender that is slow has enough rounds.
        fewest: rounds of the slowest.
    """

    rounds: int = 30
    warm_up: float = 0.03
    longest: float = 0.25
    fewest: int = 3


def compiled_name(name: str, mode: str) -> str:
    return f"{name}, compiled" + ("" if mode == DEFAULT else f" {mode}")


def compiled(draw: Drawer, mode: str) -> Drawer:
    """`torch.compile` of it, with a cache of compilations of its own.

    The cache belongs to a function's code, which closures share: with one for all, every call would
    first have to find out which of the compilations is meant.
    """

    def call(*leaves: Tensor) -> Tensor:
        return draw(*leaves)

    own = types.FunctionType(
        call.__code__.replace(), call.__globals__, closure=call.__closure__, name=call.__name__
    )
    return torch.compile(own, fullgraph=True, dynamic=False, mode=mode)


def drawers(operator: str, case: Case, problem: Problem, compile_peers: bool) -> Drawers:
    """Every way to compute the case, and the group of each, by name."""
    ours = problem.drawer(operator)
    shape = ours(*problem.leaves(gradients=False)).shape
    image: dict[str, Any] = dict(dtype=case.torch_dtype, memory_format=case.format)
    found: dict[str, Drawer] = {OURS: ours}
    if problem.image:
        if case.channels_last:  # which is asked for by a tensor that has it
            found[OURS] = lambda *leaves: ours(*leaves, out=torch.empty(shape, **image))
        buffer = torch.empty(shape, **image).fill_(torch.nan)
        # Detached, because after a call the buffer would remember it for the sake of gradients.
        found[INTO] = lambda *leaves: ours(*leaves, out=buffer.detach())
    found[AGAIN] = found[OURS]
    groups = dict.fromkeys(found, OURS)
    for name, peer in problem.peers.items():
        draw = peer.draw
        if problem.image and (case.dtype != "float32" or case.channels_last):
            draw = lambda *leaves, draw=draw: draw(*leaves).to(**image)  # noqa: E731
        found[name], groups[name] = draw, peer.group
        modes = [mode for mode in peer.modes if mode not in LEFT_OUT]
        for mode in modes if compile_peers else ():
            found[compiled_name(name, mode)] = compiled(draw, mode)
            groups[compiled_name(name, mode)] = COMPILED
    return found, groups


def runner(draw: Drawer, problem: Problem, what: str) -> Callable[[], None]:
    """One call of it, with tensors of its own."""
    leaves = problem.leaves(gradients=what == BOTH)
    result = draw(*leaves)
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(2))
    weights = torch.empty_like(result).copy_(weights)
    del result

    def forward() -> None:
        draw(*leaves)

    def both() -> None:
        for leaf in leaves:
            leaf.grad = None
        draw(*leaves).backward(weights)

    return both if what == BOTH else forward


def ceilings(result: Tensor, problem: Problem) -> dict[str, Callable[[], Any]]:
    """What memory allows: the largest of the case's tensors written, read, copied."""
    largest = max((result, *problem.sample.tensors()), key=lambda t: t.nbytes)
    buffer = torch.zeros(largest.shape, dtype=largest.dtype)
    other = torch.zeros_like(buffer)
    return {
        MEMSET: buffer.zero_,
        MEMSET_NEW: lambda: torch.empty_like(buffer).zero_(),
        READ: buffer.sum,
        COPY: lambda: other.copy_(buffer),
    }


def bytes_of(name: str, what: str, result: Tensor, problem: Problem) -> int:
    """Bytes that have to be read and written at least, from the sizes of the tensors."""
    if name in (MEMSET, MEMSET_NEW, READ, COPY):
        largest = max(t.nbytes for t in (result, *problem.sample.tensors()))
        return largest * (2 if name == COPY else 1)
    inputs = sum(t.nbytes for t in problem.inputs())
    gradients = sum(t.nbytes for t in problem.leaves(gradients=False))
    forward = inputs + result.nbytes
    backward = result.nbytes + (inputs if problem.rereads else 0) + gradients
    return forward + (backward if what == BOTH else 0)


def contenders(
    drawers: dict[str, Drawer], problem: Problem, what: str, more: bool = True
) -> list[Contender]:
    """One for each drawer; with `more` ours with narrower instruction sets, and the ceilings."""
    rows = [Contender(name, runner(draw, problem, what)) for name, draw in drawers.items()]
    if not more:
        return rows
    if _native.load()[0].loaded:
        _native.limit_cpu_isa(_native.CPU_ISAS[-1])
        widest = _native.cpu_isa()
        for row in rows:
            row.before = lambda: _native.limit_cpu_isa(widest)
        for isa in _native.CPU_ISAS[: _native.CPU_ISAS.index(widest)]:
            before = lambda isa=isa: _native.limit_cpu_isa(isa)  # noqa: E731
            rows.append(Contender(f"{OURS}, {isa}", runner(drawers[OURS], problem, what), before))
    result = drawers[OURS](*problem.leaves(gradients=False))
    rows += [Contender(name, run) for name, run in ceilings(result, problem).items()]
    return rows


def compare(
    benchmark: Benchmark,
    case: Case,
    drawn: Drawers,
    allocator: str,
    timing: Timing,
    threads: Sequence[int],
    more: bool = True,
) -> list[dict[str, Any]]:
    """All contenders, forward and with backward, with each number of threads; see `contenders`."""
    found, groups = drawn
    problem = benchmark.problem(case, 0)
    result = found[OURS](*problem.leaves(gradients=False))
    results, most = [], torch.get_num_threads()
    for count, what in itertools.product(threads, (FORWARD, BOTH)):
        torch.set_num_threads(count)
        start = time.perf_counter()
        rows = contenders(found, problem, what, more)
        interleave(rows, **asdict(timing))
        for row in rows:
            summary = row.summary()
            moved = bytes_of(row.name, what, result, problem)
            results.append({
                "case": str(case),
                "what": what,
                "threads": count,
                "allocator": allocator,
                "contender": row.name,
                "group": groups.get(row.name, OURS if row.name.startswith(OURS) else CEILING),
                **summary,
                "gb_per_s": float(f"{moved / summary['wall_ms']['min'] / 1e6:.4g}"),
                "times_fastpose": {m: ratio(row, rows[0], m) for m in ("wall", "cpu")},
            })  # fmt: skip
        said = f"{benchmark.operator}: {case}, {what}, threads: {count}, allocator: {allocator}"
        print(f"{said}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    torch.set_num_threads(most)
    if _native.load()[0].loaded:  # the last one measured may have been a narrow one
        _native.limit_cpu_isa(_native.CPU_ISAS[-1])
    return results


def memory(found: dict[str, Drawer], problem: Problem) -> dict[str, dict[str, int]]:
    """Bytes of tensors at most, forward and backward, and held between the two.

    After the gate: what is allocated once and kept is no cost of a call.
    """
    report = {}
    for name, draw in found.items():
        leaves = problem.leaves(gradients=True)
        result = draw(*leaves)
        weights = torch.ones_like(result)
        held = allocated(lambda draw=draw, leaves=leaves: draw(*leaves))[1]
        both = lambda: draw(*leaves).backward(weights)  # noqa: B023, E731
        report[name] = {
            "peak": allocated(both)[0],
            "held_for_backward": held - (0 if name == INTO else result.nbytes),
        }
    return report
