"""Band-limited noise and colours, the paint of synthetic pictures."""

from __future__ import annotations

import colorsys

import numpy as np


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cells: int, channels: int = 1
) -> np.ndarray:
    """Noise (height, width, channels) of unit variance at its nodes and about ``cells`` periods."""
    grid = rng.standard_normal((cells + 2, cells + 2, channels))

    def along(values: np.ndarray, count: int) -> np.ndarray:
        place = np.linspace(0, cells, count)
        node = np.minimum(place.astype(int), cells)
        share = place - node
        share = (share * share * (3 - 2 * share))[:, None, None]
        return values[node] * (1 - share) + values[node + 1] * share

    rows = along(grid, height)
    return along(rows.transpose(1, 0, 2), width).transpose(1, 0, 2)


def fractal_noise(
    rng: np.random.Generator, size: int, cells: tuple[int, ...], channels: int = 1
) -> np.ndarray:
    """Sum (size, size, channels) of noises, each finer one weaker by its share of cells."""
    total = np.zeros((size, size, channels))
    for count in cells:
        total += smooth_noise(rng, size, size, count, channels) * (cells[0] / count) ** 0.5
    return total


def random_color(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> np.ndarray:
    """An RGB colour (3,) in [0, 1] of any hue."""
    hsv = rng.uniform(), rng.uniform(*saturation), rng.uniform(*value)
    return np.array(colorsys.hsv_to_rgb(*hsv))


def color_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of RGB colours (..., 3), green counting most as it does to the eye."""
    return np.sqrt(((a - b) ** 2 * np.array([0.9, 1.5, 0.6])).sum(axis=-1))
