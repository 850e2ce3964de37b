"""Processes that train together, without the seconds that torchrun takes to start them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.robustness.children import start


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def as_rank(environment: dict[str, str], target: Callable[..., None], *arguments: Any) -> None:
    """Call ``target`` in the environment that torchrun would have made."""
    import torch

    torch.set_num_threads(1)
    os.environ.update(environment)
    target(*arguments)


def start_ranks(
    target: Callable[..., None], *arguments: Any, processes: int = 2
) -> list[BaseProcess]:
    """Call ``target(*arguments)`` in ``processes`` processes, as torchrun would."""
    common = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1"}
    common["MASTER_PORT"] = str(free_port())
    return [
        start(as_rank, {**common, "RANK": str(r), "LOCAL_RANK": str(r)}, target, *arguments)
        for r in range(processes)
    ]


def ended(ranks: list[BaseProcess], seconds: float = 100.0) -> list[int | None]:
    """The exit codes of all, once they are there."""
    for process in ranks:
        process.join(seconds)
    return [process.exitcode for process in ranks]


def train_small(folder: Path, pairs: tuple[str, ...], options: dict[str, Any]) -> None:
    """A small run in ``folder/run``; what is said goes to ``folder/said_RANK``.

    The recipe is that of ``small_recipe`` with ``pairs``. Exits as the command line does, but
    with 3 where an error is of the user's kind, so that a crash is not taken for it. Among the
    options, ``double`` asks for float64.
    """
    from rich.console import Console

    from fastpose.errors import UserError
    from tests.training.double import double_precision
    from tests.training.small_run import small_recipe
    from tests.training.small_run import start as start_run

    wide = double_precision() if options.pop("double", False) else nullcontext()
    with open(folder / f"said_{os.environ.get('RANK', 0)}", "w", buffering=1) as said, wide:
        try:
            console = Console(file=said, width=500)
            result = start_run(folder, small_recipe(*pairs), console=console, **options)
        except UserError as error:
            print(f"error: {error}", file=said)
            raise SystemExit(3) from None
    raise SystemExit(result.exit_code)
