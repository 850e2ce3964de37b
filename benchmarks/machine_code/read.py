"""Reads the machine code of the CUDA kernels in ``libfastpose_cuda.so``; needs no GPU.

Needs ``cuobjdump``, from the CUDA toolkit or from the Triton package.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "fastpose/libfastpose_cuda.so"
_LEAVES = re.compile(r"\b(BRA|BSYNC|CALL|RET|EXIT)\b")
_BRANCH = re.compile(r"\bBRA(?:\.\w+)*\s+(?:!?U?P\w+,\s*)?0x([0-9a-f]+)")


class Stretch(list[str]):
    """Instructions on the way from number `first` to number `last` of a kernel's code."""

    def __init__(self, texts: Iterable[str], first: int, last: int) -> None:
        super().__init__(texts)
        self.first, self.last = first, last

    @property
    def loads(self) -> int:
        """From global memory."""
        return sum("LDG" in text for text in self)


@dataclass
class Kernel:
    """One kernel's machine code for one architecture.

    Attributes:
        name: with its template arguments, without namespaces and parameters.
        arch: such as ``sm_90``.
        registers: per thread.
        stack, local: bytes per thread in memory, where spilled registers go.
        code: (address, instruction).
    """

    name: str
    arch: str
    registers: int = 0
    stack: int = 0
    local: int = 0
    code: list[tuple[int, str]] = field(default_factory=list)

    def count(self, pattern: str) -> int:
        """Instructions that match."""
        return sum(re.search(pattern, text) is not None for _, text in self.code)

    def loops(self) -> list[Stretch]:
        """The innermost loops."""
        return [self._stretch(range(a, b + 1)) for a, b in self._inner_loops()]

    def shortest_passes(self) -> list[Stretch]:
        """Of each of `loops`, a pass that jumps over whatever it may."""
        return [self._stretch(self._shortest_way(a, b)) for a, b in self._inner_loops()]

    def pieces(self) -> list[Stretch]:
        """The stretches of code between jumps and what they jump to."""
        ends = {self._number_of[t] for n in range(len(self.code)) if (t := self._target(n))}
        ends |= {n + 1 for n, (_, t) in enumerate(self.code) if _LEAVES.search(t)}
        cuts = sorted(ends | {0, len(self.code)})
        return [self._stretch(range(a, b)) for a, b in itertools.pairwise(cuts)]

    def around(self, stretch: Stretch) -> int:
        """Instructions on the shortest way to the stretch and from there to the end."""
        return self._beside(stretch, 0, self._exit_behind(stretch))

    def turn_around(self, stretch: Stretch) -> int:
        """Of the outermost loop in which the stretch lies, the instructions on the shortest way to
        it and from there back to the start; 0 if there is no such loop."""
        end = self._exit_behind(stretch)  # behind it are rare cases, which jump back
        outer = [(a, b) for a, b in self._spans() if a < stretch.first and stretch.last < b < end]
        return self._beside(stretch, *min(outer)) if outer else 0

    def way_through(self, stretches: Sequence[Stretch], first: int, last: int) -> Stretch:
        """The shortest way that goes through all of the stretches."""
        numbers = [first]
        for stretch in sorted(stretches, key=lambda s: s.first):
            numbers += self._shortest_way(numbers[-1], stretch.first)[1:]
            numbers += range(stretch.first + 1, stretch.last + 1)
        numbers += self._shortest_way(numbers[-1], last)[1:]
        return self._stretch(numbers)

    def _beside(self, stretch: Stretch, first: int, last: int) -> int:
        before, after = (
            self._shortest_way(first, stretch.first),
            self._shortest_way(stretch.last, last),
        )
        return max(0, len(before) - 1) + max(0, len(after) - 1)

    def _exit_behind(self, stretch: Stretch) -> int:
        exits = (
            n for n in range(stretch.last, len(self.code)) if re.match(r"EXIT\b", self.code[n][1])
        )
        return next(exits, len(self.code) - 1)

    def _spans(self) -> list[tuple[int, int]]:
        """Where jumps back lead, and where they stand."""
        return [
            (self._number_of[target], n)
            for n, (address, _) in enumerate(self.code)
            if (target := self._target(n)) and target < address
        ]

    def _inner_loops(self) -> list[tuple[int, int]]:
        spans = self._spans()
        return [
            (a, b)
            for a, b in spans
            if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in spans)
        ]

    def _shortest_way(self, first: int, last: int) -> list[int]:
        """Numbers of the instructions on the shortest way forward; empty if there is none."""
        ways = {first: [first]}
        for n in range(first, last):
            if n not in ways:
                continue
            target, text = self._target(n), self.code[n][1]
            ends = re.match(r"(BRA|EXIT)\b", text) and not re.match(r"BRA\S*\s+!?U?P", text)
            for after in ([] if ends else [n + 1]) + ([self._number_of[target]] if target else []):
                if n < after <= last and len(ways.get(after, self.code)) > len(ways[n]):
                    ways[after] = [*ways[n], after]
        return ways.get(last, [])

    def _target(self, number: int) -> int | None:
        """The address to which an instruction may jump."""
        jump = _BRANCH.search(self.code[number][1])
        target = int(jump[1], 16) if jump else None
        return target if target in self._number_of else None

    @cached_property
    def _number_of(self) -> dict[int, int]:
        """Of an instruction, by its address."""
        return {address: number for number, (address, _) in enumerate(self.code)}

    def _stretch(self, numbers: Sequence[int]) -> Stretch:
        return Stretch((self.code[n][1] for n in numbers), numbers[0], numbers[-1])


