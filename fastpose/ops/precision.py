"""What operators compute in."""

from __future__ import annotations

import torch


def wide_type(dtype: torch.dtype) -> torch.dtype:
    """The type in which sums over numbers of type `dtype` are formed, and that of decoded points
    and of losses: float64 for float64, else float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32
