"""In which arithmetic the networks run while they are trained."""

from __future__ import annotations

import torch


def computes_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 natively, so that autocast pays."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which losses are computed; weights and their updates stay float32.

    Args:
        device: where the model is.
        precision: one of ``phases.PRECISIONS``; ``"auto"`` is bfloat16 where it is native.
    """
    wanted = precision == "bfloat16" or (precision == "auto" and computes_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)
