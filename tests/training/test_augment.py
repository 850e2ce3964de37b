"""Augmentation moves both frames of a pair alike, and labels with their frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastpose.recipes.base import Augmentation
from fastpose.training.augment import augment

ALL = Augmentation(flip=True, scale=0.1, shift=0.05, rotation=10.0)


def pictures(count: int = 4, size: int = 16) -> torch.Tensor:
    ramp = torch.linspace(-1, 1, size)
    return torch.stack([ramp.expand(size, size), ramp[:, None].expand(size, size)] * 3)[:3].repeat(
        count, 1, 1, 1
    )


def moved(config: Augmentation, seed: int, count: int = 4) -> torch.Tensor:
    batch = {"target": pictures(count)}
    augment(batch, config, np.random.default_rng(seed))
    return batch["target"]


def test_no_augmentation_changes_nothing_and_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    target, other = pictures(), pictures() + 1
    batch = {"target": target, "other": other}
    augment(batch, Augmentation(), rng)
    assert batch["target"] is target and batch["other"] is other
    assert rng.bit_generator.state == before


def test_both_frames_move_alike() -> None:
    batch = {"target": pictures(), "other": 2 * pictures()}
    augment(batch, ALL, np.random.default_rng(0))
    torch.testing.assert_close(2 * batch["target"], batch["other"])
    assert not torch.allclose(batch["target"], pictures())


def test_flips_mirror_about_half_of_the_pairs() -> None:
    target = moved(Augmentation(flip=True), 0, 200)
    mirrored = (target[:, 0, 8, 0] > 0).float().mean()
    assert 0.4 < float(mirrored) < 0.6
    torch.testing.assert_close(target[:, 1], pictures(200)[:, 1])  # rows stay where they are


def test_the_same_generator_state_gives_the_same_pictures() -> None:
    assert torch.equal(moved(ALL, 3), moved(ALL, 3))


def test_shift_is_a_share_of_the_side_and_borders_are_replicated() -> None:
    target = moved(Augmentation(shift=0.1), 0, 500)
    difference = target[:, 0, 8, 8] - pictures(1)[0, 0, 8, 8]
    assert 0.15 < float(difference.std()) < 0.25  # 0.1 of the side is 0.2 in [-1, 1]
    assert float(target.abs().max()) <= 1.0 + 1e-6


@pytest.mark.parametrize("config", [ALL, Augmentation(flip=True), Augmentation(scale=0.2)])
def test_labels_stay_on_what_they_mark(config: Augmentation) -> None:
    """Two bright spots, left and right: each label is where its spot has gone."""
    count, size = 32, 65
    ramp = torch.linspace(-1, 1, size)
    points = torch.tensor([[-0.4, 0.1], [0.3, -0.2]]).repeat(count, 1, 1)
    squared = (ramp[None, None, None, :] - points[..., 0, None, None]) ** 2
    squared = squared + (ramp[None, None, :, None] - points[..., 1, None, None]) ** 2
    spots = torch.exp(-squared / 0.02)
    target = torch.cat([spots, spots[:, :1]], dim=1)
    known = torch.tensor([[1.0, 0.0]]).repeat(count, 1)
    batch = {"target": target, "points": points, "known": known}
    augment(batch, config, np.random.default_rng(0), mirror=(1, 0))
    weight = batch["target"][:, :2] / batch["target"][:, :2].sum(dim=(2, 3), keepdim=True)
    seen = torch.stack([(weight * ramp).sum((2, 3)), (weight * ramp[:, None]).sum((2, 3))], dim=-1)
    crossed = batch["known"][:, 1] == 1.0  # in a mirrored picture the left joint is the right one
    assert config.flip is bool(crossed.any()) and not bool(crossed.all())
    assert torch.equal(batch["known"].sum(dim=1), torch.ones(count))
    seen = torch.where(crossed[:, None, None], seen.flip(1), seen)
    assert float((seen - batch["points"]).abs().max()) < 0.03
    order = batch["points"][:, 0, 0] < batch["points"][:, 1, 0]
    assert bool(order.all())  # the left joint stays to the left of the other, flipped or not


def test_each_process_moves_its_share_as_one_would() -> None:
    class Second:
        processes = 2

        def share(self, count: int) -> slice:
            return slice(count // 2, count)

    whole = {"target": pictures(4), "points": torch.zeros(4, 1, 2), "known": torch.ones(4, 1)}
    part = {name: tensor[2:] for name, tensor in whole.items()}
    augment(whole, ALL, np.random.default_rng(5), mirror=(0,))
    augment(part, ALL, np.random.default_rng(5), Second(), mirror=(0,))  # type: ignore[arg-type]
    for name, tensor in part.items():
        assert torch.equal(tensor, whole[name][2:])
