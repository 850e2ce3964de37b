"""How long kernels should take on an H200, from their machine code and the bytes they move.

A prediction, to be held against measurements: none has gone into it. A call takes at least as long
as

- its bytes, each moved once, at the rate of a copy;
- its warp instructions, at one for each scheduler and clock: all passes through the innermost
  loops, and the shortest way through what lies around them: for each turn of the outermost loop,
  and for each warp;
- its exponentials and roots, at the rate of the special function units.

The longest of them counts. Not in it: launching, waiting for memory that nothing hides, and the
second launch of a backward pass, which adds up what the first has left.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from benchmarks.machine_code.read import Kernel, Stretch
from benchmarks.machine_code.steps import (
    longest_loop,
    search_loop,
    straight_loop,
    sum_loop,
    tile_of_texels,
)
from benchmarks.ops.bench_render_skeleton import Skeleton, scene

BYTES_PER_SECOND = 4.3e12
MULTIPROCESSORS, SCHEDULERS, CLOCK = 132, 4, 1.98e9
WARP_INSTRUCTIONS_PER_SECOND = MULTIPROCESSORS * SCHEDULERS * CLOCK
SPECIAL_FUNCTIONS_PER_SECOND = MULTIPROCESSORS * 16 * CLOCK
WARP = 32
BYTES = {"float": 4, "__nv_bfloat16": 2}
NAMES = {"float": "float32", "__nv_bfloat16": "bfloat16"}
TILE = 16  # pixels of a side of the tile in which a warp of render_skeleton looks for limbs

WARPS = 4  # of a block that draws tiles
BLOCKS = 8 * MULTIPROCESSORS  # so many at least, if there are as many tiles

Find = Callable[[Kernel], Stretch]


@dataclass(frozen=True)
class Call:
    """One launch.

    Attributes:
        what: for the table.
        kernel: its name.
        moved: bytes.
        passes: how often a warp goes through stretches of code, over all warps.
        warps: how many go through the kernel.
        turns: of its outermost loop, over all warps.
        special: exponentials and roots there.
    """

    what: str
    kernel: str
    moved: float
    passes: tuple[tuple[Find, float], ...]
    warps: float
    turns: float
    special: float = 0


@dataclass(frozen=True)
class Times:
    """Seconds that each of them takes alone."""

    moving: float
    instructions: float
    special: float

    @property
    def predicted(self) -> float:
        return max(self.moving, self.instructions, self.special)


def times_of(call: Call, kernel: Kernel) -> Times:
    """What the machine code of its kernel says about a call."""
    stretches = [(find(kernel), passes) for find, passes in call.passes]
    first = stretches[0][0]
    turn = kernel.turn_around(first)
    instructions = sum(len(stretch) * passes for stretch, passes in stretches)
    instructions += turn * call.turns + (kernel.around(first) - turn) * call.warps
    special = call.special + sum(
        passes * WARP * sum(re.search(r"\bMUFU\b", text) is not None for text in stretch)
        for stretch, passes in stretches
    )
    return Times(
        call.moved / BYTES_PER_SECOND,
        instructions / WARP_INSTRUCTIONS_PER_SECOND,
        special / SPECIAL_FUNCTIONS_PER_SECOND,
    )


def warps_of(planes: int, rows: int, columns: int, tiles: int) -> int:
    """Warps that draw `tiles` neighbours each of planes of tiles; blocks have WARPS `rows`."""
    return WARPS * planes * rows * math.ceil(columns / tiles)


# --- render_skeleton -----------------------------------------------------------------------------
def tried_and_won(points: Tensor, limbs: Tensor, size: int) -> tuple[float, float]:
    """For a tile of a drawing of points (B, K, 2) and limbs (E, 2), on average: how many limbs
    `csrc/render_skeleton/search.cuh` tries, and how many are the nearest of some pixel."""
    a, b = (points[:, end] for end in limbs.T)  # (B, E, 2)
    at = torch.linspace(-1, 1, size).unflatten(0, (-1, TILE))  # (tiles, TILE)
    centre = (at[:, 0] + at[:, -1]) / 2
    half = float(at[0, -1] - at[0, 0]) / 2
    tried = won = 0.0
    for row in range(len(at)):  # so that memory is enough for hundreds of limbs
        tiles = torch.stack(torch.broadcast_tensors(centre, centre[row]), -1)[None, :, None]
        own = _offset(tiles, a[:, None], b[:, None])  # (B, tiles, E, 2)
        squared = own.square().sum(-1)
        nearest = squared.argmin(-1, keepdim=True)
        change = (own - own.take_along_dim(nearest[..., None], -2)).abs().sum(-1) * half
        least = squared.take_along_dim(nearest, -1)
        tried += float((squared - least - 2 * change <= 2 * half * half).sum(-1).double().mean())
        x, y = torch.broadcast_tensors(at[:, None], at[row][:, None])
        pixels = torch.stack((x, y), -1).flatten(1, 2)[None, :, :, None]  # (1, tiles, pixels, 1, 2)
        distance = _offset(pixels, a[:, None, None], b[:, None, None]).square().sum(-1)
        winners = torch.nn.functional.one_hot(distance.argmin(-1), len(limbs)).amax(-2)
        won += float(winners.sum(-1).double().mean())
    return tried / len(at), won / len(at)


def _offset(at: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """From the nearest point of segments ab."""
    to = b - a
    t = ((at - a) * to).sum(-1) / to.square().sum(-1)
    return at - a - t.clamp(0, 1)[..., None] * to


@cache
def counted(size: int, limbs: int) -> tuple[float, float]:
    """On drawings of the benchmark."""
    points, pairs = scene(Skeleton(1 if limbs > WARP else 4, size, limbs), seed=0)
    return tried_and_won(points, torch.tensor(pairs), size)


def skeletons(
    batch: int, size: int, limbs: int, channels: int = 1, pixel: str = "float"
) -> list[Call]:
    """Forward and backward of the benchmark's drawing; of several channels each has one limb."""
    case = Skeleton(batch, size, limbs)
    tried, won = counted(size, limbs) if channels == 1 else (1.0, 1.0)
    columns, rows = math.ceil(size / TILE), math.ceil(size / TILE / WARPS)
    drawn = batch * columns * math.ceil(size / TILE) * channels
    what = f"`render_skeleton`, {case}"
    if channels > 1:
        what += f", {channels} channels"
    pixels = batch * channels * size**2
    moved = pixels * BYTES[pixel]
    search = (search_loop, drawn * tried)
    return [
        Call(
            f"{what}, {NAMES[pixel]}, forward",
            f"render_skeleton_forward_kernel<{pixel}, Line>",
            moved,
            (search,),
            warps_of(batch, rows, columns, max(1, batch * rows * columns // BLOCKS)),
            drawn,
            2 * pixels,  # a root and an exponential for each
        ),
        Call(
            f"{what}, {NAMES[pixel]}, backward",
            f"render_skeleton_backward_kernel<float, {pixel}, Line>",
            moved,
            (search, (sum_loop, drawn * won)),
            warps_of(batch, rows, columns, math.ceil(columns / min(columns, 64 // rows))),
            drawn,
            2 * pixels,
        ),
    ]


# --- maps, one for each channel ------------------------------------------------------------------
def gaussians(what: str, find: Find, batch: int, size: int, maps: int, pixel: str) -> list[Call]:
    """Forward and backward of at least 1024 maps, so that a block draws a whole one."""
    pixels, at_once = batch * maps * size**2, 16 // BYTES[pixel]
    of_a_part, rows_ahead, blocks_warps = 4096, 4, 8
    across = math.ceil(size / WARP / at_once)  # turns of the loop over columns
    what = f"`render_gaussians`, {what}, B={batch} {size}x{size} K={maps}, {NAMES[pixel]}"
    passes = pixels / WARP / at_once
    return [
        Call(
            f"{what}, forward",
            f"render_gaussians_forward_kernel<{pixel}>",
            pixels * BYTES[pixel],
            ((find, passes),),
            batch * maps * blocks_warps,
            batch * maps * blocks_warps * across,
        ),
        Call(
            f"{what}, backward",
            f"render_gaussians_backward_kernel<float, {pixel}, {at_once}>",
            pixels * BYTES[pixel],
            ((find, passes / rows_ahead),),
            pixels / of_a_part,
            pixels / of_a_part * across,
        ),
    ]


def warps(batch: int, size: int, maps: int, pixel: str) -> list[Call]:
    """Forward and the backward pass of the maps, with templates as large as the image, as if every
    pixel saw four texels."""
    pixels, width, height = batch * maps * size**2, 32, 8  # of a tile
    columns, rows = math.ceil(size / width), math.ceil(size / height / WARPS)
    moved = pixels * BYTES[pixel] + maps * size**2 * 4
    drawn = ((tile_of_texels, pixels / width / height),)
    what = f"`warp_templates`, B={batch} {size}x{size} K={maps}, {NAMES[pixel]}"
    planes = batch * maps
    return [
        Call(
            f"{what}, forward",
            f"warp_templates_forward_kernel<{pixel}>",
            moved,
            drawn,
            warps_of(planes, rows, columns, max(1, planes * rows * columns // BLOCKS)),
            0,
        ),
        Call(
            f"{what}, backward of the maps",
            f"warp_templates_backward_kernel<float, {pixel}>",
            moved,
            drawn,
            warps_of(planes, rows, columns, math.ceil(columns / max(1, min(columns, 8 // rows)))),
            0,
        ),
    ]


def decodings(batch: int, size: int, maps: int, pixel: str) -> list[Call]:
    """`soft_argmax` but for the marginal forward, whose sums over lanes are loops within loops."""
    pixels, at_once = batch * maps * size**2, 16 // BYTES[pixel]
    warps = batch * maps * 8
    turns = warps * math.ceil(size / WARP / at_once)
    what = f"`soft_argmax`, {{}}, B={batch} {size}x{size} K={maps}, {NAMES[pixel]}, {{}}"
    once, passes = pixels * BYTES[pixel], ((longest_loop, pixels / WARP / 16),)

    def call(mode: str, direction: str, template: str, moved: float) -> Call:
        kernel = f"soft_argmax_{direction}_kernel<{pixel}, {at_once}, {template}, float>"
        return Call(what.format(mode, direction), kernel, moved, passes, warps, turns)

    return [
        call("joint", "forward", "true, false", once),
        call("joint", "backward", "true", 2 * once),
        call("marginal", "backward", "false", once),
    ]


def calls() -> list[Call]:
    """The sizes at which speed is to be measured."""
    return [
        *skeletons(16, 128, 16),
        *skeletons(64, 128, 16),
        *skeletons(64, 256, 16),
        *skeletons(64, 512, 16),
        *skeletons(64, 128, 120),
        *skeletons(64, 128, 496),
        *skeletons(64, 256, 13, channels=13),
        *skeletons(64, 256, 13, channels=13, pixel="__nv_bfloat16"),
        *gaussians("round", straight_loop, 64, 256, 17, "float"),
        *gaussians("round", straight_loop, 64, 256, 17, "__nv_bfloat16"),
        *gaussians("any covariance", longest_loop, 64, 256, 18, "float"),
        *gaussians("any covariance", longest_loop, 64, 256, 18, "__nv_bfloat16"),
        *warps(64, 256, 18, "float"),
        *warps(64, 256, 18, "__nv_bfloat16"),
        *decodings(64, 256, 17, "float"),
        *decodings(64, 256, 17, "__nv_bfloat16"),
    ]
