"""Run a model on pictures or videos: poses as tables, and drawn on the frames."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro


def run(
    model: tyro.conf.Positional[str],
    sources: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="SOURCE...")]],
    /,
    out: Annotated[str, tyro.conf.arg(metavar="DIR")],
    crop: Literal["auto", "full", "motion", "follow"] = "auto",
    boxes: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None,
    smooth: bool = False,
    batch: int = 8,
    threads: int | None = None,
    format: tuple[Literal["jsonl", "csv", "overlay"], ...] = ("jsonl", "csv", "overlay"),
    overwrite: bool = False,
    dry_run: bool = False,
) -> None:
    """Run a model on pictures or videos: poses as tables, and drawn on the frames.

    Args:
        model: A model.onnx from 'fastpose export', or a run or checkpoint directory.
        sources: Pictures, videos, folders of them, or patterns in quotes.
        out: Folder for poses.jsonl, poses.csv, overlays and report.json.
        crop: Where to look for the person. full: the whole frame. motion: around whoever moves
            before a fixed camera. follow: around the joints of the frame before. auto: full for
            pictures and small square videos, motion for others in which somebody moves.
        boxes: A file of boxes to look at instead, as for 'fastpose prepare'.
        smooth: Calm the joints of videos with a One-Euro filter. It makes them late; the report
            says by how much.
        batch: Frames per call of the model.
        threads: Processor threads of the model.
        format: Which outputs to write.
        overwrite: Replace an older folder of predictions.
        dry_run: Say what would be done, and stop.
    """
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from fastpose.inference import load
    from fastpose.inference.predict import (
        PredictOptions,
        describe_plan,
        predict_files,
        raise_for_missing,
    )
    from fastpose.inference.sources import find_sources

    detector = load(model, threads=threads)
    found = find_sources(sources)
    options = PredictOptions(crop, boxes, smooth, batch, format, overwrite)
    if dry_run:
        print(describe_plan(detector, found, out, options))
        return
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        report = predict_files(detector, found, out, options, progress=show)
    print(
        f"frames    {report['received']} received = {report['processed']} processed + "
        f"{report['failed']} failed; {report['without_person']} without a person"
    )
    print(
        f"speed     {report['frames_per_second']} frames/s end to end, "
        f"{report['model_frames_per_second']} in the model ({report['runtime']})"
    )
    delays = [
        s["smoothing_delay_seconds"] for s in report["sources"] if s["smoothing_delay_seconds"]
    ]
    if delays:
        print(f"smoothing joints are late by up to {1000 * max(delays):.0f} ms on average")
    print(f"written   {out}: {', '.join(report['outputs'])}")
    raise_for_missing(report, out)
