"""Time the operators next to the ways PyTorch users compute the same, all in one process."""

from __future__ import annotations

import sys
from pathlib import Path

import tyro

ALL = "ops"


def run(
    operator: tyro.conf.Positional[str] = ALL,
    /,
    out: Path | None = None,
    rounds: int = 30,
    grid: bool = False,
    quick: bool = False,
) -> int:
    """Every contender is checked against the reference first, then all are timed in random order.

    Args:
        operator: one of those with a file benchmarks/ops/bench_<operator>.py in the repository, or
            "ops" for all of them.
        out: folder to write <operator>_cpu.json and the plot ops_cpu.png to.
        rounds: measurements of each contender, as far as they fit into half a minute together.
        grid: many batches, sizes, counts, types, and memory formats too, more briefly.
        quick: three rounds, no torch.compile, one allocator, to see that everything runs.
    """
    from fastpose.errors import UserError, nearest

    root = Path(__file__).resolve().parents[2]
    known = sorted(p.stem[len("bench_") :] for p in root.glob("benchmarks/ops/bench_*.py"))
    if not known:
        raise UserError("benchmarks are not installed with the package; run them in a checkout")
    if operator not in (ALL, *known):
        raise UserError(
            f"operator: no benchmark of '{operator}'{nearest(operator, known)}; "
            f"there is {', '.join((ALL, *known))}"
        )
    if rounds < 1:
        raise UserError(f"rounds: expected at least 1, got {rounds}")
    sys.path.insert(0, str(root))
    flags = [f"--rounds {rounds}", *(["--grid"] if grid else []), *(["--quick"] if quick else [])]
    command = " ".join(["fastpose benchmark", operator, *flags])  # without the path of a folder
    try:
        from benchmarks.ops.run import run as run_benchmarks

        run_benchmarks(
            known if operator == ALL else [operator],
            out,
            rounds=3 if quick else rounds,
            grid=grid,
            quick=quick,
            command=command,
        )
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is missing: pip install 'fastpose[bench]'") from None
    return 0
