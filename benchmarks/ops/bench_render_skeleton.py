"""`render_skeleton` on the CPU next to the ways PyTorch users draw skeletons.

    python -m benchmarks.ops.bench_render_skeleton --out FILE.json [--rounds 30] [--grid] [--quick]
    pytest benchmarks/ops/bench_render_skeleton.py

Every contender first has to agree with the reference in float64. Then all are timed in one process,
interleaved, on all cores and on one, with glibc's allocator as it is and without mmap; headline
ratios are the smaller of those two allocators.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.harness import Contender, forbid_mmap, interleave, machine, ratio
from benchmarks.ops.skeleton_peers import PEERS
from fastpose import _native, ops

SHARPNESS, EPS = 25.0, 1e-6
JOINTS = 17
# A standing person, normalised: pelvis, thorax, arms, legs, head, toes.
POSE = torch.tensor([
    [0, 0.1], [0, -0.45], [-0.2, -0.4], [-0.35, -0.1], [-0.4, 0.15], [0.2, -0.4], [0.35, -0.1],
    [0.4, 0.15], [-0.12, 0.1], [-0.15, 0.5], [-0.18, 0.85], [0.12, 0.1], [0.15, 0.5], [0.18, 0.85],
    [0, -0.7], [-0.1, 0.9], [0.1, 0.9],
])  # fmt: skip
LIMBS = (
    (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (0, 8), (8, 9), (9, 10), (0, 11),
    (11, 12), (12, 13), (1, 14), (10, 15), (13, 16),
)  # fmt: skip

Drawer = Callable[[Tensor], Tensor]
NO_ERRORS = {"image": 0.0, "gradient": 0.0}


@dataclass(frozen=True)
class Case:
    """Sizes of one comparison; 120 limbs and more join all pairs of random joints."""

    batch: int = 8
    size: int = 128
    limbs: int = 16

    def __str__(self) -> str:
        return f"B={self.batch} {self.size}x{self.size} E={self.limbs}"

    def inputs(self, seed: int = 0) -> tuple[Tensor, tuple[tuple[int, int], ...]]:
        source = torch.Generator().manual_seed(seed)
        if self.limbs == len(LIMBS):
            noise = torch.randn(self.batch, JOINTS, 2, generator=source)
            return POSE + 0.08 * noise, LIMBS
        joints = next(k for k in itertools.count(2) if k * (k - 1) // 2 >= self.limbs)
        pairs = tuple(itertools.combinations(range(joints), 2))[: self.limbs]
        return torch.rand(self.batch, joints, 2, generator=source) * 2 - 1, pairs

    def weights(self) -> Tensor:
        """The gradient that arrives at the image."""
        shape = (self.batch, 1, self.size, self.size)
        return torch.randn(shape, generator=torch.Generator().manual_seed(2))


GRID = (Case(1), Case(32), Case(size=64), Case(size=256), Case(limbs=120))


def drawers(case: Case, compiled: bool) -> dict[str, Drawer]:
    """Every way to draw the case's limbs, by name."""
    pairs = case.inputs()[1]
    limbs = torch.tensor(pairs)

    def ours(points: Tensor) -> Tensor:
        return ops.render_skeleton(points, pairs, case.size, sharpness=SHARPNESS, eps=EPS)

    found: dict[str, Drawer] = {"fastpose": ours, "fastpose again": ours}
    for name, peer in PEERS.items():
        found[name] = lambda p, peer=peer: peer(p, limbs, case.size, SHARPNESS, EPS)
    if compiled:
        # The peers share one wrapper's code: each counts as a recompilation of it.
        torch._dynamo.config.recompile_limit = 64
        for name in ("paper", "split", "split by index"):
            found[f"compiled {name}"] = torch.compile(found[name], fullgraph=True, dynamic=False)
        found["compiled split by index, max-autotune"] = torch.compile(
            found["split by index"],
            fullgraph=True,
            dynamic=False,
            mode="max-autotune-no-cudagraphs",
        )
    return found


def gate(case: Case, found: dict[str, Drawer]) -> dict[str, dict[str, float]]:
    """Errors against the reference in float64, on inputs of their own.

    ValueError where ours is beyond its bounds; a peer's errors are only noted, see :func:`wrong`.
    """
    points, pairs = case.inputs(seed=1)
    weights = case.weights()

    def run(draw: Drawer, leaf: Tensor) -> tuple[Tensor, Tensor]:
        leaf = leaf.clone().requires_grad_()
        image = draw(leaf)
        image.backward(weights.to(image))
        assert leaf.grad is not None
        return image.detach().double(), leaf.grad.double()

    def exact(leaf: Tensor) -> Tensor:
        return ops.render_skeleton(
            leaf, pairs, case.size, sharpness=SHARPNESS, eps=EPS, backend="reference"
        )

    image, grad = run(exact, points.double())
    errors = {}
    for name, draw in found.items():
        mine, mine_grad = run(draw, points)
        errors[name] = {
            "image": float((mine - image).norm() / image.norm()),
            "gradient": float((mine_grad - grad).norm() / grad.norm()),
        }
        if name.startswith("fastpose") and wrong(errors[name], 2e-6):
            raise ValueError(f"{name} is wrong on {case}: {errors[name]}")
    return errors


def wrong(errors: dict[str, float], limit: float = 1e-4) -> bool:
    """Whether a gate's errors are too large; NaN is. Peers keep the papers' guards: 1e-4."""
    return not (errors["image"] <= limit and errors["gradient"] <= 1e-2)


