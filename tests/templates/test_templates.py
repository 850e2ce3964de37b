"""Template files: the published table, what is refused and how, and the way to JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastpose import templates
from fastpose.errors import UserError
from fastpose.templates import Part, Template, load_template, template_from_json, template_to_json

# Part, centre, sigmas along and across, angle, anchors: the published template's table, with the
# part that it calls left (of the picture) as the person's right.
PUBLISHED = """
core        128 120  25.6  15.36  1.5708  128,144 128,80 128,68
r_hip       120 152  7.68  6.4   -0.9     128,144 116,144
l_hip       136 152  7.68  6.4    0.9     128,144 140,144
r_thigh     108 172  10.24 6.4   -1.1     116,144 100,184
l_thigh     148 172  10.24 6.4    1.1     140,144 156,184
r_shin      100 196  12.8  6.4    1.5708  100,184 100,208
l_shin      156 196  12.8  6.4   -1.5708  156,184 156,208
r_shoulder  120 80   10.24 6.4    0       128,80 112,80
l_shoulder  136 80   10.24 6.4    0       128,80 144,80
r_upper_arm 96 80    10.24 6.4    0       112,80 88,80
l_upper_arm 160 80   10.24 6.4    0       144,80 168,80
r_forearm   72 80    10.24 6.4    0       88,80 68,80
l_forearm   184 80   10.24 6.4    0       168,80 188,80
r_foot      100 220  5.12  5.12   0       100,208
l_foot      156 220  5.12  5.12   0       156,208
r_hand      56 80    6.4   5.12   0       68,80
l_hand      200 80   6.4   5.12   0       188,80
head        128 52   8.96  12.8   0       128,68
"""


def test_the_t_pose_is_the_published_one() -> None:
    template = load_template("t-pose")
    rows = [line.split() for line in PUBLISHED.strip().splitlines()]
    assert [part.name for part in template.parts] == [row[0] for row in rows]
    for part, row in zip(template.parts, rows, strict=True):
        numbers = [*part.center, *part.sigma, part.angle]
        assert numbers == [float(x) for x in row[1:6]]
        assert [list(p) for p in part.anchors.values()] == [
            [float(x) for x in anchor.split(",")] for anchor in row[6:]
        ]
    assert len(template.anchors) == 32 and len(template.pairs) == 17
    a, b = template.pair_indices.T
    assert np.array_equal(template.anchors[a], template.anchors[b])


def test_the_natural_pose_differs_in_the_arms_alone() -> None:
    t_pose, natural = load_template("t-pose"), load_template("natural-pose")
    changed = {a.name for a, b in zip(t_pose.parts, natural.parts, strict=True) if replace(a) != b}
    assert changed == {f"{s}_{p}" for s in "lr" for p in ("upper_arm", "forearm", "hand")}
    arm = natural.parts[[p.name for p in natural.parts].index("r_upper_arm")]
    assert arm.center == (100.0, 93.0) and arm.angle == -1.0472
    assert arm.anchors["elbow"] == (93.0, 102.0)


@pytest.mark.parametrize("name", templates.names())
def test_every_template_is_whole(name: str) -> None:
    template = load_template(name)
    assert template.name == name
    assert (np.linalg.eigvalsh(template.covariances) > 1.0).all()
    weights = template.joint_weights
    assert np.allclose(weights.sum(axis=1), 1.0)
    # All parts hang together: no piece floats free.
    parts = template.point_parts[template.pair_indices]
    joined = {0}
    for _ in template.parts:
        joined |= {int(p) for pair in parts for p in pair if joined & {int(q) for q in pair}}
    assert joined == set(range(len(template.parts)))
    assert set(template.skeleton.joints) == set(template.joints)
    assert template_from_json(template_to_json(template), "again") == template


def test_sides_are_the_persons_own() -> None:
    template = load_template("t-pose")
    joints = dict(zip(template.joints, template.joint_weights @ template.points, strict=True))
    assert joints["r_wrist"][0] < joints["l_wrist"][0]  # facing us, the right hand is on our left
    assert np.allclose(joints["pelvis"], (128, 144)) and np.allclose(joints["l_knee"], (156, 184))
    assert np.allclose(joints["head_top"], (128, 36))


def make(**changes: Any) -> Template:
    fields: dict[str, Any] = {
        "name": "two",
        "size": 64,
        "parts": (
            Part("upper", (20.0, 20.0), (6.0, 3.0), 0.0, {"top": (20, 10), "mid": (20, 30)}),
            Part("lower", (20.0, 40.0), (6.0, 3.0), 0.0, {"mid": (20, 30)}, {"end": (20, 50)}),
        ),
        "pairs": (("upper.mid", "lower.mid"),),
        "joints": {"a": ("upper.top",), "b": ("upper.mid", "lower.mid"), "c": ("lower.end",)},
        "limbs": (("a", "b"), ("b", "c")),
    }
    return Template(**{**fields, **changes})


PART = Part("upper", (20.0, 20.0), (6.0, 3.0), 0.0, {"top": (20.0, 10.0), "mid": (20.0, 30.0)})
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"size": 1}, "size must be 2 or more"),
    ({"parts": ()}, "needs 1 to 256 parts, has 0"),
    ({"parts": (PART, PART)}, "two parts are called 'upper'"),
    ({"size": 40}, "'lower.center' at .* outside the canvas of 40"),
    ({"pairs": (("upper.mid", "lower.mit"),)}, "'lower.mit', which is no anchor; did you mean"),
    ({"pairs": (("upper.mid", "lower.end"),)}, "'lower.end', which is no anchor"),
    ({"pairs": (("upper.mid", "upper.mid"),)}, "with itself"),
    ({"pairs": (("upper.top", "lower.mid"),)}, "20.0 pixels apart"),
    ({"joints": {}}, "needs joints"),
    ({"joints": {"": ("upper.top",)}}, "joint '': a joint's name must not be empty"),
    ({"joints": {"a b": ("upper.top",)}}, "joint 'a b': a joint's name must not .* hold a blank"),
    ({"joints": {"a-b": ("upper.top",)}}, "joint 'a-b': a joint's name must not"),
    ({"joints": {"a": ()}}, "joint 'a' names no points"),
    ({"joints": {"a": ("upper.tip",)}}, "'upper.tip', which is no anchor or landmark"),
    ({"joints": {"l_a": ("upper.top",)}, "limbs": ()}, "no 'r_a' on the other side"),
    ({"limbs": (("a", "d"),)}, "'d', which is no joint"),
    ({"groups": {"arm": ("uper",)}}, "'uper', which is no part; did you mean 'upper'"),
    ({"groups": {"x": ("upper",), "y": ("upper",)}}, "in two groups"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[m for _, m in WRONG])
def test_what_cannot_be_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sigma": (0.0, 3.0)}, "covariance is singular"),
        ({"sigma": (-1.0, 3.0)}, "above 0"),
        ({"angle": float("nan")}, "finite"),
        ({"name": "a.b"}, "hold a dot"),
        ({"landmarks": {"top": (1.0, 1.0)}}, "an anchor and a landmark"),
    ],
)
def test_parts_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(PART, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not readable as JSON"),
        pytest.param("[" * 100_000, "is not readable as JSON", id="deep"),
        ("[]", "expected a JSON object, found list"),
        ("{}", "is no template"),
        ('{"format": "fastpose-template", "version": 2}', "version 2, expected 1"),
        ('{"format": "fastpose-template", "version": 1, "sise": 3}', "no field 'sise'"),
        ('{"format": "fastpose-template", "version": 1, "name": "x"}', "missing"),
    ],
)
def test_files_that_are_no_templates(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_template(path)
    assert str(path) in str(caught.value)


def test_a_wrong_value_in_a_file_is_named_with_its_place(tmp_path: Path) -> None:
    data = json.loads(template_to_json(make()))
    data["parts"][1]["sigma"] = ["wide", 3]
    path = tmp_path / "t.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"parts\[1\].sigma: expected float, got 'wide'"):
        load_template(path)


def test_unknown_names_and_missing_files() -> None:
    with pytest.raises(UserError, match="did you mean 't-pose'"):
        load_template("t-poze")
    with pytest.raises(UserError, match="no such template file"):
        load_template("nowhere.json")


def test_saving_is_all_or_nothing(tmp_path: Path) -> None:
    template = make()
    templates.save_template(template, tmp_path / "t.json")
    assert load_template(tmp_path / "t.json") == template
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]
    with pytest.raises(UserError, match="cannot write the template"):
        templates.save_template(template, tmp_path / "no" / "t.json")
    with pytest.raises(UserError, match=r"end in \.json"):
        templates.save_template(template, tmp_path / "t.txt")
