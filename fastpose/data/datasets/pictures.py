"""Pictures of a data set, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fastpose.data.prepare.sources import natural_key
from fastpose.errors import UserError
from fastpose.media.images import IMAGE_SUFFIXES, Image, read_image


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder, ``frame9`` before ``frame10``; UserError if there are none."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; unpack the archive again")
    found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.name[0] != "."]
    if not found:
        raise UserError(f"{folder}: holds no pictures; unpack the archive again")
    return sorted(found, key=natural_key)


def read_pictures(files: Sequence[Path]) -> Iterator[Image]:
    """Decodes one after the other; UserError where one cannot be, or differs in size."""
    size = None
    for file in files:
        image = read_image(file)
        size = size or image.shape
        if image.shape != size:
            raise UserError(
                f"{file}: is {image.shape[1]} x {image.shape[0]} pixels, those before it are "
                f"{size[1]} x {size[0]}; copy it again"
            )
        yield image


def read_masks(files: Sequence[Path]) -> Iterator[Image]:
    """Like :func:`read_pictures`, but one channel, uint8 (H,W), of which any colour counts.

    A mask of 0 and 1 becomes one of 0 and 255.
    """
    for image in read_pictures(files):
        mask = np.ascontiguousarray(image.max(axis=-1))
        yield mask * 255 if mask.max() <= 1 else mask
