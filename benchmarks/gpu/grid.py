"""Every operator against its peers on the GPU: the gate, then cold and warm replays, then the host.

The calls, peers and gate are those of the CPU benchmarks (`benchmarks/ops`); here they lie on the
GPU, ours is there once for each owner, and a naive Triton kernel stands for an afternoon's work.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import clock
from benchmarks.harness import ratio_of_times
from benchmarks.ops import compare
from benchmarks.ops.declare import (
    BOTH,
    COMPILED,
    EAGER,
    FORWARD,
    OURS,
    Benchmark,
    Case,
    Drawer,
    Problem,
)
from benchmarks.ops.gate import gate, right
from fastpose.ops.registry import OPERATORS, has_triton

TRITON = f"{OURS}, triton"
SLICE = f"{OURS}, out= slice of channels-last"
NAIVE = "naive Triton"
ROUNDS = 30


def drawers(
    benchmark: Benchmark, case: Case, problem: Problem, device: torch.device, compile_peers: bool
) -> tuple[dict[str, Drawer], dict[str, str]]:
    """Every way to compute the case on `device`, and the group of each, by name."""
    operator = benchmark.operator
    draw = problem.drawer(operator)
    found: dict[str, Drawer] = {OURS: partial(draw, backend=device.type)}
    if device.type == "cuda" and has_triton(operator):
        found[TRITON] = partial(draw, backend="triton")
    if problem.image and OPERATORS[operator].into is not None:
        found[SLICE] = _into_a_slice(draw, problem, case, device)
    groups = dict.fromkeys(found, OURS)
    simple = naive(operator, problem, case) if device.type == "cuda" else None
    if simple is not None:
        found[NAIVE], groups[NAIVE] = simple, EAGER
    for name, peer in problem.peers.items():
        found[name], groups[name] = peer.draw, peer.group
        for mode in peer.modes if compile_peers else ():
            label = compare.compiled_name(name, mode)
            found[label], groups[label] = compare.compiled(peer.draw, mode), COMPILED
    return found, groups


def naive(operator: str, problem: Problem, case: Case) -> Drawer | None:
    """The naive Triton kernel for the same call; None where nobody would write that one."""
    from benchmarks.ops import naive_triton, naive_triton_warp

    args, keywords = problem.sample.args, problem.sample.kwargs
    if operator == "render_skeleton":
        limbs = torch.tensor(args[1], dtype=torch.int32, device=args[0].device)
        fall_off = keywords["sharpness"], keywords["eps"]
        return lambda points: naive_triton.render_skeleton(points, limbs, case.size, *fall_off)
    if operator == "render_gaussians" and len(args) == 3:
        return lambda mean, covariance: naive_triton.render_gaussians(mean, covariance, case.size)
    if operator == "soft_argmax" and keywords["mode"] == "joint":
        return naive_triton.soft_argmax
    if operator == "warp_templates" and problem.wanted == (1,):
        return lambda affine: naive_triton_warp.warp_templates(args[0], affine, case.size)
    return None


def _into_a_slice(ours: Drawer, problem: Problem, case: Case, device: torch.device) -> Drawer:
    """Written behind the three channels of a frame, as a network reads it."""
    batch, channels, *size = ours(*problem.leaves(gradients=False)).shape
    buffer = torch.zeros(batch, 3 + channels, *size, dtype=case.torch_dtype, device=device)
    buffer = buffer.contiguous(memory_format=torch.channels_last)
    return lambda *leaves: ours(*leaves, out=buffer.detach()[:, 3:], backend=device.type)


def builder(draw: Drawer, problem: Problem, what: str) -> Callable[[], clock.Call]:
    """Makes calls with tensors of their own; gradients are returned, not added up."""

    def build() -> clock.Call:
        leaves = problem.leaves(gradients=what == BOTH)
        if what == FORWARD:
            return lambda: draw(*leaves)
        weights = torch.randn_like(draw(*leaves).detach())
        return lambda: torch.autograd.grad(draw(*leaves), leaves, weights)

    return build


def measure(
    benchmark: Benchmark,
    case: Case,
    device: torch.device,
    *,
    compile_peers: bool,
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """One case: errors of everybody, then times of those that are right."""
    began = time.perf_counter()
    problem = benchmark.problem(case, 0, str(device))
    found, groups = drawers(benchmark, case, problem, device, compile_peers)
    fresh = benchmark.problem(case, 1, str(device))
    usable, notes = _that_run(found, fresh)
    errors = gate(benchmark.operator, case, fresh, usable, [torch.get_num_threads()])
    rounded = case.dtype != "float32"
    record: dict[str, Any] = {"operator": benchmark.operator, "case": str(case), "errors": errors}
    record["not_run"] = notes
    record["rows"] = []
    for what in (FORWARD, BOTH):
        rows = []
        for name, draw in usable.items():
            result = draw(*problem.leaves(gradients=False))
            moved = compare.bytes_of(name, what, result, problem)
            del result
            rows.append(clock.Contender(name, builder(draw, problem, what), moved))
        for row in rows:
            clock.prepare(row, device)
        timed = [row for row in rows if row.graphs]
        clock.interleave(timed, rounds, seconds / 2)
        for row in rows:
            call = row.build()
            entry: dict[str, Any] = {
                "what": what,
                "contender": row.name,
                "group": groups[row.name],
                "right": right(errors[row.name], rounded, row.name.startswith(OURS)),
                "differs": problem.differs(row.name),
                "note": row.note,
                "bytes": row.moved,
            }
            if row in timed:
                entry |= _times(row, rows[0], call, device)
            record["rows"].append(entry)
            row.graphs.clear()
    record["seconds"] = round(time.perf_counter() - began, 1)
    return record


def _that_run(
    found: dict[str, Drawer], problem: Problem
) -> tuple[dict[str, Drawer], dict[str, str]]:
    """Those of the contenders that do not fail here, and why the others do. Ours must not."""
    usable, notes = {}, {}
    for name, draw in found.items():
        try:
            draw(*problem.leaves(gradients=True))
            usable[name] = draw
        except Exception as error:
            if name.startswith(OURS):
                raise
            notes[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    return usable, notes


def _times(
    row: clock.Contender, ours: clock.Contender, call: clock.Call, device: torch.device
) -> dict[str, Any]:
    cold, warm = sorted(row.cold), sorted(row.warm)
    middle = cold[len(cold) // 2]
    return {
        "cold_us": {
            "min": round(cold[0], 3),
            "median": round(middle, 3),
            "p90": round(cold[int(0.9 * (len(cold) - 1))], 3),
        },
        "warm_us": round(warm[len(warm) // 2], 3),
        "rounds": len(cold),
        "gb_per_s": round(row.moved / middle * 1e-3, 1),
        "host_us": round(clock.host_microseconds(call, device), 2),
        "launches": clock.launches(call, device),
        "extra_bytes": clock.extra_bytes(call, device),
        "synchronises": clock.waits_for_the_host(call, device),
        "times_fastpose": ratio_of_times(dict(enumerate(row.cold)), dict(enumerate(ours.cold))),
    }


def same_on_streams_and_replays(
    benchmark: Benchmark, case: Case, device: torch.device, repeats: int = 100
) -> bool:
    """Whether ours gives the same bytes again and again, on other streams and in a graph."""
    problem = benchmark.problem(case, 2, str(device))
    call = builder(problem.drawer(benchmark.operator), problem, BOTH)()
    first = [g.clone() for g in call()]

    def same(gradients: Sequence[Tensor]) -> bool:
        return all(torch.equal(a, b) for a, b in zip(first, gradients, strict=True))

    if device.type != "cuda":
        return all(same(call()) for _ in range(repeats))
    streams = [torch.cuda.Stream() for _ in range(4)]
    for _, stream in zip(range(repeats), itertools.cycle(streams), strict=False):
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            again = call()
        torch.cuda.current_stream().wait_stream(stream)
        if not same(again):
            return False
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = call()
    for _ in range(repeats):
        graph.replay()
        if not same(captured):
            return False
    return True
