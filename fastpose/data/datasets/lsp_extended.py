"""Leeds Sports Pose Extended Training: 10,000 pictures, up to 14 joints, all for training.

::

    ROOT/images/im00001.jpg ... im10000.jpg    scaled to a person of about 150 pixels
    ROOT/joints.mat                            joints (14,3,10000): x, y, and 1 for a visible joint

From the data set's README (Johnson and Everingham, "Learning Effective Human Pose Estimation from
Inaccurate Annotation", CVPR 2011); joints as in :mod:`fastpose.data.datasets.lsp`. A joint whose
flag is 0 has no usable position. Labels by paid strangers: some are wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import lsp
from fastpose.errors import UserError


class Reader(lsp.Reader):
    """See the module."""

    title = "Leeds Sports Pose Extended"
    splits = ("train",)
    counts: ClassVar = {"train": 10000}
    picture: ClassVar = "im{:05d}.jpg"

    def joints(self, raw: np.ndarray, file: Path) -> np.ndarray:
        if raw.ndim != 3 or raw.shape[:2] != (14, 3) or raw.dtype.kind not in "fiu":
            raise UserError(
                f"{file}: joints must be (14,3,N) numbers, not {raw.dtype} {raw.shape}; "
                "copy it again"
            )
        rows = raw.transpose(2, 0, 1)
        return np.where(rows[..., 2:] > 0, rows[..., :2] - 1.0, np.nan)

    def items(self, split: str) -> list[str]:
        return list(self._files)
