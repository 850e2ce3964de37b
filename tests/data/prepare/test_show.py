from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from fastpose.data.prepare import PrepareReport, SourceReport
from fastpose.data.prepare.show import SourceProgress, print_report


def console(terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=120, force_terminal=terminal), out


def report(count: int, out: Path | None = None) -> PrepareReport:
    sources = [
        SourceReport(f"film{i}", f"/x/film{i}.mp4", 100, 60, 2, {"nobody in sight": 40}, note="odd")
        for i in range(count)
    ]
    return PrepareReport(out, sources, [("film0_01", 30)] * 2 * count, [])


def test_table_tells_counts_reasons_and_where(tmp_path: Path) -> None:
    screen, out = console()
    print_report(report(3, tmp_path / "out"), screen)
    text = out.getvalue()
    assert "film2" in text and "40 nobody in sight; odd" in text
    assert "3 sources" in text and "300" in text and "180" in text
    assert str(tmp_path / "out/sheet.png") in text.replace("\n", "")


def test_long_lists_are_cut_and_dry_runs_named() -> None:
    screen, out = console()
    print_report(report(60), screen)
    text = out.getvalue()
    assert "... 20 more" in text and "film59" not in text and "60 sources" in text
    assert "nothing was written" in text


def test_progress_without_a_terminal_is_one_line_a_source() -> None:
    screen, out = console()
    with SourceProgress(screen) as bar:
        for name in ("a", "b"):
            for done in range(50):
                bar.show(name, "looking", done, 50)
            bar.show(name, "cutting", 50, 50)
    assert out.getvalue().splitlines() == ["a: looking", "b: looking"]


def test_progress_on_a_terminal_is_a_bar_that_goes_away() -> None:
    screen, out = console(terminal=True)
    with SourceProgress(screen) as bar:
        bar.show("a", "looking", 5, None)
        bar.show("a", "cutting", 25, 50)
    assert "a: cutting" in out.getvalue()
