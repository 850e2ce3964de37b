"""The two files of the published code become the template that comes with fastpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastpose.errors import UserError
from fastpose.templates import load_template
from fastpose.templates.published import read_published

THEIRS = {"upper_arm": "arm"}


def as_published() -> tuple[dict[str, Any], dict[str, Any]]:
    """The T-pose, written as that code writes it."""
    shapes, anchors = {}, {}
    for part in load_template("t-pose").parts:
        side, _, rest = part.name.partition("_")
        name = {"r": "left ", "l": "right "}[side] + THEIRS.get(rest, rest) if rest else part.name
        (x, y), (along, across) = part.center, part.sigma
        shapes[name] = {"center": [y, x], "sx": across, "sy": along, "angle": part.angle}
        anchors[name] = [[*place, 1] for place in part.anchors.values()]
    return shapes, anchors


def write(folder: Path, shapes: Any, anchors: Any) -> tuple[Path, Path]:
    paths = folder / "template.json", folder / "anchor_points.json"
    for path, data in zip(paths, (shapes, anchors), strict=True):
        path.write_text(json.dumps(data))
    return paths


def test_the_published_files_are_the_t_pose(tmp_path: Path) -> None:
    paths = write(tmp_path, *as_published())
    assert read_published(*paths, name="t-pose") == load_template("t-pose")


def test_what_is_not_the_published_body_is_named(tmp_path: Path) -> None:
    shapes, anchors = as_published()
    with pytest.raises(UserError, match="part 'tail' is not one of the published"):
        read_published(*write(tmp_path, {**shapes, "tail": shapes["head"]}, anchors), name="x")
    with pytest.raises(UserError, match="part 'head' is missing"):
        fewer = {k: v for k, v in shapes.items() if k != "head"}
        read_published(*write(tmp_path, fewer, anchors), name="x")
    with pytest.raises(UserError, match="has 2 anchors, expected 1"):
        more = {**anchors, "head": anchors["core"][:2]}
        read_published(*write(tmp_path, shapes, more), name="x")
    with pytest.raises(UserError, match="part 'core' needs center"):
        broken = {**shapes, "core": {"center": 3}}
        read_published(*write(tmp_path, broken, anchors), name="x")
    with pytest.raises(UserError, match=r"no.json: cannot be read \(No such file"):
        read_published(tmp_path / "no.json", tmp_path / "no2.json", name="x")
    with pytest.raises(UserError, match="expected a JSON object"):
        read_published(*write(tmp_path, [], []), name="x")
