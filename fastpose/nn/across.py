"""What a module that looks at more than one item asks of the processes that share a batch."""

from __future__ import annotations

from torch import Tensor


class Across:
    """One process, which has the whole batch; ``fastpose.training`` has the one for several.

    A module whose result depends on the whole batch (batch statistics, running means, a pool of
    pictures) has an attribute ``across``, :data:`ALONE` by default, and asks it. Then processes
    that share a batch compute what one process with all of it would.

    Attributes:
        rank: of this process, from 0.
        processes: how many share a batch, in equal and consecutive parts.
    """

    rank = 0
    processes = 1

    def mean(self, values: Tensor) -> Tensor:
        """Mean of ``values``, which have the same shape everywhere, over the processes.

        Differentiable where the processes' gradients are averaged afterwards.
        """
        return values

    def gather(self, rows: Tensor) -> Tensor:
        """The (B, ...) rows of the whole batch from this process' (B / processes, ...)."""
        return rows

    def share(self, count: int) -> slice:
        """Which of ``count`` rows of the whole batch are this process'."""
        each = count // self.processes
        return slice(self.rank * each, (self.rank + 1) * each)

    def __deepcopy__(self, memo: dict[int, object]) -> Across:
        """Itself: a copy of a module belongs to the same processes."""
        return self


ALONE = Across()
