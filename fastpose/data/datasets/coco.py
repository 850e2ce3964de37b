"""COCO keypoints: people in everyday pictures, 17 joints.

::

    ROOT/annotations/person_keypoints_train2017.json (and val2017)
    ROOT/train2017/000000000009.jpg ... (and val2017)

Format: https://cocodataset.org/#format-data. ``keypoints`` holds 17 times x, y, v, where v is 0 for
not labelled, 1 for labelled but hidden, 2 for visible; labelled joints count. ``bbox`` is x, y,
width, height. An item is a picture, a clip one person in it; crowds and people without a labelled
joint are left out. A picture holds other people too: what a clip shows besides its own person is
as it comes. The number of pictures with labelled people, 56,599 and 2,346 (train, val 2017), is the
one that training logs of public detectors report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import PIL.Image
import PIL.ImageDraw

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.errors import UserError
from fastpose.media.images import Image, read_image
from fastpose.skeletons import get_skeleton


class Reader(base.Reader):
    """See the module."""

    title = "COCO keypoints"
    splits = ("train2017", "val2017")
    skeleton = get_skeleton("coco17")
    counts: ClassVar = {"train2017": 56599, "val2017": 2346}
    unit = "pictures"
    min_frames = 1

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.folder("annotations")
        self._split, self._labels = "", self.root
        self._pictures: dict[str, dict[str, Any]] = {}
        self._people: dict[str, list[dict[str, Any]]] = {}

    def items(self, split: str) -> list[str]:
        self.folder(split)
        self._split = split
        self._labels = self.file(f"annotations/person_keypoints_{split}.json")
        pictures, people, _ = read_keypoints(self._labels)
        self._pictures, self._people = pictures, people
        return sorted(people)

    def read(self, item: str) -> Iterable[Recording]:
        path = self.root / self._split / item

        @cache
        def picture() -> Image:
            return read_image(path)

        labels, about = self._labels, self._pictures[item]
        size = (int(_row(about, "width", 1, labels)[0]), int(_row(about, "height", 1, labels)[0]))
        for person in self._people[item]:
            number = int(_row(person, "id", 1, labels)[0])
            _row(person, "keypoints", 51, labels)
            points, visible = keypoints_of(person, labels)
            x, y, width, height = _row(person, "bbox", 4, labels)
            if min(width, height) < 0 or max(width, height) == 0:
                raise UserError(
                    f"{labels}: entry {number}: bbox must be larger than nothing, not {width:g} x "
                    f"{height:g}; unpack the annotations again"
                )
            yield Recording(
                name=f"{path.stem}_{number}",
                source=f"{self._split}/{item}",
                size=size,
                numbers=range(1),
                images=lambda: [picture()],
                keypoints=points[None],
                visible=visible[None],
                boxes=np.array([[x, y, x + width, y + height]]) - 0.5,
                masks=lambda person=person: [_mask(person, size, labels)],
            )


def read_keypoints(
    path: Path,
) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]], list[str]]:
    """Pictures and people by file name, and the joints' names.

    People without a labelled joint, and crowds, are left out.

    Raises:
        UserError: Missing, no JSON, or not in COCO's format.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; unpack the annotations again")
    try:
        content = json.loads(path.read_text())
        names = {picture["id"]: picture["file_name"] for picture in content["images"]}
        pictures = {picture["file_name"]: picture for picture in content["images"]}
        if not all(isinstance(name, str) for name in pictures):
            raise TypeError("a file_name is no text")
        people: dict[str, list[dict[str, Any]]] = {}
        for person in content["annotations"]:
            labelled = any(person["keypoints"][2::3])
            if labelled and not person.get("iscrowd", 0):
                people.setdefault(names[person["image_id"]], []).append(person)
        kinds = content.get("categories") or []
        joints = next((k["keypoints"] for k in kinds if k.get("keypoints")), None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {str(error)[:60]}"
        raise UserError(
            f"{path}: is not in COCO's keypoint format ({reason}); unpack the annotations again"
        ) from None
    return pictures, people, list(joints or get_skeleton("coco17").joints)


def _row(entry: dict[str, Any], key: str, count: int, labels: Path) -> np.ndarray:
    """The numbers under a key of an entry: ``count`` of them, for 0 any multiple of three."""
    try:
        row = np.array([entry.get(key)], np.float64).ravel()
        fits = bool(np.isfinite(row).all()) and (len(row) == count or not (count or len(row) % 3))
    except (TypeError, ValueError):
        row, fits = np.empty(0), False
    if not fits:
        wanted = {0: "three numbers a joint", 1: "a number"}.get(count, f"{count} numbers")
        raise UserError(
            f"{labels}: entry {entry.get('id')}: {key} must be {wanted}, "
            f"not {str(entry.get(key))[:40]} ({len(row)}); unpack the annotations again"
        )
    return row


def keypoints_of(person: dict[str, Any], labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Joints (K,2) in pixels, NaN where there is no label, and which are labelled.

    Raises:
        UserError: not three numbers for each joint; names the file ``labels`` and the person.
    """
    rows = _row(person, "keypoints", 0, labels).reshape(-1, 3)
    labelled = rows[:, 2] > 0
    return np.where(labelled[:, None], rows[:, :2], np.nan), labelled


def _mask(person: dict[str, Any], size: tuple[int, int], labels: Path) -> Image:
    """The person's polygons, filled; all 0 where the outline is of another kind."""
    canvas = PIL.Image.new("L", size)
    draw = PIL.ImageDraw.Draw(canvas)
    try:
        for outline in _polygons(person.get("segmentation")):
            draw.polygon(outline, fill=255)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{labels}: entry {person.get('id')}: segmentation is no list of polygons ({error}); "
            "unpack the annotations again"
        ) from None
    return np.array(canvas)


def _polygons(segmentation: Any) -> Iterator[list[tuple[float, float]]]:
    for flat in segmentation if isinstance(segmentation, list) else []:
        yield [(x - 0.5, y - 0.5) for x, y in zip(flat[::2], flat[1::2], strict=False)]
