"""What the tests of an operator on a GPU need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.registry import OPERATORS

Step = Callable[[], tuple[Tensor, ...]]


class OnGpu:
    """One owner of an operator, for tensors on the CPU: they go to the GPU and back."""

    def __init__(self, operator: str, backend: str) -> None:
        self.operator, self.backend = operator, backend

    def run(self, role: str, *args: Any) -> Any:
        kernel = OPERATORS[self.operator].kernel(self.backend, role)
        result = kernel(*(a.cuda() if isinstance(a, Tensor) else a for a in args))
        return result.cpu() if isinstance(result, Tensor) else tuple(r.cpu() for r in result)

    def forward(self, *args: Any) -> Any:
        return self.run("forward", *args)

    def backward(self, *args: Any) -> Any:
        return self.run("backward", *args)


def equal(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def assert_same_bytes_on_every_stream(step: Step) -> None:
    first = step()
    streams = [torch.cuda.Stream() for _ in range(4)]
    for repeat in range(100):
        stream = streams[repeat % 4]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            again = step()
        torch.cuda.current_stream().wait_stream(stream)
        assert equal(first, again)


def assert_works_on_the_current_stream(step: Step, tensor: Tensor) -> None:
    """What a slow kernel on the same stream still writes into `tensor`, an input, is waited for."""
    want, contents = step(), tensor.clone()
    tensor.zero_()
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        tensor.copy_(contents)
        found = step()
    stream.synchronize()
    assert equal(found, want)


def assert_can_be_captured(step: Step, tensor: Tensor, others: list[Tensor]) -> None:
    """A graph of the step, replayed for other contents of `tensor`, gives what the step gives."""
    step()  # Triton compiles
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    for other in others:
        tensor.copy_(other)
        graph.replay()
        assert equal(captured, step())


def assert_no_synchronisation(step: Step) -> None:
    step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def kernels_of(function: Callable[[], Any]) -> list[str]:
    """Names of the kernels that a call launches."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    function()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        function()
        torch.cuda.synchronize()
    events = profiler.events() or []
    return [e.name for e in events if e.device_type == DeviceType.CUDA]


def extra_memory(function: Callable[[], Any]) -> int:
    """Bytes that a call allocates at most, with its result."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    result = function()
    extra = torch.cuda.max_memory_allocated() - before
    del result
    return extra
