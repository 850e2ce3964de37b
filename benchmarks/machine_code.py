"""What the GPU's machine code of the CUDA kernels says about them, without a GPU.

``python -m benchmarks.machine_code [sm_90]`` prints a table of every kernel in
``libfastpose_cuda.so``, for one architecture or all: registers, spills, length, and the
instructions that one limb costs one pixel in the innermost loop. Needs ``cuobjdump``, from the CUDA
toolkit or from the Triton package.
`tests/ops/test_cuda_machine_code.py` holds the figures to budgets.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "fastpose/libfastpose_cuda.so"
_FLOATING = re.compile(r"\b[FD](FMA|ADD|MUL|MNMX|SETP)\b")
_BRANCH = re.compile(r"\bBRA(?:\.\w+)*\s+(?:!?U?P\w+,\s*)?0x([0-9a-f]+)")


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

    def loops(self) -> list[list[str]]:
        """The innermost loops, as instructions."""
        spans = []
        for address, text in self.code:
            jump = _BRANCH.search(text)
            if jump and int(jump[1], 16) < address:
                spans.append((int(jump[1], 16), address))
        inner = [
            (a, b)
            for a, b in spans
            if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in spans)
        ]
        return [[text for address, text in self.code if a <= address <= b] for a, b in inner]

    def pieces(self) -> list[list[str]]:
        """The stretches of code between jumps and what they jump to."""
        targets = {int(j[1], 16) for _, text in self.code if (j := _BRANCH.search(text))}
        found: list[list[str]] = [[]]
        for address, text in self.code:
            if address in targets:
                found.append([])
            found[-1].append(text)
            if re.search(r"\b(BRA|BSYNC|CALL|RET|EXIT)\b", text):
                found.append([])
        return found

    def search_loop(self) -> list[str]:
        """The loop that tries one limb on a lane's pixels.

        It is the one with the most arithmetic among those in which lanes exchange nothing.
        """
        quiet = [b for b in self.loops() if not re.search(r"SHFL|LDG|STG|CALL", "\n".join(b))]
        return max(
            quiet, key=lambda body: sum(_FLOATING.search(t) is not None for t in body), default=[]
        )

    @property
    def pixels(self) -> int:
        """How many pixels a lane draws at once; 0 for kernels that draw none."""
        if "finish" in self.name:
            return 0
        return 4 if "strided" in self.name else 8

    @property
    def per_limb_and_pixel(self) -> float:
        """Instructions of the search loop for one limb and one pixel."""
        return len(self.search_loop()) / self.pixels if self.pixels else 0.0


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


def table(found: list[Kernel]) -> str:
    """Markdown, one row per kernel."""
    rows = [
        "| kernel | arch | registers | spilled bytes | instructions | per limb and pixel |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kernel in found:
        per = f"{kernel.per_limb_and_pixel:.2f}" if kernel.pixels else "-"
        rows.append(
            f"| {kernel.name} | {kernel.arch} | {kernel.registers} | {kernel.stack + kernel.local} "
            f"| {len(kernel.code)} | {per} |"
        )
    return "\n".join(rows)


def main() -> int:
    cuobjdump = find_cuobjdump()
    if cuobjdump is None:
        print("no cuobjdump: install the CUDA toolkit or Triton", file=sys.stderr)
        return 2
    if not LIBRARY.is_file():
        print(f"no {LIBRARY.name}: build it with 'make build' where nvcc is", file=sys.stderr)
        return 2
    print(table(kernels(LIBRARY, cuobjdump, *sys.argv[1:2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
