"""What the device can do at most: writing, reading, copying, launching. Measured, not looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.gpu.clock import Contender, interleave, prepare


def measure(device: torch.device, megabytes: int, rounds: int) -> dict[str, Any]:
    """GB/s of a fill, a sum and a copy of `megabytes`, and microseconds of an empty call.

    A copy counts what it reads and what it writes.
    """
    numel = megabytes * (1 << 20) // 4
    size = 4 * numel

    def fill() -> Callable[[], Any]:
        target = torch.empty(numel, device=device)
        return lambda: target.fill_(1.0)

    def read() -> Callable[[], Any]:
        source = torch.ones(numel, device=device)
        return lambda: source.sum()

    def copy() -> Callable[[], Any]:
        source, target = torch.ones(numel, device=device), torch.empty(numel, device=device)
        return lambda: target.copy_(source)

    def least() -> Callable[[], Any]:
        target = torch.empty(1, device=device)
        return lambda: target.fill_(1.0)

    contenders = [
        Contender("write", fill, size),
        Contender("read", read, size),
        Contender("copy", copy, 2 * size),
        Contender("launch", least, 4),
    ]
    for contender in contenders:
        prepare(contender, device)
    interleave(contenders, rounds, seconds=20)
    found: dict[str, Any] = {"megabytes": megabytes}
    for contender in contenders:
        fastest = min(contender.cold)
        if contender.name == "launch":
            found["microseconds_per_node_of_a_graph"] = round(fastest, 3)
        else:
            found[f"{contender.name}_gb_per_s"] = round(contender.moved / fastest * 1e-3, 1)
    return found
