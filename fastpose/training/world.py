"""The processes that train one model together: here, one; see ``distributed`` for several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from fastpose.nn.across import Across
from fastpose.nn.batch_norm import BatchNorm2d
from fastpose.training.phases import SYNCHRONISED

# What a launcher such as torchrun tells each process that it starts.
_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class World(Across):
    """One process: nobody to share a batch or agree with.

    The methods of this class and of :class:`Across` are calls that every process makes, in the
    same order. Use as a context manager while training.
    """

    @property
    def leads(self) -> bool:
        """Whether this process writes the run directory and speaks."""
        return self.rank == 0

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replace dense ``tensors`` by their means over the processes, the same bits everywhere."""

    def agree(self, number: int = 0) -> int:
        """The greatest of the processes' numbers; waits for all of them."""
        return number

    def tell(self, data: Any = None) -> Any:
        """The JSON-able ``data`` of the process that leads."""
        return data

    def require_same(self, tensors: Mapping[str, Tensor]) -> None:
        """UserError naming the first of ``tensors`` that is not the same everywhere."""

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


SINGLE = World()


def join(place: tuple[int, int, int] | None, device: torch.device) -> World:
    """The processes among which this one is; ``place`` as :func:`launched` gives it."""
    if place is None:
        return SINGLE
    from fastpose.training.distributed import Processes

    return Processes(*place[:2], device)


def launched() -> tuple[int, int, int] | None:
    """Rank, processes and rank on this machine, as torchrun says; None for a single process."""
    values = [os.environ.get(name, "") for name in _LAUNCHED]
    if not all(values) or not values[0].isdigit() or not values[1].isdigit():
        return None
    rank, processes = int(values[0]), int(values[1])
    return (rank, processes, int(os.environ.get("LOCAL_RANK", rank))) if processes > 1 else None


def attach(model: nn.Module, world: World, *, batch_norm: str) -> list[Tensor]:
    """Tell the modules of ``model`` which processes share their batches.

    Args:
        batch_norm: see ``fastpose.recipes.base.Recipe``.

    Returns:
        The running statistics of normalisations that see this process' part of a batch alone.
    """
    local: list[Tensor] = []
    for module in model.modules():
        if isinstance(module, BatchNorm2d) and batch_norm != SYNCHRONISED:
            module.across = SINGLE
        elif hasattr(module, "across"):
            module.across = world  # type: ignore[assignment]
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            own = getattr(module, "across", SINGLE) is SINGLE
            statistics = (module.running_mean, module.running_var)
            local += [t for t in statistics if own and t is not None]
    return local if world.processes > 1 else []
