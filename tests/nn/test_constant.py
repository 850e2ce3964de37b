"""Constants of a module: they move with it, and no checkpoint holds them."""

from __future__ import annotations

import torch
from torch import nn

from fastpose.nn.constant import constant


def test_a_constant_moves_with_its_module_and_is_in_no_checkpoint() -> None:
    module = nn.Linear(2, 2)
    constant(module, "places", torch.tensor([1, 2]))
    constant(module, "lengths", torch.tensor([0.5], dtype=torch.float64))
    assert module.places.dtype == torch.int64 and module.lengths.dtype == torch.float32
    assert set(module.state_dict()) == {"weight", "bias"}
    moved = module.to("meta")
    assert moved.places.is_meta and moved.lengths.is_meta
    assert [name for name, _ in moved.named_parameters()] == ["weight", "bias"]
