"""Where the detector looks: the square window around the person, frame by frame.

A detector answers for one person in one square window. It never says "nobody", so the window
decides what its answer is worth.

=========  ======================================================================================
``full``   the whole frame, padded to a square by repeating its edge; for pictures of one person
``motion`` windows that stay still, around whoever moves before a fixed camera; reads a video twice
``follow`` the box of the previous frame's joints; starts from the whole frame, reads once
``boxes``  windows around boxes from a file
``auto``   pictures, and square videos at most twice the model's size: full. Other videos: motion
           where somebody moves, else full
=========  ======================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np

from fastpose.inference.frames import Window
from fastpose.inference.windows import full_window

CropMode = Literal["auto", "full", "motion", "follow"]

# Share of a window's side that the joints' box takes up, where the model does not say. Assumed.
DEFAULT_FILL = 0.7


class Cropper(Protocol):
    """Chooses the window of every frame of one source, in order.

    Attributes:
        name: the mode, for reports.
        looks_back: the next window depends on this frame's joints, so frames go one by one.
    """

    name: str
    looks_back: bool

    def window(self, index: int, height: int, width: int) -> Window | None:
        """Window of frame `index` of height x width pixels; None where nobody is."""
        ...

    def observe(self, points: np.ndarray | None) -> None:
        """Learn the joints (K, 2), pixels of the frame, found in the last window, or their lack."""
        ...


class FullCrop:
    """The whole frame, always."""

    name, looks_back = "full", False

    def window(self, index: int, height: int, width: int) -> Window | None:
        """See `Cropper.window`."""
        return full_window(height, width)

    def observe(self, points: np.ndarray | None) -> None:
        """Nothing to learn."""


class FollowCrop:
    """A window around the previous frame's joints, sized as in training.

    It is as good as the detector: a person who is lost in one frame is looked for in the whole
    frame in the next, and a model trained on tight windows may never find a small person in a
    large frame. There, use ``motion`` or boxes.

    Args:
        framing: the model's `ModelInfo.framing`: ``fill``, ``center_x``, ``center_y``.
        inertia: share of the old window kept in the new one, against shaking. Assumed.
    """

    name, looks_back = "follow", True

    def __init__(self, framing: dict[str, float] | None = None, *, inertia: float = 0.7) -> None:
        framing = framing or {}
        self._fill = float(np.clip(framing.get("fill", DEFAULT_FILL), 0.1, 1.0))
        self._center = np.array([framing.get("center_x", 0.5), framing.get("center_y", 0.5)])
        self._inertia = inertia
        self._window: Window | None = None
        self._frame = (0, 0)

    def window(self, index: int, height: int, width: int) -> Window | None:
        """See `Cropper.window`."""
        if (height, width) != self._frame:
            self._frame, self._window = (height, width), None
        return self._window or full_window(height, width)

    def observe(self, points: np.ndarray | None) -> None:
        """See `Cropper.observe`."""
        if points is None:
            self._window = None
            return
        height, width = self._frame
        low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
        middle, extent = (low + high) / 2, float((high - low).max())
        outside = not (0 <= middle[0] <= width and 0 <= middle[1] <= height)
        if outside or extent < 0.02 * max(height, width):  # collapsed or gone: look everywhere
            self._window = None
            return
        side = min(extent / self._fill, 2.0 * max(height, width))
        wanted = np.array([*(middle - self._center * side), side])
        old = np.array(self._window or full_window(height, width))
        x0, y0, side = self._inertia * old + (1 - self._inertia) * wanted
        self._window = (float(x0), float(y0), float(side))


class PlannedCrop:
    """Windows known beforehand, frame by frame; nobody in the frames that have none.

    Args:
        name: where they come from, for reports.
        windows: frame number -> window.
        planned: the plan covers the frames before this one; those after it are taken whole.
    """

    looks_back = False

    def __init__(
        self, name: str, windows: Mapping[int, Window], *, planned: float = math.inf
    ) -> None:
        self.name, self.windows, self._planned = name, windows, planned

    def window(self, index: int, height: int, width: int) -> Window | None:
        """See `Cropper.window`."""
        return self.windows.get(index) if index < self._planned else full_window(height, width)

    def observe(self, points: np.ndarray | None) -> None:
        """Nothing to learn."""
