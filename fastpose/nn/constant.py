"""Tensors of a module that it does not learn and that no checkpoint holds."""

from __future__ import annotations

from torch import Tensor, nn


def constant(module: nn.Module, name: str, value: Tensor) -> None:
    """Give ``module`` a tensor that follows its device; numbers that are not whole in float32."""
    value = value.float() if value.is_floating_point() else value
    module.register_buffer(name, value, persistent=False)
