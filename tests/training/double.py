"""Training in double precision: what remains of a difference is no rounding of the arithmetic.

Adversarial training enlarges the rounding of its first steps a thousandfold and more within a few
dozen. In float32 that hides everything else; in float64 it ends far below what these tests allow.
"""

from __future__ import annotations

from typing import Any

import torch

from fastpose.training import loop


def in_double() -> None:
    """From now on models are made, and batches given, in float64; for a process of its own."""
    torch.set_default_dtype(torch.float64)
    single = loop.to_batch

    def to_batch(*arguments: Any) -> dict[str, torch.Tensor]:
        return {name: values.double() for name, values in single(*arguments).items()}

    loop.to_batch = to_batch
