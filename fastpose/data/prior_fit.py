"""Fit a pose prior to unlabelled clips: how large, where, from which side, in which poses.

No label is used. Silhouettes of the clips (``foreground``) are compared with silhouettes of the
prior's bodies (``body_shapes``). Per clip, the scale and the ground are those under which the
bodies cover the silhouettes best; then each frame keeps the poses and views that cover it best.
Their table is what ``PriorConfig(framing="fitted")`` draws from.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

import numpy as np

from fastpose.data.clips import Clip, ClipStore
from fastpose.data.foreground import shrink, silhouettes
from fastpose.data.pose_bank import PoseBank, recombine
from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.data.prior_table import FittedTable
from fastpose.data.silhouette_match import (
    GRID,
    Matches,
    Views,
    centred,
    crops_of,
    make_views,
    match,
    overlap_of,
)
from fastpose.errors import UserError

_HEIGHT_STEP, _TOP_STEP = 0.11, 0.045  # of the search, in logarithms and in sides of the crop
_LEAST_COVERED = 0.85  # of the median overlap; frames below it are left out
_SEARCH_FRAMES = 5  # frames of each clip that the search for its framing looks at


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
        cover: what clothes and the silhouettes' blur add to the limbs' radii, in body heights. Not
            searched: thicker and smaller bodies cover silhouettes about as well.
        heights: smallest and largest body height that is tried, as a share of the crop's side.
        tops: highest and lowest top of the head of the standing person that is tried.
        together: how much the clips share one framing; 0 fits each alone.
    """

    poses: int = 3000
    recombination: float = 0.8
    yaw_step: float = 15.0
    frames_per_clip: int = 30
    keep: int = 12
    sharpness: float = 40.0
    cover: float = 0.02
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
class _Framing:
    """Where the standing person is: body height and the head's top, in sides of the crop."""

    height: float
    top: float

    @property
    def ground(self) -> float:
        return self.top + self.height

    def rounded(self) -> _Framing:
        """To 4 % of the height and 2 % of the side, so that alike clips are treated together."""
        height = float(np.exp(round(np.log(self.height) / 0.04) * 0.04))
        return _Framing(height, round(self.top / 0.02) * 0.02)


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
    options, bank, config = options or FitOptions(), prior.bank, prior.config
    if not isinstance(bank, PoseBank):
        raise UserError("fit: needs a prior of 3D poses; 2D points have no view to choose")
    rng = np.random.default_rng(seed)
    found = [clip_silhouettes(clip, options.frames_per_clip) for clip in store.clips]
    used = [i for i, m in enumerate(found) if len(m)]
    masks = [found[i] for i in used]
    if not masks:
        raise UserError(
            f"{store.path}: no clip shows a person against a still background; "
            "set the prior's height and top by hand"
        )
    few = bank.take(bank.draw(options.poses // 10, rng))
    few = recombine(few, options.recombination, rng, bank)
    framings = _find_framings(masks, few, config, options)
    poses = recombine(bank.take(bank.draw(options.poses, rng)), options.recombination, rng, bank)
    yaws, density = likely_yaws(config, options.yaw_step)
    views = make_views(poses, yaws, density, config.pitch_mean, options.cover)
    table, overlap = _match_clips(masks, framings, poses, views, config, options)
    fitted = _fitted_config(config, table, path)
    report: dict[str, object] = {
        "clips": len(store.clips),
        "clips_used": len(masks),
        "rows": len(table.weight),
        "overlap": round(overlap, 4),
        "frontal_share": fitted.frontal_share,
        "side_share": fitted.side_share,
        "cut_share": round(float(table.weight[table.ground > 1.0].sum()), 4),
        "framings": {
            store.clips[i].name: {"height": round(f.height, 4), "top": round(f.top, 4)}
            for i, f in zip(used, framings, strict=True)
        },
    }
    table.save(path, report)
    return PriorFit(table, fitted, report)


def clip_silhouettes(clip: Clip, count: int) -> np.ndarray:
    """(n,GRID,GRID) of up to ``count`` frames spread over the clip, without empty ones.

    The clip's stored masks serve only where none are found: the framing follows from the
    silhouettes' outlines, and masks with soft or wide edges mislead it.
    """
    frames = clip.frames
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int))
    found = _not_empty(silhouettes(np.asarray(frames))[chosen])
    if not len(found) and clip.mask is not None:
        found = _not_empty(np.asarray(clip.mask[chosen], np.float32) / 255.0)
    return found


def _not_empty(masks: np.ndarray) -> np.ndarray:
    """The masks (n,s,s) that show someone, at the grid's resolution."""
    small = shrink(masks[..., None], GRID)[..., 0]
    area = small.mean(axis=(1, 2))
    return small[(area > 0.01) & (area < 0.6) & (area > 0.4 * np.median(area))]


