"""Clips on disk: square frames of one person each, ready to be memory-mapped.

::

    DIR/index.json                  sizes, names, sources; written last
    DIR/clips/<name>/frames.npy     uint8 (N, S, S, 3), RGB
    DIR/clips/<name>/<extra>.npy    optional, see EXTRAS
    DIR/sheet.png                   what prepare or synthesize made, to look at

A folder is written under a temporary name and renamed, so it exists whole or not at all.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from fastpose.errors import UserError
from fastpose.skeletons import Skeleton

FORMAT, VERSION = "fastpose-clips", 1

# name -> (dtype, shape after the leading N, or the whole shape for the background)
EXTRAS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "keypoints": ("float32", ("N", "K", 2)),  # pixels of the S x S frame
    "visible": ("bool", ("N", "K")),
    "mask": ("uint8", ("N", "S", "S")),  # 0..255, the person's share of the pixel
    "keypoints3d": ("float32", ("N", "K", 3)),  # metres, camera space
    "background": ("uint8", ("S", "S", 3)),
}


@dataclass(frozen=True)
class Clip:
    """One clip of a :class:`ClipStore`; arrays are memory-mapped, read-only, or None."""

    name: str
    frames: np.ndarray
    fps: float
    activity: str | None
    actor: str | None
    source: str | None
    source_frames: tuple[int, ...] | None
    window: tuple[float, float, float] | None
    partial: bool
    keypoints: np.ndarray | None = None
    visible: np.ndarray | None = None
    mask: np.ndarray | None = None
    keypoints3d: np.ndarray | None = None
    background: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)


class ClipWriter:
    """Writes a clips folder; use as a context manager.

    Args:
        path: the folder to make.
        size: side S of the frames in pixels.
        skeleton: joints of the ``keypoints`` that clips carry, if any do.
        info: JSON-able facts kept in the index.
        overwrite: replace an existing folder once the new one is complete.

    Raises:
        UserError: ``path`` exists and ``overwrite`` is off, or no clip was added.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: int,
        *,
        skeleton: Skeleton | None = None,
        info: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path, self.size, self.skeleton = Path(path), size, skeleton
        self.info: dict[str, Any] = dict(info or {})
        self._overwrite = overwrite
        self._entries: list[dict[str, Any]] = []
        self._refuse_existing()

    def _refuse_existing(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: is a file; name a folder to write clips to")
        if self.path.is_dir() and any(self.path.iterdir()):
            if not self._overwrite:
                raise UserError(f"{self.path}: exists; choose another folder or pass --overwrite")
            if not (self.path / "index.json").is_file():
                raise UserError(
                    f"{self.path}: holds other files than clips and is not overwritten; "
                    "choose another folder"
                )

    def __enter__(self) -> ClipWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._root = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.tmp-", dir=self.path.parent))
        self._root.chmod(0o755)
        return self

    @property
    def root(self) -> Path:
        """The folder under its temporary name; other files, such as a sheet, may be put there."""
        return self._root

    def add(
        self,
        name: str,
        frames: np.ndarray,
        *,
        fps: float,
        activity: str | None = None,
        actor: str | None = None,
        source: str | None = None,
        source_frames: Sequence[int] | None = None,
        window: Sequence[float] | None = None,
        partial: bool = False,
        **extras: np.ndarray | None,
    ) -> str:
        """Write one clip of ``frames`` (N,S,S,3) uint8; returns the name it got.

        ``window`` is (x, y, side) of the crop in pixels of the source: its top-left corner, in
        the convention that pixel centres are integers and the corner is the outer edge minus 0.5.
        ``extras`` are the arrays of :data:`EXTRAS`. A name that is taken gets a number.
        """
        frames = np.asarray(frames)
        if (
            frames.dtype != np.uint8
            or frames.shape[1:] != (self.size, self.size, 3)
            or not len(frames)
        ):
            raise UserError(
                f"clip '{name}': frames must be uint8 (N>0,{self.size},{self.size},3), "
                f"not {frames.dtype} {frames.shape}"
            )
        name = self._unique(re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "clip")
        folder = self._root / "clips" / name
        folder.mkdir(parents=True)
        np.save(folder / "frames.npy", np.ascontiguousarray(frames))
        for key, array in extras.items():
            if array is not None:
                array = np.asarray(array)
                self._check_extra(name, key, array, len(frames))
                np.save(folder / f"{key}.npy", np.ascontiguousarray(array))
        self._entries.append(
            {
                "name": name,
                "frames": len(frames),
                "fps": float(fps),
                "activity": activity,
                "actor": actor,
                "source": source,
                "source_frames": None if source_frames is None else [int(i) for i in source_frames],
                "window": None if window is None else [float(v) for v in window],
                "partial": bool(partial),
            }
        )
        return name

    def _unique(self, name: str) -> str:
        taken = {entry["name"] for entry in self._entries}
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}-{number}"
        return candidate

    def _check_extra(self, name: str, key: str, array: np.ndarray, count: int) -> None:
        if key not in EXTRAS:
            raise UserError(f"clip '{name}': unknown array '{key}', expected one of {list(EXTRAS)}")
        dtype, shape = EXTRAS[key]
        joints = len(self.skeleton.joints) if self.skeleton else -1
        if "K" in shape and self.skeleton is None:
            raise UserError(f"clip '{name}': '{key}' needs the writer to be given a skeleton")
        sizes = {"N": count, "S": self.size, "K": joints}
        expected = tuple(sizes[s] if isinstance(s, str) else s for s in shape)
        if array.dtype != np.dtype(dtype) or array.shape != expected:
            raise UserError(
                f"clip '{name}': {key} must be {dtype} {expected}, not {array.dtype} {array.shape}"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self._root, ignore_errors=True)

    def _finish(self) -> None:
        if not self._entries:
            raise UserError(f"{self.path}: no clip to write")
        index = {
            "format": FORMAT,
            "version": VERSION,
            "size": self.size,
            "skeleton": self.skeleton.to_dict() if self.skeleton else None,
            "clips": self._entries,
            "info": self.info,
        }
        (self._root / "index.json").write_text(json.dumps(index, indent=1))
        self._refuse_existing()
        if self.path.is_dir():
            old = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.old-", dir=self.path.parent))
            os.rename(self.path, old / "clips")
            os.rename(self._root, self.path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(self._root, self.path)


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
            if index["format"] != FORMAT or index["version"] != VERSION:
                raise UserError(
                    f"{index_path}: is {index['format']} version {index['version']}, expected "
                    f"{FORMAT} version {VERSION}; make the folder again"
                )
            size = int(index["size"])
            skeleton = Skeleton.from_dict(index["skeleton"]) if index["skeleton"] else None
            entries = list(index["clips"])
            clips = [cls._open_clip(path, entry, size, skeleton) for entry in entries]
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{index_path}: damaged ({type(error).__name__}: {error}); make the folder again"
            ) from None
        if not clips:
            raise UserError(f"{path}: holds no clip; make the folder again")
        return cls(path, size, skeleton, clips, dict(index.get("info") or {}))

    @staticmethod
    def _open_clip(
        path: Path, entry: Mapping[str, Any], size: int, skeleton: Skeleton | None
    ) -> Clip:
        name = str(entry["name"])
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
            raise UserError(
                f"{path}: clip name '{name}' is not a plain name; make the folder again"
            )
        folder = path / "clips" / name
        count = int(entry["frames"])
        joints = len(skeleton.joints) if skeleton else -1
        sizes = {"N": count, "S": size, "K": joints}
        arrays: dict[str, np.ndarray | None] = {}
        for key, (dtype, shape) in {"frames": ("uint8", ("N", "S", "S", 3)), **EXTRAS}.items():
            file = folder / f"{key}.npy"
            if key != "frames" and not file.is_file():
                arrays[key] = None
                continue
            try:
                array = np.load(file, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                reason = str(error).splitlines()[0]
                raise UserError(
                    f"{file}: cannot be read ({reason}); make the folder again"
                ) from None
            expected = tuple(sizes[s] if isinstance(s, str) else s for s in shape)
            if array.dtype != np.dtype(dtype) or array.shape != expected:
                raise UserError(
                    f"{file}: expected {dtype} {expected}, found {array.dtype} {array.shape}; "
                    "make the folder again"
                )
            arrays[key] = array
        frames = arrays.pop("frames")
        assert frames is not None
        source_frames, window = entry.get("source_frames"), entry.get("window")
        return Clip(
            name=name,
            frames=frames,
            fps=float(entry["fps"]),
            activity=entry.get("activity"),
            actor=entry.get("actor"),
            source=entry.get("source"),
            source_frames=None if source_frames is None else tuple(int(i) for i in source_frames),
            window=None
            if window is None
            else (float(window[0]), float(window[1]), float(window[2])),
            partial=bool(entry.get("partial", False)),
            **arrays,
        )
