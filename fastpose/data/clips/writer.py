"""Writing a clips folder, at once or, where that takes hours, with interruptions."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from fastpose.data.clips.layout import (
    ARRAYS,
    EXTRAS,
    FORMAT,
    VERSION,
    array_shape,
    row_shape,
    rows_of,
)
from fastpose.data.clips.shards import Shard
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton

_JOB, _JOURNAL = "job.json", "journal.jsonl"


class ClipWriter:
    """Writes a clips folder; use as a context manager.

    Args:
        path: the folder to make.
        size: side S of the frames in pixels.
        skeleton: joints of the ``keypoints`` that clips carry, if any do.
        info: JSON-able facts kept in the index.
        overwrite: replace an existing folder once the new one is complete.
        job: JSON-able description of what is being made. With it, what :meth:`finish` has counted
            survives an interruption or a kill, and a writer of an equal job continues there.
        shard_bytes: a shard that has grown to so much gets no more clips.

    Raises:
        UserError: ``path`` exists and ``overwrite`` is off, a half-made folder of another job is
            in the way, or no clip was added.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: int,
        *,
        skeleton: Skeleton | None = None,
        info: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        job: Mapping[str, Any] | None = None,
        shard_bytes: int = 2**30,
    ) -> None:
        self.path, self.size, self.skeleton = Path(path), size, skeleton
        self.info: dict[str, Any] = dict(info or {})
        self.finished: dict[str, Any] = {}
        self._overwrite, self._shard_bytes = overwrite, shard_bytes
        # As it will be when read back from JSON.
        self._job = None if job is None else json.loads(json.dumps(dict(job)))
        self._entries: list[dict[str, Any]] = []
        self._names: set[str] = set()
        self._unfinished = 0  # entries since the last finish
        self._shards = 0
        self._rows: Mapping[str, int] = {}  # of the open shard, at the last finish
        self._shard: Shard | None = None
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
        parent, name = self.path.parent, self.path.name
        parent.mkdir(parents=True, exist_ok=True)
        if self._job is None:
            self._root = Path(tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=parent))
            self._root.chmod(0o755)
            return self
        self._root = parent / f".{name}.partial"
        if self._root.is_dir():
            self._continue()
        if not self._root.is_dir():
            self._root.mkdir()
            (self._root / _JOB).write_text(json.dumps(self._job))
        return self

    def _continue(self) -> None:
        try:
            job = json.loads((self._root / _JOB).read_text())
        except (OSError, ValueError):
            job = None
        if job != self._job:
            if not self._overwrite and job is not None:
                raise UserError(
                    f"{self._root}: was begun with other settings; finish it with those, delete it "
                    "or pass --overwrite"
                )
            shutil.rmtree(self._root)
            return
        rows: dict[int, dict[str, int]] = {}
        for line in _read_journal(self._root / _JOURNAL):
            self.finished[line["item"]] = line["note"]
            self._entries += line["clips"]
            rows[line["shard"]] = line["rows"]
        self._names = {entry["name"] for entry in self._entries}
        if rows:
            self._shards = max(rows)
            self._rows = rows[self._shards]
            self._shard = self._open_shard(self._rows)
            self._close_full_shard()

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
        split: str | None = None,
        group: str | None = None,
        view: str | None = None,
        **extras: np.ndarray | None,
    ) -> str:
        """Write one clip of ``frames`` (N,S,S,3) uint8; returns the name it got.

        ``window`` is (x, y, side) of the crop in pixels of the source: its top-left corner, in
        the convention that pixel centres are integers and the corner is the outer edge minus 0.5.
        ``extras`` are the arrays of :data:`EXTRAS`. A name that is taken gets a number. For the
        rest see :class:`fastpose.data.clips.Clip`.
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
        arrays = {"frames": frames}
        for key, array in extras.items():
            if array is not None:
                arrays[key] = np.asarray(array)
                self._check_extra(name, key, arrays[key], len(frames))
        name = self._unique(re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "clip")
        if self._shard is None:
            self._shard = self._open_shard()
        rows = {
            key: self._shard.append(key, array if rows_of(key, 2) == 2 else array[None])
            for key, array in arrays.items()
        }
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
                "split": split,
                "group": group,
                "view": view,
                "shard": f"{self._shards:05d}",
                "rows": rows,
            }
        )
        self._unfinished += 1
        if self._job is None:
            self._close_full_shard()
        return name

    def finish(self, item: str, note: Any = None) -> None:
        """Say that all clips of ``item`` are written: a job that goes on later begins after it.

        ``note`` (JSON-able) is kept in :attr:`finished`, by item.
        """
        self.finished[item] = note
        if self._job is None:
            return
        clips = self._entries[len(self._entries) - self._unfinished :]
        if self._shard is not None:
            self._shard.flush()
            self._rows = self._shard.rows
        place = {"shard": self._shards, "rows": dict(self._rows)}
        line = {"item": item, "note": note, "clips": clips, **place}
        with (self._root / _JOURNAL).open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._unfinished = 0
        self._close_full_shard()

    def discard(self) -> None:
        """Take back the clips written since the last :meth:`finish`; needs a job."""
        if not self._unfinished:
            return
        del self._entries[len(self._entries) - self._unfinished :]
        self._unfinished = 0
        self._names = {entry["name"] for entry in self._entries}
        assert self._shard is not None and self._job is not None
        self._shard.close()
        self._shard = self._open_shard(self._rows)

    def _open_shard(self, rows: Mapping[str, int] | None = None) -> Shard:
        def kind(key: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
            return np.dtype(ARRAYS[key][0]), row_shape(key, self.size, self.skeleton)

        return Shard(self._root / "shards" / f"{self._shards:05d}", kind, rows)

    def _close_full_shard(self) -> None:
        if self._shard is not None and self._shard.size >= self._shard_bytes:
            self._shard.close()
            self._shard = None
            self._shards += 1
            self._rows = {}

    def _unique(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self._names:
            number += 1
            candidate = f"{name}-{number}"
        self._names.add(candidate)
        return candidate

    def _check_extra(self, name: str, key: str, array: np.ndarray, count: int) -> None:
        if key not in EXTRAS:
            raise UserError(f"clip '{name}': unknown array '{key}', expected one of {list(EXTRAS)}")
        if "K" in EXTRAS[key][1] and self.skeleton is None:
            raise UserError(f"clip '{name}': '{key}' needs the writer to be given a skeleton")
        dtype, expected = array_shape(key, count, self.size, self.skeleton)
        if array.dtype != dtype or array.shape != expected:
            raise UserError(
                f"clip '{name}': {key} must be {dtype} {expected}, not {array.dtype} {array.shape}"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        keep = self._job is not None and bool(self.finished)
        try:
            if self._shard is not None:
                self._shard.close()
            if kind is None:
                self._finish()
                keep = False
        finally:
            if not keep:
                shutil.rmtree(self._root, ignore_errors=True)

    def _finish(self) -> None:
        if not self._entries:
            raise UserError(f"{self.path}: no clip to write")
        _write_index(
            self._root / "index.json",
            {
                "format": FORMAT,
                "version": VERSION,
                "size": self.size,
                "skeleton": self.skeleton.to_dict() if self.skeleton else None,
                "info": self.info,
            },
            self._entries,
        )
        self._refuse_existing()
        for name in (_JOB, _JOURNAL):
            (self._root / name).unlink(missing_ok=True)
        if self.path.is_dir():
            old = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.old-", dir=self.path.parent))
            os.rename(self.path, old / "clips")
            os.rename(self._root, self.path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(self._root, self.path)


def _write_index(path: Path, head: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
    """One line a clip, so that an index of a hundred thousand can be looked through."""
    with path.open("w") as file:
        file.write(json.dumps(head, indent=1)[: -len("\n}")] + ',\n "clips": [\n')
        file.write(",\n".join("  " + json.dumps(entry) for entry in entries) + "\n ]\n}\n")


def _read_journal(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal; one that a kill has cut off is taken off the file."""
    if not path.is_file():
        return []
    whole, _, rest = path.read_text().rpartition("\n")
    if rest:
        path.write_text(whole + "\n" if whole else "")
    return [json.loads(line) for line in whole.splitlines()]
