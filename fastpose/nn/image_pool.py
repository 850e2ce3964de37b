"""A pool of earlier generated pictures for the discriminator (CycleGAN, Zhu et al., ICCV 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fastpose.nn.across import ALONE, Across


class ImagePool(nn.Module):
    """Stores up to ``capacity`` pictures in buffers, so that a checkpoint holds them.

    While the pool fills, pictures pass through and are stored. Afterwards each picture is, with
    probability one half, exchanged for a random stored one and takes its place.

    Choices are made on the host (:meth:`choose`), pictures are moved on the device
    (:meth:`exchange`) by indices alone, so a GPU is never waited for and a graph can hold it.

    Processes that share a batch hold the same pool: the pictures of all pass through each one's.
    """

    across: Across = ALONE
    pictures: torch.Tensor
    stored: torch.Tensor

    def __init__(self, capacity: int, channels: int, size: int) -> None:
        super().__init__()
        self.register_buffer("pictures", torch.zeros(capacity, channels, size, size))
        self.register_buffer("stored", torch.zeros((), dtype=torch.int64))
        self._count: int | None = None  # `stored` on the host; None: not read yet

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._count = None

    def choose(self, batch_size: int) -> torch.Tensor:
        """What the next exchange does, drawn by torch's CPU generator.

        Args:
            batch_size: of the whole batch.

        Returns:
            (capacity + batch_size,) int64 on the CPU: which picture each place of the pool, and
            then of the result, gets; numbers from ``capacity`` on are those of the batch.
        """
        capacity = len(self.pictures)
        held, given = list(range(capacity)), [capacity + i for i in range(batch_size)]
        if capacity:
            swap = (torch.rand(batch_size) < 0.5).tolist()
            slots = torch.randint(capacity, (batch_size,)).tolist()
            if self._count is None:
                self._count = int(self.stored)
            for i in range(batch_size):
                if self._count < capacity:
                    held[self._count] = given[i]
                    self._count += 1
                elif swap[i]:
                    held[slots[i]], given[i] = given[i], held[slots[i]]
            self.stored.fill_(self._count)
        return torch.tensor(held + given)

    @torch.no_grad()
    def exchange(self, batch: torch.Tensor, chosen: torch.Tensor | None = None) -> torch.Tensor:
        """Pictures (B, C, S, S) to judge in place of ``batch``.

        Args:
            chosen: what :meth:`choose` returned, on any device; None: choose now.
        """
        batch = self.across.gather(batch)
        if chosen is None:
            chosen = self.choose(len(batch))
        everything = torch.cat((self.pictures, batch.to(self.pictures.dtype)))
        after = everything[chosen.to(batch.device, non_blocking=True)]
        self.pictures.copy_(after[: len(self.pictures)])
        mine = self.across.share(len(batch))
        return after[len(self.pictures) :][mine].to(batch.dtype)
