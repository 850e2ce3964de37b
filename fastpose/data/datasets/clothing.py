"""Photographs of one standing person, with person masks for some of them.

::

    ROOT/images/0001.jpg ...    of any size; Clothing Co-Parsing calls the folder photos
    ROOT/masks/0001.png ...     the person; not every picture has one

Clothing Co-Parsing (Yang, Luo, Lin, "Clothing Co-Parsing by Joint Image Segmentation and Labeling",
CVPR 2014; repository bearpaw/clothing-co-parsing) has 2,098 street photographs, about 1,000 of them
with clothing labels from which the masks of persons follow. Any folder of pictures laid out so can
be read, so no number is expected. The split ``masked`` holds the pictures that have a mask, cut
about it; ``all`` holds all of them, those without a mask whole. No joints.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.pictures import picture_files, read_masks, read_pictures
from fastpose.errors import UserError
from fastpose.media.images import image_size


class Reader(base.Reader):
    """See the module."""

    title = "Clothing photographs"
    splits = ("masked", "all")
    unit = "pictures"
    min_frames = 1

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._images = {path.stem: path for path in picture_files(self.folder("images", "photos"))}
        self._masks = {path.stem: path for path in picture_files(self.folder("masks"))}
        lost = [stem for stem in self._masks if stem not in self._images]
        if lost:
            raise UserError(
                f"{self._masks[lost[0]]}: is the mask of no picture ({len(lost)} such masks); "
                "copy the pictures again"
            )

    def items(self, split: str) -> list[str]:
        return [stem for stem in self._images if split == "all" or stem in self._masks]

    def read(self, item: str) -> Iterable[Recording]:
        file, mask = self._images[item], self._masks.get(item)
        size = image_size(file)
        yield Recording(
            name=item,
            source=self.inside(file),
            size=size,
            numbers=range(1),
            images=lambda: read_pictures([file]),
            boxes=None if mask is None else _box(mask, size)[None],
            masks=None if mask is None else lambda: read_masks([mask]),
        )


def _box(path: Path, size: tuple[int, int]) -> np.ndarray:
    """(4,) the box about the mask's person."""
    (mask,) = read_masks([path])
    if (mask.shape[1], mask.shape[0]) != tuple(size):
        raise UserError(
            f"{path}: is {mask.shape[1]} x {mask.shape[0]} pixels, its picture {size[0]} x "
            f"{size[1]}; copy it again"
        )
    rows, columns = np.nonzero(mask > 127)
    if not len(rows):
        raise UserError(f"{path}: shows nobody; leave it out or copy it again")
    return np.array(
        [columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5], np.float64
    )
