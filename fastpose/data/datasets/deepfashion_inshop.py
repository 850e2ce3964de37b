"""DeepFashion In-shop Clothes Retrieval: 52,712 pictures of garments worn, with landmarks.

::

    ROOT/Img/img/WOMEN/Dresses/id_00000002/02_1_front.jpg    256 x 256
    ROOT/Anno/list_landmarks_inshop.txt     see below
    ROOT/Eval/list_eval_partition.txt       name, item, train | query | gallery

Both lists start with a line of the number of rows and one of headings. A row of landmarks is: name,
clothes type (1 upper, 2 lower, 3 whole body), variation, then for each landmark its visibility
(0 visible, 1 hidden, 2 cut off), x, y. Upper-body clothes have six landmarks (collar, sleeve, hem,
left before right), lower-body clothes four (waistline, hem), whole-body clothes all eight. From the
data set's README (Liu, Luo, Qiu, Wang, Tang, "DeepFashion", CVPR 2016). Visible landmarks count.
Whose left is meant the README does not say; that the person's own is, is assumed.

A clip holds the pictures of one garment in one colour, mostly of one person in several poses: pairs
of them are what pose transfer trains on. ``test`` is query and gallery together. The pairs of Ma et
al., "Pose Guided Person Image Generation", are a selection of their own and not in these files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.pictures import read_pictures
from fastpose.errors import UserError
from fastpose.media.images import image_size
from fastpose.skeletons import make_skeleton

SKELETON = make_skeleton(
    "garment8",
    "l_collar r_collar l_sleeve r_sleeve l_waistline r_waistline l_hem r_hem",
    "l_collar-r_collar l_collar-l_sleeve r_collar-r_sleeve l_waistline-r_waistline l_hem-r_hem "
    "l_waistline-l_hem r_waistline-r_hem l_collar-l_hem r_collar-r_hem",
)
_LANDMARKS = {1: (0, 1, 2, 3, 6, 7), 2: (4, 5, 6, 7), 3: (0, 1, 2, 3, 4, 5, 6, 7)}
_PARTS = {"train": ("train",), "test": ("query", "gallery")}


class Reader(base.Reader):
    """See the module."""

    title = "DeepFashion In-shop"
    skeleton = SKELETON
    counts: ClassVar = {"train": 25882, "test": 26830}
    unit = "pictures"
    crop = "whole"
    size = 256
    min_frames = 1

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._images = self.folder("Img")
        self._landmarks = _rows(self.file("Anno/list_landmarks_inshop.txt"), 3)
        self._parts = _rows(self.file("Eval/list_eval_partition.txt"), 2)
        self._looks: dict[str, list[str]] = {}

    def items(self, split: str) -> list[str]:
        self._looks = {}
        for name, row in self._parts.items():
            if row[1] in _PARTS[split]:
                path = Path(name)
                colour = path.name.split("_")[0]
                self._looks.setdefault(f"{path.parent.as_posix()}/{colour}", []).append(name)
        return sorted(self._looks)

    def total(self, items: list[str]) -> int:
        return sum(len(self._looks[item]) for item in items)

    def read(self, item: str) -> Iterable[Recording]:
        names = sorted(self._looks[item])
        files = [self._images / name for name in names]
        lost = [file for file in files if not file.is_file()]
        if lost:
            raise UserError(f"{lost[0]}: no such file; unpack img.zip again")
        rows = [self._points(name) for name in names]
        yield Recording(
            name=item.removeprefix("img/").replace("/", "_"),
            source=item,
            size=image_size(files[0]),
            numbers=range(len(files)),
            images=lambda: read_pictures(files),
            activity=item.split("/")[-3],
            actor=item.split("/")[-2],
            keypoints=np.stack([points for points, _ in rows]),
            visible=np.stack([shown for _, shown in rows]),
        )

    def _points(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        points, shown = np.full((8, 2), np.nan), np.zeros(8, bool)
        row = self._landmarks.get(name)
        if row is None:
            return points, shown
        try:
            places = _LANDMARKS[int(row[0])]
            values = np.array(row[2:], np.float64).reshape(-1, 3)[: len(places)]
            if len(values) != len(places):
                raise ValueError(f"{len(values)} landmarks for clothes of type {row[0]}")
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{self.root}/Anno/list_landmarks_inshop.txt, {name}: {error}; copy it again"
            ) from None
        for place, (state, x, y) in zip(places, values, strict=True):
            if state < 2:
                points[place] = x, y
            shown[place] = state == 0
        return points, shown


def _rows(path: Path, least: int) -> dict[str, list[str]]:
    """The rows of a list by name, checked against the number in its first line."""
    try:
        lines = path.read_text().splitlines()
        wanted = int(lines[0])
    except (UnicodeDecodeError, IndexError, ValueError):
        raise UserError(f"{path}: does not start with its number of rows; copy it again") from None
    rows = [line.split() for line in lines[2:] if line.strip()]
    if len(rows) != wanted or any(len(row) < least for row in rows):
        raise UserError(
            f"{path}: says {wanted} rows, holds {len(rows)} or broken ones; copy it again"
        )
    return {row[0]: row[1:] for row in rows}
