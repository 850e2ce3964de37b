"""What the GPU's machine code of the CUDA kernels says about them, without a GPU.

``python -m benchmarks.machine_code`` prints two tables: every kernel of ``libfastpose_cuda.so``,
and how long the launches of common calls should take. ``--out FILE`` writes them there.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine_code import predict
from benchmarks.machine_code.read import LIBRARY, Kernel, find_cuobjdump, kernels
from benchmarks.machine_code.steps import step_of

COMMAND = "python -m benchmarks.machine_code --out benchmarks/results/machine_code.md"
ABOUT = f"""\
# Machine code of the CUDA kernels for the H100 and H200 (sm_90)

Written by `{COMMAND}`.
It reads `libfastpose_cuda.so` and needs no GPU: nothing here was measured on one.
`tests/ops/test_cuda_machine_code.py` holds the figures to budgets, and
`tests/benchmarks/machine_code/test_table.py` fails when a kernel is missing here.

## Kernels

`Line` draws limbs without widths, `Bar` with; `void` is a gradient of any type and strides. Of
`soft_argmax` the arguments are the type, how many are moved at once, whether it is the joint form,
and in the forward whether the sides fit into shared memory. Loads and stores are those of global
memory in the code, by width. "Innermost" is the stretch of code that a lane repeats most, loop
control and loads included, for one item: what is said there of Gaussians holds for those at an
angle, and of warped templates where all four texels are there."""
PREDICTION = f"""\
## Prediction, not a measurement

Microseconds of one launch on an H200. *Bytes*: each is moved once, at
{predict.BYTES_PER_SECOND / 1e12:g} TB/s. *Instructions*: one for each scheduler and clock, of which
there are {predict.MULTIPROCESSORS} x {predict.SCHEDULERS} at {predict.CLOCK / 1e9:g} GHz; all
passes through the innermost loops, and the shortest way through what lies around them, for each
turn of the outermost loop and for each warp. *Special*: exponentials and roots, 16 for each
multiprocessor and clock. The longest of the three is the prediction. Left out: launching (2 to 3
microseconds, unless graphs overlap it), waiting for memory that nothing hides, the second launch of
backward passes, which adds up what the first has left, votes on limbs beyond the first 32, and two
kernels whose loops turn as often as their arguments say: the gradient of warped templates, and the
marginal forward of `soft_argmax`. Skeletons are those of the benchmark: how many limbs a tile
tries, and how many win, is counted on them. Warped templates are as large as the image, and every
pixel sees four texels of its own."""


def moves(kernel: Kernel, instruction: str) -> str:
    """How many loads or stores the code has of each width, such as "2 x 128"."""
    found: dict[int, int] = {}
    for _, text in kernel.code:
        name = re.search(rf"\b{instruction}\.\S*", text)
        if name:
            width = re.search(r"\.(?:[US](8|16)|(64|128))\b", name[0])
            bits = int(next(filter(None, width.groups()))) if width else 32
            found[bits] = found.get(bits, 0) + 1
    return ", ".join(f"{found[bits]} x {bits}" for bits in sorted(found, reverse=True)) or "-"


def kernel_table(found: Sequence[Kernel]) -> str:
    """Markdown, one row per kernel."""
    rows = [
        "| kernel | registers | spilled bytes | local memory | loads, bits | stores, bits "
        "| instructions | innermost |",
        "|---|---:|---:|---:|---|---|---:|---|",
    ]
    for kernel in found:
        step = step_of(kernel)
        inner = f"{step.instructions:.2f} per {step.what}" if step else "-"
        rows.append(
            f"| {kernel.name} | {kernel.registers} | {kernel.stack} | {kernel.local} "
            f"| {moves(kernel, 'LDG')} | {moves(kernel, 'STG')} | {len(kernel.code)} | {inner} |"
        )
    return "\n".join(rows)


def prediction_table(found: Sequence[Kernel]) -> str:
    """Markdown, one row per call."""
    by_name = {kernel.name: kernel for kernel in found}
    rows = [
        "| launch | bytes | instructions | special | predicted |",
        "|---|---:|---:|---:|---:|",
    ]
    for call in predict.calls():
        times = predict.times_of(call, by_name[call.kernel])
        figures = (times.moving, times.instructions, times.special, times.predicted)
        rows.append(f"| {call.what} | {' | '.join(f'{1e6 * t:.3g}' for t in figures)} |")
    return "\n".join(rows)


def compiler() -> str:
    """The version of nvcc that is in PATH or in the usual place."""
    for nvcc in ("nvcc", "/usr/local/cuda/bin/nvcc"):
        try:
            run = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True)
        except OSError:
            continue
        found = re.search(r"release (\S+),", run.stdout)
        return f"nvcc {found[1]}" if found else "an unknown nvcc"
    return "an unknown nvcc"


def report(found: Sequence[Kernel]) -> str:
    parts = [ABOUT, f"Built with {compiler()}.", kernel_table(found)]
    return "\n\n".join([*parts, PREDICTION, prediction_table(found)]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.machine_code", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of printing")
    options = parser.parse_args(arguments)
    cuobjdump = find_cuobjdump()
    if cuobjdump is None:
        print("no cuobjdump: install the CUDA toolkit or Triton", file=sys.stderr)
        return 2
    if not LIBRARY.is_file():
        print(f"no {LIBRARY.name}: build it with 'make build' where nvcc is", file=sys.stderr)
        return 2
    text = report(kernels(LIBRARY, cuobjdump, "sm_90"))
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text)
        print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
