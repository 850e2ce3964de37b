"""Time an operator against the ways PyTorch users compute the same, in one process, interleaved."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import tyro


def run(
    operator: tyro.conf.Positional[str] = "render_skeleton",
    /,
    out: Path | None = None,
    rounds: int = 30,
    grid: bool = False,
    quick: bool = False,
) -> int:
    """Every contender is checked against the reference first, then all are timed in random order.

    Args:
        operator: which one; its benchmark is benchmarks/ops/bench_<operator>.py of the repository.
        out: JSON file to write all figures to.
        rounds: measurements of each contender.
        grid: other batches, sizes and limb counts too.
        quick: three rounds and no torch.compile, to see that everything runs.
    """
    from fastpose.errors import UserError, nearest

    root = Path(__file__).resolve().parents[2]
    known = sorted(p.stem[len("bench_") :] for p in root.glob("benchmarks/ops/bench_*.py"))
    if not known:
        raise UserError("benchmarks are not installed with the package; run them in a checkout")
    if operator not in known:
        raise UserError(
            f"operator: no benchmark of '{operator}'{nearest(operator, known)}; "
            f"there is {', '.join(known)}"
        )
    if rounds < 1:
        raise UserError(f"rounds: expected at least 1, got {rounds}")
    sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(f"benchmarks.ops.bench_{operator}")
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is missing: pip install 'fastpose[bench]'") from None
    module.run(out, 3 if quick else rounds, grid, compiled=not quick)
    return 0
