"""ChictopiaPlus: people of fashion photographs before black; segmented clothes and bodies.

::

    ROOT/train/00000_image.png            286 x 286, black where the person is not
    ROOT/train/00000_labels.png           22 classes of clothing; 0 is background
    ROOT/train/00000_bodysegments.png     six parts of the body; 0 is background
    ROOT/val/0000_..., ROOT/test/0000_...

Lassner, Pons-Moll, Gehler, "A Generative Model of People in Clothing" (ICCV 2017); names and
folders are those that the tools of its code (classner/generating_people) read and write, where
``image:png.png`` stands for ``image.png`` in unpacked archives. 23,012 train, 2,914 val and 2,874
test pictures, as independent public loaders count. Every picture is there twice, once mirrored, in
the same split. No joints are distributed with the pictures. The mask of a picture is where its
clothing label is not background.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.pictures import read_masks, read_pictures
from fastpose.errors import UserError
from fastpose.files import listed
from fastpose.media.images import Image, image_size


class Reader(base.Reader):
    """See the module."""

    title = "ChictopiaPlus"
    splits = ("train", "val", "test")
    counts: ClassVar = {"train": 23012, "val": 2914, "test": 2874}
    unit = "pictures"
    crop = "whole"
    size = 256
    min_frames = 1

    def items(self, split: str) -> list[str]:
        folder = self.folder(split)
        found = [*listed(folder, "*_image.png"), *listed(folder, "*_image:png.png")]
        return sorted(self.inside(path) for path in found)

    def read(self, item: str) -> Iterable[Recording]:
        file = self.root / item
        labels = file.with_name(file.name.replace("_image", "_labels"))

        def masks() -> Iterator[Image]:
            if not labels.is_file():
                raise UserError(f"{labels}: no such file; unpack the archive again")
            return (np.where(mask > 0, 255, 0).astype(np.uint8) for mask in read_masks([labels]))

        yield Recording(
            name=f"{file.parent.name}_{file.name.split('_')[0]}",
            source=item,
            size=image_size(file),
            numbers=range(1),
            images=lambda: read_pictures([file]),
            masks=masks,
        )
