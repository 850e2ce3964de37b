"""Which device a run trains on, and the way to it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fastpose.errors import UserError


def choose_device(name: str, process: int | None = None) -> torch.device:
    """``auto`` (a GPU where torch sees one), ``cpu``, ``cuda`` or ``cuda:N``.

    Args:
        name: which.
        process: where several processes of this machine train together, which one this is: each
            takes the GPU of its number.

    Raises:
        UserError: no such device here; nothing else is taken in its place.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if process is not None and name.startswith("cuda"):
        if name != "cuda":
            raise UserError(
                f"device '{name}': each of several processes takes a GPU of its own; say cuda"
            )
        name = f"cuda:{process}"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device '{name}': expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        fewer = "" if process is None else "start no more processes than there are, "
        raise UserError(
            f"device '{name}': torch {torch.__version__} sees {torch.cuda.device_count()} GPUs; "
            f"{fewer}use --device cpu, or install a torch built for CUDA and its driver"
        )
    return device


def to_device(values: Tensor | np.ndarray, device: torch.device) -> Tensor:
    """``values`` of the CPU on ``device``, without waiting for them."""
    tensor = torch.as_tensor(values)
    if device.type == "cuda":  # only from pinned memory is a copy begun and not done
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
