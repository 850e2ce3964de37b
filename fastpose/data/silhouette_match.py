"""Which poses, seen from where, cover given silhouettes best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.data.body_shapes import EXTENT, crop_matrix, draw_bodies
from fastpose.data.camera import project
from fastpose.data.pose_bank import PoseBank

GRID = 32  # silhouettes are compared on so many cells a side
_DISTANCE = 5.0  # body heights from camera to person
_CHUNK = 8192  # views compared at a time


@dataclass(frozen=True)
class Views:
    """V views of poses.

    Args:
        pose: (V,) index of the pose.
        yaw: (V,) degrees.
        canvas: (40,V,40) uint8 silhouettes, see ``body_shapes``; rows, views, columns.
        log_prior: (V,) logarithm of how likely each view is beforehand.
    """

    pose: np.ndarray
    yaw: np.ndarray
    canvas: np.ndarray
    log_prior: np.ndarray


@dataclass(frozen=True)
class Matches:
    """For each of n silhouettes its best views, each (n,keep).

    ``mirrored`` says that the view's mirror image was meant, ``centre`` where the pelvis lies from
    left (0) to right (1), ``overlap`` is the intersection over union, ``score`` what they were
    ranked by.
    """

    score: np.ndarray
    view: np.ndarray
    overlap: np.ndarray
    centre: np.ndarray
    mirrored: np.ndarray

    def taken(self, rows: slice) -> Matches:
        """The matches of some of the silhouettes."""
        return Matches(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def joined(self, other: Matches, keep: int) -> Matches:
        """The ``keep`` best of two lists for the same silhouettes."""
        columns = [
            np.concatenate([getattr(self, name), getattr(other, name)], axis=1)
            for name in self.__dataclass_fields__
        ]
        order = np.argsort(-columns[0], axis=1, kind="stable")[:, :keep]
        return Matches(*(np.take_along_axis(column, order, axis=1) for column in columns))


def make_views(
    poses: PoseBank, yaws: np.ndarray, density: np.ndarray, pitch: float, cover: float
) -> Views:
    """Silhouettes of every pose from every one of ``yaws``, whose probabilities are ``density``."""
    pose, side = (g.ravel() for g in np.mgrid[: len(poses), : len(yaws)])
    zero = np.zeros(len(pose), np.float32)
    yaw = yaws[side].astype(np.float32)
    points = project(poses.positions()[pose], yaw, zero + np.float32(pitch), zero, zero + _DISTANCE)
    canvas = draw_bodies(points, cover).transpose(1, 0, 2)
    return Views(pose, yaw, np.ascontiguousarray(canvas), np.log(density[side]))


def centred(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift each mask (n,GRID,GRID) by whole cells so that its centre of mass is in the middle.

    Returns the flat masks (n,GRID*GRID) and how far off the middle they were, in sides.
    """
    return _centred_rows(masks.transpose(1, 0, 2))


def _centred_rows(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`centred` for masks (GRID,n,GRID): rows, masks, columns."""
    count = masks.shape[1]
    profile = masks.sum(axis=0)
    total = np.maximum(profile.sum(axis=1), 1e-6)
    mean = profile @ (np.arange(GRID, dtype=np.float32) + 0.5) / total
    shift = np.rint(mean - 0.5 * GRID).astype(int)
    out = np.zeros((count, GRID, GRID), np.float32)
    for by in np.unique(shift):
        chosen = np.flatnonzero(shift == by)
        low, high = max(0, by), GRID + min(0, by)
        out[chosen, :, low - by : high - by] = masks[:, chosen, low:high].transpose(1, 0, 2)
    return out.reshape(count, -1), shift / GRID


def crops_of(canvas: np.ndarray, height: float, ground: float) -> tuple[np.ndarray, np.ndarray]:
    """Silhouettes (40,V,40) as a crop of this framing would show them, see :func:`centred`."""
    rows = crop_matrix(GRID, height, ground, EXTENT[1])
    columns = crop_matrix(GRID, height, 0.5, EXTENT[0]) / np.float32(255.0)
    side, count = canvas.shape[:2]
    # Two large products instead of two small ones for every view.
    cut = rows @ canvas.astype(np.float32).reshape(side, -1)
    crops = (cut.reshape(-1, side) @ columns.T).reshape(GRID, count, GRID)
    return _centred_rows(crops)


def overlap_of(flat: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """(n,V) intersection over union of flat masks; for soft ones Tanimoto's, 1 only where equal."""
    both = flat @ bodies.T
    union = (flat**2).sum(1)[:, None] + np.einsum("ij,ij->i", bodies, bodies)[None]
    union -= both
    return np.divide(both, np.maximum(union, 1e-6, out=union), out=both)


def match(
    masks: np.ndarray,
    views: Views,
    height: float,
    ground: float,
    *,
    sharpness: float,
    keep: int,
    mirror: bool,
) -> Matches:
    """The best views for each of ``masks`` (n,GRID,GRID), their mirror images among them.

    Args:
        height, ground: framing of the crop, as in ``framing.frame_points``.
        sharpness: how much the overlap counts against the views' own probabilities.
        keep: views kept for each mask.
        mirror: whether a pose may be mirrored.
    """
    if not mirror:
        return _match_as_seen(masks, views, height, ground, sharpness, keep)
    # A mirrored body seen from the opposite side is the mirrored silhouette.
    both = np.concatenate([masks, masks[:, :, ::-1]])
    found = _match_as_seen(both, views, height, ground, sharpness, keep)
    straight, other = found.taken(slice(None, len(masks))), found.taken(slice(len(masks), None))
    reflected = Matches(other.score, other.view, other.overlap, 1.0 - other.centre, ~other.mirrored)
    return straight.joined(reflected, keep)


def _match_as_seen(
    masks: np.ndarray, views: Views, height: float, ground: float, sharpness: float, keep: int
) -> Matches:
    flat, moved = centred(masks)
    best: Matches | None = None
    for at in range(0, len(views.pose), _CHUNK):
        crops, offset = crops_of(views.canvas[:, at : at + _CHUNK], height, ground)
        overlap = overlap_of(flat, crops)
        score = sharpness * overlap + views.log_prior[at : at + _CHUNK]
        count = min(keep, score.shape[1])
        chosen = np.argpartition(-score, count - 1, axis=1)[:, :count]
        found = Matches(
            np.take_along_axis(score, chosen, axis=1),
            at + chosen,
            np.take_along_axis(overlap, chosen, axis=1),
            0.5 + moved[:, None] - offset[chosen],
            np.zeros(chosen.shape, bool),
        )
        best = found if best is None else best.joined(found, keep)
    assert best is not None
    return best
