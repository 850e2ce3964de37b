from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.frame_pairs import FramePairs, WeightedChoice
from fastpose.errors import UserError


def store(path: Path, *lengths: int) -> ClipStore:
    """Clips whose pixels tell clip (red) and frame (green)."""
    with ClipWriter(path / "clips", 4) as writer:
        for clip, length in enumerate(lengths):
            frames = np.zeros((length, 4, 4, 3), np.uint8)
            frames[..., 0] = clip
            frames[..., 1] = np.arange(length)[:, None, None]
            writer.add(f"c{clip}", frames, fps=25.0)
    return ClipStore.open(path / "clips")


def draw(pairs: FramePairs, count: int, seed: int = 0) -> np.ndarray:
    """(count, 3): clip, target frame, other frame, as the pixels tell."""
    target, other, where = pairs.sample(count, np.random.default_rng(seed))
    assert target.dtype == other.dtype == np.uint8 and target.shape == (count, 4, 4, 3)
    assert where.dtype == np.int64
    np.testing.assert_array_equal(target[:, 0, 0, 0], where[:, 0])
    np.testing.assert_array_equal(target[:, 0, 0, 1], where[:, 1])
    np.testing.assert_array_equal(other[:, 0, 0, 0], where[:, 0])  # of the same clip
    return np.column_stack([where, other[:, 0, 0, 1].astype(np.int64)])


@pytest.mark.parametrize(
    ("length", "min_gap", "max_gap"),
    [(2, 0, 1), (5, 0, 1000), (5, 1, 2), (9, 3, 4), (6, 4, 5), (7, 5, 9), (10, 2, 2)],
)
def test_exactly_the_allowed_pairs_are_drawn(
    tmp_path: Path, length: int, min_gap: int, max_gap: int
) -> None:
    pairs = FramePairs(store(tmp_path, length), min_gap=min_gap, max_gap=max_gap)
    drawn = draw(pairs, 6000)
    allowed = {
        (a, b) for a in range(length) for b in range(length) if min_gap <= abs(a - b) <= max_gap
    }
    assert {(a, b) for _, a, b in drawn} == allowed
    # Targets are uniform over those that have a partner, partners uniform over theirs.
    targets = Counter(drawn[:, 1].tolist())
    assert max(targets.values()) < 1.25 * min(targets.values())
    for a in targets:
        partners = Counter(drawn[drawn[:, 1] == a, 2].tolist())
        expected = targets[a] / len(partners)
        assert max(partners.values()) < expected + 5 * np.sqrt(expected)
        assert min(partners.values()) > expected - 5 * np.sqrt(expected)


def test_both_orders_of_a_pair_come(tmp_path: Path) -> None:
    drawn = draw(FramePairs(store(tmp_path, 20), min_gap=1), 2000)
    assert 0.4 < (drawn[:, 2] > drawn[:, 1]).mean() < 0.6


def test_clips_by_frames_or_equally(tmp_path: Path) -> None:
    clips = store(tmp_path, 10, 30, 60)
    shares = np.bincount(draw(FramePairs(clips), 8000)[:, 0]) / 8000
    np.testing.assert_allclose(shares, [0.1, 0.3, 0.6], atol=0.03)
    shares = np.bincount(draw(FramePairs(clips, by_frames=False), 8000)[:, 0]) / 8000
    np.testing.assert_allclose(shares, [1 / 3] * 3, atol=0.03)


def test_short_clips_are_named_and_never_drawn(tmp_path: Path) -> None:
    pairs = FramePairs(store(tmp_path, 1, 8, 3, 1), min_gap=3)
    assert pairs.unusable == ("c0", "c2", "c3")
    assert set(draw(pairs, 500)[:, 0]) == {1}


def test_the_generator_alone_decides(tmp_path: Path) -> None:
    pairs = FramePairs(store(tmp_path, 9, 5))
    np.testing.assert_array_equal(draw(pairs, 64, seed=5), draw(pairs, 64, seed=5))
    assert (draw(pairs, 64, seed=5) != draw(pairs, 64, seed=6)).any()
    generator = np.random.default_rng(1)
    pairs.sample(8, generator)
    state = generator.bit_generator.state
    expected = pairs.sample(8, generator)
    generator.bit_generator.state = state
    for again, before in zip(pairs.sample(8, generator), expected, strict=True):
        np.testing.assert_array_equal(again, before)


def test_what_makes_no_pair_is_refused(tmp_path: Path) -> None:
    clips = store(tmp_path, 1, 1)
    with pytest.raises(UserError, match="no clip has 2 frames"):
        FramePairs(clips)
    clips = store(tmp_path / "b", 5)
    with pytest.raises(UserError, match=r"no clip has 9 frames \(the longest of 1 has 5\)"):
        FramePairs(clips, min_gap=8)
    for gaps in ((-1, 5), (4, 3), (0, 0)):
        with pytest.raises(UserError, match="make no pair"):
            FramePairs(clips, min_gap=gaps[0], max_gap=gaps[1])


@pytest.mark.parametrize(("length", "min_gap", "max_gap"), [(2, 0, 1), (6, 0, 1000), (9, 3, 4)])
def test_the_target_can_be_the_earlier_one(
    tmp_path: Path, length: int, min_gap: int, max_gap: int
) -> None:
    pairs = FramePairs(store(tmp_path, length), min_gap=min_gap, max_gap=max_gap, order="earlier")
    drawn = draw(pairs, 4000)
    allowed = {(a, b) for a in range(length) for b in range(length) if min_gap <= b - a <= max_gap}
    assert {(a, b) for _, a, b in drawn} == allowed
    targets = Counter(drawn[:, 1].tolist())  # uniform over the frames that have a later partner
    assert max(targets.values()) < 1.25 * min(targets.values())
    partners = Counter(drawn[drawn[:, 1] == 0, 2].tolist())
    assert max(partners.values()) < 1.5 * min(partners.values())
    with pytest.raises(UserError, match="order must be"):
        FramePairs(pairs.store, order="later")  # type: ignore[arg-type]


def test_a_weighted_choice_never_takes_what_weighs_nothing() -> None:
    choose = WeightedChoice(np.array([0.1, 0.0, 0.7, 0.1, 0.0]))  # their sum rounds below 1
    uniform = np.array([0.0, 0.11, 0.12, 0.88, 0.89, 1 - 2**-53])
    assert choose(uniform).tolist() == [0, 0, 2, 2, 3, 3]
