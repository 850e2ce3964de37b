"""The measuring itself: fair rounds, honest statistics, no trace of the machine's name."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
import torch

from benchmarks import harness
from benchmarks.harness import ROOT, Contender, interleave, quantiles, ratio


def test_quantiles_are_in_milliseconds():
    found = quantiles([0.001 * i for i in range(1, 101)])
    assert found == {"min": 1.0, "p10": 11.0, "median": 51.0, "p90": 90.0}
    assert quantiles([0.25]) == {"min": 250.0, "p10": 250.0, "median": 250.0, "p90": 250.0}


def test_every_round_has_everyone_once_in_random_order():
    order = []
    rows = [Contender(n, lambda: None, lambda n=n: order.append(n)) for n in "abc"]
    for row in rows:
        row.warm_up = lambda seconds: 0.001
    interleave(rows, 20)
    rounds = [tuple(order[i : i + 3]) for i in range(0, 60, 3)]
    assert all(sorted(r) == ["a", "b", "c"] for r in rounds)
    assert len(set(rounds)) > 3
    assert all(len(row.wall) == len(row.cpu) == len(row.faults) == 20 for row in rows)


def test_slow_contenders_take_part_less_often_but_all_the_time():
    rows = {n: Contender(n, lambda: None) for n in ("fast", "slow", "slowest")}
    for name, seconds in (("fast", 0.1), ("slow", 0.25), ("slowest", 100.0)):
        rows[name].warm_up = lambda _, seconds=seconds: seconds
    interleave(list(rows.values()), 30, longest=3, fewest=5)
    assert rows["fast"].at == list(range(30))
    assert len(rows["slow"].at) == 12 and rows["slowest"].at == [5, 11, 17, 23, 29]
    found = ratio(rows["slowest"], rows["fast"])
    assert found["interval"][0] <= found["of_medians"] <= found["interval"][1]


def test_a_fast_contender_is_called_often_enough(monkeypatch):
    clock = {"wall": 0.0, "cpu": 0.0}

    def run():
        clock["wall"] += 1e-4
        clock["cpu"] += 2.5e-5

    monkeypatch.setattr(harness.time, "perf_counter", lambda: clock["wall"])
    monkeypatch.setattr(harness.time, "process_time", lambda: clock["cpu"])
    row = Contender("fast", run)
    assert row.warm_up(0.01) == pytest.approx(5e-3)
    assert row.calls == 50
    row.measure()
    assert row.wall == [pytest.approx(1e-4)] and row.cpu == [pytest.approx(2.5e-5)]
    assert row.summary()["calls_per_round"] == 50


def test_what_others_left_behind_is_nobodys_cost(monkeypatch):
    """The first call after another contender is slow, as in a cold cache."""
    clock, cold = [0.0], [True]

    def run():
        clock[0] += 1.0 if cold[0] else 1e-3
        cold[0] = False

    monkeypatch.setattr(harness.time, "perf_counter", lambda: clock[0])
    row = Contender("slow", run, before=lambda: cold.__setitem__(0, True))
    row.measure()
    assert row.wall == [pytest.approx(1e-3)]


def test_ratio_is_taken_in_pairs():
    slow, fast = Contender("slow", print), Contender("fast", print)
    fast.wall = [1.0, 2.0, 4.0, 8.0] * 10  # the machine's speed changes, the ratio does not
    slow.wall = [3 * t for t in fast.wall[::2]]
    fast.at, slow.at = list(range(40)), list(range(0, 40, 2))
    found = ratio(slow, fast)
    assert found["of_minima"] == found["of_medians"] == 3
    low, high = found["interval"]
    assert low <= 3 <= high


def test_large_blocks_can_be_kept_from_mmap():
    """In a process of its own, because there is no way back."""
    script = """
import ctypes, sys, torch
from benchmarks.harness import forbid_mmap
class Info(ctypes.Structure):  # of glibc's mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks".split()]
    _fields_ += [("others", ctypes.c_size_t * 6)]
mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
if mallinfo is None:
    sys.exit("not glibc")
mallinfo.restype = Info
def mapped_by_a_large_tensor():
    before = mallinfo().hblks
    tensor = torch.empty(9 << 20)
    return mallinfo().hblks - before
assert mapped_by_a_large_tensor() == 1
assert forbid_mmap()
assert mapped_by_a_large_tensor() == 0
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    if "not glibc" in done.stderr:
        pytest.skip("not glibc")
    assert done.returncode == 0, done.stderr


def test_machine_is_described_but_not_named():
    found = harness.machine()
    assert found["cores"] >= 1 and found["torch"] == torch.__version__
    assert socket.gethostname() not in {str(v) for v in found.values()}
