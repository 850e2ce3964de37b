"""A whole run of a small KeypointGAN: what lies where, resuming, refusals."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from fastpose.errors import UserError
from fastpose.training import run as module
from fastpose.training.checkpoint import load_model
from fastpose.training.run_lock import RunLock
from tests.training.small_run import make_clips, make_prior, small_recipe, start
from tests.training.tiny import make_state


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run from start to end, and what it said."""
    folder, text = tmp_path_factory.mktemp("finished"), io.StringIO()
    threads = torch.get_num_threads()
    result = start(folder, console=Console(file=text, width=500))
    torch.set_num_threads(threads)
    assert (result.step, result.total_steps, result.exit_code) == (10, 10, 0)
    return folder, text.getvalue()


def test_what_a_run_leaves(finished: tuple[Path, str]) -> None:
    run = finished[0] / "run"
    assert names(run) == [
        "checkpoints",
        "config.json",
        "environment.json",
        "metrics.jsonl",
        "sheets",
        "summary.json",
        "timing.jsonl",
    ]
    assert names(run / "checkpoints") == ["step_000000", "step_000004", "step_000010"]
    assert names(run / "sheets") == ["step_000004.png", "step_000010.png"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 4, 6, 9, 10]
    assert {"generator/perceptual", "regressor/images"} <= set(lines[-1])
    summary = json.loads((run / "summary.json").read_text())
    assert summary["step"] == 10 and summary["checkpoint"] == "step_000010"
    assert summary["cpu_seconds"] > 0 and summary["train_seconds"] > 0
    session = json.loads((run / "environment.json").read_text())["sessions"][0]
    assert session["packages"]["torch"] and session["threads"] == 1


def test_what_a_run_says(finished: tuple[Path, str]) -> None:
    folder, text = finished
    assert "note: no feature weights given" in text
    assert "pretrain 4/10" in text and "main 10/10" in text and "images/s" in text
    assert "done at step 10 of 10 after" in text and str(folder / "run/checkpoints") in text


def test_the_model_of_a_run_detects(finished: tuple[Path, str]) -> None:
    model = load_model(finished[0] / "run")
    frames = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    assert model.predict(frames).points.shape == (1, 12, 2)


def test_a_run_is_repeated_exactly_in_pieces(finished: tuple[Path, str], tmp_path: Path) -> None:
    straight = finished[0] / "run"
    # Within each stage, at the seam, and with a checkpoint where the other run has none.
    for steps in (2, 4, 7, 10):
        start(tmp_path, steps=steps, resume=True)
    pieces = tmp_path / "run"
    for name in ("model", "ema"):
        a, b = (
            load_file(r / f"checkpoints/step_000010/{name}.safetensors") for r in (straight, pieces)
        )
        assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    assert (pieces / "metrics.jsonl").read_bytes() == (straight / "metrics.jsonl").read_bytes()
    assert (pieces / "sheets/step_000010.png").read_bytes() == (
        straight / "sheets/step_000010.png"
    ).read_bytes()
    assert len(json.loads((pieces / "environment.json").read_text())["sessions"]) == 4


def test_optimizers_too_are_the_same_in_mid_stage(tmp_path: Path) -> None:
    for name, pieces in (("a", (8,)), ("b", (6, 8))):
        (tmp_path / name).mkdir()
        for steps in pieces:
            start(tmp_path / name, steps=steps, resume=True)
    file = "run/checkpoints/step_000008/optimizer.safetensors"
    a, b = load_file(tmp_path / "a" / file), load_file(tmp_path / "b" / file)
    assert len(a) > 100 and a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_finished_run_is_not_trained_further(finished: tuple[Path, str]) -> None:
    folder, text = finished[0], io.StringIO()
    result = start(folder, resume=True, console=Console(file=text, width=500))
    assert result.step == 10 and "resuming at step 10 of 10" in text.getvalue()
    assert names(folder / "run/checkpoints") == ["step_000000", "step_000004", "step_000010"]


def test_time_is_added_up_over_sessions(tmp_path: Path) -> None:
    first = start(tmp_path, steps=1)
    second = start(tmp_path, steps=2, resume=True)
    assert second.train_seconds > first.train_seconds > 0
    assert second.cpu_seconds > first.cpu_seconds > 0


def test_a_run_that_is_there_is_refused_and_overwritten_on_demand(tmp_path: Path) -> None:
    start(tmp_path, steps=2)
    (tmp_path / "run/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="a run is there"):
        start(tmp_path, steps=2)
    start(tmp_path, small_recipe("seed=3"), steps=1, overwrite=True)
    assert names(tmp_path / "run/checkpoints") == ["step_000000", "step_000001"]
    assert json.loads((tmp_path / "run/config.json").read_text())["recipe"]["seed"] == 3
    assert (tmp_path / "run/notes.txt").read_text() == "mine"


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    text = io.StringIO()
    result = start(tmp_path, dry_run=True, console=Console(file=text, width=500))
    assert result.checkpoint is None and names(tmp_path) == ["clips", "prior.npz"]
    assert "stage main: 6 steps" in text.getvalue()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    start(tmp_path, steps=1)
    before = (tmp_path / "run/metrics.jsonl").exists()
    with RunLock(tmp_path / "run"), pytest.raises(UserError, match="is writing to this run"):
        start(tmp_path, steps=3, resume=True)
    assert before == (tmp_path / "run/metrics.jsonl").exists()


def one_frame(folder: Path) -> None:
    make_clips(folder / "clips", frames=1)
    make_prior(folder / "prior.npz")


def nan_prior(folder: Path) -> None:
    import numpy as np

    make_clips(folder / "clips")
    make_prior(folder / "prior.npz")
    with np.load(folder / "prior.npz") as data:
        arrays = dict(data)
    arrays["positions"][3, 4] = np.nan
    np.savez(folder / "prior.npz", **arrays)


def empty_clips(folder: Path) -> None:
    (folder / "clips").mkdir()
    make_prior(folder / "prior.npz")


def no_prior(folder: Path) -> None:
    make_clips(folder / "clips")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (one_frame, "no clip has 2 frames"),
        (nan_prior, "NaN"),
        (empty_clips, "is empty"),
        (no_prior, "prior.npz: no such"),
    ],
)
def test_bad_data_leaves_no_run_behind(tmp_path: Path, prepare, message: str) -> None:
    prepare(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        start(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_too_small_a_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch) -> None:
    from fastpose import files

    monkeypatch.setattr(files, "free_bytes", lambda folder: 1000)
    with pytest.raises(UserError, match=r"two checkpoints\) needs \d+ bytes and 1000 are free"):
        start(tmp_path)
    assert not (tmp_path / "run").exists()


def test_steps_must_be_some(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="steps: must be 1 or more"):
        start(tmp_path, steps=0)


def test_a_damaged_environment_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / module.ENVIRONMENT).write_text("{")
    module._note_session(tmp_path, make_state())
    assert len(json.loads((tmp_path / module.ENVIRONMENT).read_text())["sessions"]) == 1
