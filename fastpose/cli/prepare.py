"""Turn videos, frame folders, image strips or a published data set into person-centred clips."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro


def run(
    sources: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SRC...")],
    out: Annotated[str, tyro.conf.arg(metavar="DIR")],
    size: int | None = None,
    crop: Literal["auto", "full"] = "auto",
    person: Literal["auto", "moves", "stays"] = "auto",
    boxes: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None,
    masks: bool = False,
    layout: Literal["auto", "videos", "frames", "strips"] = "auto",
    fps: float | None = None,
    min_frames: int | None = None,
    max_frames: int = 1000,
    overwrite: bool = False,
    keep_going: bool = False,
    dry_run: bool = False,
    split: str | None = None,
    half: Literal["all", "first", "second"] | None = None,
    every: int | None = None,
    poses_only: bool = False,
) -> int:
    """Turn videos, frame folders, image strips or a published data set into person-centred clips.

    Finds the moving person before the fixed camera's background, cuts where nobody or somebody
    else is in sight, and gives every clip one constant square window. DIR/sheet.png shows the
    clips, the table at the end what was left out and why.

    'fastpose prepare DATASET ROOT --out DIR' reads a data set, such as penn-action, in its own
    layout instead, with its labels. What is packed survives an interruption: the same command goes
    on after it.

    Exits with 2 if a source could not be read to its end, even where --keep-going made clips of
    what was good.

    Args:
        sources: Videos, folders of videos or frames, pictures holding square frames in a row; or
            the name of a data set and its folder (./NAME for a folder of such a name).
        out: The folder of clips to make; with --poses-only, a file ending in .npz.
        size: Side of the square frames in pixels; 64 by default, data sets have their own.
        crop: auto cuts about the person, full keeps whole frames (framed already).
        person: Whether people come, go or travel, or one stays in place all the time.
        boxes: CSV or JSON of boxes to cut about: source, frame, x0, y0, x1, y1, person.
        masks: Also write the person's mask for every frame and each clip's background.
        layout: What folders hold, where looking does not tell.
        fps: Frames per second of pictures (25 by default); overrides that of videos.
        min_frames: Shorter clips are dropped; 16 by default, 2 with --crop full.
        max_frames: Longer clips are divided.
        overwrite: Replace the clips of a former run.
        keep_going: Use what is good instead of stopping: of a damaged video or frame folder the
            frames before the damage; of a data set the whole sequences or pictures that are good.
        dry_run: Say what would be made, and stop.
        split: Part of a data set, such as train or test.
        half: Half of each recording of a data set; by default as in the papers.
        every: Every so-manieth picture of a data set; by default as in the papers.
        poses_only: Write only a data set's 2D joints, as poses that belong to no picture.
    """
    import sys
    from pathlib import Path

    from fastpose.data.datasets import DATASETS
    from fastpose.data.prepare import prepare
    from fastpose.data.prepare.show import SourceProgress, print_report
    from fastpose.errors import UserError, nearest

    dataset = sources[0] if len(sources) == 2 and sources[0] in DATASETS else None
    if dataset is None and len(sources) == 2 and not Path(sources[0]).exists():
        # A file that is missing has an ending or a folder in its name; a data set has neither.
        meant = nearest(sources[0].lower(), DATASETS)
        if meant and not set("./\\") & set(sources[0]):
            raise UserError(
                f"{sources[0]}: no such file or folder, and no data set is called so{meant} "
                f"(data sets: {', '.join(DATASETS)})"
            )
    with SourceProgress() as bar:
        if dataset is not None:
            from fastpose.data.datasets.pack import PackConfig, pack, pack_poses

            if (crop, person, layout, boxes, fps) != ("auto", "auto", "auto", None, None):
                raise UserError(
                    "--crop, --person, --layout, --boxes, --fps: are for recordings of your own; "
                    f"{dataset} says these itself"
                )
            config = PackConfig(split, size, half, every, masks, min_frames, max_frames)
            make = pack_poses if poses_only else pack
            report = make(
                dataset,
                sources[1],
                out,
                config,
                overwrite=overwrite,
                keep_going=keep_going,
                dry_run=dry_run,
                progress=bar.show,
            )
        else:
            if poses_only or split or half or every:
                raise UserError(
                    "--poses-only, --split, --half, --every: are for data sets; name one of "
                    f"{', '.join(DATASETS)} and its folder"
                )
            report = prepare(
                sources,
                out,
                size=64 if size is None else size,
                crop=crop,
                person=person,
                boxes=boxes,
                masks=masks,
                layout=layout,
                fps=fps,
                min_frames=min_frames,
                max_frames=max_frames,
                overwrite=overwrite,
                keep_going=keep_going,
                dry_run=dry_run,
                progress=bar.show,
            )
    print_report(report)
    for problem in report.problems:
        print(f"fastpose: error: {problem}", file=sys.stderr)
    return 2 if report.problems else 0
