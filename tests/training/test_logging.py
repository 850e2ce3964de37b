"""Lines of metrics and timing, their repair after a kill, the display."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console

from fastpose.errors import UserError
from fastpose.training.logging import METRICS, TIMING, Clock, RunLog, keep_until
from tests.training.tiny import make_state


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def log(folder: Path, console: Console) -> RunLog:
    return RunLog(folder, start=5, stop=47, clock=Clock(), console=console)


def test_a_line_holds_means_and_another_the_clock(tmp_path: Path) -> None:
    state, text = make_state(), io.StringIO()
    with log(tmp_path, Console(file=text, width=200)) as lines:
        for value in (1.0, 2.0):
            state.metrics.add({"poses/score": value, "poses/total/gradient": 3.0})
            state.step += 1
            lines.step_done(state, 5)
        lines.write(state, 0.25)
    assert (tmp_path / METRICS).read_text() == (
        '{"step": 2, "stage": "first", "lr_factor": 0.25, "poses/score": 1.5, '
        '"poses/total/gradient": 3.0}\n'
    )
    timing = lines_of(tmp_path / TIMING)[0]
    assert timing["step"] == 2 and timing["images_per_second"] > 0
    assert {"train_seconds", "cpu_seconds", "cpu_seconds_per_image"} <= set(timing)
    assert not state.metrics
    assert text.getvalue().startswith("first 2/47 ")
    assert "images/s" in text.getvalue() and "poses/score=1.5" in text.getvalue()


def test_on_a_terminal_there_is_a_bar_with_rate_and_losses(tmp_path: Path) -> None:
    state, text = make_state(), io.StringIO()
    console = Console(file=text, force_terminal=True, width=160)
    with log(tmp_path, console) as lines:
        state.step = 8
        state.metrics.add({"critic/total": 0.5})
        lines.step_done(state, 3)
        lines.write(state, 1.0)
        lines.say("one line")
    shown = text.getvalue()
    assert "second" in shown and "8/47" in shown and "critic=0.5" in shown
    assert "images/s" in shown and "one line" in shown


def test_lines_after_the_checkpoint_and_half_lines_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"step": 2}\n{"step": 4}\n{"step": 6}\n{"st')
    keep_until(path, 4)
    assert path.read_text() == '{"step": 2}\n{"step": 4}\n'
    keep_until(path, 100)
    assert path.read_text() == '{"step": 2}\n{"step": 4}\n'
    path.write_text('{"step": 2}\n{"step": 4}')
    keep_until(path, 4)
    assert path.read_text() == '{"step": 2}\n'
    keep_until(tmp_path / "absent.jsonl", 4)


def test_the_clock_goes_on_from_an_earlier_session() -> None:
    clock = Clock({"train_seconds": 100.0, "cpu_seconds": 50.0})
    time.sleep(0.01)
    now = clock.read()
    assert 100.01 <= now["train_seconds"] < 105 and 50.0 <= now["cpu_seconds"] < 55


def test_a_log_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    state = make_state()
    state.metrics.add({"a/b": 1.0})
    (tmp_path / METRICS).mkdir()
    with (
        pytest.raises(UserError, match=r"cannot write metrics\.jsonl"),
        log(tmp_path, Console(file=io.StringIO())) as lines,
    ):
        lines.write(state, 1.0)