def contenders(case: Case, found: dict[str, Drawer], backward: bool) -> list[Contender]:
    """One contender for each drawer, and ours with each narrower instruction set."""
    points = case.inputs()[0].requires_grad_(backward)
    weights = case.weights()

    def runner(draw: Drawer) -> Callable[[], None]:
        def forward() -> None:
            draw(points)

        def both() -> None:
            points.grad = None
            draw(points).backward(weights)

        return both if backward else forward

    rows = [Contender(name, runner(draw)) for name, draw in found.items()]
    if _native.load()[0].loaded:
        widest = _native.cpu_isa()
        for row in rows:
            row.before = lambda: _native.limit_cpu_isa(widest)
        for isa in _native.CPU_ISAS[: _native.CPU_ISAS.index(widest)]:
            before = lambda isa=isa: _native.limit_cpu_isa(isa)  # noqa: E731
            rows.append(Contender(f"fastpose, {isa}", runner(found["fastpose"]), before))
    return rows


def compare(
    case: Case, found: dict[str, Drawer], rounds: int, allocator: str
) -> list[dict[str, Any]]:
    """All contenders, forward and with backward, on one thread and on all."""
    results = []
    most = torch.get_num_threads()
    for threads, backward in itertools.product(dict.fromkeys((1, most)), (False, True)):
        torch.set_num_threads(threads)
        rows = contenders(case, found, backward)
        interleave(rows, rounds)
        for row in rows:
            results.append({
                "case": str(case),
                "what": "forward and backward" if backward else "forward",
                "threads": threads,
                "allocator": allocator,
                "contender": row.name,
                **row.summary(),
                "times_fastpose": {m: ratio(row, rows[0], m) for m in ("wall", "cpu")},
            })  # fmt: skip
    torch.set_num_threads(most)
    return results


def headline(
    results: list[dict[str, Any]], errors: dict[str, dict[str, dict[str, float]]]
) -> list[str]:
    """A table: per contender the times, and the smaller ratio of the two allocators."""
    keys = ("case", "what", "threads")
    lines = []
    for key, group in itertools.groupby(results_by(results, keys), lambda r: [r[k] for k in keys]):
        lines.append(f"\n{key[0]}, {key[1]}, {key[2]} thread{'s' if key[2] > 1 else ''}")
        lines.append(f"{'':38} {'ms min':>9} {'median':>9} {'cpu':>9} {'x wall':>8} {'x cpu':>8}")
        rows = list(group)
        for name in dict.fromkeys(r["contender"] for r in rows):
            mine = [r for r in rows if r["contender"] == name]
            wall = min(r["times_fastpose"]["wall"]["of_minima"] for r in mine)
            cpu = min(r["times_fastpose"]["cpu"]["of_medians"] for r in mine)
            lines.append(
                f"{name:38} {mine[0]['wall_ms']['min']:9.3f} {mine[0]['wall_ms']['median']:9.3f} "
                f"{mine[0]['cpu_ms']['median']:9.3f} {wall:8.1f} {cpu:8.1f}"
                + ("  WRONG RESULT" if wrong(errors[key[0]].get(name, NO_ERRORS)) else "")
            )
    return lines


def results_by(results: list[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Sorted by those keys; what is equal in them stays in its order."""
    return sorted(results, key=lambda r: tuple(str(r[k]) for k in keys))


def run(out: Path | None, rounds: int, grid: bool, compiled: bool) -> dict[str, Any]:
    """The whole benchmark; prints its table, writes `out` and returns what it wrote."""
    cases = (Case(), *GRID) if grid else (Case(),)
    report: dict[str, Any] = {"operator": "render_skeleton", "machine": machine(), "rounds": rounds}
    report["instruction_set"] = _native.cpu_isa() if _native.load()[0].loaded else "reference"
    found = {case: drawers(case, compiled and case == cases[0]) for case in cases}
    report["errors"] = {str(case): gate(case, found[case]) for case in cases}
    report["results"] = []
    for allocator in ("default", "without mmap"):
        if allocator == "default" or forbid_mmap():
            for case in cases:
                report["results"] += compare(case, found[case], rounds, allocator)
    print("\n".join(headline(report["results"], report["errors"])))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=1) + "\n")
        print(f"\nwritten: {out}")
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of each comparison")
    parser.add_argument("--grid", action="store_true", help="other batches, sizes, limb counts too")
    parser.add_argument("--quick", action="store_true", help="without torch.compile, three rounds")
    given = parser.parse_args(arguments)
    rounds = 3 if given.quick else given.rounds
    run(given.out, rounds, given.grid, compiled=not given.quick)
    return 0


# --- pytest-benchmark -----------------------------------------------------------------------------

NAMES = ("fastpose", *PEERS)


@pytest.fixture(scope="module")
def found() -> dict[str, Drawer]:
    names = drawers(Case(), compiled=False)
    gate(Case(), names)
    return names


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "forward_backward"])
def test_render_skeleton(benchmark: Any, found: dict[str, Drawer], name: str, backward: bool):
    benchmark.group = "forward and backward" if backward else "forward"
    row = next(c for c in contenders(Case(), found, backward) if c.name == name)
    row.warm_up(0.05)
    benchmark.pedantic(row.run, rounds=20, iterations=row.calls, warmup_rounds=2)


if __name__ == "__main__":
    sys.exit(main())
