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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
SHORTEST_ROUND = 2e-3  # seconds; faster contenders are called several times in a row
LONGEST, FEWEST_ROUNDS = 30.0, 10  # seconds of one comparison, where that many rounds are done
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's mallopt


@dataclass
class Contender:
    """Something to time.

    Attributes:
        name: what the tables call it.
        run: one call.
        before: called before each round, outside of the measurement.
    """

    name: str
    run: Callable[[], Any]
    before: Callable[[], Any] = lambda: None
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    faults: list[float] = field(default_factory=list)
    calls: int = 1

    def warm_up(self, seconds: float) -> None:
        """Call for a while, then choose how many calls make a round."""
        self.before()
        self.run()
        start, fastest, count = time.perf_counter(), float("inf"), 0
        while count < 3 or time.perf_counter() - start < seconds:
            began = time.perf_counter()
            self.run()
            fastest = min(fastest, time.perf_counter() - began)
            count += 1
        self.calls = max(1, round(SHORTEST_ROUND / fastest))

    def measure(self) -> None:
        """One round."""
        self.before()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(self.calls):
            self.run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        self.wall.append(wall / self.calls)
        self.cpu.append(cpu / self.calls)
        self.faults.append(faults / self.calls)

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
    contenders: Sequence[Contender], rounds: int, seed: int = 0, warm_up: float = 0.1
) -> None:
    """Measure all of them in turn, in a new random order each time.

    `rounds` times, or as often as fits into half a minute, but no less than ten times.
    """
    order, shuffle = list(contenders), random.Random(seed)
    for contender in order:
        contender.warm_up(warm_up)
    start = time.perf_counter()
    for done in range(rounds):
        if done >= FEWEST_ROUNDS and time.perf_counter() - start > LONGEST:
            break
        shuffle.shuffle(order)
        for contender in order:
            contender.measure()


def ratio(slow: Contender, fast: Contender, measure: str = "wall", seed: int = 0) -> dict[str, Any]:
    """How many times faster: of the minima, of the medians, and the medians' 95 % interval.

    The interval is a bootstrap over rounds, taken in pairs: both were measured in the same round.
    """
    pairs = list(zip(getattr(slow, measure), getattr(fast, measure), strict=True))
    draw = random.Random(seed)

    def of_medians(chosen: Sequence[tuple[float, float]]) -> float:
        return statistics.median(a for a, _ in chosen) / statistics.median(b for _, b in chosen)

    resampled = sorted(of_medians(draw.choices(pairs, k=len(pairs))) for _ in range(500))
    return {
        "of_minima": round(min(a for a, _ in pairs) / min(b for _, b in pairs), 2),
        "of_medians": round(of_medians(pairs), 2),
        "interval": [round(resampled[12], 2), round(resampled[487], 2)],
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
