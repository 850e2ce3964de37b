"""Which device a run trains on."""

from __future__ import annotations

import torch

from fastpose.errors import UserError


def choose_device(name: str) -> torch.device:
    """``auto`` (a GPU where torch sees one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UserError: no such device here; nothing else is taken in its place.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device '{name}': expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device '{name}': torch {torch.__version__} sees {torch.cuda.device_count()} GPUs; "
            "use --device cpu, or install a torch built for CUDA and its driver"
        )
    return device
