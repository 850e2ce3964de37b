"""What a run says: ``metrics.jsonl``, ``timing.jsonl``, and a progress display or plain lines.

``metrics.jsonl`` holds nothing of the clock, so two runs of the same seed write the same bytes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as Remaining

from fastpose.files import explained, replace_file
from fastpose.training.state import TrainState

METRICS, TIMING = "metrics.jsonl", "timing.jsonl"


def keep_until(path: Path, step: int) -> None:
    """Drop the lines of ``path`` after ``step``, and one that a killed process left unfinished."""
    if not path.exists():
        return
    kept = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if not line.endswith(b"\n") or json.loads(line)["step"] > step:
                break
        except (ValueError, KeyError, TypeError):
            break
        kept.append(line)
    replace_file(path, b"".join(kept))


class Clock:
    """Wall and processor seconds of training, over all sessions of a run."""

    def __init__(self, earlier: Mapping[str, float] | None = None) -> None:
        earlier = earlier or {}
        self._wall = time.perf_counter() - float(earlier.get("train_seconds", 0.0))
        self._cpu = time.process_time() - float(earlier.get("cpu_seconds", 0.0))

    def read(self) -> dict[str, float]:
        """``train_seconds`` (wall) and ``cpu_seconds`` (all threads of this process) so far."""
        return {
            "train_seconds": round(time.perf_counter() - self._wall, 3),
            "cpu_seconds": round(time.process_time() - self._cpu, 3),
        }


class RunLog:
    """Writes a run's lines; use as a context manager.

    Args:
        folder: the run directory.
        start: the step at which training begins or goes on.
        stop: the step at which training will stop.
        clock: see :class:`Clock`.
        console: where to report; by default standard output.
    """

    def __init__(
        self, folder: Path, *, start: int, stop: int, clock: Clock, console: Console | None = None
    ) -> None:
        self._folder, self._start, self._stop, self._clock = folder, start, stop, clock
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._images = 0
        self._last = clock.read()

    def __enter__(self) -> RunLog:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                Remaining(),
                TextColumn("{task.fields[losses]}"),
                console=self._console,
            )
            self._task = self._progress.add_task(
                "", total=self._stop, completed=self._start, rate="", losses=""
            )
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, message: str) -> None:
        """One line for the user, above the progress display where there is one."""
        self._console.print(message, markup=False)

    def step_done(self, state: TrainState, batch_size: int) -> None:
        """Count one step's items and move the display."""
        self._images += batch_size
        if self._progress is not None:
            stage = state.last_stage().name
            self._progress.update(self._task, completed=state.step, description=stage)

    def write(self, state: TrainState, lr_factor: float) -> None:
        """One line each of metrics and timing, of the steps since the last; clears the sums."""
        means = state.metrics.means()
        stage = state.last_stage().name
        skipped = {"skipped": state.skipped} if state.skipped else {}
        line = {"step": state.step, "stage": stage, "lr_factor": lr_factor, **skipped, **means}
        self._append(METRICS, line)
        now = self._clock.read()
        spent = {key: now[key] - self._last[key] for key in now}
        rate = self._images / max(spent["train_seconds"], 1e-9)
        timing = {
            "step": state.step,
            "images_per_second": round(rate, 2),
            "cpu_seconds_per_image": round(spent["cpu_seconds"] / max(self._images, 1), 6),
            **now,
        }
        self._append(TIMING, timing)
        self._show(state, stage, means, rate)
        state.metrics.clear()
        self._images, self._last = 0, now

    def _show(self, state: TrainState, stage: str, means: Mapping[str, float], rate: float) -> None:
        losses = {name: value for name, value in means.items() if name.count("/") == 1}
        if self._progress is not None:  # a narrow line: the sums of each phase
            losses = {n.split("/")[0]: v for n, v in losses.items() if n.endswith("/total")}
        shown = " ".join(f"{name}={value:.4g}" for name, value in losses.items())
        if self._progress is not None:
            self._progress.update(self._task, rate=f"{rate:.1f} images/s", losses=shown)
            return
        self.say(f"{stage} {state.step}/{self._stop}  {rate:.1f} images/s  {shown}")

    def _append(self, name: str, line: Mapping[str, Any]) -> None:
        path = self._folder / name
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        with explained(path, name):
            # One write a line: a killed process leaves at most one line unfinished.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
