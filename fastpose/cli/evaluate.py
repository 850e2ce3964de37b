"""Score a model on labelled clips: next to the poses of a prior, or as a paper does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import tyro

from fastpose.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console


def run(
    model: tyro.conf.Positional[str],
    /,
    out: Annotated[str, tyro.conf.arg(metavar="DIR")],
    data: Annotated[str | None, tyro.conf.arg(metavar="CLIPS")] = None,
    protocol: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    prior: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH [PATH ...]")] = (),
    fit: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None,
    labels: Annotated[str | None, tyro.conf.arg(metavar="FILE.npz")] = None,
    min_score: float = 0.4,
    joints: tuple[str, ...] = (),
    regress: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    detector: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None,
    batch: int = 64,
    threads: int | None = None,
    seed: int = 0,
    dry_run: bool = False,
) -> None:
    """Score a model on labelled clips: next to the poses of a prior, or as a paper does.

    Args:
        model: A model.onnx of 'fastpose export', a run or checkpoint directory, or with --protocol
            an npz of predictions and labels.
        out: Folder for report.json and pictures (best, median and worst frames; with --protocol
            curves and the error of each joint too).
        data: Folder of clips that 'prepare' or 'synthesize' made.
        protocol: Print a paper's table with its rows and ours, such as simplified-human36m,
            human36m, penn-action, infants or weizmann; a wrong name lists all. Those in space
            (human36m-3d, mpi-inf-3dhp, infants-3d) take a run of lifting.
        prior: Files or folders of poses for the baselines; by default those the run trained with.
            A run's framing (fitted or not) is kept; a model.onnx has none and takes the default.
            For a run of lifting: motion capture to score it on, instead of clips or beside them.
        fit: A table that 'view prior --fit' wrote, to frame the poses of the baselines with.
        labels: Labels by picture name (names, keypoints, joint_names); by default the keypoints
            that the clips carry.
        min_score: Joints of --labels with a smaller score do not count.
        joints: Joints to score, such as l_wrist r_wrist; by default all that labels and model
            share (--protocol: all of the protocol's).
        regress: How to fit the landmarks of an npz to joints: thewlis-zhang, imm, bkind, autolink.
        detector: With a run of lifting: a run whose 2D joints in the clips are lifted too (with
            --protocol: instead of the clips' own).
        batch: Frames per call of the model.
        threads: Processor threads of the model.
        seed: Of the random poses.
        dry_run: Say what would be scored, and stop.
    """
    from fastpose.evaluation.lifting import is_lifting

    lifting = is_lifting(model)
    if detector is not None and not lifting:
        raise UserError("--detector: belongs to a run of lifting")
    if protocol is not None:
        for name, value in (("--prior", prior), ("--fit", fit)):
            if value:
                raise UserError(f"{name}: a protocol has no poses of a prior; leave it out")
        _by_protocol(
            model,
            protocol,
            data,
            out,
            labels,
            min_score,
            joints,
            regress,
            detector,
            batch,
            threads,
            dry_run,
        )
        return
    if lifting:
        for name, value in (("--labels", labels), ("--regress", regress)):
            if value:
                raise UserError(f"{name}: {model} is a run of lifting; leave it out")
        _lifting(model, data, prior, detector, out, seed, dry_run)
        return
    if regress is not None:
        raise UserError("--regress: belongs to a --protocol; name one")
    if data is None:
        raise UserError("--data: name the folder of clips with labels to score on")
    from rich.console import Console

    from fastpose.evaluation.run import describe_plan, evaluate_model

    if dry_run:
        print(describe_plan(model, data, labels, out, min_score=min_score))
        return
    with _progress() as advance:
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
            progress=advance,
        )
    Console().print(report.table())
    print(f"joints    {', '.join(report.joints)}")
    print(f"written   {out}: report.json, sheet.png")


def _lifting(
    model: str,
    data: str | None,
    prior: tuple[str, ...],
    detector: str | None,
    out: str,
    seed: int,
    dry_run: bool,
) -> None:
    from fastpose.evaluation.lifting import evaluate_lifting, table

    if dry_run:
        sources = [*prior, *([data] if data else [])]
        print(f"would score {model} on {', '.join(sources) or 'nothing'} and write to {out}")
        return
    rows = evaluate_lifting(model, data=data, prior=prior, detector=detector, seed=seed, out=out)
    _wide().print(table(rows))
    print(f"written   {out}: report.json")


def _by_protocol(
    model: str,
    protocol: str,
    data: str | None,
    out: str,
    labels: str | None,
    min_score: float,
    joints: tuple[str, ...],
    regress: str | None,
    detector: str | None,
    batch: int,
    threads: int | None,
    dry_run: bool,
) -> None:
    from fastpose.evaluation.protocol_run import describe_protocol_plan, evaluate_protocol

    if dry_run:
        print(describe_protocol_plan(model, protocol, out))
        return
    with _progress() as advance:
        report = evaluate_protocol(
            model,
            protocol,
            data,
            out=out,
            labels=labels,
            min_score=min_score,
            joints=joints or None,
            regress=regress,
            detector=detector,
            batch_size=batch,
            threads=threads,
            progress=advance,
        )
    _wide().print(report.tables())
    print(f"frames    {report.frames['all']}")
    print(f"written   {out}: report.json and pictures")


def _wide() -> Console:
    """For tables as wide as a paper's: a pipe or a file gets them whole, a terminal wraps them."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=240)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("frames", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
