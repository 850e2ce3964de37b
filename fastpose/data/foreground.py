"""Silhouettes of the person in a clip with a fixed camera, body parts that never move included.

The median over time shows the background wherever the person moves away. It also shows a trunk
that stands still while the arms wave, so the median alone is not enough: the still part is found by
its colours, which differ from those around the person.
"""

from __future__ import annotations

import numpy as np

_BORDER = 0.14  # width of the strip at left, right and top that is background to begin with
_DARKEST_SHADOW = 0.78  # share of its light that a wall keeps in a shadow told as such
_MOST_COLOURS = 600  # background pixels that colours are compared with


def silhouettes(frames: np.ndarray, *, size: int = 64) -> np.ndarray:
    """Soft masks of the person.

    Args:
        frames: (N,S,S,3) uint8 RGB of one clip with a fixed camera, the person about the middle.
        size: side of the masks; the frames are shrunk to it when they are larger.

    Returns:
        (N,s,s) float32 in [0,1], s = min(size, S).
    """
    video = shrink(frames, size)
    still = np.median(video, axis=0)
    video = video - _exposure(video - still)
    noise = _noise(video, still)
    body = _still_body(still, _moved(video, still, noise), noise)
    background, seen = _background(video, still, body, noise)
    difference = _difference(video, background, ~_grow(body, 1))
    # Where the wall behind the person was never seen its colour is a guess: ask for more contrast.
    threshold = np.where(seen, 4.0 * noise + 8.0, 6.0 * noise + 26.0)
    mask = 1.0 / (1.0 + np.exp(-(_blur(difference, 1) - threshold) / (0.15 * threshold)))
    return (mask * _main_part(mask > 0.5)).astype(np.float32)


def shrink(frames: np.ndarray, size: int) -> np.ndarray:
    """(N,S,S,C) to float32 (N,s,s,C) by the mean of each cell; s = min(size, S)."""
    count, side = len(frames), frames.shape[1]
    if side <= size:
        return np.asarray(frames, np.float32)
    edges = np.linspace(0, side, size + 1).astype(int)
    out = np.empty((count, size, size, frames.shape[3]), np.float32)
    widths = np.diff(edges).astype(np.float32)
    for i in range(count):
        rows = np.add.reduceat(np.asarray(frames[i], np.float32), edges[:-1], axis=0)
        cells = np.add.reduceat(rows, edges[:-1], axis=1)
        out[i] = cells / (widths[:, None, None] * widths[None, :, None])
    return out


