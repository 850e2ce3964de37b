"""Training in double precision: what remains of a difference is no rounding of the arithmetic.

Adversarial training enlarges the rounding of its first steps a thousandfold and more within a few
dozen. In float32 that hides everything else; in float64 it ends far below what these tests allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from fastpose.training import loop, run_start


@contextmanager
def double_precision() -> Iterator[None]:
    """Runs begin with the weights that they have in float32, and compute in float64."""
    build_model, single = run_start.build_model, loop.to_batch

    def build(*arguments: Any) -> nn.Module:
        model = build_model(*arguments).double()
        for module in model.modules():
            # The frozen network, which is kept out of the tree of modules.
            for network in getattr(module, "_network", ()):
                network.double()
        return model

    def to_batch(*arguments: Any) -> dict[str, torch.Tensor]:
        return {name: values.double() for name, values in single(*arguments).items()}

    run_start.build_model, loop.to_batch = build, to_batch
    try:
        yield
    finally:
        run_start.build_model, loop.to_batch = build_model, single
