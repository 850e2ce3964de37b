"""Sample sheets: what the model makes of the same few frames, as training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from fastpose.files import explained
from fastpose.media.drawing import contact_sheet, draw_skeleton
from fastpose.media.images import resize, write_image
from fastpose.skeletons import Skeleton
from fastpose.training.batches import Sources, to_batch
from fastpose.training.state import TrainState

_SHOWN = 8
_SIDE = 128  # smaller pictures are enlarged to this side, so that skeletons can be seen
_SEED_WORD = 0x5EE7  # keeps these frames apart from the training's draws


class SheetWriter:
    """Draws sheets of fixed frames and poses into ``folder/step_N.png``.

    Args:
        folder: made when the first sheet is written.
        sources: drawn from once, with generators of their own.
        seed: of those generators.
    """

    def __init__(self, folder: Path, sources: Sources, *, seed: int) -> None:
        self._folder = folder
        self._arrays: dict[str, np.ndarray] = {}
        if sources.frames is not None:
            rng = np.random.default_rng([seed, _SEED_WORD])
            self._arrays["target"], self._arrays["other"], _ = sources.frames.sample(_SHOWN, rng)
        elif sources.keypoints is not None:
            rng = np.random.default_rng([seed, _SEED_WORD])
            self._arrays["target"] = sources.keypoints.sample(_SHOWN, rng)[0]
        if sources.poses is not None:
            rng = np.random.default_rng([seed, _SEED_WORD, 1])
            self._arrays["poses"] = sources.poses.sample(_SHOWN, rng)

    def write(self, state: TrainState) -> Path | None:
        """The sheet of the averaged model; None where there are no frames to show it on.

        Neither the model's state nor any random generator is changed.
        """
        if "target" not in self._arrays:
            return None
        model = state.ema.module()
        batch = to_batch(self._arrays, state.device)
        devices = [state.device] if state.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.no_grad():
            columns = model.sheet(batch)
        rows = sheet_rows(columns, model.skeleton)
        if "poses" in self._arrays:
            rows.append(("poses of the prior", _draw_poses(self._arrays, model.skeleton)))
        title = f"step {state.step}, {state.last_stage().name}"
        path = self._folder / f"step_{state.step:06d}.png"
        with explained(path, "the sample sheet"):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_image(path, contact_sheet(rows, title=title))
        return path


def sheet_rows(
    columns: Mapping[str, np.ndarray], skeleton: Skeleton
) -> list[tuple[str, list[np.ndarray]]]:
    """Captioned rows of enlarged pictures.

    Args:
        columns: name to (n,S,S,3) uint8 pictures, and ``points`` (n,K,2) in their pixels, which
            are drawn over ``input`` as one more row, ``overlay``.
        skeleton: of the points.
    """
    pictures = {name: column for name, column in columns.items() if name != "points"}
    rows = [(name, [_enlarge(image) for image in column]) for name, column in pictures.items()]
    if "points" in columns and "input" in pictures:
        overlay = zip(pictures["input"], columns["points"], strict=True)
        rows.append(("overlay", [_draw_over(image, points, skeleton) for image, points in overlay]))
    return rows


def _factor(side: int) -> int:
    return max(1, _SIDE // side)


def _enlarge(image: np.ndarray) -> np.ndarray:
    factor = _factor(image.shape[0])
    return resize(image, (image.shape[1] * factor, image.shape[0] * factor))


def _draw_over(image: np.ndarray, points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    factor = _factor(image.shape[0])
    return draw_skeleton(_enlarge(image), (points + 0.5) * factor - 0.5, skeleton)


def _draw_poses(arrays: Mapping[str, np.ndarray], skeleton: Skeleton) -> list[np.ndarray]:
    side = arrays["target"].shape[1]
    blank = np.zeros((side, side, 3), dtype=np.uint8)
    pixels = (arrays["poses"] + 1) * (side - 1) / 2
    return [_draw_over(blank, points, skeleton) for points in pixels]
