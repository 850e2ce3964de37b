"""From a data set to a clips folder, or to the unpaired poses of its labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.clips_view import view_clips
from fastpose.data.datasets import get_reader
from fastpose.data.datasets.base import Half, Reader, Recording
from fastpose.data.datasets.cutting import check_labels, cut, plan, points_in
from fastpose.data.motion_capture.npz import save_arrays
from fastpose.data.prepare.pieces import Rules
from fastpose.data.prepare.run import PrepareReport, Progress, SourceReport
from fastpose.errors import UserError, nearest
from fastpose.media.images import write_image


@dataclass(frozen=True)
class PackConfig:
    """What is taken of a data set, and how. None stands for what the papers do, see the reader.

    Args:
        split: Name of the split.
        size: Side S of the frames in pixels.
        half: Which half of each recording.
        every: Every so-manieth picture.
        masks: Also write the masks and backgrounds that the data set has.
        min_frames: Shorter clips are dropped.
        max_frames: Longer ones are divided.
    """

    split: str | None = None
    size: int | None = None
    half: Half | None = None
    every: int | None = None
    masks: bool = False
    min_frames: int | None = None
    max_frames: int = 1000


def pack(
    name: str,
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    config: PackConfig | None = None,
    *,
    overwrite: bool = False,
    keep_going: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """Reads a data set in its own layout and packs one split of it into a clips folder.

    What is done survives an interruption or a kill: the same call goes on after it.

    Args:
        name: One of ``DATASETS``.
        root: The data set's folder.
        out: The clips folder to make.
        config: See :class:`PackConfig`.
        overwrite: Replaces clips that are there already.
        keep_going: Instead of stopping, leaves out every item that is missing or holds something
            unreadable, and lists each in the report. Items are left out whole: the frames before
            a damage would move the border between the halves.
        dry_run: Plans and reports only; pictures are not decoded.
        progress: Called with the data set's name, what is being done, items done and their number.

    Raises:
        UserError: An unknown name or split, a layout that is not the data set's, counts that are
            not the published ones, an item that cannot be read (the last two unless
            ``keep_going``), or ``out`` exists.
    """
    work = _Work.begin(name, root, config or PackConfig(), False, keep_going, progress)
    if dry_run:
        for item in work.items:
            work.take(item, lambda recording, pieces: None)
        return work.end()
    work.report.out = Path(out)
    job = {"dataset": name, "root": str(Path(root).resolve()), **asdict(work.config)}
    size, skeleton = work.config.size, work.reader.skeleton
    assert size is not None
    with ClipWriter(out, size, skeleton=skeleton, overwrite=overwrite, job=job) as writer:
        for item in work.items:
            if item in writer.finished:
                work.know(writer.finished[item])
                continue
            write = _writing(writer, work)
            try:
                summary = work.take(item, write)
            except UserError as error:
                writer.discard()
                raise UserError(f"{error}{_hint(len(writer.finished), len(work.items))}") from None
            if summary is None:
                writer.discard()
            else:
                writer.finish(item, asdict(summary))
        work.end()
        writer.info["dataset"] = job
        writer.info["problems"] = work.report.problems
    store = ClipStore.open(out)
    write_image(store.path / "sheet.png", view_clips(store))
    return work.report


def pack_poses(
    name: str,
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    config: PackConfig | None = None,
    *,
    overwrite: bool = False,
    keep_going: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """As :func:`pack`, but writes only the 2D labels, as poses that belong to no picture.

    ``out`` is an npz: ``keypoints`` (N,K,2) in pixels of the squares that :func:`pack` cuts,
    ``size`` their side, ``visible`` (N,K), ``joint_names`` (K,), and where each comes from:
    ``dataset``, ``source`` (N,), ``source_frame`` (N,).
    """
    path = Path(out)
    if path.suffix != ".npz":
        raise UserError(f"{path}: poses are written as npz; give a name ending in .npz")
    if path.exists() and not overwrite:
        raise UserError(f"{path}: exists; choose another file or pass --overwrite")
    work = _Work.begin(name, root, config or PackConfig(), True, keep_going, progress)
    if work.reader.skeleton is None:
        raise UserError(f"{name}: carries no labels to take poses from; choose another data set")
    size = work.config.size
    assert size is not None
    points, visible, sources, frames = [], [], [], []

    def collect(recording: Recording, pieces: list[Any]) -> None:
        for piece in pieces:
            placed, shown = points_in(recording, piece, size)
            points.append(placed)
            visible.append(shown)
            sources.extend([recording.source] * len(placed))
            frames.extend(recording.numbers[i] for i in piece.frames)

    for item in work.items:
        work.take(item, collect)
    work.end()
    if dry_run:
        return work.report
    arrays = {
        "keypoints": np.concatenate(points).astype(np.float32),
        "visible": np.concatenate(visible),
        "size": np.int64(size),
        "joint_names": np.array(work.reader.skeleton.joints),
        "dataset": np.array(name),
        "source": np.array(sources),
        "source_frame": np.array(frames, np.int64),
    }
    save_arrays(path, arrays)
    work.report.out = path
    return work.report


def _writing(writer: ClipWriter, work: _Work) -> Callable[[Recording, list[Any]], None]:
    def write(recording: Recording, pieces: list[Any]) -> None:
        cut(recording, pieces, writer, split=work.config.split, masks=work.config.masks)

    return write


def _hint(done: int, total: int) -> str:
    if not done:
        return ""
    return f" ({done} of {total} items are packed: the same command goes on after them)"


@dataclass
class _Work:
    """One run over the items of a split."""

    name: str
    reader: Reader
    config: PackConfig
    rules: Rules
    items: list[str]
    keep_going: bool
    progress: Progress
    report: PrepareReport = field(default_factory=lambda: PrepareReport(None, [], [], []))
    done: int = 0

    @classmethod
    def begin(
        cls,
        name: str,
        root: str | os.PathLike[str],
        config: PackConfig,
        poses: bool,
        keep_going: bool,
        progress: Progress | None,
    ) -> _Work:
        reader = get_reader(name)(Path(root))
        config = _settle(name, reader, config, poses)
        assert config.split is not None and config.min_frames is not None
        shortest = 1 if poses else config.min_frames
        rules = Rules(shortest, config.max_frames, borders=False, trust=True)
        items = reader.items(config.split)
        bar = progress or (lambda *_: None)
        work = cls(name, reader, config, rules, items, keep_going, bar)
        for text in reader.missing:
            work._problem(text)
        expected = reader.counts.get(config.split)
        found = reader.total(items)
        if expected is not None and found != expected:
            work._problem(
                f"{reader.root}: holds {found} {reader.unit} of the split {config.split}, "
                f"{reader.title} has {expected}; finish copying or unpacking it"
            )
        if not items:
            empty = f"{reader.root}: holds no {reader.unit} of the split {config.split}"
            raise UserError("\n".join([*work.report.problems, empty]))
        return work

    def take(self, item: str, use: Callable[[Recording, list[Any]], None]) -> SourceReport | None:
        """Plan one item and hand its recordings to ``use``; None where it cannot be read."""
        self.progress(self.name, "packing", self.done, len(self.items))
        self.done += 1
        summary = SourceReport(item, str(self.reader.root / item))
        clips = []
        try:
            for recording in self._recordings(item):
                outside = check_labels(recording)
                pieces, reasons = plan(recording, self.reader.crop, self.rules)
                use(recording, pieces)
                used = {frame for piece in pieces for frame in piece.frames}
                summary.frames += len(recording.numbers)
                summary.used += len(used)
                summary.clips += len(pieces)
                for i in range(len(recording.numbers)):
                    if i not in used:
                        reason = reasons.get(
                            i, "no box" if recording.boxes is not None else "short"
                        )
                        summary.dropped[reason] = summary.dropped.get(reason, 0) + 1
                clips += [(recording.name, len(piece.frames)) for piece in pieces]
                if outside:
                    summary.note = f"{outside} joints outside the picture do not count"
        except UserError as error:
            self._problem(str(error))
            self.report.sources.append(SourceReport(item, summary.path, note="not readable"))
            return None
        self.report.sources.append(summary)
        self.report.clips += clips
        return summary

    def _recordings(self, item: str) -> Iterator[Recording]:
        half, every = self.config.half, self.config.every
        assert every is not None
        for recording in self.reader.read(item):
            count = len(recording.numbers)
            start = count // 2 if half == "second" else 0
            stop = count // 2 if half == "first" else count
            if start < stop:
                yield recording.part(start, stop, every)

    def know(self, note: dict[str, Any]) -> None:
        """Take over the account of an item that an earlier run has finished."""
        self.done += 1
        summary = SourceReport(**note)
        self.report.sources.append(summary)
        self.report.clips += [(summary.name, 0)] * summary.clips

    def _problem(self, text: str) -> None:
        if not self.keep_going:
            raise UserError(text)
        self.report.problems.append(text)

    def end(self) -> PrepareReport:
        """The account; UserError with all reasons where nothing came out at all."""
        self.progress(self.name, "packing", len(self.items), len(self.items))
        if not self.report.clips:
            reasons = self.report.problems or [
                f"{self.reader.root}: no clip of {self.rules.min_frames} frames came out; lower "
                "--min-frames, or check that labels and pictures belong together"
            ]
            raise UserError("\n".join(reasons))
        return self.report


def _settle(name: str, reader: Reader, config: PackConfig, poses: bool) -> PackConfig:
    """The config with the papers' choices filled in; UserError where one cannot be."""
    split = config.split or reader.splits[0]
    if split not in reader.splits:
        known = ", ".join(reader.splits)
        raise UserError(f"--split {split}: {name} has {known}{nearest(split, reader.splits)}")
    size = config.size or reader.size
    if not 16 <= size <= 1024:
        raise UserError(f"size {size}: expected the side of the frames, 16 to 1024 pixels")
    every = reader.every if config.every is None else config.every
    shortest = reader.min_frames if config.min_frames is None else config.min_frames
    if every < 1 or shortest < 1 or config.max_frames < shortest:
        raise UserError(
            f"every {every}, min_frames {shortest}, max_frames {config.max_frames}: expected "
            "every >= 1 and 1 <= min_frames <= max_frames"
        )
    half = config.half or reader.halves.get(split, ("all", "all"))[int(poses)]
    return PackConfig(split, size, half, every, config.masks, shortest, config.max_frames)
