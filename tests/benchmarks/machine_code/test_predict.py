"""The prediction: what it counts on skeletons, and how it puts its terms together."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.machine_code.predict import (
    SPECIAL_FUNCTIONS_PER_SECOND,
    TILE,
    WARP_INSTRUCTIONS_PER_SECOND,
    Call,
    calls,
    times_of,
    tried_and_won,
)
from benchmarks.machine_code.read import Kernel
from benchmarks.machine_code.steps import longest_loop
from fastpose import ops

LIMBS = ((0, 1), (2, 3), (4, 5), (6, 7))  # without ties at shared joints


def test_limbs_that_win_are_tried() -> None:
    """Counted one limb at a time on images of the operator itself."""
    size = 64
    points = torch.rand(3, 8, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    tried, won = tried_and_won(points, torch.tensor(LIMBS), size)
    alone = torch.stack(
        [ops.render_skeleton(points, (limb,), size, sharpness=1.0) for limb in LIMBS]
    )
    best = torch.nn.functional.one_hot(alone.argmax(0), len(LIMBS))[:, 0]  # (B, H, W, E)
    tiles = best.unflatten(2, (-1, TILE)).unflatten(1, (-1, TILE)).amax((2, 4))
    assert won == pytest.approx(float(tiles.sum(-1).double().mean()), abs=0.05)
    assert 1 <= won <= tried <= len(LIMBS)


def test_a_single_limb() -> None:
    points = torch.tensor([[[-0.5, 0.0], [0.5, 0.2]]])
    assert tried_and_won(points, torch.tensor([[0, 1]]), 32) == (1, 1)


CODE = ["MOV", "FADD", "MUFU.EX2", "@P0 BRA 0x10", "STG.E", "EXIT"]


@pytest.mark.parametrize(
    ("moved", "passes", "warps", "longest"),
    [(4.3e12, 1, 1, "moving"), (4.3e6, 1e9, 1, "special"), (4.3e6, 1, 1e9, "instructions")],
)
def test_the_longest_counts(moved: float, passes: float, warps: float, longest: str) -> None:
    kernel = Kernel("k", "sm_90", code=[(16 * n, text) for n, text in enumerate(CODE)])
    call = Call("", "k", moved, ((longest_loop, passes),), warps, 0)
    times = times_of(call, kernel)
    assert times.moving == pytest.approx(moved / 4.3e12)
    assert times.special == pytest.approx(32 * passes / SPECIAL_FUNCTIONS_PER_SECOND)
    instructions = 3 * passes + 3 * warps
    assert times.instructions == pytest.approx(instructions / WARP_INSTRUCTIONS_PER_SECOND)
    assert times.predicted == getattr(times, longest)


def test_calls_are_of_many_pixels() -> None:
    found = calls()
    assert len({call.what for call in found}) == len(found)
    for call in found:
        assert call.moved > 1e6 and call.warps >= 64
        assert all(passes > 1 and math.isfinite(passes) for _, passes in call.passes)
