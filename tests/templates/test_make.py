"""A template from a stick figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.templates.make import make_template

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
