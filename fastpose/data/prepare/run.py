"""`prepare`: reads sources, plans clips, writes them with a contact sheet, accounts for frames."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.prepare.analysis import Analysis, Shot, analyze
from fastpose.data.prepare.boxes import BoxFile
from fastpose.data.prepare.cutting import Row, cut_source
from fastpose.data.prepare.pieces import (
    NOBODY,
    SHORT,
    Piece,
    Rules,
    plan_pieces,
    whole_pieces,
)
from fastpose.data.prepare.sources import Layout, Source, Unreadable, find_sources
from fastpose.data.still_background import measure_background
from fastpose.errors import UserError
from fastpose.media.drawing import contact_sheet
from fastpose.media.images import write_image

Crop = Literal["auto", "full"]
Person = Literal["auto", "moves", "stays"]
Progress = Callable[[str, str, int, int | None], None]  # source, what is done, frames, of how many

_SHEET_ROWS = 80
_SHEET_FRAMES = 10


@dataclass
class SourceReport:
    """What became of one source; ``used`` and the counts of ``dropped`` add up to ``frames``."""

    name: str
    path: str
    frames: int = 0
    used: int = 0
    clips: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    partial: bool = False
    note: str = ""


@dataclass
class PrepareReport:
    """What :func:`prepare` did.

    Attributes:
        out: The clips folder, or None for a dry run.
        sources: One report each, in order.
        clips: Name and number of frames of each clip; planned ones in a dry run.
        problems: One line for each source that could not be read, or only in part.
        background: One line on whether the clips' backgrounds stand still; empty in a dry run.
    """

    out: Path | None
    sources: list[SourceReport]
    clips: list[tuple[str, int]]
    problems: list[str]
    background: str = ""


def prepare(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    size: int = 64,
    crop: Crop = "auto",
    person: Person = "auto",
    boxes: str | os.PathLike[str] | None = None,
    masks: bool = False,
    layout: Layout = "auto",
    fps: float | None = None,
    min_frames: int | None = None,
    max_frames: int = 1000,
    overwrite: bool = False,
    keep_going: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """Turns recordings into clips of S x S pixels, one person each, one constant window each.

    Args:
        sources: Videos, folders of frames or of videos, strips of square frames.
        out: The clips folder to make; it appears complete or not at all.
        size: Side S of the clips' frames in pixels.
        crop: "auto" finds the moving people and cuts about them; "full" keeps whole frames, in
            the smallest square about them, for material that is framed already.
        person: Whether people come, go or travel ("moves"), which needs only the background, or
            one stays in place all the time ("stays"); "auto" finds out for each camera shot.
        boxes: File of boxes to cut about instead, see :mod:`fastpose.data.prepare.boxes`.
        masks: Also write the person's mask for each frame and the background for each clip.
        layout: What the folders hold, if looking does not tell.
        fps: Rate of pictures (25 if not given); overrides that of videos.
        min_frames: Shorter clips are dropped; by default 16, for ``crop="full"`` 2.
        max_frames: Longer clips are divided.
        overwrite: Replaces clips that are there already.
        keep_going: Uses what is good, and of a damaged source the frames before the damage,
            marked partial. Otherwise the first damaged source ends everything.
        dry_run: Plans and reports only.
        progress: Called with the source's name, what is being done, and the frames done so far.

    Raises:
        UserError: Nothing to read, a damaged source (unless ``keep_going``), no person anywhere,
            or ``out`` exists. Nothing is left behind.
    """
    if not 16 <= size <= 1024:
        raise UserError(f"size {size}: expected the side of the frames, 16 to 1024 pixels")
    shortest = min_frames if min_frames is not None else (2 if crop == "full" else 16)
    if shortest < 1 or max_frames < shortest:
        raise UserError(
            f"clips of at least {shortest} and at most {max_frames} frames cannot be; "
            "expected 1 <= min_frames <= max_frames"
        )
    box_file = None if boxes is None else BoxFile(boxes)
    given = box_file is not None
    rules = Rules(shortest, max_frames, borders=not given, trust=given)
    found = find_sources(sources, layout=layout, fps=fps)
    writer = ClipWriter(out, size, overwrite=overwrite)
    job = _Job(
        rules=rules,
        crop=crop,
        stays={"auto": None, "moves": False, "stays": True}[person],
        boxes=box_file,
        masks=masks,
        keep_going=keep_going,
        progress=progress or (lambda *_: None),
        report=PrepareReport(None if dry_run else Path(out), [], [], []),
    )
    if dry_run:
        for source in found:
            job.take(source, None)
        job.check_any()
        return job.report
    with writer:
        for source in found:
            job.take(source, writer)
        job.check_any()
        job.finish(writer, {"size": size, "crop": crop, "person": person, "masks": masks})
    job.report.background = measure_background(ClipStore.open(out)).report()
    return job.report


@dataclass
class _Job:
    """One run: the settings, and what has come together so far."""

    rules: Rules
    crop: Crop
    stays: bool | None
    boxes: BoxFile | None
    masks: bool
    keep_going: bool
    progress: Progress
    report: PrepareReport
    rows: list[Row] = field(default_factory=list)

    def take(self, source: Source | Unreadable, writer: ClipWriter | None) -> None:
        """Plans one source and, with a writer, cuts it."""
        name = source.name if isinstance(source, Source) else source.path.name
        summary = SourceReport(name, str(source.path))
        self.report.sources.append(summary)
        try:
            if isinstance(source, Unreadable):
                raise source.error
            self._take(source, summary, writer)
        except UserError as error:
            if not self.keep_going:
                raise
            summary.note = "not readable"
            self.report.problems.append(str(error))

    def _take(self, source: Source, summary: SourceReport, writer: ClipWriter | None) -> None:
        analysis = self._analyze(source)
        self._check_whole(source, summary)
        pieces, reasons = self._plan(source, analysis)
        if writer is not None and pieces:
            count, rows = cut_source(
                source,
                pieces,
                analysis,
                writer,
                masks=self.masks,
                partial=summary.partial,
                row_frames=_SHEET_FRAMES,
                progress=self._bar(source, "cutting"),
            )
            assert count == len(pieces), f"{source.path}: changed while it was being read"
            self.rows += rows
        self._account(source, summary, analysis, pieces, reasons)

    def _analyze(self, source: Source) -> Analysis:
        follow = self.crop == "auto" and self.boxes is None
        if follow or self.masks:
            bar = self._bar(source, "looking")
            return analyze(source, stays=self.stays, follow=follow, progress=bar)
        count, size = 0, (1, 1)
        bar = self._bar(source, "reading")
        for frame in source.frames(max_side=32):
            count, size = frame.index + 1, frame.size
            bar(count)
        return Analysis(size[0], size[1], count, [Shot(0, count - 1, None)])

    def _check_whole(self, source: Source, summary: SourceReport) -> None:
        report = source.report
        if report is None or not report.partial:
            return
        if not self.keep_going:
            raise UserError(
                f"{source.path}: {report.reason}; copy or record it again, or pass --keep-going to "
                f"use the {report.frames_decoded} frames before the damage"
            )
        summary.partial, summary.note = True, report.reason
        self.report.problems.append(
            f"{source.path}: {report.reason}; only the {report.frames_decoded} frames before the "
            "damage were used, copy or record it again"
        )

    def _plan(self, source: Source, analysis: Analysis) -> tuple[list[Piece], dict[int, str]]:
        size = (analysis.width, analysis.height)
        if self.crop == "full":
            pieces = []
            for shot in analysis.shots:
                pieces += whole_pieces(shot.first, shot.last, size, self.rules)
            return pieces, {}
        if self.boxes is not None:
            return plan_pieces(self.boxes.tracks(source.path), size, self.rules)
        pieces, reasons = [], {}
        for shot in analysis.shots:
            tracks, rules = shot.tracks, self.rules
            if shot.finder is not None and shot.finder.stays and tracks:
                # One person, framed as the material is; all else is clutter.
                tracks = [max(tracks, key=lambda t: sum(t.areas))]
                rules = replace(rules, borders=False, trust=True)
            more, why = plan_pieces(tracks, size, rules)
            pieces += more
            reasons |= why
        return [p for p in pieces if p.frames[-1] < analysis.frames], reasons

    def _account(
        self,
        source: Source,
        summary: SourceReport,
        analysis: Analysis,
        pieces: Sequence[Piece],
        reasons: dict[int, str],
    ) -> None:
        used = {frame for piece in pieces for frame in piece.frames}
        few = self.crop == "full" or analysis.frames < self.rules.min_frames
        missed = SHORT if few else NOBODY
        counts = Counter(reasons.get(f, missed) for f in range(analysis.frames) if f not in used)
        summary.frames, summary.used, summary.clips = analysis.frames, len(used), len(pieces)
        summary.dropped = dict(counts.most_common())
        finders = [s.finder for s in analysis.shots if s.finder is not None]
        notes = [summary.note] if summary.note else []
        if self.masks and any(s.finder is None for s in analysis.shots) and pieces:
            notes.append("too short to tell the person from the scene: no masks")
        if any(f.shaky for f in finders):
            notes.append("the camera trembles")
        if any(f.stays for f in finders):
            notes.append("the person stays in place")
        summary.note = "; ".join(notes)
        self.report.clips += [(source.name, len(piece.frames)) for piece in pieces]

    def check_any(self) -> None:
        """UserError where no clip came out: what could not be read, or the likeliest cure."""
        if self.report.clips:
            return
        if self.report.problems:
            raise UserError("\n".join(self.report.problems))
        names = ", ".join(s.path for s in self.report.sources[:2])
        names += f" and {len(self.report.sources) - 2} more" if len(self.report.sources) > 2 else ""
        reasons = Counter[str]()
        for summary in self.report.sources:
            reasons.update(summary.dropped)
        reason = reasons.most_common(1)[0][0] if reasons else NOBODY
        if reason == SHORT:
            longest = max((s.frames for s in self.report.sources), default=0)
            raise UserError(
                f"{names}: no clip of {self.rules.min_frames} frames could be cut (the longest "
                f"source has {longest}); give longer videos or a lower --min-frames"
            )
        raise UserError(
            f"{names}: no moving person was found (mostly: {reason}); film people with a fixed "
            "camera, give their boxes with --boxes, or keep whole frames with --crop full"
        )

    def finish(self, writer: ClipWriter, settings: dict[str, Any]) -> None:
        """Draws the sheet and puts the account into the index."""
        rows = self.rows
        title = f"{len(rows)} clips"
        if len(rows) > _SHEET_ROWS:
            step = len(rows) / _SHEET_ROWS
            rows = [rows[int(i * step)] for i in range(_SHEET_ROWS)]
            title += f", {_SHEET_ROWS} of them shown"
        dropped = sum(sum(s.dropped.values()) for s in self.report.sources)
        title += f", {sum(n for _, n in self.report.clips)} frames, {dropped} frames left out"
        sheet = contact_sheet([(row.caption, row.pictures) for row in rows], title=title)
        write_image(writer.root / "sheet.png", sheet)
        writer.info["prepare"] = settings
        writer.info["sources"] = [asdict(s) for s in self.report.sources]
        writer.info["problems"] = self.report.problems

    def _bar(self, source: Source, what: str) -> Callable[[int], None]:
        return lambda done: self.progress(source.name, what, done, source.length)
