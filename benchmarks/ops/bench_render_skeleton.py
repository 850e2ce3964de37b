"""`render_skeleton` next to the ways PyTorch users draw skeletons."""

from __future__ import annotations

import itertools
from functools import partial

import torch
from torch import Tensor

from benchmarks.ops import render_skeleton_peers as peers
from benchmarks.ops.declare import (
    AUTOTUNE,
    BOTH,
    COMPILED,
    DEFAULT,
    EAGER,
    FORWARD,
    GRAPHS,
    PAPER,
    Benchmark,
    Case,
    Drawer,
    Goal,
    Peer,
    Problem,
    next_to_avx512,
)
from benchmarks.ops.entry import speed_test
from fastpose.ops.samples import Sample

SHARPNESS, EPS = 25.0, 1e-6
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
MOST_OF_POSE = 20

Skeleton = partial(Case, counted="E")
HEADLINE, LARGE = Skeleton(), Skeleton(size=256)


def scene(case: Case, seed: int) -> tuple[Tensor, tuple[tuple[int, int], ...]]:
    """Points and limbs: up to 20 of a person, of which the last few hop over a joint; more limbs
    join all pairs of random joints."""
    if case.count <= MOST_OF_POSE:
        extra = ((0, 2), (0, 5), (1, 8), (1, 11))
        noise = case.random(case.batch, len(POSE), 2, seed=seed)
        return POSE + 0.08 * noise, (*LIMBS, *extra)[: case.count]
    joints = next(k for k in itertools.count(2) if k * (k - 1) // 2 >= case.count)
    pairs = tuple(itertools.combinations(range(joints), 2))[: case.count]
    source = torch.Generator().manual_seed(seed)
    return torch.rand(case.batch, joints, 2, generator=source) * 2 - 1, pairs


def problem(case: Case, seed: int, device: str = "cpu") -> Problem:
    points, pairs = scene(case, seed)
    limbs = torch.tensor(pairs, device=device)
    keywords = dict(sharpness=SHARPNESS, eps=EPS, dtype=case.torch_dtype)
    sample = Sample(str(case), (points.to(device), pairs, (case.size, case.size)), keywords)

    def draw(peer: peers.Drawing) -> Drawer:
        return lambda points: peer(points, limbs, case.size, SHARPNESS, EPS)

    every_mode = (DEFAULT, AUTOTUNE, GRAPHS)
    return Problem(sample, (0,), {
        "KeypointGAN": Peer(draw(peers.keypoint_gan), PAPER, (DEFAULT,)),
        "minimum first": Peer(draw(peers.minimum_first), PAPER, (DEFAULT,)),
        "AutoLink": Peer(draw(peers.auto_link), PAPER, (DEFAULT,)),
        "split": Peer(draw(peers.split), EAGER, (DEFAULT,)),
        "split by index": Peer(draw(peers.split_by_index), EAGER, every_mode),
        "winner only": Peer(draw(peers.winner_only), EAGER, every_mode),
    })  # fmt: skip


GOALS = (
    Goal("skeleton, forward and backward: papers", HEADLINE, BOTH, PAPER, 200, 400),
    Goal("skeleton, forward and backward: best compile", HEADLINE, BOTH, COMPILED, 18, 35),
    Goal("skeleton, forward: papers", HEADLINE, FORWARD, PAPER, 200, 400),
    Goal("skeleton, forward: best compile", HEADLINE, FORWARD, COMPILED, 6, 12),
    Goal("skeleton 256x256, forward and backward: papers", LARGE, BOTH, PAPER, 200, 400),
    Goal("skeleton 256x256, forward and backward: best compile", LARGE, BOTH, COMPILED, 15, 35),
    Goal("skeleton 256x256, forward: papers", LARGE, FORWARD, PAPER, 200, 400),
    Goal("skeleton 256x256, forward: best compile", LARGE, FORWARD, COMPILED, 6, 12),
    next_to_avx512("skeleton: AVX2 next to AVX-512", HEADLINE),
)
GRID = (
    *(Skeleton(b, s) for b in (1, 16, 64, 256) for s in (64, 128, 256, 512)),
    *(Skeleton(16, count=e) for e in (12, 20, 120, 496)),
    *(Skeleton(16, dtype=d, channels_last=c)
      for d in ("float32", "bfloat16") for c in (False, True) if (d, c) != ("float32", False)),
)  # fmt: skip
BENCHMARK = Benchmark(
    "render_skeleton",
    problem,
    (HEADLINE, LARGE),
    GOALS,
    GRID,
    compiled=frozenset({Skeleton(1), Skeleton(64), Skeleton(16, count=120)}),
)

test_render_skeleton = speed_test(BENCHMARK)
