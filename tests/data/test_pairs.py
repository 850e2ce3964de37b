from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.frame_pairs import FramePairs
from fastpose.data.pairs import PAIRS, make_pairs
from fastpose.errors import UserError


@pytest.fixture
def clips(tmp_path: Path) -> ClipStore:
    with ClipWriter(tmp_path / "clips", 16) as writer:
        for view in ("left", "right"):
            frames = np.zeros((6, 16, 16, 3), np.uint8) + np.arange(6, dtype=np.uint8).reshape(
                6, 1, 1, 1
            )
            about = {"group": "g", "view": view, "source_frames": range(6)}
            writer.add("c", frames, fps=1.0, window=(0.0, 0.0, 16.0), **about)
    return ClipStore.open(tmp_path / "clips")


@pytest.mark.parametrize("kind", PAIRS)
def test_every_kind_draws_and_repeats(clips: ClipStore, kind: str) -> None:
    pairs = make_pairs(kind, clips)
    assert pairs.unusable == ()
    first = pairs.sample(12, np.random.default_rng(3))
    assert [a.shape for a in first] == [(12, 16, 16, 3), (12, 16, 16, 3), (12, 2)]
    assert [a.dtype for a in first] == [np.uint8, np.uint8, np.int64]
    for again, part in ((slice(None), slice(None)), (slice(2, 7), slice(2, 7))):
        drawn = pairs.sample(12, np.random.default_rng(3), again)
        for one, other in zip(first, drawn, strict=True):
            np.testing.assert_array_equal(one[part], other)


def test_options_reach_the_frames(clips: ClipStore) -> None:
    pairs = make_pairs("earlier", clips, min_gap=2, max_gap=3, by_frames=False)
    assert isinstance(pairs, FramePairs)
    target, other, _ = pairs.sample(200, np.random.default_rng(0))
    gaps = other[:, 0, 0, 0].astype(int) - target[:, 0, 0, 0]
    assert set(gaps) == {2, 3}


def test_an_unknown_kind_is_named(clips: ClipStore) -> None:
    with pytest.raises(UserError, match="did you mean 'warps'"):
        make_pairs("warp", clips)
