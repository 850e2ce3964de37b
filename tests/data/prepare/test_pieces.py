from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastpose.data.prepare.pieces import (
    BORDER,
    DOUBTFUL,
    OTHERS,
    SHORT,
    SMALL,
    Rules,
    follow_track,
    plan_pieces,
    whole_pieces,
    whole_window,
)
from fastpose.media.person import Track

SIZE = (640, 360)
RULES = Rules(min_frames=16)


def track(
    xs: np.ndarray, *, first: int = 0, top: float = 80.0, tall: float = 200.0, wide: float = 70.0
) -> Track:
    """A person of one size with the middle at ``xs``, one frame after the other."""
    frames = list(range(first, first + len(xs)))
    boxes = [(float(x) - wide / 2, top, float(x) + wide / 2, top + tall) for x in xs]
    return Track(frames, boxes, [int(0.6 * wide * tall)] * len(frames))


def test_one_who_stands_gives_one_piece_with_the_right_framing() -> None:
    (piece,), dropped = plan_pieces([track(np.full(50, 300.0))], SIZE, RULES)
    x0, y0, side = piece.window
    assert piece.frames == range(50) and dropped == {}
    assert 0.74 < 200 / side < 0.80
    assert abs(x0 + side / 2 - 300) <= 1 and abs(y0 + side / 2 - 180) <= 1
    assert all(float(v + 0.5).is_integer() for v in (x0, y0)) and side.is_integer()


def test_wide_arms_are_kept_inside() -> None:
    (piece,), _ = plan_pieces([track(np.full(30, 300.0), tall=180, wide=260)], SIZE, RULES)
    assert 0.9 < 260 / piece.window[2] < 0.95


def test_one_who_travels_gets_several_windows_each_holding_its_boxes() -> None:
    walker = track(np.linspace(100, 540, 120))
    pieces, dropped = plan_pieces([walker], SIZE, RULES)
    assert len(pieces) >= 2
    frames = [f for p in pieces for f in p.frames]
    assert len(frames) == len(set(frames)) and len(frames) + len(dropped) == 120
    assert set(dropped.values()) <= {SHORT}
    for piece in pieces:
        x0, _, side = piece.window
        boxes = np.array([walker.boxes[f] for f in piece.frames])
        assert (boxes[:, 0] >= x0 - 5).all() and (boxes[:, 2] <= x0 + side + 5).all()
        assert 200 / side > 0.6


def test_too_fast_for_any_window() -> None:
    pieces, dropped = plan_pieces([track(np.linspace(60, 580, 30))], SIZE, RULES)
    assert pieces == [] and set(dropped.values()) == {SHORT} and len(dropped) == 30


def test_coming_and_going_is_cut() -> None:
    xs = np.concatenate([np.linspace(0, 300, 15), np.full(40, 300.0), np.linspace(300, 640, 15)])
    pieces, dropped = plan_pieces([track(xs)], SIZE, RULES)
    assert len(pieces) == 1 and set(range(20, 50)) <= set(pieces[0].frames)
    assert dropped[0] == BORDER and dropped[69] == BORDER
    trusting, _ = plan_pieces([track(np.full(30, 20.0))], SIZE, replace(RULES, borders=False))
    assert len(trusting) == 1


def test_material_that_is_framed_at_the_hips_is_kept_and_a_cut_foot_is_not() -> None:
    framed = track(np.full(40, 300.0), top=100, tall=259)
    assert len(plan_pieces([framed], SIZE, RULES)[0]) == 1
    near = track(np.full(40, 300.0))
    for i in range(10):  # comes in from below
        near.boxes[i] = (265.0, 260.0 - 15 * i, 335.0, 359.0)
    pieces, dropped = plan_pieces([near], SIZE, RULES)
    assert len(pieces) == 1 and dropped[0] == BORDER and 0 not in pieces[0].frames


def test_others_in_the_window_cut_the_clip() -> None:
    stands = track(np.full(100, 200.0))
    passes = track(np.linspace(600, 40, 60), first=30)
    pieces, dropped = plan_pieces([stands, passes], SIZE, RULES)
    mine = [p for p in pieces if abs(p.window[0] + p.window[2] / 2 - 200) < 10]
    assert mine and mine[0].frames.start == 0 and mine[0].frames.stop < 80
    assert OTHERS in dropped.values()
    for piece in mine:
        for frame in piece.frames:
            if frame in passes.frames:
                box = passes.boxes[passes.frames.index(frame)]
                inside = min(box[2], sum(piece.window[::2])) - max(box[0], piece.window[0])
                assert inside < 0.35 * 70


def test_small_and_short_ones_are_dropped_with_the_reason() -> None:
    _, dropped = plan_pieces([track(np.full(30, 300.0), tall=20, wide=9)], SIZE, RULES)
    assert set(dropped.values()) == {SMALL}
    _, dropped = plan_pieces([track(np.full(10, 300.0))], SIZE, RULES)
    assert set(dropped.values()) == {SHORT}


def test_things_that_flicker_are_no_people_unless_one_says_so() -> None:
    leaves = track(np.full(60, 300.0))
    seen = [i for i in range(60) if i % 3]
    leaves = Track(
        [leaves.frames[i] for i in seen],
        [leaves.boxes[i] for i in seen],
        [leaves.areas[i] for i in seen],
    )
    pieces, dropped = plan_pieces([leaves], SIZE, RULES)
    assert pieces == [] and set(dropped.values()) == {DOUBTFUL}
    assert len(plan_pieces([leaves], SIZE, replace(RULES, trust=True))[0]) == 1
    hollow = track(np.full(30, 300.0))
    hollow.areas = [100] * 30
    assert plan_pieces([hollow], SIZE, RULES)[0] == []
    pulsing = track(np.full(30, 300.0))
    pulsing.areas = [8400 if i % 2 else 800 for i in range(30)]
    assert plan_pieces([pulsing], SIZE, RULES)[0] == []


def test_long_stays_are_divided() -> None:
    pieces, dropped = plan_pieces([track(np.full(250, 300.0))], SIZE, Rules(16, 100))
    assert [len(p.frames) for p in pieces] == [100, 100, 50] and dropped == {}


def test_short_gaps_are_bridged() -> None:
    person = track(np.full(40, 300.0))
    del person.frames[20], person.boxes[20], person.areas[20]
    (piece,), _ = plan_pieces([person], SIZE, RULES)
    assert piece.frames == range(40)


def test_nobody() -> None:
    assert plan_pieces([], SIZE, RULES) == ([], {})


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((64, 64), (-0.5, -0.5, 64)),
        ((100, 60), (-0.5, -20.5, 100)),
        ((61, 100), (-20.5, -0.5, 100)),
    ],
)
def test_whole_window(size: tuple[int, int], window: tuple[float, float, float]) -> None:
    assert whole_window(size) == window


def test_whole_pieces_divide_evenly_and_lose_nothing() -> None:
    pieces = whole_pieces(10, 34, (64, 64), Rules(2, 10))
    assert [p.frames for p in pieces] == [range(10, 18), range(18, 27), range(27, 35)]
    assert whole_pieces(0, 0, (64, 64), Rules(2, 10)) == []


def test_follow_track_covers_every_frame_once() -> None:
    pieces = follow_track(track(np.linspace(100, 540, 120), first=7))
    assert [f for p in pieces for f in p.frames] == list(range(7, 127))
    assert len(pieces) > 1
