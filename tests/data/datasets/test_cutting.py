"""Squares and labels, on recordings made here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.datasets.base import Recording, boxes_of_points, grown
from fastpose.data.datasets.cutting import check_labels, cut, plan, points_in
from fastpose.data.prepare.pieces import Piece, Rules
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton
from tests.data.datasets import trees

SIZE, COUNT = (160, 120), 6
RULES = Rules(1, 1000, borders=False, trust=True)


def recording(**changes: object) -> Recording:
    points = trees.body(np.random.default_rng(0), 12, 30, 90) + np.zeros((COUNT, 1, 1))

    def images() -> list[np.ndarray]:
        return [trees.dotted(SIZE, points[i]) for i in range(COUNT)]

    made = Recording("r", "r.avi", SIZE, range(100, 100 + COUNT), images, fps=25.0)
    boxes = grown(boxes_of_points(points), 0.1)
    return replace(made, keypoints=points, boxes=boxes, **changes)  # type: ignore[arg-type]


def write(path: Path, made: Recording, pieces: list[Piece], *, masks: bool = False) -> ClipStore:
    with ClipWriter(path, 64, skeleton=get_skeleton("limbs12")) as writer:
        cut(made, pieces, writer, split="train", masks=masks)
    return ClipStore.open(path)


def test_overlapping_pieces_are_cut_in_one_pass(tmp_path: Path) -> None:
    pieces = [
        Piece(range(0, 4), (9.5, 9.5, 100.0)),
        Piece(range(2, 6), (-0.5, -0.5, 120.0)),
        Piece(range(5, 6), (9.5, 9.5, 100.0)),
    ]
    store = write(tmp_path / "c", recording(), pieces)
    numbers = {clip.source_frames for clip in store.clips}
    assert numbers == {(100, 101, 102, 103), (102, 103, 104, 105), (105,)}
    for clip in store.clips:
        assert trees.check_dots(clip, len(clip) - 1) == 12 and clip.split == "train"


def test_people_who_leave_begin_a_new_clip() -> None:
    made = recording()
    assert made.boxes is not None
    made.boxes[2:4] = np.nan
    pieces, _ = plan(made, "person", RULES)
    assert [piece.frames for piece in pieces] == [range(0, 2), range(4, 6)]


def test_given_squares_make_clips_as_long_as_they_stay() -> None:
    windows = np.array([[0, 0, 50.0]] * 3 + [[10, 0, 50.0]] * 2 + [[np.nan] * 3])
    pieces, _ = plan(recording(windows=windows), "given", RULES)
    assert [(p.frames, p.window) for p in pieces] == [
        (range(0, 3), (0.0, 0.0, 50.0)),
        (range(3, 5), (10.0, 0.0, 50.0)),
    ]
    pieces, _ = plan(recording(windows=windows), "given", replace(RULES, min_frames=3))
    assert len(pieces) == 1


def test_points_follow_the_window() -> None:
    made = recording()
    assert made.keypoints is not None
    points, shown = points_in(made, Piece(range(2, 3), (19.5, 9.5, 100.0)), 50)
    expected = (made.keypoints[2] - [19.5, 9.5]) * 0.5 - 0.5
    np.testing.assert_allclose(points[0], expected, atol=1e-5)
    assert shown.all() and points.dtype == np.float32


def test_joints_outside_do_not_count() -> None:
    made = recording()
    assert made.keypoints is not None
    made.keypoints[1, 0] = -20.0, 50.0
    made.keypoints[1, 1] = np.nan
    assert check_labels(made) == 1
    _, shown = points_in(made, Piece(range(1, 2), (-0.5, -0.5, 160.0)), 64)
    assert shown[0].tolist() == [False, False] + [True] * 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"visible": np.ones((3, 12), bool)}, "has 6 pictures but visible for 3"),
        ({"numbers": range(5)}, "has 5 pictures but keypoints for 6"),
    ],
)
def test_labels_for_another_number_of_pictures(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_labels(recording(**changes))


@pytest.mark.parametrize("count", [5, 7])
def test_too_few_and_too_many_pictures_are_named(tmp_path: Path, count: int) -> None:
    made = recording()
    images = [np.zeros((SIZE[1], SIZE[0], 3), np.uint8)] * count
    with pytest.raises(UserError, match=r"r\.avi: (gave 5 pictures|picture 7 is 160 x 120)"):
        write(tmp_path / "c", replace(made, images=lambda: images), plan(made, "person", RULES)[0])


def test_masks_and_backgrounds_are_cut_alike(tmp_path: Path) -> None:
    cover = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    cover[:, :80] = 255
    scene = np.repeat(cover[..., None], 3, axis=2)
    made = recording(masks=lambda: [cover] * COUNT, background=scene)
    pieces = [
        Piece(range(COUNT), (19.5, -0.5, 120.0))
    ]  # columns 20 to 139: the edge is in the middle
    (clip,) = write(tmp_path / "a", made, pieces, masks=True).clips
    assert clip.mask is not None and clip.background is not None
    assert (clip.mask[0][:, :31] == 255).all() and (clip.mask[0][:, 33:] == 0).all()
    assert (clip.background[:, :31] == 255).all()
    (plain,) = write(tmp_path / "b", made, pieces).clips
    assert plain.mask is None and plain.background is None


def test_parts_of_a_recording() -> None:
    part = recording().part(1, 6, 2)
    assert list(part.numbers) == [101, 103, 105] and part.fps == 12.5
    assert len(list(part.images())) == 3 and part.boxes is not None and len(part.boxes) == 3
    assert check_labels(part) == 0
