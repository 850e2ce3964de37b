"""Timing on a GPU: graphs of many calls over rotating buffers, and what a call costs the host.

A call is short, so what is timed is the replay of a CUDA graph that holds many of them. The calls
take turns on sets of buffers that together exceed the L2 cache several times (cold); the same graph
over one set is the warm figure. Both are device time between two events.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

Call = Callable[[], Any]
FEWEST_CALLS, MOST_SETS = 20, 96
CACHES = 4  # times the L2 cache that rotating buffers fill


@dataclass
class Contender:
    """Something to time.

    Attributes:
        name: what the tables call it.
        build: a call on buffers of its own, each time it is called.
        moved: bytes that one call must read and write at least.
        cold, warm: microseconds a call, one entry per round.
        note: why something is missing.
    """

    name: str
    build: Callable[[], Call]
    moved: int
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    note: str = ""
    graphs: dict[str, Graph] = field(default_factory=dict)


class Graph:
    """Calls that are replayed at once; not `captured`, they are called in turn."""

    def __init__(self, calls: Sequence[Call], count: int, device: torch.device) -> None:
        self.calls, self.count, self.captured = calls, count, False
        self.graph: Any = None
        if device.type != "cuda":
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for call in calls:
                call()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._all()
        except RuntimeError:  # it synchronises or is a graph of its own
            torch.cuda.synchronize()
            return
        self.graph, self.captured = graph, True

    def _all(self) -> None:
        for i in range(self.count):
            self.calls[i % len(self.calls)]()

    def seconds(self) -> float:
        """Of one call, on the device; on a CPU of one call at all."""
        run = self.graph.replay if self.captured else self._all
        if not torch.cuda.is_available():
            began = time.perf_counter()
            run()
            return (time.perf_counter() - began) / self.count
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        run()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) * 1e-3 / self.count


def cache_bytes(device: torch.device) -> int:
    """Of the L2 cache; 0 on a CPU."""
    if device.type != "cuda":
        return 0
    return torch.cuda.get_device_properties(device).L2_cache_size


def prepare(contender: Contender, device: torch.device) -> None:
    """Build the graphs of a contender; one that cannot run keeps the reason as its note."""
    sets = -(-CACHES * cache_bytes(device) // max(contender.moved, 1))
    sets = min(max(sets, 4), MOST_SETS)
    try:
        calls = [contender.build() for _ in range(sets)]
        contender.graphs["cold"] = Graph(calls, max(FEWEST_CALLS, sets), device)
        contender.graphs["warm"] = Graph(calls[:1], FEWEST_CALLS, device)
    except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
        contender.graphs.clear()
        contender.note = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        return
    if device.type == "cuda" and not contender.graphs["cold"].captured:
        contender.note = "not captured: called in turn, so host time counts"


def interleave(contenders: Sequence[Contender], rounds: int, seconds: float) -> None:
    """Replay all of them in a new random order each round, until rounds or time are over."""
    order = [(c, kind) for c in contenders for kind in c.graphs]
    shuffle = random.Random(0)
    for contender, kind in order:
        contender.graphs[kind].seconds()
    began = time.perf_counter()
    for done in range(rounds):
        if done >= 5 and time.perf_counter() - began > seconds:
            return
        shuffle.shuffle(order)
        for contender, kind in order:
            getattr(contender, kind).append(1e6 * contender.graphs[kind].seconds())


def host_microseconds(call: Call, device: torch.device) -> float:
    """What an eager call costs the host: the median of three rows of calls without waiting."""
    repeats = 300 if device.type == "cuda" else 3
    for _ in range(10 if device.type == "cuda" else 1):
        call()
    rows = []
    for _ in range(3):
        _wait(device)
        began = time.perf_counter()
        for _ in range(repeats):
            call()
        rows.append((time.perf_counter() - began) / repeats)
        _wait(device)
    return 1e6 * statistics.median(rows)


def extra_bytes(call: Call, device: torch.device) -> int | None:
    """The most memory that a call holds beyond what was there before; None on a CPU."""
    if device.type != "cuda":
        return None
    call()
    _wait(device)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    _wait(device)
    return torch.cuda.max_memory_allocated() - before


def launches(call: Call, device: torch.device) -> int | None:
    """Kernels and copies that a call starts; None on a CPU."""
    if device.type != "cuda":
        return None
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    call()
    _wait(device)
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        call()
        _wait(device)
    return sum(e.device_type == DeviceType.CUDA for e in profiler.events() or ())


def waits_for_the_host(call: Call, device: torch.device) -> bool | None:
    """Whether a call synchronises; None on a CPU."""
    if device.type != "cuda":
        return None
    call()
    _wait(device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        call()
    except RuntimeError:
        return True
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return False


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
