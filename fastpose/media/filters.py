"""The few image filters that finding a person needs, in plain numpy.

All work on the last two axes (H, W) of float32 arrays; edges are replicated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def box_blur(values: Array, radius: int, *, passes: int = 1) -> Array:
    """Mean over a (2 radius + 1) square; two passes come close to a Gaussian."""
    if radius < 1:
        return values
    for _ in range(passes):
        for axis in (-2, -1):
            values = _mean_along(values, radius, axis % values.ndim)
    return values


def _mean_along(values: Array, radius: int, axis: int) -> Array:
    width = 2 * radius + 1
    padding = [(0, 0)] * values.ndim
    padding[axis] = (radius + 1, radius)
    sums = np.cumsum(np.pad(values, padding, mode="edge"), axis=axis, dtype=np.float32)
    high, low = [slice(None)] * values.ndim, [slice(None)] * values.ndim
    high[axis], low[axis] = slice(width, None), slice(None, -width)
    return (sums[tuple(high)] - sums[tuple(low)]) / np.float32(width)


def guided_filter(guide: Array, values: Array, radius: int, epsilon: float) -> Array:
    """Smooths ``values`` along the edges of ``guide`` (He et al. 2010, grey guide).

    ``epsilon`` is the variance of the guide below which a patch counts as flat.
    """
    mean_guide, mean_values = box_blur(guide, radius), box_blur(values, radius)
    covariance = box_blur(guide * values, radius) - mean_guide * mean_values
    variance = box_blur(guide * guide, radius) - mean_guide * mean_guide
    slope = covariance / (np.maximum(variance, 0) + np.float32(epsilon))
    offset = mean_values - slope * mean_guide
    return box_blur(slope, radius) * guide + box_blur(offset, radius)


def local_range(image: NDArray[np.generic], radius: int = 1) -> tuple[NDArray, NDArray]:
    """Smallest and largest value of (H, W, C) within a (2 radius + 1) square around each pixel."""
    low, high = image, image
    for axis in (0, 1):
        for _ in range(radius):
            low, high = _extremum(low, np.minimum, axis), _extremum(high, np.maximum, axis)
    return low, high


def _extremum(image: NDArray, choose: np.ufunc, axis: int) -> NDArray:
    padding = [(0, 0)] * image.ndim
    padding[axis] = (1, 1)
    padded = np.pad(image, padding, mode="edge")
    count = image.shape[axis]
    parts = [np.take(padded, range(i, i + count), axis=axis) for i in range(3)]
    return choose(choose(parts[0], parts[1]), parts[2])


def dilate(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """Widens a mask (H, W) by so many rows up and down and columns left and right."""
    sums = np.zeros((mask.shape[0] + 2 * rows + 1, mask.shape[1] + 2 * columns + 1), dtype=np.int32)
    sums[1:, 1:] = np.pad(mask, ((rows, rows), (columns, columns))).cumsum(0).cumsum(1)
    r, c = 2 * rows + 1, 2 * columns + 1
    return (sums[r:, c:] - sums[:-r, c:] - sums[r:, :-c] + sums[:-r, :-c]) > 0


def fill_unknown(image: Array, weight: Array) -> Array:
    """Fills pixels of (H, W, C) whose ``weight`` (H, W) in [0, 1] is low from known neighbours.

    Push-pull: averages of known pixels on ever coarser grids, brought back where nothing finer is
    known. A picture without any known pixel comes back as zeros.
    """
    height, width = weight.shape
    if weight.min() >= 1:
        return image
    if max(height, width) <= 1:
        return image * (weight[..., None] > 0)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    pad = ((0, 2 * rows - height), (0, 2 * columns - width))
    weighted = np.pad(image * weight[..., None], (*pad, (0, 0)))
    total = np.pad(weight, pad).reshape(rows, 2, columns, 2).sum((1, 3))
    coarse = weighted.reshape(rows, 2, columns, 2, -1).sum((1, 3))
    coarse /= np.maximum(total, np.float32(1e-6))[..., None]
    coarse = fill_unknown(coarse, np.minimum(total, 1))
    fine = _double(coarse)[:height, :width]
    return image * weight[..., None] + fine * (1 - weight[..., None])


def _double(image: Array) -> Array:
    """Twice the size by linear interpolation between pixel centres."""
    for axis in (0, 1):
        padding = [(0, 0)] * 3
        padding[axis] = (1, 1)
        padded = np.pad(image, padding, mode="edge")
        count = image.shape[axis]
        before, here, after = (np.take(padded, range(i, i + count), axis=axis) for i in range(3))
        pair = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis=axis + 1)
        shape = list(image.shape)
        shape[axis] *= 2
        image = pair.reshape(shape).astype(np.float32)
    return image


def label_components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Numbers the connected parts (8 neighbours) of a mask (H, W): labels 1..n, 0 outside."""
    height, width = mask.shape
    padded = np.zeros((height, width + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    change = np.diff(padded, axis=1)
    row, start = np.nonzero(change == 1)
    _, end = np.nonzero(change == -1)  # exclusive, in the same order
    parent = list(range(len(row)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first = np.searchsorted(row, np.arange(height + 1))
    for y in range(1, height):
        above, here = first[y - 1], first[y]
        while above < first[y] and here < first[y + 1]:
            if start[above] <= end[here] and start[here] <= end[above]:
                a, b = root(above), root(here)
                parent[max(a, b)] = min(a, b)
            if end[above] < end[here]:
                above += 1
            else:
                here += 1
    roots = np.array([root(i) for i in range(len(parent))], dtype=np.int64)
    _, numbers = np.unique(roots, return_inverse=True)
    # Each run adds its number where it starts and takes it away behind its end.
    labels = np.zeros((height, width + 1), dtype=np.int32)
    np.add.at(labels, (row, start), numbers + 1)
    np.add.at(labels, (row, end), -(numbers + 1))
    return np.cumsum(labels, axis=1, dtype=np.int32)[:, :width], int(numbers.max(initial=-1)) + 1
