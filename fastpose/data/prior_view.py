"""A pose prior beside the clips it is meant for: a sheet to look at and figures to compare."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table

from fastpose.data.body_shapes import draw_bodies
from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.data.prior_fit import clip_silhouettes, fit_prior
from fastpose.data.silhouette_match import GRID
from fastpose.media.drawing import contact_sheet, draw_skeleton
from fastpose.media.images import resize
from fastpose.skeletons import Skeleton

_SIDE = 128  # of a picture on the sheet, in pixels
_COVER = 0.012  # body heights that clothes add to the limbs


@dataclass(frozen=True)
class FramingStatistics:
    """Where silhouettes lie; mean and standard deviation, as shares of the crop's side.

    Args:
        values: name -> (mean, standard deviation) of top, bottom, centre, width, height and area.
        cut: share of silhouettes that touch the lower border.
        occupancy: (GRID,GRID) mean silhouette.
    """

    values: dict[str, tuple[float, float]]
    cut: float
    occupancy: np.ndarray


def framing_statistics(masks: np.ndarray) -> FramingStatistics:
    """Statistics of silhouettes (n,GRID,GRID) in [0,1]; empty ones are left out."""
    solid = masks > 0.5
    solid = solid[solid.any(axis=(1, 2))]
    if not len(solid):
        raise ValueError("no silhouette to describe")
    rows, columns = np.any(solid, axis=2), np.any(solid, axis=1)
    top, left = rows.argmax(axis=1), columns.argmax(axis=1)
    bottom = GRID - rows[:, ::-1].argmax(axis=1)
    right = GRID - columns[:, ::-1].argmax(axis=1)
    measured = {
        "top": top,
        "bottom": bottom,
        "centre": 0.5 * (left + right),
        "width": right - left,
        "height": bottom - top,
        "area": solid.mean(axis=(1, 2)) * GRID,
    }
    values = {k: (float(v.mean() / GRID), float(v.std() / GRID)) for k, v in measured.items()}
    return FramingStatistics(values, float((bottom == GRID).mean()), masks.mean(axis=0))


def occupancy_agreement(a: FramingStatistics, b: FramingStatistics) -> float:
    """Intersection over union of the two mean silhouettes, 1 where they are the same."""
    low, high = np.minimum(a.occupancy, b.occupancy), np.maximum(a.occupancy, b.occupancy)
    return float(low.sum() / max(float(high.sum()), 1e-6))


def prior_silhouettes(prior: PosePrior, n: int, rng: np.random.Generator) -> np.ndarray | None:
    """Bodies (n,GRID,GRID) in [0,1] as the prior frames them; None for 2D priors."""
    points, height = prior.sample_source(n, rng)
    if height is None:
        return None
    drawn = draw_bodies(
        0.5 * (points + 1.0), _COVER, height=height, extent=(0.0, 0.0, 1.0), cells=GRID
    )
    return drawn / np.float32(255.0)


@dataclass(frozen=True)
class PriorView:
    """The sheet (H,W,3) uint8 and the statistics of the clips and of the prior."""

    sheet: np.ndarray
    clips: FramingStatistics | None
    prior: FramingStatistics | None

    def table(self) -> Table:
        """The statistics side by side, for the terminal."""
        table = Table(title="silhouettes, shares of the picture's side: mean (standard deviation)")
        table.add_column("")
        table.add_column("clips", justify="right")
        table.add_column("prior", justify="right")
        sides = (self.clips, self.prior)
        names = next((list(s.values) for s in sides if s is not None), [])
        for name in names:
            cells = ["-" if s is None else "{:.3f} ({:.3f})".format(*s.values[name]) for s in sides]
            table.add_row(name, *cells)
        table.add_row("cut below", *("-" if s is None else f"{s.cut:.0%}" for s in sides))
        if self.clips is not None and self.prior is not None:
            agreement = occupancy_agreement(self.clips, self.prior)
            table.add_row("mean silhouettes agree", "", f"{agreement:.3f}")
        return table


def open_prior(
    paths: Sequence[str | os.PathLike[str]],
    skeleton: Skeleton,
    config: PriorConfig,
    store: ClipStore,
    *,
    fit: bool,
    table: str | os.PathLike[str] | None,
    seed: int = 0,
) -> PosePrior:
    """The prior to look at.

    Args:
        paths: files or folders of poses.
        skeleton: the joints to give.
        config: how poses are drawn.
        store: the clips.
        fit: fit to the clips and write ``table``; otherwise draw from ``table`` where one is named.
        table: the file.
        seed: of the fit.

    Raises:
        UserError: anything named that cannot be used.
    """
    if table is not None and not fit:
        config = replace(config, framing="fitted", fit=str(table))
    prior = PosePrior.from_path(paths, skeleton, config)
    if fit and table is not None:
        prior = PosePrior(skeleton, fit_prior(prior, store, table, seed=seed).config, prior.bank)
    return prior


def view_prior(
    prior: PosePrior, store: ClipStore, *, columns: int = 12, rows: int = 3, seed: int = 0
) -> PriorView:
    """Frames of the clips, their silhouettes, and poses of the prior, with statistics of both.

    Args:
        prior: the poses.
        store: the clips.
        columns, rows: pictures of each kind.
        seed: of the frames and poses shown.
    """
    rng = np.random.default_rng(seed)
    count = columns * rows
    picked = rng.choice(len(store.clips), count, replace=count > len(store.clips))
    frames = [store.clips[c].frames[rng.integers(len(store.clips[c]))] for c in picked]
    pictures = [resize(np.asarray(f), (_SIDE, _SIDE)) for f in frames]
    found = [clip_silhouettes(clip, 8) for clip in store.clips]
    masks = np.concatenate(found)
    points = (prior.sample(count, rng) + 1.0) * 0.5 * _SIDE - 0.5
    paper = np.full((_SIDE, _SIDE, 3), 40, np.uint8)
    poses = [draw_skeleton(paper, p, prior.skeleton) for p in points]
    bodies = prior_silhouettes(prior, 512, rng)
    sheet: list[tuple[str, list[np.ndarray]]] = []
    sheet += _block(f"frames of {store.path.name}", pictures, columns)
    sheet += _block("poses of the prior", poses, columns)
    shown = masks[np.linspace(0, len(masks) - 1, columns).astype(int)] if len(masks) else masks
    sheet += _block("silhouettes found in the clips", [_grey(m) for m in shown], columns)
    if bodies is not None:
        sheet += _block("bodies of the prior", [_grey(m) for m in bodies[:columns]], columns)
    clips = framing_statistics(masks) if len(masks) else None
    drawn = framing_statistics(bodies) if bodies is not None else None
    means = [_grey(s.occupancy) for s in (clips, drawn) if s is not None]
    sheet += _block("mean silhouette of clips and prior", means, columns)
    return PriorView(contact_sheet(sheet), clips, drawn)


def _block(
    caption: str, pictures: list[np.ndarray], columns: int
) -> list[tuple[str, list[np.ndarray]]]:
    rows = [pictures[at : at + columns] for at in range(0, len(pictures), columns)]
    return [(caption if i == 0 else "", row) for i, row in enumerate(rows)]


def _grey(mask: np.ndarray) -> np.ndarray:
    grey = np.clip(255.0 * mask, 0.0, 255.0).astype(np.uint8)
    return resize(np.repeat(grey[..., None], 3, axis=2), (_SIDE, _SIDE))
