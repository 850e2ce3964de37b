"""Whether a model learns."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def share_left(
    model: Any,
    trained: nn.Module,
    batch: dict[str, Any],
    phase: str,
    loss: str,
    rate: float,
    steps: int,
) -> float:
    """The loss in the last of some steps of Adam, as a share of that in the first."""
    optimizer = torch.optim.Adam(trained.parameters(), rate)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = model.losses(batch, phase)[loss]
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    return values[-1] / values[0]
