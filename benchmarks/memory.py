"""How much memory a computation takes, from the allocations that PyTorch reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile


def allocated(run: Callable[[], Any]) -> tuple[int, int]:
    """Bytes of tensors that a call has at most at a time, and that are alive when it returns.

    Counted are tensors that the call allocates (a compiled function's buffers too), not what is
    there before, and not what a kernel takes by other means than PyTorch's allocator. Unlike the
    growth of the process it does not depend on what the heap holds already.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    recorder = profiler.profiler
    assert recorder is not None and recorder.kineto_results is not None
    found: list[Any] = recorder.kineto_results.events()
    events = [e for e in found if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    del result  # not before: it is what is alive
    return peak, now
