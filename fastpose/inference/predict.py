"""Run a detector over files into a folder of results that exists complete or not at all."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from av.error import FFmpegError

from fastpose.data.prepare.boxes import BoxFile
from fastpose.errors import UserError
from fastpose.inference.crop import CropMode
from fastpose.inference.detector import BATCH, Detector, make_smoother
from fastpose.inference.frames import FramePose
from fastpose.inference.people import make_cropper
from fastpose.inference.sinks import (
    CsvSink,
    JsonLinesSink,
    OverlayPictureSink,
    OverlayVideoSink,
    Sink,
    unique_name,
)
from fastpose.inference.smoothing import SmoothingConfig
from fastpose.inference.sources import PictureSource, VideoSource
from fastpose.inference.stream import PoseStream
from fastpose.inference.threads import WriteBehind

FORMAT, VERSION = "fastpose-predictions", 1
WRITE_BEHIND = 8  # frames

Format = Literal["jsonl", "csv", "overlay"]
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class PredictOptions:
    """How to run over files.

    Attributes:
        crop: where the detector looks, see `fastpose.inference.crop`.
        boxes: a file of boxes that takes the place of `crop`.
        smooth: the One-Euro filter on videos.
        batch: frames per call of the model.
        formats: which outputs to write.
        overwrite: replace an older folder of predictions.
    """

    crop: CropMode = "auto"
    boxes: str | None = None
    smooth: bool | SmoothingConfig = False
    batch: int = BATCH
    formats: tuple[Format, ...] = ("jsonl", "csv", "overlay")
    overwrite: bool = False


def predict_files(
    detector: Detector,
    sources: Sequence[VideoSource | PictureSource],
    out: str | Path,
    options: PredictOptions | None = None,
    *,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Detect every frame of every source and write the results to the folder `out`.

    ``poses.jsonl`` and ``poses.csv`` hold a row for every frame of every source, ``*_overlay`` the
    frames with skeletons, ``report.json`` the account: received = processed + failed.

    Args:
        progress: called with the source's name or a step before it, the frames done, and the
            frames expected or None.

    Returns:
        The report.

    Raises:
        UserError: `out` cannot be used, or no frame at all could be processed; nothing is written.
            Frames that are missing or failed among others are in the report; `raise_for_missing`
            makes an error of them.
    """
    options = options or PredictOptions()
    out = Path(os.path.abspath(out))  # "." has no name to put a temporary one beside
    check_output(out, overwrite=options.overwrite)
    boxes = None if options.boxes is None else BoxFile(options.boxes)
    started = time.perf_counter()
    with _complete_folder(out) as folder:
        accounts = list(_run_all(detector, sources, folder, options, boxes, progress))
        report = _report(detector, options, accounts, time.perf_counter() - started)
        if report["processed"] == 0:
            raise UserError(next(_named(a) for a in accounts if a["reason"]))
        report["outputs"] = [*sorted(p.name for p in folder.iterdir()), "report.json"]
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def raise_for_missing(report: dict[str, Any], out: str | Path) -> None:
    """UserError naming the first source that is not whole, or the first frame that failed."""
    short = [a for a in report["sources"] if a["partial"]]
    if short:
        first = short[0]
        count = first["received"]
        kept = f"its {count} frames before that are in {out}, marked partial"
        others = f"; {len(short) - 1} more sources are not whole" if len(short) > 1 else ""
        raise UserError(f"{_named(first)}; {kept if count else f'{out} has none of it'}{others}")
    if report["failed"]:
        first = next(a for a in report["sources"] if a["failed"])
        raise UserError(
            f"{report['failed']} of {report['received']} frames failed, the first: "
            f"{first['reason']}; the others are in {out}"
        )


def describe_plan(
    detector: Detector,
    sources: Sequence[VideoSource | PictureSource],
    out: str | Path,
    options: PredictOptions,
) -> str:
    """What `predict_files` would do, in a few lines; the same checks of `out` and the boxes."""
    check_output(Path(out), overwrite=options.overwrite)
    if options.boxes is not None:
        BoxFile(options.boxes)
    size = detector.info.image_size
    lines = [f"model     {detector.skeleton.name}, {size} x {size} pixels, {detector.runtime.name}"]
    for source in sources:
        count = "?" if source.expected is None else source.expected
        lines.append(f"source    {source.name}: {count} frames")
    lines.append(f"crop      {options.boxes or options.crop}")
    lines.append(f"smoothing {'One-Euro, on videos' if options.smooth else 'off'}")
    lines.append(f"write     {out}: {', '.join(options.formats)}, report.json")
    return "\n".join(lines)


def check_output(out: Path, *, overwrite: bool) -> None:
    """UserError unless `out` is new, empty, or (with `overwrite`) older predictions."""
    if not out.parent.is_dir():
        raise UserError(f"{out}: the folder {out.parent} does not exist; create it first")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not _is_ours(out):
        raise UserError(f"{out}: exists and is no folder of predictions; give another --out")
    if not overwrite:
        raise UserError(f"{out}: already holds predictions; give another --out, or --overwrite")


