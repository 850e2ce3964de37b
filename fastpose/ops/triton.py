"""What the rooms' modules `triton` share: how kernels are compiled, and where they are launched."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
import triton
from torch import Tensor

from fastpose.ops import triton_kernels as kernels

FOUR_WARPS: dict[str, Any] = dict(num_warps=4, enable_fp_fusion=True)
# Of one warp per program the reductions need no barrier.
ONE_WARP: dict[str, Any] = dict(num_warps=1, enable_fp_fusion=True)


def on_device_of(name: str, tensor: Tensor) -> AbstractContextManager[Any]:
    """A context in which launches go to the device of the tensor, an argument of that name.

    Raises:
        ValueError: the tensor is not on a GPU, and kernels are not interpreted.
    """
    if isinstance(kernels.inverse, triton.JITFunction) and not tensor.is_cuda:
        raise ValueError(f"backend='triton' needs tensors on a GPU, got {name} on {tensor.device}")
    return torch.cuda.device_of(tensor)  # does nothing on the CPU, where kernels are interpreted
