"""The naive Triton peers in Triton's interpreter, next to the PyTorch peers.

`test_naive_triton.py` runs them: the interpreter must be chosen before Triton is imported.
"""

from __future__ import annotations

import pytest
import torch

from benchmarks.ops import bench_render_skeleton as skeleton
from benchmarks.ops import naive_triton as naive
from benchmarks.ops import naive_triton_warp as naive_warp
from benchmarks.ops import render_gaussians_peers as gaussians
from benchmarks.ops import soft_argmax_peers as soft_argmaxes
from benchmarks.ops import warp_templates_peers as warps
from benchmarks.ops.gate import difference
from benchmarks.ops.render_skeleton_peers import split_by_index

SIZE = 33  # 1089 pixels: one block and a bit


def affine() -> torch.Tensor:
    noise = torch.randn(2, 3, 2, 3, generator=torch.Generator().manual_seed(1))
    scale = torch.tensor([[0.2, 0.2, 2.0], [0.2, 0.2, 2.0]])
    return torch.eye(2, 3) + scale * noise


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def skeleton_pair():
    points, pairs = skeleton.scene(skeleton.Skeleton(2, SIZE), 0)
    limbs = torch.tensor(pairs, dtype=torch.int32)
    rest = (SIZE, skeleton.SHARPNESS, skeleton.EPS)
    mine = lambda points: naive.render_skeleton(points, limbs, *rest)  # noqa: E731
    return mine, lambda points: split_by_index(points, limbs.long(), *rest), [points]


def gaussians_pair():
    root = 0.2 * random(2, 3, 2, 2)
    covariance = root @ root.mT + 0.02 * torch.eye(2)
    mine = lambda mean, s: naive.render_gaussians(mean, s, SIZE)  # noqa: E731
    theirs = lambda mean, s: gaussians.quadratic_form(mean, s, SIZE)  # noqa: E731
    return mine, theirs, [0.5 * random(2, 3, 2, seed=2), covariance]


def soft_argmax_pair():
    return naive.soft_argmax, soft_argmaxes.grid_product, [3 * random(2, 3, SIZE, SIZE)]


def warp_pair():
    templates = random(3, 20, 27)
    mine = lambda maps: naive_warp.warp_templates(templates, maps, SIZE)  # noqa: E731
    return mine, lambda maps: warps.grid_sample(templates.to(maps), maps, SIZE), [affine()]


@pytest.mark.parametrize("pair", [skeleton_pair, gaussians_pair, soft_argmax_pair, warp_pair])
def test_as_in_pytorch(pair):
    mine, theirs, inputs = pair()
    results = []
    for function, dtype in ((mine, torch.float32), (theirs, torch.float64)):
        leaves = [t.detach().clone().to(dtype).requires_grad_() for t in inputs]
        found = function(*leaves)
        found.backward(torch.linspace(-1, 2, found.numel(), dtype=dtype).view_as(found))
        results.append([found, *(leaf.grad for leaf in leaves)])
    for found, exact in zip(*results, strict=True):
        assert difference(found, exact)["l2"] < 1e-4