def _is_ours(out: Path) -> bool:
    try:
        return json.loads((out / "report.json").read_text())["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _run_all(
    detector: Detector,
    sources: Sequence[VideoSource | PictureSource],
    folder: Path,
    options: PredictOptions,
    boxes: BoxFile | None,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    tables: list[Sink] = []
    if "jsonl" in options.formats:
        tables.append(JsonLinesSink(folder / "poses.jsonl", detector.skeleton))
    if "csv" in options.formats:
        tables.append(CsvSink(folder / "poses.csv", detector.skeleton))
    names: set[str] = set()
    with _closing(tables):
        for source in sources:
            overlay: list[Sink] = []
            if "overlay" in options.formats:
                overlay.append(_overlay(detector, source, folder, names))
            with _closing(overlay):
                yield _run_one(detector, source, options, boxes, [*tables, *overlay], progress)


def _run_one(
    detector: Detector,
    source: VideoSource | PictureSource,
    options: PredictOptions,
    boxes: BoxFile | None,
    sinks: Sequence[Sink],
    progress: Progress | None,
) -> dict[str, Any]:
    def look(done: int) -> None:
        if progress is not None:
            progress(f"{source.name}, looking for people", done, source.expected)

    try:
        cropper = make_cropper(source, options.crop, boxes, detector.info, progress=look)
    except UserError as error:  # this source gives nothing; the others still may
        return _nothing(source, str(error))
    stream = PoseStream(
        source,
        detector.runtime,
        cropper,
        batch=options.batch,
        smoother=make_smoother(options.smooth) if source.is_video else None,
    )

    def write(pose: FramePose) -> None:
        for sink in sinks:
            sink.write(pose)

    with WriteBehind(write, WRITE_BEHIND) as writer:
        for pose in stream:
            writer.put(pose)
            if progress is not None:
                progress(source.name, pose.index + 1, source.expected)
    return stream.account()


def _overlay(
    detector: Detector, source: VideoSource | PictureSource, folder: Path, names: set[str]
) -> Sink:
    name = unique_name(f"{Path(source.name).stem}_overlay", names)
    if isinstance(source, VideoSource):
        return OverlayVideoSink(folder / f"{name}.mp4", detector.skeleton, source.fps)
    return OverlayPictureSink(folder / name, detector.skeleton)


def _nothing(source: VideoSource | PictureSource, reason: str) -> dict[str, Any]:
    counts = dict.fromkeys(("received", "processed", "failed", "without_person"), 0)
    return {
        "source": source.name,
        "crop": None,
        "expected": source.expected,
        **counts,
        "partial": True,
        "reason": reason,
        "model_seconds": 0.0,
        "smoothing_delay_seconds": None,
    }


def _report(
    detector: Detector,
    options: PredictOptions,
    accounts: Sequence[dict[str, Any]],
    seconds: float,
) -> dict[str, Any]:
    totals = {
        key: sum(a[key] for a in accounts)
        for key in ("received", "processed", "failed", "without_person")
    }
    detected = totals["processed"] - totals["without_person"]
    model_seconds = sum(a["model_seconds"] for a in accounts)
    return {
        "format": FORMAT,
        "version": VERSION,
        "runtime": detector.runtime.name,
        "checkpoint": detector.info.checkpoint,
        "image_size": detector.info.image_size,
        "skeleton": detector.skeleton.to_dict(),
        "options": asdict(options),
        **totals,
        "partial": any(a["partial"] for a in accounts),
        "seconds": round(seconds, 4),
        "frames_per_second": round(totals["received"] / seconds, 2) if seconds > 0 else None,
        "model_frames_per_second": (
            round(detected / model_seconds, 2) if model_seconds > 0 else None
        ),
        "sources": list(accounts),
    }


def _named(account: dict[str, Any]) -> str:
    """The reason of a source, with the source's name in front once."""
    source, reason = account["source"], account["reason"]
    return reason if reason.startswith(source) else f"{source}: {reason}"


@contextmanager
def _closing(sinks: Sequence[Sink]) -> Iterator[None]:
    """Finish the sinks on a normal exit, discard them on any other."""
    try:
        yield
    except BaseException:
        for sink in sinks:
            sink.discard()
        raise
    for sink in sinks:
        sink.finish()


@contextmanager
def _complete_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out`: takes its place on a normal exit, vanishes otherwise."""
    temporary = out.with_name(f".{out.name}.tmp-{os.getpid()}")
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    try:
        temporary.mkdir()
        yield temporary
        if out.exists():
            os.replace(out, old)
        os.replace(temporary, out)
    except (OSError, FFmpegError) as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
