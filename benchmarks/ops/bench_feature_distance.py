"""`feature_distance` next to its compositions in PyTorch, on features as VGG-19 gives them."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from benchmarks.ops import feature_distance_peers as peers
from benchmarks.ops.declare import (
    AUTOTUNE,
    BOTH,
    COMPILED,
    DEFAULT,
    EAGER,
    GRAPHS,
    PAPER,
    Benchmark,
    Drawer,
    Goal,
    Peer,
    Problem,
)
from benchmarks.ops.declare import Case as AnyCase
from benchmarks.ops.entry import speed_test
from fastpose.ops.samples import Sample

SQUARES, ABSOLUTES, MASKED = "L2", "L1", "masked L2"
EVERY_MODE = (DEFAULT, AUTOTUNE, GRAPHS)
# Channels, and by how much the picture is reduced: the picture itself, conv1_2 ... conv5_2.
LAYERS = ((3, 1), (64, 1), (128, 2), (256, 4), (512, 8), (512, 16))
Case = partial(AnyCase, count=len(LAYERS), counted="L")


def problem(case: AnyCase, seed: int, device: str = "cpu") -> Problem:
    """A step of training: random features, and targets and mask that are always the same."""

    def layers(seed: int) -> list[torch.Tensor]:
        drawn = [
            case.random(case.batch, channels, case.size // by, case.size // by, seed=seed + i)
            for i, (channels, by) in enumerate(LAYERS[: case.count])
        ]
        form = dict(memory_format=case.format)
        return [t.to(device, case.torch_dtype).contiguous(**form) for t in drawn]

    features, targets = layers(100 + 10 * seed), layers(0)
    norm = "l1" if case.kind == ABSOLUTES else "l2"
    mean = torch.linspace(1, 2, case.count).to(device)
    mask = None
    if case.kind == MASKED:
        mask = (1 + case.random(case.batch, 1, case.size, case.size, seed=50).abs()).to(device)
    keywords: dict[str, Any] = dict(
        targets=targets, norm=norm, mask=mask, running_mean=mean, momentum=peers.MOMENTUM,
        update=True,
    )  # fmt: skip
    sample = Sample(str(case), (features,), keywords)

    def stacked(*features: torch.Tensor) -> torch.Tensor:
        return peers.stacked(features, targets, norm, mask, mean)

    others: dict[str, Peer] = {"stacked": Peer(stacked, EAGER, EVERY_MODE)}
    if mask is None:
        means = list(mean.clone().unbind())

        def layer_by_layer(*features: torch.Tensor) -> torch.Tensor:
            return peers.layer_by_layer(features, targets, norm, means)

        draw: Drawer = layer_by_layer
        others = {"KeypointGAN": Peer(draw, PAPER, EVERY_MODE), **others}
    return Problem(sample, (0,), others, image=False, rereads=False)


SQUARED, ABSOLUTE, WEIGHTED = (Case(4, kind=k) for k in (SQUARES, ABSOLUTES, MASKED))
GOALS = (
    Goal("perceptual L2, forward and backward: eager", SQUARED, BOTH, EAGER, 1.5, 2),
    Goal("perceptual L2, forward and backward: paper", SQUARED, BOTH, PAPER, 1, 1.5),
    Goal("perceptual L2, forward and backward: best compile", SQUARED, BOTH, COMPILED, 1.5),
    Goal("perceptual L1, forward and backward: eager", ABSOLUTE, BOTH, EAGER, 1.5, 3.5),
    Goal("perceptual L1, forward and backward: best compile", ABSOLUTE, BOTH, COMPILED, 1.5),
    Goal("masked perceptual L2, forward and backward: eager", WEIGHTED, BOTH, EAGER, 2, 5),
    Goal("masked perceptual L2, forward and backward: best compile", WEIGHTED, BOTH, COMPILED, 1.5),
)
GRID = (
    *(Case(b, s, kind=SQUARES) for b, s in ((1, 128), (16, 64), (16, 128))),
    Case(16, count=3, kind=SQUARES),
    *(Case(4, kind=k, dtype=d, channels_last=True) for k in (SQUARES, MASKED)
      for d in ("float32", "bfloat16")),
)  # fmt: skip
BENCHMARK = Benchmark(
    "feature_distance",
    problem,
    (SQUARED, ABSOLUTE, WEIGHTED),
    GOALS,
    GRID,
    compiled=frozenset({Case(4, kind=SQUARES, dtype="bfloat16", channels_last=True)}),
)

test_feature_distance = speed_test(BENCHMARK)
