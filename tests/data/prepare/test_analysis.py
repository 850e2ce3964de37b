from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.prepare.analysis import MAX_SIDE, Analysis, analyze
from fastpose.data.prepare.sources import Source, find_sources
from tests.media import scenes


def opened(path: Path) -> Source:
    (source,) = find_sources([path])
    assert isinstance(source, Source)
    return source


def look(path: Path, **options: bool | None) -> tuple[Analysis, list[int]]:
    done: list[int] = []
    settings = {"stays": None, "follow": True, **options}
    return analyze(opened(path), progress=done.append, **settings), done


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk")
    return scenes.write(folder / "walk.mp4", scenes.walk(80, empty=15, height=192, width=320))


def test_boxes_are_in_pixels_of_the_source(walk: Path) -> None:
    analysis, done = look(walk)
    assert (analysis.width, analysis.height, analysis.frames) == (320, 192, 80)
    assert max(320, 192) > MAX_SIDE  # so that the analysed frames are smaller
    (shot,) = analysis.shots
    assert (shot.first, shot.last) == (0, 79) and shot.finder is not None
    longest = max(shot.tracks, key=lambda t: len(t.frames))
    boxes = np.array(longest.boxes)
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    expected = -15 + 350 * (np.array(longest.frames) - 15) / 49
    inside = (expected > 40) & (expected < 280)
    assert np.abs(middle - expected)[inside].max() < 10
    assert np.abs(boxes[inside, 1] - 12).max() < 10 and np.abs(boxes[inside, 3] - 82).max() < 10
    fill = np.array(longest.areas)[inside] / (boxes[:, 2] - boxes[:, 0])[inside] / 70
    assert (fill > 0.3).all() and (fill < 1.1).all()
    # Both passes report every frame.
    assert done == [*range(1, 81), *range(1, 81)]


def test_following_can_be_left_out(walk: Path) -> None:
    analysis, done = look(walk, follow=False)
    assert analysis.shots[0].finder is not None and analysis.shots[0].tracks == []
    assert len(done) == 80


def test_a_cut_begins_another_shot(tmp_path: Path) -> None:
    first = scenes.walk(40, empty=5)
    second = scenes.noisy([255 - scenes.room()] * 30, seed=4)
    bright = np.clip(first.astype(float) * 1.3, 0, 255).astype(np.uint8)[:20]
    path = scenes.write(tmp_path / "cuts.mp4", np.concatenate([first, bright, second]))
    analysis, _ = look(path)
    assert [(s.first, s.last) for s in analysis.shots] == [(0, 59), (60, 89)]
    assert all(s.first <= f <= s.last for s in analysis.shots for t in s.tracks for f in t.frames)


def test_too_short_to_learn_from(tmp_path: Path) -> None:
    analysis, _ = look(scenes.write(tmp_path / "short.mp4", scenes.wave(3)))
    assert analysis.frames == 3 and analysis.shots[0].finder is None


def test_a_known_answer_is_passed_on(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    for stays in (True, False):
        analysis, _ = look(path, stays=stays, follow=False)
        finder = analysis.shots[0].finder
        assert finder is not None and finder.stays is stays


def test_blank_frames_are_no_cuts(tmp_path: Path) -> None:
    black = np.zeros((10, 96, 160, 3), np.uint8)
    path = scenes.write(tmp_path / "b.mp4", np.concatenate([scenes.walk(20, empty=3), black]))
    assert len(look(path)[0].shots) == 1
