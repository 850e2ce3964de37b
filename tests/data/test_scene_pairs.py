from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.scene_pairs import ScenePairs
from fastpose.errors import UserError

HERE, THERE = (0.0, 0.0, 10.0), (5.0, 0.0, 10.0)


def store(path: Path, *clips: tuple[int, str, str, tuple[float, float, float]]) -> ClipStore:
    """Clips of (length, actor, view, window) whose pixels tell clip and frame."""
    with ClipWriter(path / "clips", 4) as writer:
        for i, (length, actor, view, window) in enumerate(clips):
            frames = np.zeros((length, 4, 4, 3), np.uint8)
            frames[..., 0], frames[..., 1] = i, np.arange(length)[:, None, None]
            writer.add(f"c{i}", frames, fps=1.0, actor=actor, view=view, window=window)
    return ClipStore.open(path / "clips")


def draw(pairs: ScenePairs, count: int) -> np.ndarray:
    """(count,4) clip and frame of target and other."""
    target, other, where = pairs.sample(count, np.random.default_rng(0))
    pixels = [np.stack([i[:, 0, 0, 0], i[:, 0, 0, 1]], axis=1) for i in (target, other)]
    np.testing.assert_array_equal(pixels[0], where)
    return np.concatenate(pixels, axis=1).astype(int)


def test_exactly_the_frames_of_a_scene_are_paired(tmp_path: Path) -> None:
    clips = store(
        tmp_path,
        (2, "a", "1", HERE),
        (3, "b", "1", HERE),  # another actor
        (2, "a", "1", HERE),  # the scene of the first
        (2, "a", "2", HERE),  # another camera
        (1, "a", "1", THERE),  # another window, alone
    )
    pairs = ScenePairs(clips)
    assert pairs.scenes == [(0, 2), (1,), (3,)] and pairs.unusable == ("c4",)
    drawn = draw(pairs, 6000)
    frames = {
        0: [(0, 0), (0, 1), (2, 0), (2, 1)],
        1: [(1, 0), (1, 1), (1, 2)],
        2: [(3, 0), (3, 1)],
    }
    allowed = {(*a, *b) for scene in frames.values() for a in scene for b in scene if a != b}
    counts = Counter(map(tuple, drawn.tolist()))
    assert set(counts) == allowed
    # By frames: every frame is the target equally often, its partners too.
    targets = Counter((a, b) for a, b, _, _ in drawn.tolist())
    assert max(targets.values()) < 1.25 * min(targets.values())
    ours = [counts[(0, 0, *other)] for other in frames[0][1:]]
    assert max(ours) < 1.4 * min(ours)


def test_recordings_of_strangers_are_never_paired(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "clips", 4) as writer:
        for source in ("a.mp4", "b.mp4", "a.mp4", None, None):
            frames = np.zeros((2, 4, 4, 3), np.uint8)
            writer.add("clip", frames, fps=1.0, source=source, window=HERE)
    pairs = ScenePairs(ClipStore.open(tmp_path / "clips"))
    assert pairs.scenes == [(0, 2), (1,), (3,), (4,)]


def test_scenes_equally_often(tmp_path: Path) -> None:
    clips = store(tmp_path, (40, "a", "1", HERE), (2, "b", "1", HERE))
    drawn = draw(ScenePairs(clips, by_frames=False), 2000)
    assert 0.45 < (drawn[:, 0] == 0).mean() < 0.55


def test_what_makes_no_pair_is_refused(tmp_path: Path) -> None:
    clips = store(tmp_path, (1, "a", "1", HERE), (1, "a", "1", THERE))
    with pytest.raises(UserError, match="no two frames share"):
        ScenePairs(clips)
    with ClipWriter(tmp_path / "w", 4) as writer:
        writer.add("x", np.zeros((3, 4, 4, 3), np.uint8), fps=1.0)
    with pytest.raises(UserError, match="clip 'x' does not say where it was cut"):
        ScenePairs(ClipStore.open(tmp_path / "w"))
