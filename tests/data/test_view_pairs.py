from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.view_pairs import ViewPairs
from fastpose.errors import UserError


def store(path: Path, *clips: tuple[str | None, str, range]) -> ClipStore:
    """Clips of (group, view, frame numbers); pixels tell the clip and the number."""
    with ClipWriter(path / "clips", 4) as writer:
        for i, (group, view, numbers) in enumerate(clips):
            frames = np.zeros((len(numbers), 4, 4, 3), np.uint8)
            frames[..., 0] = i
            frames[..., 1] = np.array(numbers)[:, None, None]
            writer.add(
                f"c{i}",
                frames,
                fps=1.0,
                group=group,
                view=view,
                source_frames=list(numbers),
            )
    return ClipStore.open(path / "clips")


@pytest.fixture
def clips(tmp_path: Path) -> ClipStore:
    return store(
        tmp_path,
        ("walk", "left", range(0, 10, 2)),
        ("walk", "right", range(4, 12, 2)),  # 4, 6, 8 are seen twice
        ("walk", "top", range(8, 9)),  # 8 three times
        ("sit", "left", range(3)),  # by nobody else
        (None, "left", range(3)),
        ("run", "left", range(5, 7)),
        ("run", "right", range(5, 7)),
    )


def test_pairs_are_simultaneous_in_two_views(clips: ClipStore) -> None:
    pairs = ViewPairs(clips)
    assert pairs.moments == 5 and pairs.unusable == ("c3", "c4")
    target, other, where = pairs.sample(3000, np.random.default_rng(0))
    np.testing.assert_array_equal(target[:, 0, 0, 1], other[:, 0, 0, 1])
    np.testing.assert_array_equal(target[:, 0, 0, 0], where[:, 0])
    rows = np.stack([target[:, 0, 0, 0], other[:, 0, 0, 0], target[:, 0, 0, 1]], axis=1)
    drawn = {tuple(row) for row in rows}
    expected = {(a, b, t) for t in (4, 6, 8) for a, b in ((0, 1), (1, 0))}
    expected |= {(a, b, 8) for a in range(3) for b in range(3) if a != b}
    expected |= {(a, b, t) for t in (5, 6) for a, b in ((5, 6), (6, 5))}
    assert {tuple(int(v) for v in row) for row in drawn} == expected
    share = (target[:, 0, 0, 1] == 4).mean()  # each moment equally often
    assert share == pytest.approx(0.2, abs=0.03)


def test_what_cannot_be_paired_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no moment is seen by two cameras"):
        ViewPairs(store(tmp_path, ("walk", "left", range(3)), ("sit", "right", range(3))))
