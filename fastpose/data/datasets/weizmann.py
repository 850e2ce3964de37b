"""Weizmann actions as strips: one person before a fixed wall, ten actions, nine actors.

::

    ROOT/00000000.jpg ...    a strip 64 pixels high is a clip; frame i is columns 64 i to 64 i + 63

The recordings are those of Blank, Gorelick, Shechtman, Irani, Basri, "Actions as Space-Time
Shapes", ICCV 2005; the strips are how AliaksandrSiarohin/monkey-net distributes them, which names
neither actor nor action, so that there is only one split. They carry no labels. How many strips a
complete copy has could not be verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.pictures import picture_files
from fastpose.data.prepare.sources import StripSource
from fastpose.media.images import Image, image_size

_FPS = 25.0  # of the original videos


class Reader(base.Reader):
    """See the module."""

    title = "Weizmann strips"
    splits = ("train",)
    unit = "strips"
    crop = "whole"
    size = 64

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._files = {path.name: path for path in picture_files(root)}

    def items(self, split: str) -> list[str]:
        return list(self._files)

    def read(self, item: str) -> Iterable[Recording]:
        strip = StripSource(self._files[item], _FPS)
        width, side = image_size(self._files[item])

        def images() -> Iterator[Image]:
            return (frame.image for frame in strip.frames())

        yield Recording(
            name=self._files[item].stem,
            source=item,
            size=(side, side),
            numbers=range(width // side),
            images=images,
            fps=_FPS,
        )
