"""The Triton kernels of soft_argmax without a GPU: interpreted, and compiled for Hopper.

On a GPU the generic tests of this folder run them too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from fastpose import ops
from tests.ops.triton_tools import machine_code, run_interpreted

triton = pytest.importorskip("triton", reason="Triton is not installed")

RESULTS = ("points", "confidence", "kept", "grad_points", "grad_confidence")
SIZES = ("maps", "height", "width")


@pytest.mark.timeout(240)
def test_interpreted() -> None:
    run_interpreted("soft_argmax_triton_interpreted.py")


def types_of(kernel: Any, logits: str, results: str) -> dict[str, str]:
    """Of a kernel's pointers and strides, for logits and results of those types."""
    steps = {n: "i64" for n in kernel.arg_names if n.split("_")[-1] in ("b", "k", "y", "x", "step")}
    pointers = dict.fromkeys(RESULTS, results) | dict.fromkeys(("logits", "out"), logits)
    return steps | pointers | {"points_axis": "i64"}


@pytest.mark.parametrize(
    ("logits", "results", "one"),
    [
        ("fp32", "fp32", False),
        ("fp32", "fp32", True),
        ("bf16", "fp32", False),
        ("fp16", "fp32", False),
        ("fp64", "fp64", False),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "sums_kernel",
        "weights_kernel",
        "joint_kernel",
        "marginal_backward_kernel",
        "joint_backward_kernel",
    ],
)
def test_compiles_for_hopper(
    name: str,
    logits: str,
    results: str,
    one: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sizes of 1 are constants to Triton."""
    from fastpose.ops.soft_argmax import triton_kernels
    from fastpose.ops.soft_argmax.triton import SIDE, tile
    from fastpose.ops.triton import FOUR_WARPS

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    constants = tile(128, 128) | dict(SIDE=SIDE, EXTENT=1.0, POINTS=True, CONFIDENCE=True)
    if one:
        constants |= dict.fromkeys(SIZES, 1)
    types = types_of(kernel, f"*{logits}", f"*{results}")
    found = machine_code(kernel, types, constants, FOUR_WARPS, tmp_path)
    assert found.local == 0
    if results == "fp32":  # float64's divisions and powers are calls, which use the stack
        assert found.registers <= 128 and not found.count(r"\b(LDL|STL)\b"), "spilled registers"


def test_refuses_tensors_that_are_not_on_a_gpu() -> None:
    with pytest.raises(ValueError, match="needs tensors on a GPU, got logits on cpu"):
        ops.soft_argmax(torch.zeros(1, 2, 3, 4), backend="triton")
