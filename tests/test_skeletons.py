"""Skeletons: mirror pairs, conversions by name, and what a description must hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.skeletons import SKELETONS, Skeleton, conversion_matrix, get_skeleton, make_skeleton


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS.keys())
def test_mirror_exchanges_sides_and_keeps_the_midline(skeleton: Skeleton) -> None:
    other = {"l_": "r_", "r_": "l_"}
    for joint, counterpart in zip(skeleton.joints, skeleton.mirror, strict=True):
        expected = other[joint[:2]] + joint[2:] if joint[:2] in other else joint
        assert skeleton.joints[counterpart] == expected


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS.keys())
def test_limbs_are_symmetric_under_the_mirror(skeleton: Skeleton) -> None:
    def key(limb: tuple) -> frozenset:
        ends = [e if isinstance(e, tuple) else (e,) for e in limb]
        return frozenset(frozenset(e) for e in ends)

    mirrored = [
        tuple(
            tuple(skeleton.mirror[i] for i in (e if isinstance(e, tuple) else (e,))) for e in limb
        )
        for limb in skeleton.limbs
    ]
    assert {key(limb) for limb in mirrored} == {key(limb) for limb in skeleton.limbs}


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS.keys())
def test_description_survives_json(skeleton: Skeleton) -> None:
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton


def test_swap_sides_is_an_involution_and_moves_the_named_joints() -> None:
    skeleton = get_skeleton("body18")
    points = np.arange(18 * 2.0).reshape(1, 18, 2)
    swapped = skeleton.swap_sides(points)
    left, right = skeleton.index("l_wrist"), skeleton.index("r_wrist")
    assert (swapped[0, left] == points[0, right]).all()
    assert (skeleton.swap_sides(swapped) == points).all()
    assert (swapped[0, skeleton.index("head")] == points[0, skeleton.index("head")]).all()


def test_h36m32_draws_the_sixteen_edges_of_the_published_configuration() -> None:
    published = {
        (1, 11), (2, 1), (3, 2), (5, 3), (6, 11), (7, 6), (8, 7), (10, 8), (13, 11), (15, 13),
        (17, 13), (18, 17), (19, 18), (25, 13), (26, 25), (27, 26),
    }  # fmt: skip
    assert set(get_skeleton("h36m32").limbs) == published


def test_limb_groups_follow_from_names() -> None:
    skeleton = get_skeleton("body18")
    groups = dict(zip(skeleton.limbs, skeleton.limb_groups, strict=True))
    arm = (skeleton.index("l_shoulder"), skeleton.index("l_elbow"))
    foot = (skeleton.index("r_ankle"), skeleton.index("r_toe"))
    assert groups[arm] == "l_arm"
    assert groups[foot] == "r_leg"


def test_conversion_by_name_and_by_means() -> None:
    source, target = get_skeleton("limbs12"), get_skeleton("h36m17")
    matrix = conversion_matrix(source, target, missing="nan")
    pelvis = matrix[target.index("pelvis")]
    assert pelvis[source.index("l_hip")] == pelvis[source.index("r_hip")] == 0.5
    assert pelvis.sum() == 1.0
    assert matrix[target.index("l_knee"), source.index("l_knee")] == 1.0
    assert np.isnan(matrix[target.index("head")]).all()
    assert np.isfinite(matrix[target.index("spine")]).all()


def test_conversion_that_cannot_be_made_names_the_joints() -> None:
    with pytest.raises(UserError, match="head"):
        conversion_matrix(get_skeleton("limbs12"), get_skeleton("body13"))


def test_means_as_limb_ends() -> None:
    skeleton = make_skeleton("t", "l_a r_a b", "l_a+r_a-b")
    assert skeleton.limbs == (((0, 1), 2),)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'body18'"):
        get_skeleton("body81")
    with pytest.raises(UserError, match="did you mean 'l_wrist'"):
        get_skeleton("body18").index("l_wirst")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limbs": [[0, 99]]}, "outside"),
        ({"limbs": [[0, []]]}, "outside"),
        ({"mirror": [1, 1, 2]}, "mirror"),
        ({"mirror": [0]}, "mirror"),
        ({"joints": ["a", "a", "b"]}, "unique"),
        ({"limb_groups": ["tail"]}, "needed for each limb"),
        ({"limbs": "no"}, "needs name"),
        ({"limbs": None}, "needs name"),
    ],
)
def test_wrong_descriptions_are_refused(change: dict, message: str) -> None:
    good = make_skeleton("t", "l_a r_a b", "l_a-b").to_dict()
    with pytest.raises(UserError, match=message):
        Skeleton.from_dict({**good, **change})
    missing = {k: v for k, v in good.items() if k not in change}
    with pytest.raises(UserError, match="needs name"):
        Skeleton.from_dict(missing)