def _difference(video: np.ndarray, background: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """(N,s,s) colour distance to the background; a light shadow on the wall counts by its hue."""
    apart = np.sqrt(((video - background) ** 2).sum(axis=-1))
    shade = (video * background).sum(axis=-1) / np.maximum((background**2).sum(axis=-1), 1.0)
    hue = np.sqrt(((video - shade[..., None] * background) ** 2).sum(axis=-1))
    return np.where((shade > _DARKEST_SHADOW) & (shade < 1.0) & wall, hue, apart)


def _exposure(change: np.ndarray) -> np.ndarray:
    """(N,1,1,3) by how much each whole frame is brighter, from the strips beside the person."""
    strip = max(2, round(_BORDER * change.shape[2]))
    beside = np.concatenate([change[:, :, :strip], change[:, :, -strip:]], axis=2)
    return np.median(beside, axis=(1, 2), keepdims=True)


def _noise(video: np.ndarray, still: np.ndarray) -> float:
    """Typical colour distance between a frame and the median where nothing happens."""
    difference = np.sqrt(((video - still) ** 2).sum(axis=-1))
    return float(max(np.median(difference), 1.0))


def _moved(video: np.ndarray, still: np.ndarray, noise: float) -> np.ndarray:
    """(s,s) bool: pixels that something passed."""
    difference = np.sqrt(((video - still) ** 2).sum(axis=-1))
    return _blur(np.percentile(difference, 95.0, axis=0)[None], 1)[0] > 5.0 * noise + 10.0


def _still_body(still: np.ndarray, moved: np.ndarray, noise: float) -> np.ndarray:
    """(s,s) bool: the part of the median picture that shows the person."""
    side = len(still)
    strip = max(2, round(_BORDER * side))
    outside = np.zeros((side, side), bool)
    outside[:, :strip] = outside[:, -strip:] = outside[: strip // 2] = True
    body = np.zeros((side, side), bool)
    for closeness in (8.0, 25.0):  # first any colour of the borders, then those of the surroundings
        distance = _colour_distance(still, outside & ~(moved & body), closeness)
        limit = max(_between(distance), 3.0 * noise + 10.0)
        body = _main_part(_blur(distance[None], 1) > limit)[0]
        body = _fill(body)
        outside = ~_grow(body, 3)
    return body


def _colour_distance(picture: np.ndarray, known: np.ndarray, closeness: float) -> np.ndarray:
    """(s,s) distance of each pixel's colour to the nearest of the ``known`` ones.

    ``closeness`` is what a picture's side of distance costs, in colour units.
    """
    side = len(picture)
    rows, columns = np.nonzero(known)
    step = max(1, len(rows) // _MOST_COLOURS)
    rows, columns = rows[::step], columns[::step]
    y, x = np.mgrid[:side, :side] * (closeness / side)
    there = np.concatenate([picture, x[..., None], y[..., None]], axis=-1).reshape(-1, 5)
    here = there.reshape(side, side, 5)[rows, columns]
    squared = (there**2).sum(1)[:, None] + (here**2).sum(1)[None] - 2.0 * there @ here.T
    nearest = np.partition(squared, min(2, squared.shape[1] - 1), axis=1)[:, :3].mean(axis=1)
    return np.sqrt(np.maximum(nearest, 0.0)).reshape(side, side)


def _background(
    video: np.ndarray, still: np.ndarray, body: np.ndarray, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """The wall behind the person (s,s,3), and where it was seen (s,s) bool."""
    covered = _grow(body, 1)
    guess = still.copy()
    columns = np.arange(len(still))
    for row in range(len(still)):
        free = ~covered[row]
        if free.any():
            for c in range(3):
                guess[row, ~free, c] = np.interp(columns[~free], columns[free], still[row, free, c])
    # Where the person went away the frames show the wall: take those near the guess.
    difference = np.sqrt(((video - guess) ** 2).sum(axis=-1))
    near = np.argsort(difference, axis=0)[: max(1, len(video) // 8)]
    shown = np.median(np.take_along_axis(video, near[..., None], axis=0), axis=0)
    apart = np.sqrt(((shown - guess) ** 2).sum(axis=-1))
    seen = ~covered | (_blur(apart[None], 1)[0] < 3.0 * noise + 14.0)
    background = np.where(covered[..., None] & seen[..., None], shown, guess)
    return np.where(covered[..., None], background, still), seen


def _between(values: np.ndarray, share: float = 0.3) -> float:
    """``share`` of the way between the means of the two groups that Otsu's threshold splits."""
    counts, edges = np.histogram(values, bins=128)
    centres = 0.5 * (edges[:-1] + edges[1:])
    below, first = np.cumsum(counts), np.cumsum(counts * centres)
    rest = below[-1] - below
    between = (first[-1] * below / below[-1] - first) ** 2 / np.maximum(below * rest, 1)
    at = int(np.argmax(between))
    low = first[at] / max(below[at], 1)
    high = (first[-1] - first[at]) / max(rest[at], 1) if rest[at] else low
    return float(low + share * (high - low))


def _blur(images: np.ndarray, radius: int) -> np.ndarray:
    """Box mean of (N,s,s), edges repeated."""
    width = 2 * radius + 1
    padded = np.pad(images, ((0, 0), (radius, radius), (radius, radius)), mode="edge")
    rows = np.sum([padded[:, i : i + images.shape[1]] for i in range(width)], axis=0)
    return np.sum([rows[:, :, i : i + images.shape[2]] for i in range(width)], axis=0) / width**2


def _grow(mask: np.ndarray, radius: int) -> np.ndarray:
    out = mask.copy()
    for _ in range(radius):
        spread = out.copy()
        spread[1:] |= out[:-1]
        spread[:-1] |= out[1:]
        spread[:, 1:] |= out[:, :-1]
        spread[:, :-1] |= out[:, 1:]
        out = spread
    return out


def _flood(seeds: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Pixels of ``allowed`` (N,s,s) reached from ``seeds`` by steps to the four neighbours."""
    reached = seeds & allowed
    while True:
        spread = reached.copy()
        spread[:, 1:] |= reached[:, :-1]
        spread[:, :-1] |= reached[:, 1:]
        spread[:, :, 1:] |= reached[:, :, :-1]
        spread[:, :, :-1] |= reached[:, :, 1:]
        spread &= allowed
        if (spread == reached).all():
            return reached
        reached = spread


def _main_part(masks: np.ndarray) -> np.ndarray:
    """Keep of each mask what hangs together with its middle; gaps of one pixel are bridged."""
    masks = masks if masks.ndim == 3 else masks[None] if masks.ndim == 2 else masks
    joined = _blur(masks.astype(np.float32), 1) > 0.2
    weight = masks.sum(axis=(1, 2))
    side = masks.shape[1]
    place = np.arange(side)
    with np.errstate(divide="ignore", invalid="ignore"):
        row = np.nan_to_num((masks.sum(axis=2) * place).sum(axis=1) / weight)
        column = np.nan_to_num((masks.sum(axis=1) * place).sum(axis=1) / weight)
    reach = side / 10.0
    y = np.abs(place[None] - row[:, None]) < reach
    x = np.abs(place[None] - column[:, None]) < reach
    return _flood(y[:, :, None] & x[:, None, :] & masks, joined) & masks


def _fill(mask: np.ndarray) -> np.ndarray:
    """Close the holes of one mask; the lower border closes it too."""
    free = ~mask
    edge = np.zeros_like(mask)
    edge[0] = edge[:, 0] = edge[:, -1] = True
    return ~_flood(edge[None], free[None])[0]