def find_cuobjdump() -> str | None:
    """Path of cuobjdump: PATH, the CUDA toolkit, Triton's package; None where there is none."""
    homes = [os.environ.get(name, "") for name in ("CUDA_HOME", "CUDA_PATH")]
    places = [shutil.which("cuobjdump"), *(f"{home}/bin/cuobjdump" for home in homes if home)]
    places.append("/usr/local/cuda/bin/cuobjdump")
    triton = importlib.util.find_spec("triton")
    if triton is not None and triton.origin is not None:
        places.append(str(Path(triton.origin).parent / "backends/nvidia/bin/cuobjdump"))
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


def newest_source() -> float:
    """When a file that the library is built from was last changed."""
    return max(path.stat().st_mtime for path in ROOT.glob("csrc/*/*") if "cu" in path.suffix)


def kernels(library: Path, cuobjdump: str, arch: str | None = None) -> list[Kernel]:
    """Every kernel of a library, for one architecture or all that it has machine code for."""
    found: dict[tuple[str, str], Kernel] = {}
    for where, name, line in _lines(cuobjdump, "-sass", library, r"\s*Function : (\S+)", arch):
        kernel = found.setdefault((where, name), Kernel(name, where))
        instruction = re.match(r"\s+/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;", line)
        if instruction:
            kernel.code.append((int(instruction[1], 16), instruction[2]))
    for where, name, line in _lines(cuobjdump, "-res-usage", library, r" Function (\S+):", arch):
        used = re.search(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", line)
        if used:
            kernel = found[where, name]
            kernel.registers, kernel.stack, kernel.local = map(int, used.groups())
    names = _readable([kernel.name for kernel in found.values()])
    for kernel, name in zip(found.values(), names, strict=True):
        kernel.name = name
    return sorted(found.values(), key=lambda kernel: (kernel.name, kernel.arch))


def architectures(library: Path, cuobjdump: str) -> dict[str, set[str]]:
    """The (mangled) names of the kernels that the library has for each architecture."""
    found: dict[str, set[str]] = {}
    for arch, name, _ in _lines(cuobjdump, "-res-usage", library, r" Function (\S+):", None):
        found.setdefault(arch, set()).add(name)
    return found


def names(library: Path, cuobjdump: str, arch: str) -> set[str]:
    """Names of the kernels for one architecture, without reading their code."""
    lines = _lines(cuobjdump, "-res-usage", library, r" Function (\S+):", arch)
    return set(_readable(sorted({name for _, name, _ in lines})))


def _lines(
    cuobjdump: str, option: str, library: Path, function: str, arch: str | None
) -> Iterator[tuple[str, str, str]]:
    """(architecture, function, line) of what cuobjdump prints about functions."""
    command = [cuobjdump, option, *(["-arch", arch] if arch else []), str(library)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    where = name = ""
    for line in run.stdout.splitlines():
        if line.startswith("arch = "):
            where, name = line.removeprefix("arch = ").strip(), ""
        elif match := re.match(function, line):
            name = match[1]
        elif name:
            yield where, name, line


def _readable(mangled: list[str]) -> list[str]:
    run = subprocess.run(
        ["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True
    )
    return [re.sub(r"^void |\w+::", "", line).split("(")[0] for line in run.stdout.splitlines()]
