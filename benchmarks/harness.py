"""Timing of contenders side by side: one process, random order in every round, several measures.

Wall time decides between contenders on a quiet machine. Where others share the processors it swings
by a factor of two; the process's own CPU time on one thread does not, so both are always taken, and
the minor page faults with them (PyTorch's large temporaries are often bound by those).
"""

from __future__ import annotations

import ctypes
import datetime
import importlib.metadata
import os
import platform
import random
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
SHORTEST_ROUND = 5e-3  # seconds; faster contenders are called several times in a row
UNTIMED = 8  # one call in so many, before each round
LONGEST, FEWEST_ROUNDS = 3.0, 10  # seconds of one contender, where it takes part that often
RESAMPLED = 500  # times, for an interval
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's mallopt


@dataclass
class Contender:
    """Something to time.

    Attributes:
        name: what the tables call it.
        run: one call.
        before: called before each round, outside of the measurement.
        at: the rounds in which it took part.
    """

    name: str
    run: Callable[[], Any]
    before: Callable[[], Any] = lambda: None
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    faults: list[float] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    calls: int = 1

    def warm_up(self, seconds: float) -> float:
        """Call for a while, then choose how many calls make a round; the seconds it will take."""
        self.before()
        self.run()
        start, fastest = time.perf_counter(), float("inf")
        while fastest == float("inf") or time.perf_counter() - start < seconds:
            began = time.perf_counter()
            self.run()
            fastest = min(fastest, time.perf_counter() - began)
        self.calls = max(1, round(SHORTEST_ROUND / fastest))
        return fastest * self.calls

    def measure(self, at: int = 0) -> None:
        """One round, after a few calls that are not timed: they find caches, heap and branch
        predictors as another contender left them, and a fast contender would share that cost among
        more calls than a slow one."""
        self.before()
        for _ in range(-(-self.calls // UNTIMED)):
            self.run()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(self.calls):
            self.run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        self.wall.append(wall / self.calls)
        self.cpu.append(cpu / self.calls)
        self.faults.append(faults / self.calls)
        self.at.append(at)

    def summary(self) -> dict[str, Any]:
        """Milliseconds a call, and page faults."""
        return {
            "wall_ms": quantiles(self.wall),
            "cpu_ms": quantiles(self.cpu),
            "minor_faults": statistics.median(self.faults),
            "rounds": len(self.wall),
            "calls_per_round": self.calls,
        }


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Minimum, 10 %, median and 90 % in milliseconds."""
    ordered = sorted(1e3 * s for s in seconds)
    at = {"p10": 0.1, "median": 0.5, "p90": 0.9}
    found = {k: ordered[round(q * (len(ordered) - 1))] for k, q in at.items()}
    return {k: round(v, 6) for k, v in {"min": ordered[0], **found}.items()}


def interleave(
    contenders: Sequence[Contender],
    rounds: int,
    seed: int = 0,
    warm_up: float = 0.1,
    longest: float = LONGEST,
    fewest: int = FEWEST_ROUNDS,
) -> None:
    """Measure all of them in turn, in a new random order each time.

    Who needs more than `longest` seconds for `rounds` rounds takes part in fewer of them, evenly
    spread: as many as fit, but no less than `fewest`.
    """
    order, shuffle = [], random.Random(seed)
    for contender in contenders:
        fitting = int(longest / contender.warm_up(warm_up))
        order.append((contender, min(rounds, max(fewest, fitting))))
    for done in range(rounds):
        shuffle.shuffle(order)
        for contender, share in order:
            if (done + 1) * share // rounds > done * share // rounds:
                contender.measure(done)


def ratio(slow: Contender, fast: Contender, measure: str = "wall") -> dict[str, Any]:
    """How many times faster, by that measure; see `ratio_of_times`."""
    slow_times, fast_times = (
        dict(zip(c.at, getattr(c, measure), strict=True)) for c in (slow, fast)
    )
    return ratio_of_times(slow_times, fast_times)


def ratio_of_times(
    slow: Mapping[int, float], fast: Mapping[int, float], seed: int = 0
) -> dict[str, Any]:
    """How many times faster: of the minima, of the medians, and the medians' 95 % interval.

    The medians are those of the rounds in which both took part, and the interval is a bootstrap
    over these, taken in pairs.

    Args:
        slow, fast: times by round.
    """
    both = sorted(slow.keys() & fast.keys())
    pairs = np.array([(slow[at], fast[at]) for at in both])
    drawn = np.random.default_rng(seed).integers(len(both), size=(RESAMPLED, len(both)))
    of_slow, of_fast = np.median(pairs, axis=0)
    resampled = np.divide(*np.median(pairs[drawn], axis=1).T)
    return {
        "of_minima": round(min(slow.values()) / min(fast.values()), 2),
        "of_medians": round(float(of_slow / of_fast), 2),
        "interval": [round(float(x), 2) for x in np.quantile(resampled, (0.025, 0.975))],
    }


def forbid_mmap() -> bool:
    """From now on glibc serves large blocks from its heap, which it keeps; False: no glibc here.

    By default they come from mmap, and every page of every large temporary is faulted in anew.
    There is no way back: glibc's own thresholds move by themselves until they are set.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names the machine itself."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = [x.split(":", 1) for x in information.read_text().splitlines() if ":" in x]
        model = next((v.strip() for k, v in lines if k.strip() == "model name"), model)
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kornia": _version("kornia"),
        "compiler": _first_line("c++", "--version"),
        "torch_cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.libc_ver()[0]} {platform.libc_ver()[1]}",
        "commit": _first_line("git", "describe", "--always", "--dirty", "--exclude=*"),
        "date": datetime.date.today().isoformat(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _first_line(*command: str) -> str:
    """What a command prints first; "" where it is not there or fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.split("\n")[0].strip() if done.returncode == 0 else ""
