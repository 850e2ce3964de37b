"""Augmentation moves both frames of a pair alike."""

from __future__ import annotations

import numpy as np
import torch

from fastpose.recipes.base import Augmentation
from fastpose.training.augment import augment_pairs


def pictures(count: int = 4, size: int = 16) -> torch.Tensor:
    ramp = torch.linspace(-1, 1, size)
    return torch.stack([ramp.expand(size, size), ramp[:, None].expand(size, size)] * 3)[:3].repeat(
        count, 1, 1, 1
    )


def test_no_augmentation_changes_nothing_and_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    target, other = pictures(), pictures() + 1
    out = augment_pairs(target, other, Augmentation(), rng)
    assert out[0] is target and out[1] is other
    assert rng.bit_generator.state == before


def test_both_frames_move_alike() -> None:
    config = Augmentation(flip=True, scale=0.2, shift=0.1, rotation=10.0)
    target, other = augment_pairs(pictures(), 2 * pictures(), config, np.random.default_rng(0))
    torch.testing.assert_close(2 * target, other)
    assert not torch.allclose(target, pictures())


def test_flips_mirror_about_half_of_the_pairs() -> None:
    target, _ = augment_pairs(
        pictures(200), pictures(200), Augmentation(flip=True), np.random.default_rng(0)
    )
    mirrored = (target[:, 0, 8, 0] > 0).float().mean()
    assert 0.4 < float(mirrored) < 0.6
    torch.testing.assert_close(target[:, 1], pictures(200)[:, 1])  # rows stay where they are


def test_the_same_generator_state_gives_the_same_pictures() -> None:
    config = Augmentation(scale=0.1, shift=0.1)
    one = augment_pairs(pictures(), pictures(), config, np.random.default_rng(3))[0]
    two = augment_pairs(pictures(), pictures(), config, np.random.default_rng(3))[0]
    assert torch.equal(one, two)


def test_shift_is_a_share_of_the_side_and_borders_are_replicated() -> None:
    target, _ = augment_pairs(
        pictures(500), pictures(500), Augmentation(shift=0.1), np.random.default_rng(0)
    )
    moved = target[:, 0, 8, 8] - pictures(1)[0, 0, 8, 8]
    assert 0.15 < float(moved.std()) < 0.25  # 0.1 of the side is 0.2 in [-1, 1]
    assert float(target.abs().max()) <= 1.0 + 1e-6
