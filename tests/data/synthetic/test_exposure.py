"""Motion blur: around the frame, as far as people move, and none where nobody asks for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastpose.data.synthetic import SyntheticClip, SyntheticConfig, SyntheticPeople
from fastpose.data.synthetic import people as people_module
from fastpose.data.synthetic.body import random_body
from fastpose.data.synthetic.exposure import other_moments
from fastpose.data.synthetic.motion import BodyMotion, generate_motion


@pytest.fixture(scope="module")
def motion() -> BodyMotion:
    rng = np.random.default_rng(2)
    body = random_body(rng, bone_spread=0.1, girth_spread=0.1)
    return generate_motion(rng, body, "jumping_jack", frames=12, fps=30.0, travel=1.0)


def at(motion: BodyMotion, pixels: float, exposure: float) -> list[BodyMotion]:
    """Moments of a picture whose fastest joint moves ``pixels`` from frame to frame."""
    points = motion.positions[..., :2]
    fastest = np.linalg.norm(np.diff(points, axis=0), axis=-1).max()
    return other_moments(motion, points * pixels / fastest, exposure)


@pytest.mark.parametrize(
    ("pixels", "exposure", "count"), [(3.0, 0.0, 0), (3.9, 0.5, 2), (4.1, 0.5, 4), (90.0, 1.0, 14)]
)
def test_fast_people_have_more_moments(
    motion: BodyMotion, pixels: float, exposure: float, count: int
) -> None:
    assert len(at(motion, pixels, exposure)) == count


def test_moments_lie_on_the_path_through_the_frames(motion: BodyMotion) -> None:
    """The frames of three times the rate are a third of the way before and after every third."""
    coarse = replace(motion, positions=motion.positions[::3], face=motion.face[::3])
    before, after = at(coarse, 1.9, 1.0)
    moved = np.linalg.norm(np.diff(coarse.positions, axis=0), axis=-1).max()
    for moment, frames in ((before, (2, 5)), (after, (4, 7))):
        error = moment.positions[1:3] - motion.positions[list(frames)]
        assert np.linalg.norm(error, axis=-1).max() < 0.05 * moved
        assert np.allclose(np.linalg.norm(moment.face, axis=-1), 1)
    # The first frame has no neighbour before: it moves straight.
    ends = before.positions[0] + after.positions[0]
    assert np.allclose(ends, 2 * coarse.positions[0])


def clip(exposure: float, frames: int = 6, activity: str = "jumping_jack") -> SyntheticClip:
    config = SyntheticConfig(
        activities=(activity,), exposure=exposure, noise=0.0, blur=(0.0, 0.0), actors=1
    )
    return SyntheticPeople(64, frames, seed=1, config=config).clip(0)


def test_blur_changes_the_picture_and_no_truth() -> None:
    sharp, blurred = clip(0.0), clip(1.0)
    for name in ("keypoints", "keypoints3d", "visible", "parts", "background", "part_axes"):
        assert np.array_equal(getattr(sharp, name), getattr(blurred, name)), name
    assert not np.array_equal(sharp.frames, blurred.frames)
    half = [((c.mask > 16) & (c.mask < 240)).sum() for c in (sharp, blurred)]
    assert half[1] > 1.25 * half[0]
    # What the person covers in all stays about the same.
    assert blurred.mask.mean() == pytest.approx(sharp.mask.mean(), rel=0.03)
    # Where the mask says that nobody passed, the room is seen but for the shadow.
    free = (blurred.mask == 0) & (sharp.mask == 0)
    assert np.array_equal(blurred.frames[free], sharp.frames[free])


def test_bytes_depend_on_neither_the_block_of_frames_nor_the_caster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = SyntheticConfig(exposure=0.7, furniture=2, activities=("run",))
    made = SyntheticPeople(32, 7, seed=4, config=config).clip(1)
    monkeypatch.setattr(people_module, "_BLOCK", 3 * 32**2)
    again = SyntheticPeople(32, 7, seed=4, config=config, backend="reference").clip(1)
    for name in ("frames", "mask", "parts", "visible"):
        assert np.array_equal(getattr(made, name), getattr(again, name)), name


def test_a_single_picture_does_not_blur() -> None:
    assert np.array_equal(clip(1.0, frames=1).frames, clip(0.0, frames=1).frames)


def test_noise_is_its_own_setting() -> None:
    def left(noise: float | None, difficulty: float = 0.3) -> float:
        plain = {"shadow": 0.0, "blur": (0.0, 0.0)}
        config = SyntheticConfig(noise=noise, difficulty=difficulty, **plain)  # type: ignore[arg-type]
        made = SyntheticPeople(48, 4, seed=3, config=config).clip(0)
        empty = made.mask == 0
        return float((made.frames.astype(float) - made.background)[empty].std())

    assert left(0.0) < 0.01
    assert left(0.05) == pytest.approx(0.05 * 255, rel=0.15)
    assert left(None) == pytest.approx(left(0.01), rel=0.02)
