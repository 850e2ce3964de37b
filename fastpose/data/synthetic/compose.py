"""From what the samples see to pictures: light, cover, blur, bytes."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image

from fastpose.data.synthetic.render import Surface


def shade(surface: Surface, texture: np.ndarray, gain: float, ambient: float) -> np.ndarray:
    """Lambert colours (N,3) float32 of the samples; ``texture`` is (P,V,U,3)."""
    color = texture.reshape(-1, 3)[surface.texel]
    light = np.float32(ambient) + np.float32(1 - ambient) * np.maximum(surface.light, 0)
    return color * (np.float32(gain) * light)[:, None]


def gather(
    surface: Surface, color: np.ndarray, size: int, supersample: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average samples to pixels: colour (T,S,S,3), black off the body, and its cover (T,S,S)."""
    frames, wide = surface.depth.shape[:2]
    frame, rest = np.divmod(surface.index, wide * wide)
    row, column = np.divmod(rest, wide)
    pixel = (frame * size + row // supersample) * size + column // supersample
    count = frames * size * size
    share = 1 / supersample**2
    image = np.empty((count, 3), np.float32)
    for channel in range(3):
        image[:, channel] = np.bincount(pixel, color[:, channel], count) * share
    cover = (np.bincount(pixel, minlength=count) * share).astype(np.float32)
    return image.reshape(frames, size, size, 3), cover.reshape(frames, size, size)


def blur(image: np.ndarray, weight: float) -> np.ndarray:
    """Blur (T,S,S,3) with taps (weight, 1 - 2 weight, weight) along both axes; edges repeat."""
    w = np.float32(weight)
    for axis in (1, 2):
        pad = [(0, 0)] * 4
        pad[axis] = (1, 1)
        padded = np.pad(image, pad, mode="edge")
        before = padded[:, :-2] if axis == 1 else padded[:, :, :-2]
        after = padded[:, 2:] if axis == 1 else padded[:, :, 2:]
        image = (1 - 2 * w) * image + w * (before + after)
    return image


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Round [0, 1] to uint8 0..255."""
    return np.clip(image * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)


def part_masks(surface: Surface, texels: tuple[int, int], supersample: int) -> np.ndarray:
    """(T,S,S) uint8, 1 + the part that a pixel's middle sample sees, 0 where it sees none."""
    frames, wide = surface.depth.shape[:2]
    seen = np.zeros(frames * wide * wide, np.uint8)
    seen[surface.index] = 1 + surface.texel // (texels[0] * texels[1])
    middle = supersample // 2
    step = slice(middle, None, supersample)
    return seen.reshape(frames, wide, wide)[:, step, step]


def through_jpeg(frames: np.ndarray, quality: int) -> np.ndarray:
    """Frames (T,S,S,3) uint8 as they come back from JPEG files of a quality."""
    out = np.empty_like(frames)
    for t, frame in enumerate(frames):
        buffer = io.BytesIO()
        PIL.Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
        out[t] = np.asarray(PIL.Image.open(buffer))
    return out


def joints_visible(
    depth: np.ndarray, points: np.ndarray, z: np.ndarray, tolerance: np.ndarray
) -> np.ndarray:
    """Which joints a viewer could point at: inside the frame and behind no other part.

    Args:
        depth: (T,W,W) camera z of the nearest surface, for any number W of samples a side.
        points: (T,K,2) joints in samples of ``depth``, pixel convention.
        z: (T,K) camera z of the joints, metres.
        tolerance: (K,) how far the skin may lie in front of the joint, metres.

    Returns:
        (T,K) bool.
    """
    frames, wide = depth.shape[:2]
    inside = ((points >= -0.5) & (points < wide - 0.5)).all(axis=-1)
    sample = np.clip(np.floor(points + 0.5).astype(np.int64), 0, wide - 1)
    surface = depth[np.arange(frames)[:, None], sample[..., 1], sample[..., 0]]
    return inside & (surface >= z - tolerance)
