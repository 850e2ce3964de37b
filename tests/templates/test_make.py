"""A template from a stick figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.templates import load_template, names
from fastpose.templates.make import make_template, place_template

JOINTS = {"hip": (32.0, 40.0), "knee": (32.0, 50.0), "toe": (40.0, 50.0), "head": (32.0, 20.0)}
BONES = {
    "trunk": ("hip", "head", 5.0),
    "shin": ("hip", "knee", 3.0),
    "foot": ("knee", "toe", 2.0),
}


def test_bones_become_parts_that_hang_together() -> None:
    template = make_template("stick", JOINTS, BONES, size=64, tips=["toe"])
    assert template.pairs == (("trunk.hip", "shin.hip"), ("shin.knee", "foot.knee"))
    foot = template.parts[2]
    assert foot.center == (36.0, 50.0) and set(foot.anchors) == {"knee"}
    assert set(foot.landmarks) == {"toe"}
    # The first axis lies along the bone.
    assert np.allclose(template.covariances[2], np.diag([(0.35 * 8) ** 2, 4.0]))
    assert np.allclose(template.covariances[1], np.diag([9.0, 3.5**2]), atol=1e-4)
    assert template.joints["hip"] == ("trunk.hip", "shin.hip")
    assert template.limbs == (("hip", "head"), ("hip", "knee"), ("knee", "toe"))


@pytest.mark.parametrize(
    ("joints", "bones", "tips", "message"),
    [
        (JOINTS, {**BONES, "arm": ("hip", "elbow", 2.0)}, (), "'elbow' is no joint"),
        ({**JOINTS, "toe": (32.0, 50.0)}, BONES, (), "lie at the same place"),
        ({**JOINTS, "ear": (1.0, 1.0)}, BONES, (), "joint 'ear': no bone ends there"),
        (JOINTS, BONES, ("knee",), "tip 'knee': the bones shin and foot share it"),
    ],
)
def test_figures_that_cannot_be(joints: Any, bones: Any, tips: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_template("stick", joints, bones, size=64, tips=tips)


@pytest.mark.parametrize("name", names())
def test_a_placed_template_reaches_where_it_is_told(name: str) -> None:
    template = load_template(name)
    placed = place_template(template, top=0.3, bottom=0.7, middle=0.45)
    joints = placed.joint_weights @ placed.points
    low, high = (joints.min(axis=0) + 0.5) / 256, (joints.max(axis=0) + 0.5) / 256
    assert (low[1], high[1]) == pytest.approx((0.3, 0.7), abs=1e-4)
    assert (low[0] + high[0]) / 2 == pytest.approx(0.45, abs=1e-4)
    before = template.joint_weights @ template.points
    scale = 0.4 * 256 / np.ptp(before[:, 1])
    assert np.ptp(joints, axis=0) == pytest.approx(scale * np.ptp(before, axis=0), abs=0.02)
    assert placed.covariances == pytest.approx(scale**2 * template.covariances, rel=1e-3, abs=0.02)
    assert (placed.pairs, placed.joints, placed.limbs) == (
        template.pairs,
        template.joints,
        template.limbs,
    )


def test_where_a_template_cannot_be_placed() -> None:
    for span in ((0.8, 0.2), (0.3, 1.2), (-0.1, 0.5), (0.5, 0.51), (0.1, float("nan"))):
        with pytest.raises(UserError, match="the bottom 1 or less"):
            place_template(load_template("adult"), top=span[0], bottom=span[1])
    with pytest.raises(UserError, match=r"from 0 to 1 of the side: .* outside the canvas"):
        place_template(load_template("adult"), top=0.0, bottom=1.0)
