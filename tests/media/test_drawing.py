from __future__ import annotations

import numpy as np
import pytest

from fastpose.media.drawing import (
    LEFT,
    MIDDLE,
    RIGHT,
    contact_sheet,
    draw_box,
    draw_line,
    draw_skeleton,
    draw_text,
    grid,
    text_size,
)
from fastpose.skeletons import SKELETONS

GREY = (90, 90, 90)
PLUM = (130, 20, 90)
SKELETON = SKELETONS["limbs12"]


def blank(height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def body() -> np.ndarray:
    """Twelve joints, left ones at x = 55, right ones at x = 25."""
    points = np.zeros((len(SKELETON.joints), 2))
    rows = {"shoulder": 8, "elbow": 18, "wrist": 28, "hip": 34, "knee": 44, "ankle": 54}
    for i, joint in enumerate(SKELETON.joints):
        points[i] = 55 if joint.startswith("l_") else 25, rows[joint[2:]]
    return points


def has(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (image == np.array(colour)).all(axis=2)


def test_line_covers_its_width_and_fades_in_one_pixel() -> None:
    image = blank()
    draw_line(image, (10, 30), (60, 30), (255, 255, 255), 4)
    column = image[:, 35, 0].astype(int)
    assert (column[29:32] == 255).all() and (column[:27] == 90).all() and (column[34:] == 90).all()
    assert 90 < column[28] < 255 and 90 < column[32] < 255
    # The area of the line is its length times its width, and its round ends.
    cover = (image[..., 0].astype(float) - 90) / (255 - 90)
    assert cover.sum() == pytest.approx(50 * 4 + np.pi * 4, rel=0.03)


def test_line_is_antialiased_alike_in_every_direction() -> None:
    covers = []
    for angle in np.linspace(0, np.pi, 7):
        image = np.zeros((101, 101, 3), np.uint8)
        reach = 35 * np.array([np.cos(angle), np.sin(angle)])
        draw_line(image, 50 - reach, 50 + reach, (255, 255, 255), 3)
        covers.append(image[..., 0].sum() / 255)
    np.testing.assert_allclose(covers, covers[0], rtol=0.02)


def test_lines_outside_are_clipped() -> None:
    image = blank()
    draw_line(image, (-500, -500), (-400, -450), (0, 0, 0), 5)
    np.testing.assert_array_equal(image, blank())
    draw_line(image, (-50, 30), (300, 30), (0, 0, 0), 5)
    assert (image[30] == 0).all()


def test_skeleton_is_coloured_by_side_and_leaves_the_input_alone() -> None:
    image = blank()
    out = draw_skeleton(image, body(), SKELETON, width=3)
    np.testing.assert_array_equal(image, blank())
    left, right = np.nonzero(has(out, LEFT)), np.nonzero(has(out, RIGHT))
    assert len(left[0]) > 50 and (left[1] > 40).all()
    assert len(right[0]) > 50 and (right[1] < 40).all()
    assert has(out, MIDDLE).any()  # hip to hip or shoulder to shoulder


def test_hidden_and_missing_joints_are_left_out() -> None:
    points, confidence = body(), np.ones(len(SKELETON.joints))
    right = [i for i, j in enumerate(SKELETON.joints) if j.startswith("r_")]
    confidence[right] = 0.2
    out = draw_skeleton(blank(), points, SKELETON, confidence=confidence, threshold=0.5)
    assert not has(out, RIGHT).any() and has(out, LEFT).any()
    points[right] = np.nan
    np.testing.assert_array_equal(draw_skeleton(blank(), points, SKELETON), out)
    nothing = draw_skeleton(blank(), np.full_like(points, np.nan), SKELETON)
    np.testing.assert_array_equal(nothing, blank())


def test_every_built_in_skeleton_can_be_drawn() -> None:
    rng = np.random.default_rng(0)
    for skeleton in SKELETONS.values():
        points = rng.uniform(0, 60, (len(skeleton.joints), 2))
        assert (draw_skeleton(blank(), points, skeleton) != blank()).any()


def test_skeleton_wants_its_number_of_joints() -> None:
    with pytest.raises(ValueError, match=r"points: expected \(12, 2\)"):
        draw_skeleton(blank(), np.zeros((5, 2)), SKELETON)


def test_box() -> None:
    image = blank()
    draw_box(image, (10, 10, 40, 30), (255, 0, 0), 1)
    assert has(image, (255, 0, 0))[10, 12:38].all() and has(image, (255, 0, 0))[12:28, 40].all()
    assert (image[20, 25] == GREY).all()


def test_text_fits_its_announced_size() -> None:
    width, height = text_size("clip_07, frame 123", 14)
    page = np.full((60, 300, 3), 255, np.uint8)
    out = draw_text(page, "clip_07, frame 123", (20, 10), size=14)
    rows, columns = np.nonzero((out < 200).any(axis=2))
    assert len(rows) and rows.min() >= 10 and rows.max() < 10 + height
    assert columns.min() >= 20 and columns.max() <= 20 + width
    plated = draw_text(page, "x", (20, 10), size=14, background=(0, 0, 255))
    assert has(plated, (0, 0, 255)).any() and (page == 255).all()


def test_grid_places_pictures_row_by_row() -> None:
    images = [np.full((4, 6, 3), i, np.uint8) for i in range(5)]
    sheet = grid(images, 2, gap=1)
    assert sheet.shape == (3 * 5 - 1, 2 * 7 - 1, 3)
    assert (sheet[5:9, 7:13] == 3).all() and (sheet[10:14, 0:6] == 4).all()
    assert (sheet[10:14, 7:] == 255).all() and (sheet[4] == 255).all()
    with pytest.raises(ValueError, match="picture 1"):
        grid([images[0], np.zeros((4, 5, 3), np.uint8)], 2)
    with pytest.raises(ValueError, match="needs pictures"):
        grid([], 2)


def test_contact_sheet_holds_every_row() -> None:
    picture = np.full((10, 10, 3), PLUM, np.uint8)
    rows = [("first", [picture] * 3), ("heading only", []), ("second", [picture] * 5)]
    sheet = contact_sheet(rows, title="Title", gap=2)
    assert has(sheet, PLUM).sum() == 8 * 100
    assert sheet.shape[1] >= 5 * 12 - 2
    longer = contact_sheet([("a very long caption indeed, much longer", [blank(4, 4)])])
    assert longer.shape[1] > 150
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
