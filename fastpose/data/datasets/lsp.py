"""Leeds Sports Pose: 2,000 pictures of athletes, 14 joints each; the first half is for training.

::

    ROOT/images/im0001.jpg ... im2000.jpg    scaled to a person of about 150 pixels
    ROOT/joints.mat                          joints (3,14,2000): x, y, and 1 for an occluded joint

From the data set's README (Johnson and Everingham, "Clustered Pose and Nonlinear Appearance
Models", BMVC 2010): right ankle, knee, hip, left hip, knee, ankle, right wrist, elbow, shoulder,
left shoulder, elbow, wrist, neck, head top, the person's own sides. That 1 stands for occluded here
(and for visible in the extended set) is how public converters read the files. Every joint has a
position and counts. Positions count from 1 (MATLAB; assumed) and are moved to count from 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.matlab import load_mat
from fastpose.data.datasets.pictures import Numbered, read_pictures
from fastpose.errors import UserError
from fastpose.media.images import image_size
from fastpose.skeletons import get_skeleton


class Reader(base.Reader):
    """See the module."""

    title = "Leeds Sports Pose"
    skeleton = get_skeleton("lsp14")
    counts: ClassVar = {"train": 1000, "test": 1000}
    unit = "pictures"
    min_frames = 1
    picture: ClassVar = "im{:04d}.jpg"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._images, file = self.folder("images"), self.file("joints.mat")
        self._joints = self.joints(load_mat(file, "joints")["joints"], file).astype(np.float32)
        found = Numbered(self._images, self.picture)
        files = found.require(range(1, len(self._joints) + 1), file)
        self._files = {path.name: path for path in files}
        self._place = {name: i for i, name in enumerate(self._files)}

    def joints(self, raw: np.ndarray, file: Path) -> np.ndarray:
        """(N,14,2), NaN where there is no label."""
        if raw.ndim != 3 or raw.shape[:2] != (3, 14) or raw.dtype.kind not in "fiu":
            raise UserError(
                f"{file}: joints must be (3,14,N) numbers, not {raw.dtype} {raw.shape}; "
                "copy it again"
            )
        return raw[:2].transpose(2, 1, 0) - 1.0

    def items(self, split: str) -> list[str]:
        names, half = list(self._files), len(self._files) // 2
        return names[:half] if split == "train" else names[half:]

    def read(self, item: str) -> Iterable[Recording]:
        file, points = self._files[item], self._joints[self._place[item]][None]
        yield Recording(
            name=file.stem,
            source=self.inside(file),
            size=image_size(file),
            numbers=range(1),
            images=lambda: read_pictures([file]),
            keypoints=points,
            boxes=base.grown(base.boxes_of_points(points), 0.1),
        )
