"""The lifting network: the published size, what it is invariant to, and other skeletons by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fastpose.errors import UserError
from fastpose.models.lifting import Lifter, LiftingConfig
from fastpose.skeletons import conversion_matrix, get_skeleton
from fastpose.templates import load_template
from tests.models.learning import share_left

SKELETON = get_skeleton("h36m17")
SMALL = LiftingConfig(width=32, blocks=1, dropout=0.0)


@pytest.fixture
def lifter() -> Lifter:
    torch.manual_seed(0)
    return Lifter(SMALL, SKELETON).eval()


def test_the_published_network() -> None:
    """Linear(2J, 1024), four hidden layers in two blocks, Linear(1024, 3J), norms between."""
    model = Lifter(LiftingConfig(), get_skeleton("h36m17"))
    joints, width = 17, 1024
    layers = [(2 * joints, width)] + [(width, width)] * 4
    expected = sum(a * b + b + 2 * b for a, b in layers) + width * 3 * joints + 3 * joints
    assert sum(p.numel() for p in model.parameters()) == expected
    weights = model.blocks[0][0].linear.weight  # type: ignore[index]
    assert abs(float(weights.detach().std()) - (2.0 / width) ** 0.5) < 1e-3  # Kaiming's normal


def test_where_people_stand_does_not_matter_unless_raw(lifter: Lifter) -> None:
    points = torch.randn(4, 17, 2)
    shifted = points + torch.tensor([0.3, -0.2])
    assert torch.allclose(lifter(points), lifter(shifted), atol=1e-5)
    raw = Lifter(replace(SMALL, centred=False), SKELETON).eval()
    assert not torch.allclose(raw(points), raw(shifted), atol=1e-3)


def test_the_pelvis_is_the_origin(lifter: Lifter) -> None:
    positions = lifter(torch.randn(4, 17, 2))
    assert positions.shape == (4, 17, 3)
    assert torch.equal(positions[:, SKELETON.index("pelvis")], torch.zeros(4, 3))


def test_it_learns_a_map_that_there_is() -> None:
    torch.manual_seed(0)
    model = Lifter(SMALL, SKELETON)
    truth = torch.randn(64, 17, 3) * 0.3
    truth[..., 2] = truth[..., 0] - truth[..., 1]
    truth = truth - truth[:, :1]
    batch = {"points": truth[..., :2], "positions": truth}
    assert share_left(model, model, batch, "main", "positions", 1e-2, 100) < 0.05


def test_detections_of_other_skeletons_are_lifted_by_name(lifter: Lifter) -> None:
    detected = load_template("natural-pose").skeleton
    points = np.random.default_rng(0).uniform(5.0, 60.0, (3, 16, 2)).astype(np.float32)
    positions = lifter.lift(points, 64, detected)
    assert positions.shape == (3, 17, 3)
    # The same joints in the network's own order give the same bodies.
    own = conversion_matrix(detected, SKELETON) @ points
    assert np.allclose(lifter.lift(own, 64), positions, atol=1e-6)
    with pytest.raises(ValueError, match=r"expected \(N, 16, 2\) for skeleton"):
        lifter.lift(points[:, :4], 64, detected)
    with pytest.raises(UserError, match="cannot give the joints"):
        lifter.lift(np.zeros((1, 12, 2)), 64, get_skeleton("limbs12"))


def test_lifting_leaves_the_mode_as_it_was(lifter: Lifter) -> None:
    lifter.train()
    lifter.lift(np.zeros((2, 17, 2), np.float32), 64)
    assert lifter.training


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"width": 0}, "model.width"), ({"blocks": -1}, "blocks"), ({"dropout": 1.0}, "dropout")],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(SMALL, **changes)


def test_a_skeleton_without_a_pelvis_cannot_be_lifted() -> None:
    with pytest.raises(UserError, match="has no joint 'pelvis'"):
        Lifter(SMALL, get_skeleton("limbs12"))


def test_an_unknown_phase(lifter: Lifter) -> None:
    with pytest.raises(ValueError, match="phase: unknown to Lifter"):
        lifter.losses({}, "generator")
