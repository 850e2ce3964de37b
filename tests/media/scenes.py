"""Small made-up recordings: a textured room, a walking figure, a waving figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastpose.media.drawing import draw_line
from fastpose.media.video import VideoWriter

Frames = NDArray[np.uint8]

SHIRT, LEGS, SKIN = (200, 40, 40), (30, 30, 90), (225, 180, 150)


def room(height: int = 96, width: int = 160, seed: int = 0) -> Frames:
    """A wall and a floor with some texture, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(-25, 25, (height // 8 + 1, width // 8 + 1, 1))
    picture = np.repeat(np.repeat(coarse, 8, 0), 8, 1)[:height, :width] + np.array([150, 155, 160])
    picture[height * 3 // 4 :] -= np.array([40, 60, 80])
    return np.clip(picture, 0, 255).astype(np.uint8)


def figure(
    picture: Frames, x: float, top: float, tall: float, *, swing: float = 0.0, arm: float = -0.6
) -> Frames:
    """Draws a person into a copy: ``swing`` spreads the legs, ``arm`` lifts both arms (radians)."""
    out = picture.copy()
    wide = tall / 9
    neck, hip = top + 0.2 * tall, top + 0.55 * tall
    for side in (-1, 1):
        foot = (x + side * swing * 0.18 * tall, top + 0.97 * tall)
        draw_line(out, (x + side * wide * 0.4, hip), foot, LEGS, wide)
        reach = 0.34 * tall
        hand = (x + side * (wide * 0.8 + reach * np.cos(arm)), neck + wide - reach * np.sin(arm))
        draw_line(out, (x + side * wide * 0.8, neck + wide), hand, SHIRT, wide * 0.7)
    draw_line(out, (x, neck + wide * 0.5), (x, hip), SHIRT, wide * 2)
    draw_line(out, (x, top + 0.08 * tall), (x, top + 0.08 * tall), SKIN, 0.16 * tall)
    return out


def noisy(frames: Sequence[Frames], seed: int = 1, level: float = 1.5) -> Frames:
    """Sensor noise on every frame, (T, H, W, 3)."""
    rng = np.random.default_rng(seed)
    stack = np.stack(frames).astype(np.float32)
    return np.clip(stack + rng.normal(0, level, stack.shape), 0, 255).astype(np.uint8)


def walk(count: int = 90, empty: int = 20, height: int = 96, width: int = 160) -> Frames:
    """An empty room, then somebody who walks through it from left to right and is gone again."""
    scene = room(height, width)
    steps = count - 2 * empty
    frames = [scene] * empty
    for i in range(steps):
        x = -15 + (width + 30) * i / (steps - 1)
        frames.append(figure(scene, x, 12, 72, swing=float(np.sin(i * 0.7))))
    return noisy([*frames, *[scene] * empty])


def wave(count: int = 48, height: int = 96, width: int = 96) -> Frames:
    """Somebody who stands in the middle all the time and swings the arms; the body is at rest."""
    scene = room(height, width)
    arms = 0.9 * np.sin(np.arange(count) * 0.35)
    return noisy([figure(scene, width / 2, 14, 68, arm=float(a)) for a in arms])


def write(path: Path, frames: Frames, fps: float = 25.0) -> Path:
    """The frames as an MP4."""
    with VideoWriter(path, fps, (frames.shape[2], frames.shape[1]), threads=1) as writer:
        for frame in frames:
            writer.add(frame)
    return path
