"""A pool of earlier generated pictures for the discriminator (CycleGAN, Zhu et al., ICCV 2017)."""

from __future__ import annotations

import torch
from torch import nn


class ImagePool(nn.Module):
    """Stores up to ``capacity`` pictures in buffers, so that a checkpoint holds them.

    While the pool fills, pictures pass through and are stored. Afterwards each picture is, with
    probability one half, exchanged for a random stored one and takes its place.
    """

    pictures: torch.Tensor
    stored: torch.Tensor

    def __init__(self, capacity: int, channels: int, size: int) -> None:
        super().__init__()
        self.register_buffer("pictures", torch.zeros(capacity, channels, size, size))
        self.register_buffer("stored", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, batch: torch.Tensor) -> torch.Tensor:
        """Pictures (B, C, S, S) to judge in place of ``batch``, drawn by torch's CPU generator."""
        capacity = len(self.pictures)
        if capacity == 0:
            return batch.detach()
        # On the host, whose generator a checkpoint holds. Reading `stored` makes a GPU wait.
        swap = torch.rand(len(batch)) < 0.5
        slots = torch.randint(capacity, (len(batch),))
        out = batch.detach().clone()
        stored = int(self.stored)
        for i in range(len(batch)):
            if stored < capacity:
                self.pictures[stored] = out[i]
                stored += 1
            elif swap[i]:
                kept = self.pictures[slots[i]].clone()
                self.pictures[slots[i]] = out[i]
                out[i] = kept
        self.stored.fill_(stored)
        return out
