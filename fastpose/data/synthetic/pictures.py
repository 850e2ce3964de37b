"""A folder of pictures as what is behind synthetic people."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fastpose.data.synthetic.background import Room
from fastpose.errors import UserError
from fastpose.files import is_leftover
from fastpose.media.images import IMAGE_SUFFIXES, crop_window, image_size, read_image

_SMALLEST = 0.5  # of the largest square in a picture that a background shows of it (assumed)


class Backgrounds:
    """Draws parts of the pictures in a folder and in its sub-folders.

    Args:
        path: The folder. Every picture's header is read at once, its pixels when it is drawn.

    Raises:
        UserError: No such folder, no picture in it, or a picture that cannot be read.

    Attributes:
        files: The pictures, in the order of their names, which together with the seed decides
            which one a clip gets.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            what = "is a file" if self.path.exists() else "no such folder"
            raise UserError(f"{path}: {what}; name a folder of pictures for the backgrounds")
        found = [p for p in self.path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES]
        self.files = sorted(
            (p for p in found if p.is_file() and not is_leftover(p)),
            key=lambda p: p.relative_to(self.path).as_posix(),
        )
        if not self.files:
            raise UserError(
                f"{path}: holds no picture for a background ({', '.join(sorted(IMAGE_SUFFIXES))})"
            )
        for file in self.files:
            image_size(file)

    def room(self, rng: np.random.Generator, size: int) -> Room:
        """A square part of a picture, mirrored or not, of ``size`` pixels a side; without a floor,
        as nobody knows where in the picture there is one.

        Raises:
            UserError: the picture is damaged; names it.
        """
        image = read_image(self.files[rng.integers(len(self.files))])
        share, right, down = rng.uniform((_SMALLEST, 0.0, 0.0), 1.0)
        height, width = image.shape[:2]
        side = share * min(height, width)
        window = (right * (width - side) - 0.5, down * (height - side) - 0.5, side)
        plate = crop_window(image, window, size).astype(np.float32) / np.float32(255)
        if rng.random() < 0.5:
            plate = np.ascontiguousarray(plate[:, ::-1])
        return Room(plate, np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
