"""Fit a pose prior to unlabelled clips: how large, where, from which side, in which poses.

No label is used. Silhouettes of the clips (``foreground``) are compared with silhouettes of the
prior's bodies (``body_shapes``). Per clip, the scale and the ground are those under which the
bodies cover the silhouettes best; then each frame keeps the poses and views that cover it best.
Their table is what ``PriorConfig(framing="fitted")`` draws from.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fastpose.data.body_shapes import EXTENT, crop_matrix, draw_bodies
from fastpose.data.camera import project
from fastpose.data.clips import ClipStore
from fastpose.data.foreground import shrink, silhouettes
from fastpose.data.pose_bank import PoseBank, recombine
from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.data.prior_table import FittedTable
from fastpose.errors import UserError

GRID = 32  # silhouettes are compared on so many cells a side
_DISTANCE = 5.0  # body heights from camera to person while fitting
_HEIGHT_STEP, _TOP_STEP = 0.11, 0.045  # of the search, in logarithms and in sides of the crop


@dataclass(frozen=True)
class FitOptions:
    """How the fit searches.

    Args:
        poses: poses that are compared with every frame.
        recombination: share of them that get arms and legs of other poses.
        yaw_step: degrees between the views that are tried.
        frames_per_clip: frames looked at, spread over each clip.
        keep: poses kept for each frame.
        sharpness: a pose that covers a frame worse by d (in intersection over union) counts
            exp(-sharpness d) as much.
        thicknesses: how thick the limbs may be; the clips' clothes and masks decide.
        heights: smallest and largest body height that is tried, as a share of the crop's side.
        tops: highest and lowest top of the head of the standing person that is tried.
        together: how much the clips share one framing; 0 fits each alone.
    """

    poses: int = 4000
    recombination: float = 0.6
    yaw_step: float = 15.0
    frames_per_clip: int = 40
    keep: int = 12
    sharpness: float = 40.0
    thicknesses: tuple[float, ...] = (1.0, 1.25, 1.5, 1.8)
    heights: tuple[float, float] = (0.5, 1.8)
    tops: tuple[float, float] = (0.0, 0.45)
    together: float = 1.0


@dataclass(frozen=True)
class PriorFit:
    """What ``fit_prior`` found: the table, the config that draws from it, and statistics."""

    table: FittedTable
    config: PriorConfig
    report: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Bodies:
    """V views: the pose, yaw in degrees, whether mirrored, the silhouette, log of its probability."""

    pose: np.ndarray
    yaw: np.ndarray
    mirrored: np.ndarray
    canvas: np.ndarray  # (V,40,40) uint8
    log_prior: np.ndarray


def fit_prior(
    prior: PosePrior,
    store: ClipStore,
    path: str | os.PathLike[str],
    *,
    options: FitOptions | None = None,
    seed: int = 0,
) -> PriorFit:
    """Fit ``prior`` to the clips of ``store`` and write the table to ``path`` (npz).

    Args:
        prior: a prior of 3D poses; its config says which views are likely beforehand.
        store: unlabelled clips; labels in it are not looked at.
        path: where to write the table.
        options: see :class:`FitOptions`.
        seed: of the choice of poses that are compared.

    Returns:
        the fit; ``fit.config`` draws from the table.

    Raises:
        UserError: the prior holds 2D points, or no clip shows a person.
    """
    options, bank = options or FitOptions(), prior.bank
    if not isinstance(bank, PoseBank):
        raise UserError("fit: needs a prior of 3D poses; 2D points have no view to choose")
    rng = np.random.default_rng(seed)
    masks = [_clip_masks(clip.frames, clip.mask, options.frames_per_clip) for clip in store.clips]
    usable = [i for i, m in enumerate(masks) if len(m)]
    if not usable:
        raise UserError(
            f"{store.path}: no clip shows a person against a still background; "
            "set the prior's height and top by hand"
        )
    masks = [masks[i] for i in usable]
    few = bank.take(bank.draw(max(200, options.poses // 10), rng))
    few = recombine(few, options.recombination, rng, bank)
    thickness, places = _find_framing(masks, few, prior.config, options)
    poses = recombine(bank.take(bank.draw(options.poses, rng)), options.recombination, rng, bank)
    bodies = _make_bodies(poses, prior.config, options.yaw_step, thickness)
    rows = [_match(m, bodies, *place, options) for m, place in zip(masks, places, strict=True)]
    view, weight, height, ground, centre, overlap = (
        np.concatenate(column) for column in zip(*rows, strict=True)
    )
    table = FittedTable(
        poses,
        weight / weight.sum(),
        bodies.pose[view],
        bodies.yaw[view],
        bodies.mirrored[view],
        height,
        ground,
        centre,
    )
    report = _report(store, usable, places, table, overlap, thickness)
    table.save(path, report)
    yaw = np.abs(table.yaw)
    frontal = float(table.weight[yaw < 45.0].sum())
    side = float(table.weight[(yaw >= 45.0) & (yaw < 135.0)].sum())
    config = replace(
        prior.config,
        framing="fitted",
        fit=str(path),
        frontal_share=round(min(frontal, 1.0 - side), 4),
        side_share=round(side, 4),
        height=round(float(np.median(table.height)), 4),
        top=round(float(np.median(table.ground - table.height)), 4),
    )
    return PriorFit(table, config, report)


def _clip_masks(frames: np.ndarray, mask: np.ndarray | None, count: int) -> np.ndarray:
    """(n,GRID,GRID) silhouettes of up to ``count`` frames; those without a person left out."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int))
    if mask is not None:
        found = shrink(np.asarray(mask[chosen])[..., None], GRID)[..., 0] / 255.0
    else:
        found = silhouettes(np.asarray(frames))[chosen]
        found = shrink(found[..., None], GRID)[..., 0]
    area = found.mean(axis=(1, 2))
    typical = np.median(area)
    return found[(area > 0.01) & (area < 0.6) & (area > 0.4 * typical)]