def likely_yaws(config: PriorConfig, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Yaws ``step`` degrees apart and their probabilities under the config's mixture."""
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


def _find_framings(
    masks: list[np.ndarray], poses: PoseBank, config: PriorConfig, options: FitOptions
) -> list[_Framing]:
    """Each clip's framing: where bodies cover its frames best."""
    frames, owner = [], []
    for clip, found in enumerate(masks):
        count = min(_SEARCH_FRAMES, len(found))
        chosen = np.unique(np.linspace(0, len(found) - 1, count).astype(int))
        frames.append(centred(found[chosen])[0])
        owner += [clip] * len(chosen)
    flat, count = np.concatenate(frames), np.bincount(owner, minlength=len(masks))
    heights, tops = _grid(np.log(options.heights), _HEIGHT_STEP), _grid(options.tops, _TOP_STEP)
    yaws, density = likely_yaws(config, 2.0 * options.yaw_step)

    def score(i: int, j: int) -> np.ndarray:
        """(clips,) mean overlap of the best bodies of three thirds at one point of the grid."""
        height = float(np.exp(heights[i]))
        overlap = overlap_of(flat, crops_of(views.canvas, height, tops[j] + height)[0])
        thirds = [overlap[:, at::3].max(axis=1) for at in range(3)]
        best = np.mean(thirds, axis=0)
        return np.bincount(owner, best, minlength=len(masks)) / count

    views = make_views(poses, yaws, density, config.pitch_mean, options.cover)
    scores = np.full((len(heights), len(tops), len(masks)), -np.inf)
    for i, j in np.ndindex(len(heights), len(tops)):
        if i % 2 == 0 and j % 2 == 0:
            scores[i, j] = score(i, j)
    shared = scores + options.together * scores.mean(axis=2, keepdims=True)
    near = np.zeros(scores.shape[:2], bool)  # the fine grid, where any clip found its best
    for clip in range(len(masks)):
        i, j = divmod(int(shared[..., clip].argmax()), len(tops))
        near[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2] = True
    for i, j in np.argwhere(near & ~np.isfinite(scores[..., 0])):
        scores[i, j] = score(int(i), int(j))
    shared = scores + options.together * scores.mean(axis=2, keepdims=True)
    framings = []
    for clip in range(len(masks)):
        values = shared[..., clip]
        i, j = divmod(int(values.argmax()), len(tops))
        height = np.exp(heights[i] + (heights[1] - heights[0]) * _vertex(values[:, j], i))
        top = tops[j] + (tops[1] - tops[0]) * _vertex(values[i], j)
        framings.append(_Framing(float(height), float(top)))
    return framings


def _grid(limits: tuple[float, float] | np.ndarray, step: float) -> np.ndarray:
    low, high = float(limits[0]), float(limits[1])
    return np.linspace(low, high, 2 + int(np.ceil((high - low) / step)))


def _vertex(values: np.ndarray, at: int) -> float:
    """Where a parabola through the best value and its neighbours peaks, in steps from ``at``."""
    if not 0 < at < len(values) - 1:
        return 0.0
    a, b, c = values[at - 1 : at + 2]
    bend = a - 2.0 * b + c
    return float(np.clip(0.5 * (a - c) / bend, -0.5, 0.5)) if -np.inf < bend < 0 else 0.0


def _match_clips(
    masks: list[np.ndarray],
    framings: list[_Framing],
    poses: PoseBank,
    views: Views,
    config: PriorConfig,
    options: FitOptions,
) -> tuple[FittedTable, float]:
    """The table of all clips, each counting about the same, and its mean overlap."""
    groups: dict[_Framing, list[int]] = {}
    for clip, framing in enumerate(framings):
        groups.setdefault(framing.rounded(), []).append(clip)
    found: list[tuple[Matches, _Framing, np.ndarray]] = []
    for framing, clips in groups.items():
        best = match(
            np.concatenate([masks[c] for c in clips]),
            views,
            framing.height,
            framing.ground,
            sharpness=options.sharpness,
            keep=options.keep,
            mirror=config.mirror,
        )
        share = np.concatenate([np.full(len(masks[c]), 1.0 / len(masks[c])) for c in clips])
        found.append((best, framing, share))
    # Frames that no body covers are broken silhouettes: they would teach strange poses.
    least = _LEAST_COVERED * np.median(np.concatenate([b.overlap[:, 0] for b, _, _ in found]))
    weights, columns = [], []
    for best, framing, share in found:
        weight = np.exp(best.score - best.score.max(axis=1, keepdims=True))
        weight *= share[:, None] / weight.sum(axis=1, keepdims=True)
        weights.append((weight * (best.overlap[:, :1] >= least)).ravel())
        place = np.full((best.view.size, 2), (framing.height, framing.ground))
        columns.append((best.view, best.mirrored, place[:, 0], place[:, 1], best.centre))
    view, mirrored, height, ground, centre = (
        np.concatenate([c.ravel() for c in column]) for column in zip(*columns, strict=True)
    )
    weight = np.concatenate(weights)
    weight /= weight.sum()
    overlap = np.concatenate([best.overlap.ravel() for best, _, _ in found])
    yaw = np.where(mirrored, -1.0, 1.0) * views.yaw[view]
    table = FittedTable(poses, weight, views.pose[view], yaw, mirrored, height, ground, centre)
    return table, float((overlap * weight).sum())


def _fitted_config(
    config: PriorConfig, table: FittedTable, path: str | os.PathLike[str]
) -> PriorConfig:
    """The config that draws from the table; its other fields describe the same framing."""
    yaw = np.abs(table.yaw)
    frontal = float(table.weight[yaw < 45.0].sum())
    side = float(table.weight[(yaw >= 45.0) & (yaw <= 135.0)].sum())
    return replace(
        config,
        framing="fitted",
        fit=str(path),
        frontal_share=round(frontal, 4),
        side_share=round(min(side, 1.0 - round(frontal, 4)), 4),
        height=round(float(table.weight @ table.height), 4),
        top=round(float(table.weight @ (table.ground - table.height)), 4),
    )
