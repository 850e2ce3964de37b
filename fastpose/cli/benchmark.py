"""Time the operators next to the ways PyTorch users compute the same."""

from __future__ import annotations

import sys
from pathlib import Path

import tyro

ALL = "ops"


def run(
    operators: tyro.conf.Positional[tuple[str, ...]] = (ALL,),
    /,
    out: Path | None = None,
    rounds: int = 30,
    grid: bool = False,
    quick: bool = False,
) -> int:
    """Every contender is checked against the reference first, then all are timed in random order.

    An operator's contenders share a process, in which they are timed with the allocator as it is
    and once more with one that keeps large blocks.

    Args:
        operators: those with a file benchmarks/ops/bench_<operator>.py in the repository; "ops"
            alone means all of them.
        out: folder to write <operator>_cpu.json and the plot ops_cpu.png to.
        rounds: measurements of each contender; the slow ones get fewer.
        grid: many batches, sizes, counts, types, and memory formats too, more briefly.
        quick: three rounds, no torch.compile, one allocator, to see that everything runs.
    """
    from fastpose.errors import UserError, nearest

    root = Path(__file__).resolve().parents[2]
    known = sorted(p.stem[len("bench_") :] for p in root.glob("benchmarks/ops/bench_*.py"))
    if not known:
        raise UserError("benchmarks are not installed with the package; run them in a checkout")
    for operator in operators:
        if operator not in (ALL, *known):
            raise UserError(
                f"operators: no benchmark of '{operator}'{nearest(operator, known)}; "
                f"there is {', '.join((ALL, *known))}"
            )
    if rounds < 1:
        raise UserError(f"rounds: expected at least 1, got {rounds}")
    sys.path.insert(0, str(root))
    flags = [f"--rounds {rounds}", *(["--grid"] if grid else []), *(["--quick"] if quick else [])]
    command = " ".join(["fastpose benchmark", *operators, *flags])  # without the path of a folder
    try:
        from benchmarks.ops.run import run as run_benchmarks

        failed = run_benchmarks(
            [operator for operator in operators if operator != ALL] or known,
            out,
            rounds=rounds,
            grid=grid,
            quick=quick,
            command=command,
        )
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is missing: pip install 'fastpose[bench]'") from None
    return 1 if failed else 0
