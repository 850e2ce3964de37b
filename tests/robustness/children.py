"""What the tests run in processes of their own: training that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# The last one is imported by torch when the first optimizer is made, which takes seconds.
PRELOADED = ["tests.training.tiny", "fastpose.training.run", "torch._dynamo"]


def start(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Call ``target`` in a process forked from one that has imported torch already."""
    os.environ["PYTHONPATH"] = str(ROOT)
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    process = server.Process(target=target, args=arguments)
    process.start()
    return process


def train_tiny(folder: Path, options: dict[str, Any]) -> None:
    """Train the tiny model under the signals that a run heeds; exits as a run does.

    ``folder/ready`` appears when it begins. A ``source`` among the options replaces the frames.
    """
    import torch

    torch.set_num_threads(1)
    from fastpose.training.batches import Sources
    from fastpose.training.signals import StopSignals
    from tests.training.tiny import SOURCES, tiny_run

    sources = Sources(options.pop("frames", SOURCES.frames), SOURCES.poses)
    with StopSignals() as signals:
        (folder / "ready").touch()
        tiny_run(folder, sources=sources, signals=signals, **options)
    raise SystemExit(signals.exit_code)


def start_tiny(folder: Path, **options: Any) -> BaseProcess:
    """A process that runs :func:`train_tiny`."""
    folder.mkdir(exist_ok=True)
    (folder / "ready").unlink(missing_ok=True)
    return start(train_tiny, folder, options)


def type_command(words: list[str], output: Path) -> None:
    """Run the command line as a shell would; what it prints goes to the file ``output``."""
    from fastpose.cli import main

    with open(output, "w", buffering=1) as file:
        sys.stdout = sys.stderr = file
        code = main(words)
    raise SystemExit(code)
