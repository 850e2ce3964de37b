"""What the tests run in processes of their own: training that can be killed."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def context() -> Any:
    """Processes forked from one that has imported torch already, so that they start at once."""
    os.environ["PYTHONPATH"] = str(ROOT)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.training.tiny"])
    return server


def train_tiny(folder: Path, options: dict[str, Any]) -> None:
    """Train the tiny model under the signals that a run heeds; exits as a run does."""
    import torch

    torch.set_num_threads(1)
    from fastpose.training.signals import StopSignals
    from tests.training.tiny import SOURCES, tiny_run

    with StopSignals() as signals:
        (folder / "ready").touch()
        tiny_run(folder, sources=SOURCES, signals=signals, **options)
    raise SystemExit(signals.exit_code)


def start_tiny(folder: Path, **options: Any) -> BaseProcess:
    """A process that trains in ``folder``; ``folder/ready`` appears when it begins."""
    folder.mkdir(exist_ok=True)
    (folder / "ready").unlink(missing_ok=True)
    process = context().Process(target=train_tiny, args=(folder, options))
    process.start()
    return process
