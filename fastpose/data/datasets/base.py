"""What a reader of a data set gives: items by split, and each item's recordings with labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from fastpose.errors import UserError
from fastpose.media.images import Image
from fastpose.skeletons import Skeleton

Window = tuple[float, float, float]  # left, top outer corner and side, pixels of the source
# person: squares about the boxes, one for each clip; whole: the pictures are framed already;
# given: the recording says how.
Crop = Literal["person", "whole", "given"]
Half = Literal["all", "first", "second"]


@dataclass(frozen=True)
class Recording:
    """One person over some pictures of one source, with what the data set knows of them.

    Attributes:
        name: What its clips are called.
        source: The file or folder, as a path inside the data set's.
        size: (width, height) of the pictures in pixels.
        numbers: (N,) ascending numbers of the pictures in the source.
        images: Gives the N pictures in order, RGB uint8.
        fps: Pictures per second of the source; 1 for pictures that are no video.
        activity, actor, group, view: See ``Clip``.
        keypoints: (N,K,2) pixels, whose centres are integers; NaN where a joint has no label.
        visible: (N,K) bool, which joints count in the data set's protocol; all finite ones if None.
        keypoints3d: (N,K,3) metres, camera space.
        rotation: (3,3) from world to camera; kept where ``intrinsics`` are known too.
        intrinsics: (4,) fx, fy, cx, cy in pixels.
        boxes: (N,4) left, top, right, bottom edge in pixels.
        masks: Gives the N masks in order, uint8 (H,W).
        windows: (N,3) square of each picture, for the crop ``given``; pictures of one square that
            follow each other make a clip.
        background: (H,W,3) the scene without the person.
    """

    name: str
    source: str
    size: tuple[int, int]
    numbers: Sequence[int]
    images: Callable[[], Iterable[Image]]
    fps: float = 1.0
    activity: str | None = None
    actor: str | None = None
    group: str | None = None
    view: str | None = None
    keypoints: np.ndarray | None = None
    visible: np.ndarray | None = None
    keypoints3d: np.ndarray | None = None
    rotation: np.ndarray | None = None
    intrinsics: np.ndarray | None = None
    boxes: np.ndarray | None = None
    masks: Callable[[], Iterable[Image]] | None = None
    windows: np.ndarray | None = None
    background: Image | None = None

    def part(self, start: int, stop: int, step: int = 1) -> Recording:
        """Every ``step``-th picture from ``start`` up to ``stop``, with its labels."""
        if (start, stop, step) == (0, len(self.numbers), 1):
            return self
        chosen = slice(start, stop, step)

        def some(give: Callable[[], Iterable[Image]]) -> Callable[[], Iterable[Image]]:
            return lambda: islice(give(), start, stop, step)

        arrays = {}
        for key in ("keypoints", "visible", "keypoints3d", "boxes", "windows"):
            array = getattr(self, key)
            arrays[key] = None if array is None else array[chosen]
        return replace(
            self,
            numbers=self.numbers[chosen],
            images=some(self.images),
            masks=None if self.masks is None else some(self.masks),
            fps=self.fps / step,
            **arrays,
        )


class Reader(ABC):
    """A data set on disk. Subclasses say in their module's docstring what lies where.

    Attributes:
        title: Name and source of the data set.
        splits: Names of its splits; the first is the usual one for training.
        skeleton: Joints of its labels, None where it has none.
        counts: What :meth:`total` gives for each split of the complete data set.
        unit: What is counted, in the plural.
        crop: How pictures become squares.
        size: Usual side of the squares.
        min_frames: Shorter clips are dropped.
        every: The papers take every so-manieth picture.
        halves: By split, which half of each recording the papers take for pictures and which for
            unpaired poses; splits that are not named are taken whole.

        missing: What :meth:`items` found no folder of, a line each.

    Args:
        root: The data set's folder.

    Raises:
        UserError: Something is not where it should be; says what, and what was expected.
    """

    title: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    skeleton: ClassVar[Skeleton | None] = None
    counts: ClassVar[dict[str, int]] = {}
    unit: ClassVar[str] = "sequences"
    crop: ClassVar[Crop] = "person"
    size: ClassVar[int] = 128
    min_frames: ClassVar[int] = 2
    every: ClassVar[int] = 1
    halves: ClassVar[dict[str, tuple[Half, Half]]] = {}

    def __init__(self, root: Path) -> None:
        self.root, self.missing = root, list[str]()
        if not root.is_dir():
            raise UserError(f"{root}: no such folder; name the folder of {self.title}")

    @abstractmethod
    def items(self, split: str) -> list[str]:
        """Names of the items of a split, in a stable order, without opening more than is needed."""

    def total(self, items: list[str]) -> int:
        """What of ``items`` is compared with ``counts``."""
        return len(items)

    @abstractmethod
    def read(self, item: str) -> Iterable[Recording]:
        """The recordings of an item.

        Raises:
            UserError: Unreadable or contradictory; names the file and the cure.
        """

    def parts(self, names: Iterable[str], *folders: str) -> list[str]:
        """Those of ``names``, such as subjects, that have all ``folders``, such as ``{}/Videos``.

        What the others lack goes to ``missing``.
        """
        found, self.missing = [], []
        for name in names:
            try:
                for folder in folders:
                    self.folder(folder.format(name))
            except UserError as error:
                self.missing.append(str(error))
            else:
                found.append(name)
        return found

    def folder(self, *names: str) -> Path:
        """The first of these folders of the data set that is there; UserError if none is."""
        return self._find(names, Path.is_dir, "folder")

    def file(self, *names: str) -> Path:
        """The first of these files of the data set that is there; UserError if none is."""
        return self._find(names, Path.is_file, "file")

    def _find(self, names: Sequence[str], there: Callable[[Path], bool], what: str) -> Path:
        for name in names:
            if there(self.root / name):
                return self.root / name
        wanted = " or ".join(names)
        raise UserError(
            f"{self.root}: has no {what} {wanted}, as {self.title} does; name the folder that "
            f"holds it, or copy the missing part"
        )

    def inside(self, path: Path) -> str:
        """``path`` as seen from the data set's folder."""
        return path.relative_to(self.root).as_posix()


def boxes_of_points(points: np.ndarray, visible: np.ndarray | None = None) -> np.ndarray:
    """(N,4) the tight box about the finite (and ``visible``) of ``points`` (N,K,2), else NaN."""
    shown = np.asarray(np.isfinite(points).all(axis=-1))
    if visible is not None:
        shown = shown & visible
    low = np.where(shown[..., None], points, np.inf).min(axis=1)
    high = np.where(shown[..., None], points, -np.inf).max(axis=1)
    boxes = np.concatenate([low - 0.5, high + 0.5], axis=1)
    return np.where(np.any(shown, axis=1)[:, None], boxes, np.nan)


def grown(boxes: np.ndarray, share: float) -> np.ndarray:
    """Boxes (N,4) with ``share`` of their longer side added around: bodies are beyond joints."""
    longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return boxes + share * longer[:, None] * np.array([-1.0, -1.0, 1.0, 1.0])
