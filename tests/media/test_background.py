from __future__ import annotations

import numpy as np
import pytest

from fastpose.media.background import Background, FrameSampler, estimate_background
from tests.media import scenes


def times(count: int, fps: float = 25.0) -> np.ndarray:
    return np.arange(count) / fps


@pytest.mark.parametrize("count", [1, 5, 10, 11, 37, 1000])
def test_sampler_keeps_few_frames_evenly_spaced(count: int) -> None:
    sampler = FrameSampler(10)
    for i in range(count):
        sampler.add(float(i), np.full((1, 1, 3), i % 256, np.uint8))
    assert min(count, 5) <= len(sampler.frames) == len(sampler.times) <= 10
    gaps = set(np.diff(sampler.times))
    assert len(gaps) <= 1 and sampler.times[0] == 0
    assert all(
        f[0, 0, 0] == int(t) % 256 for f, t in zip(sampler.frames, sampler.times, strict=True)
    )
    assert count - sampler.times[-1] <= sampler.stride + 1


def test_sampler_needs_room() -> None:
    with pytest.raises(ValueError, match="limit"):
        FrameSampler(1)


def test_the_empty_scene_is_recognised_although_somebody_is_there_most_of_the_time() -> None:
    """Two people in black stand at the same place for 60 of 90 frames: the median shows them."""
    scene = scenes.room()
    frames = [scene] * 30
    for person in range(2):
        frames += [scenes.figure(scene, 80 + 0.3 * np.sin(i + person), 12, 72) for i in range(60)]
        frames += [scene] * 15
    stack = scenes.noisy(frames)
    found = estimate_background(stack[::2], times(len(stack))[::2])
    assert found.empty
    assert np.abs(found.image.astype(int) - scene).mean() < 2
    median = np.median(stack, axis=0)
    assert np.abs(median - scene).max() > 50  # what the plain median would have made of it


def test_one_who_passes_leaves_the_median_clean() -> None:
    frames = scenes.walk(60, empty=3)
    found = estimate_background(frames, times(60))
    assert not found.empty
    assert np.abs(found.image.astype(int) - scenes.room()).mean() < 3


def test_a_waving_person_is_never_taken_for_an_empty_scene() -> None:
    frames = scenes.wave(75)
    assert not estimate_background(frames, times(75)).empty


def test_noise_is_measured() -> None:
    quiet = estimate_background(scenes.noisy([scenes.room()] * 20, level=0.5), times(20))
    loud = estimate_background(scenes.noisy([scenes.room()] * 20, level=6.0), times(20))
    assert quiet.noise == pytest.approx(1.0) and 3 < loud.noise < 9
    assert loud.threshold > quiet.threshold >= 12


def test_difference_sees_a_person_and_forgives_half_a_pixel_and_exposure() -> None:
    scene = scenes.room()
    background = Background(scene, 1.0, True)
    assert background.difference(scene).max() == 0
    person = background.difference(scenes.figure(scene, 80, 12, 72))
    assert person[30, 80] > 40 and person[30, 20] == 0
    nudged = ((scene.astype(int) + np.roll(scene, 1, axis=1)) // 2).astype(np.uint8)
    assert np.percentile(background.difference(nudged)[:, 1:], 99) <= 1
    brighter = np.clip(scene.astype(float) * 1.15, 0, 255).astype(np.uint8)
    assert np.percentile(background.difference(brighter), 99) < background.threshold
    both = np.clip(scenes.figure(scene, 80, 12, 72).astype(float) * 1.15, 0, 255).astype(np.uint8)
    seen = background.difference(both) > background.threshold
    truth = person > background.threshold
    assert (seen & truth).sum() / (seen | truth).sum() > 0.8


def test_few_frames_give_the_median() -> None:
    found = estimate_background(scenes.noisy([scenes.room()] * 3), times(3))
    assert not found.empty