def _make_bodies(
    poses: PoseBank, config: PriorConfig, yaw_step: float, thickness: float
) -> _Bodies:
    """Silhouettes of the poses from every likely side, as they are and mirrored."""
    yaws, density = _yaw_density(config, yaw_step)
    pose, view = (g.ravel() for g in np.mgrid[: len(poses), : len(yaws)])
    zero = np.zeros(len(pose), np.float32)
    pitch = zero + np.float32(config.pitch_mean)
    yaw = yaws[view].astype(np.float32)
    points = project(poses.positions()[pose], yaw, pitch, zero, zero + _DISTANCE)
    canvas, prior = draw_bodies(points, thickness), np.log(density[view])
    if not config.mirror:
        return _Bodies(pose, yaw, np.zeros(len(pose), bool), canvas, prior)
    # A mirrored body seen from the opposite side is the mirrored silhouette.
    return _Bodies(
        np.tile(pose, 2),
        np.concatenate([yaw, -yaw]),
        np.repeat([False, True], len(pose)),
        np.concatenate([canvas, canvas[:, :, ::-1]]),
        np.tile(prior, 2),
    )


def _yaw_density(config: PriorConfig, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The yaws to try and their probabilities under the config's mixture."""
    yaws = np.arange(-180.0, 180.0, step)
    spread = max(config.yaw_spread, 0.5 * step)

    def bump(centre: float) -> np.ndarray:
        apart = (yaws - centre + 180.0) % 360.0 - 180.0
        value = np.exp(-0.5 * (apart / spread) ** 2)
        return value / value.sum()

    rest = max(0.0, 1.0 - config.frontal_share - config.side_share)
    density = config.frontal_share * bump(0.0) + rest / len(yaws)
    density = density + 0.5 * config.side_share * (bump(90.0) + bump(-90.0))
    likely = density > 0.02 * density.max()
    return yaws[likely], density[likely] / density[likely].sum()


def _crops(canvas: np.ndarray, height: float, ground: float) -> tuple[np.ndarray, np.ndarray]:
    """Bodies (V,GRID*GRID) float32 in the crop, centred from left to right, and the shift made."""
    rows = crop_matrix(GRID, height, ground, EXTENT[1])
    columns = crop_matrix(GRID, height, 0.5, EXTENT[0])
    cut = rows @ (canvas.astype(np.float32) / 255.0) @ columns.T
    return _centred(cut)


def _centred(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift each mask (n,GRID,GRID) by whole cells so that its centre of mass is in the middle.

    Returns the flat masks and where the centre of mass was, in sides.
    """
    profile = masks.sum(axis=1)
    total = np.maximum(profile.sum(axis=1), 1e-6)
    mean = (profile * (np.arange(GRID) + 0.5)).sum(axis=1) / total
    shift = np.rint(mean - 0.5 * GRID).astype(int)
    source = np.arange(GRID)[None] + shift[:, None]
    valid = (source >= 0) & (source < GRID)
    taken = np.take_along_axis(masks, np.clip(source, 0, GRID - 1)[:, None, :], axis=2)
    return (taken * valid[:, None]).reshape(len(masks), -1), shift / GRID


def _overlap(frames: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """(n,V) intersection over union of soft masks, flat."""
    both = frames @ bodies.T
    return both / np.maximum(frames.sum(1)[:, None] + bodies.sum(1)[None] - both, 1e-6)


def _find_framing(
    masks: list[np.ndarray], poses: PoseBank, config: PriorConfig, options: FitOptions
) -> tuple[float, list[tuple[float, float]]]:
    """Thickness of limbs, and each clip's height and ground: where bodies cover its frames best."""
    frames, owner = [], []
    for clip, found in enumerate(masks):
        chosen = np.unique(np.linspace(0, len(found) - 1, min(6, len(found))).astype(int))
        frames.append(_centred(found[chosen])[0])
        owner += [clip] * len(chosen)
    flat, owner_of = np.concatenate(frames), np.array(owner)
    count = np.bincount(owner_of, minlength=len(masks))
    low, high = np.log(options.heights)
    heights = np.exp(np.linspace(low, high, 1 + int(np.ceil((high - low) / _HEIGHT_STEP))))
    low, high = options.tops
    tops = np.linspace(low, high, 1 + int(np.ceil((high - low) / _TOP_STEP)))

    def scores(bodies: _Bodies, every: int) -> np.ndarray:
        """(heights, tops, clips) mean overlap of the three best bodies, on every n-th grid point."""
        out = np.full((len(heights), len(tops), len(masks)), np.nan)
        for i, j in np.ndindex(out.shape[:2]):
            if i % every == 0 and j % every == 0:
                crops, _ = _crops(bodies.canvas, heights[i], tops[j] + heights[i])
                best = np.partition(_overlap(flat, crops), -3, axis=1)[:, -3:].mean(axis=1)
                out[i, j] = np.bincount(owner_of, best, minlength=len(masks)) / count
        return out

    coarse = {}
    for thickness in options.thicknesses:
        bodies = _make_bodies(poses, config, 2.0 * options.yaw_step, thickness)
        coarse[thickness] = float(np.nanmax(scores(bodies, 2).mean(axis=2)))
    thickness = max(coarse, key=lambda t: coarse[t])
    full = scores(_make_bodies(poses, config, 2.0 * options.yaw_step, thickness), 1)
    blended = full + options.together * full.mean(axis=2, keepdims=True)
    places = []
    for clip in range(len(masks)):
        values = blended[..., clip]
        i, j = (int(v) for v in np.unravel_index(int(values.argmax()), values.shape))
        h = heights[i] * np.exp(np.log(heights[1] / heights[0]) * _vertex(values[:, j], i))
        t = tops[j] + (tops[1] - tops[0]) * _vertex(values[i], j)
        places.append((float(h), float(t + h)))
    return thickness, places


def _vertex(values: np.ndarray, at: int) -> float:
    """Where a parabola through the best value and its neighbours peaks, in steps from ``at``."""
    if not 0 < at < len(values) - 1:
        return 0.0
    a, b, c = values[at - 1 : at + 2]
    bend = a - 2.0 * b + c
    return float(np.clip(0.5 * (a - c) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _match(
    masks: np.ndarray, bodies: _Bodies, height: float, ground: float, options: FitOptions
) -> tuple[np.ndarray, ...]:
    """Table rows of one clip: view, weight, height, ground, centre and overlap, all (rows,)."""
    flat, moved = _centred(masks)
    crops, offset = _crops(bodies.canvas, height, ground)
    overlap = _overlap(flat, crops)
    score = options.sharpness * overlap + bodies.log_prior
    best = np.argpartition(-score, options.keep, axis=1)[:, : options.keep]
    value = np.take_along_axis(score, best, axis=1)
    weight = np.exp(value - value.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True) * len(masks)
    frame = np.repeat(np.arange(len(masks)), options.keep)
    view = best.ravel()
    centre = 0.5 + moved[frame] - offset[view]
    same = np.ones(len(view))
    kept = np.take_along_axis(overlap, best, axis=1).ravel()
    return view, weight.ravel() * len(masks), same * height, same * ground, centre, kept


def _report(
    store: ClipStore,
    usable: list[int],
    places: list[tuple[float, float]],
    table: FittedTable,
    overlap: np.ndarray,
    thickness: float,
) -> dict[str, object]:
    yaw = np.abs(table.yaw)
    return {
        "clips": len(store.clips),
        "clips_used": len(usable),
        "rows": len(table.weight),
        "thickness": thickness,
        "overlap": round(float((overlap * table.weight).sum()), 4),
        "frontal_share": round(float(table.weight[yaw < 45.0].sum()), 4),
        "side_share": round(float(table.weight[(yaw >= 45.0) & (yaw < 135.0)].sum()), 4),
        "cut_share": round(float(table.weight[table.ground > 1.0].sum()), 4),
        "places": {
            store.clips[i].name: {"height": round(h, 4), "top": round(g - h, 4)}
            for i, (h, g) in zip(usable, places, strict=True)
        },
    }
