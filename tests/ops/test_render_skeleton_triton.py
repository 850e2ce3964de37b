"""The Triton kernels of render_skeleton without a GPU: interpreted, and compiled for Hopper.

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

POINTERS = {"plan": "*i32", "widths": "*fp32"}  # the others are of the type of the points
CONSTANTS = {
    "RATE": -36.0,
    "SLOPE": 25.0,
    "EPS": 1e-6,
    "IS_GAUSSIAN": False,
    "TILE": 16,
    "GROUP": 32,
}
MEMORY = ("points", "limbs", "out", "grad", "partial", "grad_points")


@pytest.mark.timeout(240)
def test_interpreted() -> None:
    run_interpreted("triton_interpreted.py")


def types_of(kernel: Any, points: str, image: str) -> dict[str, str]:
    """Of a kernel's pointers and strides, for points and images of those types."""
    strides = {n: "i64" for n in kernel.arg_names if n.startswith("stride")}
    memory = {n: image if n in ("out", "grad") else points for n in MEMORY}
    return strides | memory | POINTERS


@pytest.mark.parametrize(
    ("name", "points", "image", "wide"),
    [
        ("prepare_kernel", "*fp32", "*fp32", False),
        ("prepare_kernel", "*fp64", "*fp64", True),
        ("forward_kernel", "*fp32", "*fp32", False),
        ("forward_kernel", "*fp32", "*bf16", True),
        ("forward_kernel", "*fp64", "*fp64", True),
        ("backward_kernel", "*fp32", "*fp32", False),
        ("backward_kernel", "*fp32", "*bf16", True),
        ("backward_kernel", "*fp64", "*fp64", True),
        ("finish_kernel", "*fp32", "*fp32", False),
        ("finish_kernel", "*fp64", "*fp64", True),
    ],
)
def test_compiles_for_hopper(
    name: str, points: str, image: str, wide: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastpose.ops.render_skeleton import triton_kernels
    from fastpose.ops.triton import ONE_WARP

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    types = types_of(kernel, points, image)
    found = machine_code(kernel, types, {**CONSTANTS, "WIDE": wide}, ONE_WARP, tmp_path)
    assert found.stack == 0 and found.local == 0, "spilled registers"
    assert found.registers <= (168 if points == "*fp32" else 255)


def test_refuses_tensors_that_are_not_on_a_gpu() -> None:
    with pytest.raises(ValueError, match="needs tensors on a GPU, got points on cpu"):
        ops.render_skeleton(torch.zeros(1, 2, 2), ((0, 1),), 8, backend="triton")
