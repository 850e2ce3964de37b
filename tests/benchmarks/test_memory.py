"""What is counted as memory: what a call allocates at most, and what it leaves."""

from __future__ import annotations

import torch

from benchmarks.memory import allocated

MEGABYTE = torch.zeros(1 << 18)


def test_peak_and_rest():
    peak, rest = allocated(lambda: (MEGABYTE + 1).sum())
    assert 1 << 20 <= peak < (1 << 20) + 4096
    assert 0 < rest < 4096
    peak, rest = allocated(lambda: MEGABYTE + 1 + 1)
    assert 2 << 20 <= peak < (2 << 20) + 4096 and rest == 1 << 20


def test_what_was_there_before_does_not_count():
    assert allocated(lambda: MEGABYTE.sum())[0] < 4096


def test_what_autograd_keeps_counts():
    leaf = MEGABYTE.clone().requires_grad_()
    rest = allocated(lambda: leaf.exp().mul(2))[1]
    assert 2 << 20 <= rest < (2 << 20) + 4096  # exp keeps its result
