"""Simplified Human3.6M: 128 x 128 crops of Human3.6M with foreground masks and 32 joints.

::

    ROOT/S1/WithBackground/<sequence>/<frame>.jpg    128 x 128
    ROOT/S1/BackgroudMask/<sequence>/<frame>.png     the person, 0..1 or 0..255 (spelt so)
    ROOT/S1/Landmarks/<sequence>/<frame>.mat         keypoints_2d (32,2) in [0,1]: row, column

Prepared by Zhang et al., "Unsupervised Discovery of Object Landmarks as Structural Representations"
(CVPR 2018). Layout, splits and activities are those that the code of KeypointGAN (Jakab, Gupta,
Bilen, Vedaldi, CVPR 2020) reads: a sequence's folder starts with its activity; the six of
:data:`ACTIVITIES`; subjects 1, 5, 6, 7, 8, 9 for training and 11 for testing; pictures times mask,
that is, before black; of each training sequence the first half of the frames gives the pictures
and the second half the unpaired poses. Positions are taken for shares of the side from edge to edge
(assumed; KeypointGAN's own grid differs from that by up to a pixel).

The data set ``simplified-human36m-background`` is the same with the background left in. How many
sequences a complete copy has could not be verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.matlab import load_mat
from fastpose.data.datasets.pictures import Numbered, read_masks, read_pictures, same_numbers
from fastpose.errors import UserError
from fastpose.files import listed
from fastpose.media.images import Image, image_size
from fastpose.skeletons import get_skeleton

ACTIVITIES = ("directions", "discussion", "greeting", "posing", "waiting", "walking")
_SUBJECTS = {"train": ("S1", "S5", "S6", "S7", "S8", "S9"), "test": ("S11",)}
_MASKS, _IMAGES, _LABELS = "BackgroudMask", "WithBackground", "Landmarks"
_FPS = 50.0  # of Human3.6M


class Reader(base.Reader):
    """See the module."""

    title = "Simplified Human3.6M"
    skeleton = get_skeleton("h36m32")
    crop = "whole"
    halves: ClassVar = {"train": ("first", "second")}
    background = False

    def items(self, split: str) -> list[str]:
        found = []
        for subject in self.parts(_SUBJECTS[split], f"{{}}/{_MASKS}", f"{{}}/{_IMAGES}"):
            folders = (self.root / subject / kind for kind in (_MASKS, _IMAGES))
            names = {path.name for folder in folders for path in listed(folder) if path.is_dir()}
            wanted = [name for name in sorted(names) if _activity(name) in ACTIVITIES]
            found += [f"{subject}/{name}" for name in wanted]
        return found

    def read(self, item: str) -> Iterable[Recording]:
        subject, _, sequence = item.partition("/")
        kinds = [
            Numbered(self.root / subject / kind / sequence, name)
            for kind, name in ((_IMAGES, "{}.jpg"), (_MASKS, "{}.png"), (_LABELS, "{}.mat"))
        ]
        numbers = same_numbers(*kinds)
        images, masks, labels = ([kind[number] for number in numbers] for kind in kinds)
        size = image_size(images[0])
        points = np.stack([self._points(path) for path in labels])

        def cut_out() -> Iterator[Image]:
            for image, mask in zip(read_pictures(images), read_masks(masks), strict=True):
                share = mask.astype(np.uint16)[..., None]
                yield ((image * share + 127) // 255).astype(np.uint8)

        yield Recording(
            name=f"{subject}_{sequence}",
            source=f"{subject}/{_IMAGES}/{sequence}",
            size=size,
            numbers=numbers,
            images=(lambda: read_pictures(images)) if self.background else cut_out,
            fps=_FPS,
            activity=_activity(sequence),
            actor=subject,
            keypoints=points * np.array(size) - 0.5,
            masks=lambda: read_masks(masks),
        )

    def _points(self, path: Path) -> np.ndarray:
        points = load_mat(path, "keypoints_2d")["keypoints_2d"]
        if points.shape != (32, 2) or points.dtype.kind not in "fiu":
            raise UserError(
                f"{path}: keypoints_2d must be (32,2) numbers, not {points.dtype} {points.shape}; "
                "copy it again"
            )
        return points[:, ::-1].astype(np.float64)


class WithBackground(Reader):
    """The same pictures as they were filmed."""

    title = "Simplified Human3.6M with background"
    background = True


def _activity(sequence: str) -> str:
    """``Directions 1.54138969`` and ``Directions.54138969`` are both directions."""
    return sequence.replace(".", " ").split(" ")[0].lower()
