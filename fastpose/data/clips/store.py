"""Reading a clips folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastpose.data.clips.layout import ARRAYS, FORMAT, VERSION, Entry, array_shape, row_shape
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Clip:
    """One clip of a :class:`ClipStore`; arrays are memory-mapped, read-only, or None.

    Attributes:
        name: Unique in the folder.
        frames: uint8 (N,S,S,3), RGB.
        fps: Frames per second; of pictures that are no video, as good as any.
        activity, actor: What is done, and by whom, where that is known.
        source, source_frames: The recording the frames were cut from, and their numbers in it.
        window: (x, y, side) of the crop in pixels of the source, see ``ClipWriter.add``; None
            where it is not the same for all frames.
        partial: Whether the recording was damaged.
        split: "train", "test" or as the data set names it.
        group, view: Clips of one group show the same moments from different views (cameras);
            frames of equal ``source_frames`` are simultaneous.
        keypoints, visible, mask, parts, keypoints3d, rotation, background: See ``EXTRAS``.
            ``rotation`` turns world coordinates into those of a camera that looks at the window's
            centre.
    """

    name: str
    frames: np.ndarray
    fps: float
    activity: str | None
    actor: str | None
    source: str | None
    source_frames: tuple[int, ...] | None
    window: tuple[float, float, float] | None
    partial: bool
    split: str | None = None
    group: str | None = None
    view: str | None = None
    keypoints: np.ndarray | None = None
    visible: np.ndarray | None = None
    mask: np.ndarray | None = None
    parts: np.ndarray | None = None
    keypoints3d: np.ndarray | None = None
    rotation: np.ndarray | None = None
    background: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)


class ClipStore:
    """A clips folder opened for reading; see :meth:`open`."""

    def __init__(
        self,
        path: Path,
        size: int,
        skeleton: Skeleton | None,
        clips: list[Clip],
        info: dict[str, Any],
    ) -> None:
        self.path, self.size, self.skeleton, self.clips, self.info = (
            path,
            size,
            skeleton,
            clips,
            info,
        )

    @property
    def frames_total(self) -> int:
        """Frames of all clips."""
        return sum(len(clip) for clip in self.clips)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> ClipStore:
        """Open ``path``, checking every clip's arrays against the index.

        Raises:
            UserError: the folder is missing, empty, not a clips folder, or a clip is damaged.
        """
        path = Path(path)
        if not path.is_dir():
            raise UserError(
                f"{path}: no such folder; make one with 'fastpose prepare' or 'synthesize'"
            )
        index_path = path / "index.json"
        if not index_path.is_file():
            what = "is empty" if not any(path.iterdir()) else "is no clips folder (no index.json)"
            raise UserError(f"{path}: {what}; make one with 'fastpose prepare SRC --out DIR'")
        try:
            index = json.loads(index_path.read_text())
            if index["format"] != FORMAT or index["version"] not in (1, VERSION):
                raise UserError(
                    f"{index_path}: is {index['format']} version {index['version']}, expected "
                    f"{FORMAT} version {VERSION}; make the folder again"
                )
            size = int(index["size"])
            skeleton = Skeleton.from_dict(index["skeleton"]) if index["skeleton"] else None
            entries, folder = list(index["clips"]), path / "shards"
            if index["version"] == 1:
                entries, folder = [_from_version_1(path, e) for e in entries], path / "clips"
            shards = _Shards(folder, size, skeleton)
            clips = [_open_clip(path, entry, shards.array, size, skeleton) for entry in entries]
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{index_path}: damaged ({type(error).__name__}: {error}); make the folder again"
            ) from None
        if not clips:
            raise UserError(f"{path}: holds no clip; make the folder again")
        return cls(path, size, skeleton, clips, dict(index.get("info") or {}))


def _from_version_1(path: Path, entry: Entry) -> Entry:
    """Before shards, each clip had a folder of its own."""
    there = [key for key in ARRAYS if (path / "clips" / entry["name"] / f"{key}.npy").is_file()]
    return {**entry, "shard": entry["name"], "rows": {key: 0 for key in ["frames", *there]}}


class _Shards:
    """The arrays of all shards, each file mapped once and checked against the index."""

    def __init__(self, folder: Path, size: int, skeleton: Skeleton | None) -> None:
        self._folder, self._size, self._skeleton = folder, size, skeleton
        self._arrays: dict[tuple[str, str], np.ndarray] = {}

    def array(self, shard: str, key: str) -> np.ndarray:
        """All rows of the array ``key`` of a shard."""
        if (shard, key) not in self._arrays:
            self._arrays[shard, key] = self._open(self._folder / shard / f"{key}.npy", key)
        return self._arrays[shard, key]

    def _open(self, file: Path, key: str) -> np.ndarray:
        try:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{file}: cannot be read ({reason}); make the folder again") from None
        dtype, row = np.dtype(ARRAYS[key][0]), row_shape(key, self._size, self._skeleton)
        if array.shape == row:  # the one background of a clip of version 1
            array = array[None]
        if array.dtype != dtype or array.shape[1:] != row:
            raise UserError(
                f"{file}: expected rows of {dtype} {row}, found {array.dtype} {array.shape}; "
                "make the folder again"
            )
        return array


def _open_clip(
    path: Path,
    entry: Entry,
    array: Callable[[str, str], np.ndarray],
    size: int,
    skeleton: Skeleton | None,
) -> Clip:
    name, shard = str(entry["name"]), str(entry["shard"])
    for text in (name, shard):
        if not _PLAIN.fullmatch(text):
            raise UserError(
                f"{path}: clip name '{text}' is not a plain name; make the folder again"
            )
    count = int(entry["frames"])
    arrays: dict[str, np.ndarray] = {}
    for key, first in entry["rows"].items():
        if key not in ARRAYS:
            raise UserError(f"{path}: clip '{name}' has an unknown array '{key}'")
        wanted = array_shape(key, count, size, skeleton)[1]
        rows = array(shard, key)
        if ARRAYS[key][1][0] == "N":
            part = rows[first : first + count]
        else:
            part = rows[first] if 0 <= first < len(rows) else rows[:0]
        if first < 0 or part.shape != wanted:
            raise UserError(
                f"{path}: shard {shard} has {len(rows)} rows of {key}, too few for clip '{name}'; "
                "make the folder again"
            )
        arrays[key] = part
    frames = arrays.pop("frames")
    source_frames, window = entry.get("source_frames"), entry.get("window")
    return Clip(
        name=name,
        frames=frames,
        fps=float(entry["fps"]),
        activity=entry.get("activity"),
        actor=entry.get("actor"),
        source=entry.get("source"),
        source_frames=None if source_frames is None else tuple(int(i) for i in source_frames),
        window=None if window is None else (float(window[0]), float(window[1]), float(window[2])),
        partial=bool(entry.get("partial", False)),
        split=entry.get("split"),
        group=entry.get("group"),
        view=entry.get("view"),
        **arrays,
    )
