"""Capsules at random, and what tells two owners' pictures apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastpose.ops.cast_capsules import Capsules

TEXELS = (8, 16)
Problem = tuple[Capsules, dict[str, Any]]
Pictures = tuple[np.ndarray, np.ndarray, np.ndarray]


def turned(rng: np.random.Generator, count: tuple[int, int]) -> np.ndarray:
    """Rotations (T,P,3,3)."""
    q, r = np.linalg.qr(rng.standard_normal((*count, 3, 3)))
    q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return q * np.sign(np.linalg.det(q))[..., None, None]


def problem(
    seed: int, frames: int = 2, parts: int = 5, wide: int = 96, spread: float = 0.6
) -> Problem:
    """Capsules at random before a camera 3 metres off; with a wide ``spread`` partly outside."""
    rng = np.random.default_rng(seed)
    axes = turned(rng, (frames, parts))  # rows: the capsule's axes in camera space
    start = rng.normal((0, 0, 3), (spread, spread, 0.3), (frames, parts, 3))
    length = rng.uniform(0.0, 0.8, (frames, parts))
    r0, r1 = rng.uniform(0.03, 0.3, (2, parts))
    stretch = rng.uniform(0.6, 1.3, parts)
    focal = 0.9 * wide
    first = (-0.5 * wide / focal, -0.5 * wide / focal)
    pair = np.stack([start, start + length[..., None] * axes[..., 1, :]], axis=2)
    pair[..., 2] = np.maximum(pair[..., 2], 0.9)
    far = pair[..., 2]
    reach = (np.maximum(r0, r1) * np.maximum(stretch, 1))[:, None]
    ones = np.ones(parts)
    to_part = axes * np.stack([ones, ones, 1 / stretch], -1)[..., None]
    light = np.array([0.3, -0.6, -0.74])
    capsules = Capsules(
        ends=(pair[..., :2] / far[..., None] - first) * focal,
        radius=1.06 * reach / (far - reach) * focal + 0.5,
        start=(to_part @ -pair[:, :, 0, :, None])[..., 0],
        to_part=to_part,
        near=far.mean(axis=-1),
        length=length,
        r0=r0,
        r1=r1,
        stretch=stretch,
        shine=axes @ light,
    )
    return capsules, {"wide": wide, "first": first, "step": 1 / focal, "texels": TEXELS}


def problems(wide: int = 40, widths: tuple[int, ...] = (1, 2, 17, 128, 129, 300)) -> list[Problem]:
    """At random, beyond the border, degenerate, of these widths, and with nothing to draw."""
    found = [problem(seed, wide=wide) for seed in range(4)]
    found += [problem(seed, wide=wide, spread=3.0) for seed in range(4)]
    found += [problem(3, frames=1, parts=3, wide=each, spread=0.2) for each in widths]
    found.append(problem(5, frames=1, parts=70, wide=wide))
    capsules, options = problem(1, wide=wide)
    for changed in (
        dict(length=np.zeros_like(capsules.length)),  # spheres
        dict(r1=capsules.r0.copy()),  # cylinders
        dict(r0=capsules.r0 + 2.0),  # one sphere holds the other
        dict(ends=np.repeat(capsules.ends[:, :, :1], 2, axis=2)),
    ):
        found.append((replace(capsules, **changed), options))
    found += [problem(0, frames=t, parts=p, wide=wide) for t, p in ((0, 3), (2, 0))]
    return found


def assert_bytes(made: Pictures, expected: Pictures) -> None:
    for name, a, b in zip(("depth", "texel", "light"), made, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert np.array_equal(a.view(np.int32), b.view(np.int32)), name
