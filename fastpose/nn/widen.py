"""Sums and differences that 16 bits would spoil."""

from __future__ import annotations

import torch
from torch import Tensor


def widen(x: Tensor) -> Tensor:
    """``x`` in float32 where autocast made it narrower; wider ones as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
