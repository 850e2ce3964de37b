"""Score a model on labelled clips, next to the mean and random poses of a prior."""

from __future__ import annotations

from typing import Annotated

import tyro


def run(
    model: tyro.conf.Positional[str],
    /,
    data: Annotated[str, tyro.conf.arg(metavar="CLIPS")],
    out: Annotated[str, tyro.conf.arg(metavar="DIR")],
    prior: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH [PATH ...]")] = (),
    fit: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None,
    labels: Annotated[str | None, tyro.conf.arg(metavar="FILE.npz")] = None,
    min_score: float = 0.4,
    joints: tuple[str, ...] = (),
    batch: int = 64,
    threads: int | None = None,
    seed: int = 0,
    dry_run: bool = False,
) -> None:
    """Score a model on labelled clips, next to the mean and random poses of a prior.

    Args:
        model: A model.onnx from 'fastpose export', or a run or checkpoint directory.
        data: Folder of clips that 'prepare' or 'synthesize' made.
        out: Folder for report.json and sheet.png (best, median and worst frames).
        prior: Files or folders of poses for the baselines; by default those the run trained with.
            A run's framing (fitted or not) is kept; a model.onnx has none and takes the default.
        fit: A table that 'view prior --fit' wrote, to frame the poses of the baselines with.
        labels: Labels by picture name (names, keypoints, joint_names); by default the keypoints
            that the clips carry.
        min_score: Joints of --labels with a smaller score do not count.
        joints: Joints to score, such as l_wrist r_wrist; by default all that labels and model
            share.
        batch: Frames per call of the model.
        threads: Processor threads of the model.
        seed: Of the random poses.
        dry_run: Say what would be scored, and stop.
    """
    from rich.console import Console
    from rich.progress import Progress

    from fastpose.evaluation.run import describe_plan, evaluate_model

    if dry_run:
        print(describe_plan(model, data, labels, out, min_score=min_score))
        return
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("frames", total=None)
        report = evaluate_model(
            model,
            data,
            out=out,
            labels=labels,
            min_score=min_score,
            prior=prior,
            fit=fit,
            joints=joints or None,
            batch_size=batch,
            threads=threads,
            seed=seed,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    Console().print(report.table())
    print(f"joints    {', '.join(report.joints)}")
    print(f"written   {out}: report.json, sheet.png")
