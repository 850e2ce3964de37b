"""Progress and the account of a run, for people."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fastpose.data.prepare.run import PrepareReport

_ROWS = 40


class SourceProgress:
    """A bar for the source at work on a terminal, one line for each source elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)
        self._source = ""

    def show(self, source: str, what: str, done: int, total: int | None) -> None:
        """Takes what :func:`prepare` reports."""
        if self._bar.disable and source != self._source:
            self._console.print(f"{source}: {what}", highlight=False, soft_wrap=True)
        self._source = source
        self._bar.update(self._task, description=f"{source}: {what}", completed=done, total=total)

    def __enter__(self) -> SourceProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


def print_report(report: PrepareReport, console: Console | None = None) -> None:
    """Prints one line a source, the totals, the reasons for what was left out, and the paths."""
    console = console or Console()
    table = Table(box=None, pad_edge=False)
    table.add_column("source")
    for heading in ("frames", "used", "clips"):
        table.add_column(heading, justify="right")
    table.add_column("left out, and remarks")
    for source in report.sources[:_ROWS]:
        remarks = [f"{count} {reason}" for reason, count in source.dropped.items()]
        remarks += [source.note] if source.note else []
        counts = (str(source.frames), str(source.used), str(source.clips))
        table.add_row(source.name, *counts, "; ".join(remarks))
    if len(report.sources) > _ROWS:
        table.add_row(f"... {len(report.sources) - _ROWS} more")
    if len(report.sources) > 1:
        sums = [
            str(sum(getattr(s, what) for s in report.sources))
            for what in ("frames", "used", "clips")
        ]
        table.add_row(f"{len(report.sources)} sources", *sums)
    console.print(table)
    if report.background:
        console.print(report.background, soft_wrap=True)
    if report.out is None:
        console.print("dry run: nothing was written")
    else:
        made = f"clips: {report.out}\nsheet: {report.out / 'sheet.png'}"
        if report.out.suffix == ".npz":
            made = f"poses: {report.out}"
        console.print(made, soft_wrap=True)
