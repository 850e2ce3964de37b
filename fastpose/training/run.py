"""A training run from start to end, in a directory that can be resumed after any kind of death.

::

    RUN/config.json        recipe in effect, data, prior (see run_config)
    RUN/environment.json   what each session ran on
    RUN/prior_fit.npz      the prior's framing, where it was fitted to the clips
    RUN/metrics.jsonl      losses; no clock in it
    RUN/timing.jsonl       images per second, wall and processor seconds
    RUN/sheets/            sample sheets as PNG
    RUN/checkpoints/       see checkpoint_folder
    RUN/failed/            batches that gave NaN
    RUN/summary.json       written when training stops
    RUN/lock               while a process writes
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from fastpose.environment import collect
from fastpose.errors import UserError
from fastpose.files import explained, pretty_json, read_json, replace_file, require_space
from fastpose.recipes import Recipe
from fastpose.training.checkpoint import CHECKPOINTS, checkpoint_bytes, resume, save_checkpoint
from fastpose.training.checkpoint_folder import list_folders, remove_temporaries
from fastpose.training.device import choose_device
from fastpose.training.logging import METRICS, TIMING, Clock, RunLog, keep_until
from fastpose.training.loop import Outputs, Schedule, train
from fastpose.training.plan import describe_plan
from fastpose.training.run_config import CONFIG
from fastpose.training.run_follow import follow
from fastpose.training.run_lock import RunLock
from fastpose.training.run_start import Opened, configure, fit_to_clips, open_all, remove_run
from fastpose.training.sheets import SheetWriter
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState
from fastpose.training.world import join, launched

ENVIRONMENT, SUMMARY = "environment.json", "summary.json"


@dataclass(frozen=True)
class TrainResult:
    """How a run stood when training stopped.

    Attributes:
        run: its directory.
        step, total_steps: done, and in the whole schedule.
        exit_code: 0, or 130 / 143 where SIGINT / SIGTERM stopped it.
        checkpoint: the newest one; None for a dry run, and for a process that does not lead.
        train_seconds, cpu_seconds: wall and processor time of training up to that checkpoint, all
            sessions together; of the process that leads.
    """

    run: Path
    step: int
    total_steps: int
    exit_code: int = 0
    checkpoint: Path | None = None
    train_seconds: float = 0.0
    cpu_seconds: float = 0.0


def train_run(
    recipe: Recipe | None,
    data: str | Path | None,
    prior: Sequence[str | Path],
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    steps: int | None = None,
    threads: int | None = None,
    device: str = "auto",
    fit_prior: bool = False,
    dry_run: bool = False,
    console: Console | None = None,
) -> TrainResult:
    """Train ``recipe`` on the clips of ``data`` with the poses of ``prior``, writing to ``out``.

    Where torchrun started this process, it is one of several that train together: the first
    writes the run directory, which all of them must be able to read.

    Args:
        recipe: see ``fastpose.recipes``; None with ``resume``: that of the run.
        data: a clips folder, made by ``prepare`` or ``synthesize``; None with ``resume``, and where
            the recipe learns without.
        prior: files or folders of poses that belong to no image; empty likewise.
        out: the run directory.
        resume: continue the run that is there from its newest complete checkpoint; start one
            where there is none.
        overwrite: delete the run that is there first.
        steps: stop when so many steps are done in all; the schedule stays the recipe's.
        threads: processor threads; by default torch's choice, or those of the resumed run.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        fit_prior: fit the prior's framing to the clips, without labels, before training.
        dry_run: report what would be done, and write nothing.
        console: where to report.

    Raises:
        UserError: anything that the arguments name cannot be used; a run is there already or is
            being written; training gave NaN; the disk is full.
    """
    run = Path(out)
    if steps is not None and steps < 1:
        raise UserError(f"steps: must be 1 or more, not {steps}")
    place = launched()
    chosen = choose_device(device, place and place[2])
    console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
    with join(place, chosen) as world:
        if not world.leads:
            if dry_run:
                return TrainResult(run, 0, 0)
            return TrainResult(run, *follow(run, chosen, world, steps=steps))
        config = configure(
            recipe,
            data,
            prior,
            run,
            resume=resume,
            overwrite=overwrite,
            device=chosen,
            threads=threads,
            processes=world.processes,
        )
        # Whatever is wrong with recipe, clips or poses shows here, before anything is written.
        opened = open_all(config, run, chosen, world, console)
        total = opened.state.total_steps
        stop = total if steps is None else min(steps, total)
        if dry_run:
            plan = describe_plan(opened, run, stop=stop, fit_prior=fit_prior)
            console.print("\n".join(plan), markup=False)
            return TrainResult(run, 0, total)
        return _lead(
            opened, run, stop=stop, overwrite=overwrite, fit_prior=fit_prior, console=console
        )


def _lead(
    opened: Opened, run: Path, *, stop: int, overwrite: bool, fit_prior: bool, console: Console
) -> TrainResult:
    """Train as the process that writes the run directory."""
    needed = 2 * checkpoint_bytes(opened.state)
    require_space(run, needed, "a training run (two checkpoints)")
    new = not run.exists()
    with explained(run, "the run directory"):
        run.mkdir(parents=True, exist_ok=True)
    try:
        with RunLock(run):
            if overwrite:
                remove_run(run)
            if not (run / CONFIG).exists():
                if fit_prior and opened.clips is not None:
                    count = len(opened.clips.clips)
                    console.print(f"fitting the prior to {count} clips", markup=False)
                opened = fit_to_clips(opened, run, wanted=fit_prior)
            opened.config.save(run)
            opened.state.world.tell(opened.config.to_dict())
            return _train(opened, run, stop=stop, console=console)
    finally:
        if new and not (run / CONFIG).exists():
            shutil.rmtree(run, ignore_errors=True)


def _train(opened: Opened, run: Path, *, stop: int, console: Console) -> TrainResult:
    recipe, state, checkpoints = opened.config.recipe, opened.state, run / CHECKPOINTS
    stored = opened.config.of_checkpoint()
    remove_temporaries(checkpoints)
    _note_session(run, state)

    def say(message: str) -> None:
        console.print(message, markup=False)

    timing = resume(state, checkpoints, stored, report=say)
    state.world.tell(None if timing is None else state.step)
    clock = Clock(timing)
    spent = clock.read()

    def save(state: TrainState) -> None:
        state.require_same()
        # As the newest checkpoint has it, so that sessions add up without a gap.
        spent.update(clock.read())
        save_checkpoint(state, checkpoints, stored, timing=spent, keep=recipe.keep_checkpoints)
        state.world.agree()  # the others wait until it is there

    for name in (METRICS, TIMING):
        with explained(run / name, name):
            keep_until(run / name, state.step)
    if timing is None:
        save(state)  # whatever prevents a checkpoint shows now, and not after an hour
    else:
        say(f"resuming at step {state.step} of {state.total_steps}")
    sources = opened.sources
    sheets = SheetWriter(run / "sheets", sources, seed=recipe.seed)
    lines = RunLog(run, start=state.step, stop=stop, clock=clock, console=console)
    with StopSignals() as signals, lines as log:
        outputs = Outputs(log, save, sheets.write, run / "failed")
        train(state, sources, outputs, Schedule.of(recipe), stop=stop, signals=signals)
    newest = list_folders(checkpoints)[0]
    result = TrainResult(run, state.step, state.total_steps, signals.exit_code, newest, **spent)
    summary = {**asdict(result), "run": str(run), "checkpoint": newest.name}
    with explained(run / SUMMARY, SUMMARY):
        replace_file(run / SUMMARY, pretty_json(summary))
    state.world.agree()
    say(
        f"{'stopped' if signals.received else 'done'} at step {state.step} of "
        f"{state.total_steps} after {result.train_seconds:.0f} s "
        f"({result.cpu_seconds:.0f} s of processor time); run {run}, sheets {run / 'sheets'}, "
        f"checkpoint {newest}"
    )
    return result


def _note_session(run: Path, state: TrainState) -> None:
    """Add this process to ``environment.json``; a damaged file is begun anew."""
    path = run / ENVIRONMENT
    sessions: list[Any] = []
    with contextlib.suppress(UserError, KeyError, TypeError):
        sessions = list(read_json(path, limit=4 << 20)["sessions"])
    session = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": sys.argv,
        "device": str(state.device),
        "threads": torch.get_num_threads(),
        "processes": state.world.processes,
        **collect(),
    }
    with explained(path, ENVIRONMENT):
        replace_file(path, pretty_json({"sessions": [*sessions, session]}))
