"""Penn Action: 2,326 sports clips with 13 joints, boxes and visibility in every frame.

::

    ROOT/frames/0001/000001.jpg ...    RGB, at most 640 x 480
    ROOT/labels/0001.mat               action, pose (viewpoint), x (N,13), y (N,13),
                                       visibility (N,13), train (1, or -1 for testing),
                                       bbox (N,4) left top right bottom, dimensions (3,) height
                                       width N, nframes

Layout, fields and the total: README of the data set (Zhang, Zhu, Derpanis, "From Actemes to
Action", ICCV 2013). Joints: head, then shoulders, elbows, wrists, hips, knees, ankles, left before
right, the person's own sides. 1,258 clips are for training, 1,068 for testing. Positions count from
1 (MATLAB; assumed) and are moved to count from 0; of joints that are not visible the position is a
guess, kept but not counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.matlab import load_mat, scalar
from fastpose.data.datasets.pictures import Numbered, read_pictures
from fastpose.errors import UserError
from fastpose.files import listed
from fastpose.media.images import image_size
from fastpose.skeletons import get_skeleton

_FPS = 30.0  # assumed: the clips come from the web, the data set names no rate


class Reader(base.Reader):
    """See the module."""

    title = "Penn Action"
    skeleton = get_skeleton("body13")
    counts: ClassVar = {"train": 1258, "test": 1068}

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._labels, self._frames = self.folder("labels"), self.folder("frames")
        self._all = [path.stem for path in listed(self._labels, "*.mat")]

    def items(self, split: str) -> list[str]:
        wanted = 1 if split == "train" else -1
        return [name for name in self._all if self._side(name) == wanted]

    def _side(self, name: str) -> int:
        path = self._labels / f"{name}.mat"
        try:
            side = scalar(load_mat(path, "train")["train"])
        except UserError:
            return 1  # reading the item will say what is wrong
        return -1 if side == -1 else 1

    def read(self, item: str) -> Iterable[Recording]:
        path, folder = self._labels / f"{item}.mat", self._frames / item
        data = load_mat(path, "action", "x", "y", "visibility", "bbox", "nframes")
        try:
            count = int(scalar(data["nframes"]) or 0)
            points = np.stack([data["x"], data["y"]], axis=-1).astype(np.float32) - 1.0
            visible = np.asarray(data["visibility"]) != 0
            boxes = np.asarray(data["bbox"], np.float64)
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: is no table of joints ({error}); copy it again") from None
        if points.shape != (count, 13, 2) or visible.shape != (count, 13):
            raise UserError(
                f"{path}: says {count} frames of 13 joints but holds {points.shape[:2]}; "
                "copy it again"
            )
        files = Numbered(folder, "{:06d}.jpg").require(range(1, count + 1), path)
        if boxes.shape == (count, 4):
            boxes = boxes + np.array([-1.5, -1.5, -0.5, -0.5])
        else:  # where they are missing, as wide as the joints ask for
            boxes = base.grown(base.boxes_of_points(points, visible), 0.1)
        yield Recording(
            name=item,
            source=self.inside(folder),
            size=image_size(files[0]),
            numbers=range(count),
            images=lambda: read_pictures(files),
            fps=_FPS,
            activity=str(scalar(data["action"])),
            keypoints=points,
            visible=visible,
            boxes=boxes,
        )
