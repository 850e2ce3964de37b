"""Processes that train together: one that dies or fails ends all, SIGTERM stops all at one step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from fastpose.errors import UserError
from fastpose.training import loop
from fastpose.training.checkpoint import find_checkpoint
from tests.robustness.children import ROOT
from tests.robustness.conftest import Tally
from tests.robustness.counts import count
from tests.robustness.test_kill import wait_for
from tests.training.ranks import ended, start_ranks, train_small
from tests.training.small_run import make_clips, make_prior

pytestmark = pytest.mark.timeout(count(240, 600))
LONG = ("stages.main.steps=9999", "log_every=1", "sheet_every=0", "precision=float32")
SECONDS = 10.0  # within which all have ended


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_clips(tmp_path / "clips")
    make_prior(tmp_path / "prior.npz")
    return tmp_path


def said(folder: Path, rank: int) -> str:
    return (folder / f"said_{rank}").read_text()


def ended_soon(ranks: list[BaseProcess]) -> list[int | None]:
    begun = time.monotonic()
    codes = ended(ranks)
    assert time.monotonic() - begun < SECONDS
    return codes


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_others(folder: Path, killed: int, tally: Tally) -> None:
    ranks = start_ranks(train_small, folder, LONG, {})
    wait_for(folder / "run/checkpoints/step_000004")
    ranks[killed].kill()
    codes = ended_soon(ranks)
    assert codes[killed] == -9 and codes[1 - killed] == 3
    assert f"error: process {1 - killed} of 2 lost the others" in said(folder, 1 - killed)
    assert find_checkpoint(folder / "run").name == "step_000004"
    tally("worker death: one of two processes is killed, the other ends within 10 s")


def test_killed_processes_go_on_to_the_same_end(tmp_path: Path, tally: Tally) -> None:
    moments, kills = Random(3), count(1, 5)
    pairs = ("stages.main.steps=20", "log_every=1", "sheet_every=0", "checkpoint_every=2")
    folders = [tmp_path / name for name in ("killed", "straight")]
    for folder in folders:
        folder.mkdir()
        make_clips(folder / "clips")
        make_prior(folder / "prior.npz")
    run = folders[0] / "run"
    for kill in range(1, kills + 1):
        ranks = start_ranks(train_small, folders[0], pairs, {"resume": True})
        wait_for(run / f"checkpoints/step_{4 + 2 * kill:06d}")
        time.sleep(moments.uniform(0.0, 0.3))
        ranks[moments.randrange(2)].kill()
        assert set(ended_soon(ranks)) <= {-9, 3}
    for folder in folders:
        ranks = start_ranks(train_small, folder, pairs, {"resume": True})
        assert ended(ranks) == [0, 0], said(folder, 0)
    logs = [(folder / "run/metrics.jsonl").read_bytes() for folder in folders]
    assert logs[0] == logs[1]
    tally("kill -9 of one of two processes that train together", kills)


def train_with_a_fault(folder: Path, where: str) -> None:
    """A small run whose process 1 meets a fault in its 7th batch."""
    single, drawn = loop.to_batch, []

    def to_batch(*arguments: Any) -> dict[str, torch.Tensor]:
        batch = single(*arguments)
        drawn.append(batch)
        if os.environ["RANK"] == "1" and len(drawn) == 7:
            if where == "data":
                raise UserError("clip 'x': frame 3 cannot be read")
            batch["target"][0, 0, 0, 0] = torch.nan
        return batch

    loop.to_batch = to_batch
    train_small(folder, LONG, {})


def test_an_error_of_one_process_ends_the_others(folder: Path, tally: Tally) -> None:
    assert ended(start_ranks(train_with_a_fault, folder, "data")) == [3, 3]
    assert said(folder, 1) == "error: clip 'x': frame 3 cannot be read\n"
    assert "process 0 of 2 lost the others" in said(folder, 0)
    assert find_checkpoint(folder / "run").name == "step_000004"
    tally("worker death: one of two processes fails, both end")


def test_what_is_not_finite_in_one_process_is_seen_by_all(folder: Path) -> None:
    assert ended(start_ranks(train_with_a_fault, folder, "nan")) == [3, 3]
    lines = [said(folder, rank).splitlines()[-1] for rank in range(2)]
    assert lines[0] == lines[1] and "error: step 7, phase 'generator'" in lines[0]
    kept = folder / "run/failed/step_000007"
    assert sorted(p.name for p in kept.iterdir()) == ["batch.safetensors", "failure.json"]
    from safetensors.torch import load_file

    batch = load_file(kept / "batch.safetensors")
    assert len(batch["target"]) == len(batch["poses"]) == 2  # the whole batch, not a part


def diverge(folder: Path) -> None:
    """A small run whose process 1 gets weights of its own after the fifth step."""
    from fastpose.training.state import TrainState

    follow = TrainState.follow

    def taken(state: TrainState, weight: torch.Tensor) -> None:
        follow(state, weight)
        if state.step == 5 and not state.world.leads:
            with torch.no_grad():
                state.model.get_parameter("regressor.encoder.head.bias")[2].add_(1e-6)

    TrainState.follow = taken
    train_small(folder, (*LONG, "checkpoint_every=3"), {})


def test_processes_that_drift_apart_are_stopped_before_they_write(folder: Path) -> None:
    assert ended(start_ranks(diverge, folder)) == [3, 3]
    for rank in range(2):
        assert "error: 'regressor.encoder.head.bias' is not the same" in said(folder, rank)
    assert find_checkpoint(folder / "run").name == "step_000004"


def test_sigterm_to_torchrun_stops_all_with_one_checkpoint(folder: Path) -> None:
    words = ["--standalone", "--nproc-per-node", "2", "-m", "fastpose", "train", "keypointgan"]
    words += ["--out", str(folder / "run"), "--data", str(folder / "clips")]
    words += ["--prior", str(folder / "prior.npz"), "--set", *LONG, "stages.pretrain.steps=2"]
    words += ["model.width=2", "model.discriminator_width=2"]
    launcher = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    metrics = folder / "run/metrics.jsonl"
    try:
        wait_for(metrics)
        while metrics.read_bytes().count(b"\n") < 4:
            time.sleep(0.05)
        launcher.send_signal(signal.SIGTERM)
        at_signal = metrics.read_bytes().count(b"\n")
        output, _ = launcher.communicate(timeout=100)
    finally:
        launcher.kill()
    saved = int(find_checkpoint(folder / "run").name.removeprefix("step_"))
    assert at_signal <= saved <= at_signal + 2, output
    assert output.count("stopped at step") == 1 and output.count("pretrain 1/") == 1, output
    steps = sorted(p.name for p in (folder / "run/checkpoints").iterdir())
    assert steps == ["step_000000", "step_000002", f"step_{saved:06d}"]


def wait_in_vain(folder: Path) -> None:
    """Process 0 waits for process 1, which sleeps for ever; both would be deaf on a GPU."""
    from fastpose.training.distributed import Processes
    from fastpose.training.signals import StopSignals
    from fastpose.training.watchdog import Watchdog

    rank = int(os.environ["RANK"])
    with StopSignals(), Processes(rank, 2, torch.device("cpu")) as world:
        world._watchdog = Watchdog(1.0)
        world.agree()
        (folder / f"ready_{rank}").touch()
        if rank == 1:
            time.sleep(1000)
        sys.stderr = open(folder / "said", "w", buffering=1)  # noqa: SIM115
        world.agree()


def test_a_process_that_waits_in_vain_hears_sigterm_all_the_same(tmp_path: Path) -> None:
    ranks = start_ranks(wait_in_vain, tmp_path)
    for rank in range(2):
        wait_for(tmp_path / f"ready_{rank}")
    time.sleep(0.5)
    ranks[0].terminate()
    assert ended_soon(ranks[:1]) == [143]
    assert "SIGTERM came, and for 1 s no other process" in (tmp_path / "said").read_text()
    ranks[1].kill()
    ended(ranks)
