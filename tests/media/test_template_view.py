"""Pictures of templates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastpose import templates
from fastpose.errors import UserError
from fastpose.media.images import read_image
from fastpose.media.template_view import draw_template, view_template
from fastpose.templates import load_template
from fastpose.templates.make import place_template


@pytest.mark.parametrize("name", templates.names())
def test_parts_and_joints_side_by_side(name: str) -> None:
    picture = draw_template(load_template(name), side=256)
    assert picture.shape == (256, 518, 3)
    for half in (picture[:, :256], picture[:, 262:]):
        assert 0.02 < (half.min(axis=2) < 200).mean() < 0.6


def test_a_gaussian_is_drawn_where_it_lies() -> None:
    template = load_template("t-pose")
    picture = draw_template(template, side=256).astype(int)
    hand = picture[80, 200], picture[80, 56]  # left orange, right blue
    assert hand[0][0] > hand[0][2] and hand[1][2] > hand[1][0]
    assert (picture[250, :250] > 240).all()


def test_viewing_writes_the_picture_and_a_copy(tmp_path: Path) -> None:
    out, copy = tmp_path / "t.png", tmp_path / "mine.json"
    lines = view_template(["infant"], str(out), save=str(copy))
    assert "19 parts" in lines[0] and str(out) in lines[1]
    assert np.asarray(read_image(out)).shape[1] > 1000
    assert load_template(copy) == load_template("infant")
    view_template(["infant"], str(out), span=(0.2, 0.6), save=str(copy))
    placed = place_template(load_template("infant"), top=0.2, bottom=0.6)
    assert load_template(copy) == replace(placed, name="mine")
    with pytest.raises(UserError, match="got 3"):
        view_template(["a", "b", "c"], str(out))
