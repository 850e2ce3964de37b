from __future__ import annotations

import numpy as np
import pytest

from fastpose.media.person import Blob, PersonFinder, Tracker, find_blobs
from fastpose.media.stabilize import translate
from tests.media import scenes


def times(count: int, fps: float = 25.0) -> np.ndarray:
    return np.arange(count) / fps


def test_one_who_walks_through_is_followed() -> None:
    frames = scenes.walk(90, empty=20)
    finder = PersonFinder(frames[::2], times(90)[::2])
    assert not finder.stays and not finder.shaky
    tracker = Tracker()
    for i, frame in enumerate(frames):
        sight = finder.look(frame)
        tracker.add(i, sight.blobs)
        if i < 18 or i > 72:
            assert not sight.blobs and sight.mask.max() < 0.5
    longest = max(tracker.tracks, key=lambda t: len(t.frames))
    assert len(longest.frames) > 40
    boxes = longest.smooth_boxes()
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    expected = -15 + 190 * (np.array(longest.frames) - 20) / 49
    inside = (expected > 25) & (expected < 135)
    assert np.abs(middle - expected)[inside].max() < 6
    assert np.abs(boxes[inside, 1] - 12).max() < 8 and np.abs(boxes[inside, 3] - 82).max() < 8


def test_one_who_stays_is_found_whole() -> None:
    frames = scenes.wave(48)
    finder = PersonFinder(frames, times(48))
    assert finder.stays and not finder.shaky
    blobs = finder.look(frames[10]).blobs
    x0, y0, x1, y1 = blobs[0].box
    assert abs((x0 + x1) / 2 - 48) < 6 and abs(y0 - 14) < 6 and abs(y1 - 81) < 8


def test_the_answer_can_be_given() -> None:
    frames = scenes.wave(32)
    assert not PersonFinder(frames, times(32), stays=False).stays
    assert PersonFinder(scenes.walk(60), times(60), stays=True).stays


def test_a_trembling_camera_is_noticed_and_taken_out() -> None:
    rng = np.random.default_rng(3)
    still = scenes.walk(60, empty=15)
    shifts = rng.normal(0, 1.5, (60, 2))
    shaken = np.stack([translate(f, dy, dx) for f, (dy, dx) in zip(still, shifts, strict=True)])
    finder = PersonFinder(shaken, times(60))
    assert finder.shaky
    empty = [finder.look(shaken[i]).mask.mean() for i in range(10)]
    assert np.mean(empty) < 0.02
    box = finder.look(shaken[30]).blobs[0].box
    expected = -15 + 190 * 15 / 29
    assert abs((box[0] + box[2]) / 2 - expected) < 8


def test_nobody_in_a_still_room() -> None:
    frames = scenes.noisy([scenes.room()] * 40)
    finder = PersonFinder(frames, times(40))
    assert not finder.stays
    assert all(not finder.look(f).blobs for f in frames[::10])


def test_blobs_join_what_lies_above_each_other_and_leave_specks_out() -> None:
    solid = np.zeros((100, 160), bool)
    solid[20:40, 50:62] = solid[46:80, 50:62] = True  # a belt of 6 rows between
    solid[30:60, 120:130] = True
    solid[5:7, 5:7] = True
    blobs = find_blobs(solid)
    assert len(blobs) == 2
    assert blobs[0].area == 54 * 12 and blobs[1].area == 300
    np.testing.assert_allclose(blobs[0].box, (49.5, 19.5, 61.5, 79.5), atol=1)
    assert find_blobs(np.zeros((50, 50), bool)) == []


def box(x: float, y: float = 0.0, side: float = 20.0) -> Blob:
    return Blob((x, y, x + side, y + side), int(side * side))


def test_tracks_go_on_through_short_gaps_and_end_after_long_ones() -> None:
    tracker = Tracker(patience=3)
    for i in (0, 1, 2, 5, 6, 20, 21):
        tracker.add(i, [box(i)])
    assert [t.frames for t in tracker.tracks] == [[0, 1, 2, 5, 6], [20, 21]]


def test_two_people_keep_their_tracks() -> None:
    tracker = Tracker()
    for i in range(20):
        left, right = box(0 + i), box(200 - i)
        tracker.add(i, [left, right] if i % 2 else [right, left])
    assert [len(t.frames) for t in tracker.tracks] == [20, 20]
    assert {t.boxes[0][0] for t in tracker.tracks} == {0.0, 200.0}


def test_smooth_boxes_take_out_a_jump_and_keep_a_walk() -> None:
    tracker = Tracker()
    for i in range(30):
        tracker.add(i, [box(2 * i, 30 if i == 15 else 0, 40)])
    smooth = tracker.tracks[0].smooth_boxes()
    assert smooth.shape == (30, 4)
    assert np.abs(smooth[:, 1]).max() < 1
    np.testing.assert_allclose(smooth[3:-3, 0], 2 * np.arange(3, 27), atol=1e-9)


@pytest.mark.parametrize("count", [1, 2])
def test_smooth_boxes_of_the_shortest_tracks(count: int) -> None:
    tracker = Tracker()
    for i in range(count):
        tracker.add(i, [box(0)])
    np.testing.assert_allclose(tracker.tracks[0].smooth_boxes(), [[0, 0, 20, 20]] * count)
