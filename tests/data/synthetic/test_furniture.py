"""Furniture: boxes hit where they stand, hidden people are flagged, nobody stands in a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastpose.data.synthetic import SyntheticClip, SyntheticConfig, SyntheticPeople, get_preset
from fastpose.data.synthetic import people as people_module
from fastpose.data.synthetic.background import Room
from fastpose.data.synthetic.body import JOINT
from fastpose.data.synthetic.camera import Camera
from fastpose.data.synthetic.furniture import Boxes, furnish, random_furniture, view_boxes

# Looks along -z from 4 metres, 1 metre above the ground.
CAMERA = Camera(
    np.diag([1.0, -1.0, -1.0]), np.array([0.0, 1.0, 4.0]), 64.0, np.array([31.5, 31.5]), 0.0
)
UP = np.array([0.0, 1.0, 0.0])


def box(x: float = 0.0, z: float = 0.0, turn: float = 0.0, half: float = 0.5) -> Boxes:
    return Boxes(
        np.array([[x, 1.0, z]]), np.full((1, 3), half), np.array([turn]), np.array([[1.0, 0.5, 0]])
    )


def test_a_box_is_seen_where_it_stands() -> None:
    depth, color = view_boxes(box(), CAMERA, 64, 1, UP, 1.0)
    assert depth[32, 32] == pytest.approx(3.5)
    assert color[32, 32] == pytest.approx([1.0, 0.5, 0.0])
    rows, columns = np.nonzero(np.isfinite(depth))
    # Its near face, 0.5 m at 3.5 m, is 9.1 pixels to either side.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (23, 40, 23, 40)
    assert (color[~np.isfinite(depth)] == 0).all()


def test_a_turned_box_shows_its_edge_nearest() -> None:
    depth, _ = view_boxes(box(turn=np.pi / 4), CAMERA, 64, 1, UP, 1.0)
    assert depth[32, 31:33].min() == pytest.approx(4 - np.sqrt(0.5), abs=0.03)
    assert depth[32, 26] > depth[32, 32]


def test_the_nearer_box_is_in_front_and_one_behind_the_camera_is_not_seen() -> None:
    two = Boxes(
        *(np.concatenate(pair) for pair in zip(_rows(box()), _rows(box(z=2.0)), strict=True))
    )
    depth, _ = view_boxes(two, CAMERA, 64, 1, UP, 1.0)
    assert depth[32, 32] == pytest.approx(1.5)
    assert not np.isfinite(view_boxes(box(z=8.0), CAMERA, 64, 1, UP, 1.0)[0]).any()


def _rows(boxes: Boxes) -> tuple[np.ndarray, ...]:
    return boxes.centre, boxes.half, boxes.turn, boxes.color


def test_light_falls_on_the_side_that_faces_it() -> None:
    above, front = UP, np.array([0.0, 0.0, 1.0])
    dark, bright = (view_boxes(box(), CAMERA, 64, 1, light, 0.4)[1] for light in (above, front))
    assert dark[32, 32, 0] == pytest.approx(0.4) and bright[32, 32, 0] == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(10))
def test_pieces_keep_clear_of_the_person(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal((3.0, 1.0, -2.0), 0.4, (5, 19, 3))
    boxes = random_furniture(rng, 4, points, 1.0)
    assert len(boxes.centre) >= 8
    assert (boxes.centre[:, 1] - boxes.half[:, 1] > -1e-9).all()  # none below the ground
    for centre, half, turn in zip(boxes.centre, boxes.half, boxes.turn, strict=True):
        c, s = np.cos(turn), np.sin(turn)
        local = (points.reshape(-1, 3) - centre) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]).T
        assert (np.abs(local) > half).any(axis=1).all()


def test_a_room_shows_the_boxes_and_drops_their_floor() -> None:
    plate = np.full((64, 64, 3), 0.2, np.float32)
    floor = np.arange(64 * 64)
    room = Room(plate, floor, np.zeros((len(floor), 2), np.float32))
    depth, color = view_boxes(box(), CAMERA, 64, 2, UP, 1.0)
    made = furnish(room, depth, color, 2)
    assert made.plate[32, 32] == pytest.approx([1.0, 0.5, 0.0])
    assert made.plate[2, 2] == pytest.approx([0.2, 0.2, 0.2])
    assert len(made.floor) == len(made.ground) < len(floor)
    assert 32 * 64 + 32 not in made.floor


def clips(furniture: int, **changes: object) -> list[SyntheticClip]:
    config = SyntheticConfig(furniture=furniture, **changes)  # type: ignore[arg-type]
    return list(SyntheticPeople(48, 4, seed=5, config=config).render_clips(range(16)))


def test_furniture_hides_joints_and_the_mask_but_moves_nobody() -> None:
    free, behind = clips(0), clips(4)
    hidden = covered = 0
    for a, b in zip(free, behind, strict=True):
        hidden += int(b.visible.size - b.visible.sum()) - int(a.visible.size - a.visible.sum())
        covered += int((b.parts > 0).sum()) - int((a.parts > 0).sum())
        assert ((b.parts > 0) <= (b.mask > 0)).all()
        assert np.allclose(
            np.linalg.norm(np.diff(a.keypoints3d, axis=1), axis=-1),
            np.linalg.norm(np.diff(b.keypoints3d, axis=1), axis=-1),
            atol=1e-5,
        )
    assert hidden > 50 and covered < -500
    # What is hidden looks like the background, furniture included.
    config = SyntheticConfig(furniture=4, shadow=0.0, difficulty=0.0, blur=(0.0, 0.0))
    clip = SyntheticPeople(48, 1, seed=5, config=config).clip(0)
    error = np.abs(clip.frames.astype(int) - clip.background)
    assert error[clip.mask == 0].mean() < 1.5  # the sensor's noise


def test_tall_pieces_seldom_hide_the_upper_body() -> None:
    upper = [JOINT[name] for name in ("thorax", "head", "head_top")]

    def share_hidden(furniture: int) -> tuple[float, float]:
        config = SyntheticConfig(activities=("stand", "wave"), furniture=furniture)
        made = list(SyntheticPeople(32, 1, seed=8, config=config).render_clips(range(150)))
        unseen = [not clip.visible[:, upper].any() for clip in made]
        return float(np.mean(unseen)), float(np.mean([(c.parts > 0).sum() < 10 for c in made]))

    assert share_hidden(0) == (0.0, 0.0)
    upper_body, whole = share_hidden(3)
    assert 0.005 < upper_body < 0.06 and whole < 0.02


def test_views_share_their_furniture(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Boxes] = []

    def record(*arguments: Any) -> Boxes:
        drawn.append(random_furniture(*arguments))
        return drawn[-1]

    monkeypatch.setattr(people_module, "random_furniture", record)
    config = replace(get_preset("multiview").config, furniture=3)
    people = SyntheticPeople(32, 1, seed=2, config=config)
    for index in (6, 9, 12):  # two views of one motion, and one of the next
        people.clip(index)
    same, again, other = (np.concatenate([b.centre, b.half], 1) for b in drawn)
    assert np.array_equal(same, again)
    assert same.shape != other.shape or not np.allclose(same, other)
