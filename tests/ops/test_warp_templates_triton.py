"""The Triton kernels of warp_templates without a GPU: interpreted, and compiled for Hopper.

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

MAPS = ("templates", "affine", "partial", "grad_affine", "grad_templates")  # of one type


SIZES = (
    *("batch", "count", "rows", "columns", "height", "width", "tiles_x", "tiles", "bands"),
    *("groups", "affine_column"),
)


@pytest.mark.timeout(240)
def test_interpreted() -> None:
    run_interpreted("warp_templates_triton_interpreted.py")


def types_of(kernel: Any, maps: str, image: str) -> dict[str, str]:
    """Of a kernel's pointers and strides, for maps and images of those types."""
    strides = {n: "i64" for n in kernel.arg_names if n.startswith(("stride_", "affine_"))}
    return strides | dict.fromkeys(MAPS, maps) | dict.fromkeys(("out", "grad"), image)


@pytest.mark.parametrize(
    ("maps", "image", "one"),
    [
        ("fp32", "fp32", False),
        ("fp32", "fp32", True),
        ("fp32", "bf16", False),
        ("fp64", "fp64", False),
    ],
)
@pytest.mark.parametrize(
    "name", ["forward_kernel", "backward_kernel", "finish_kernel", "templates_kernel"]
)
def test_compiles_for_hopper(
    name: str,
    maps: str,
    image: str,
    one: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sizes of 1 are constants to Triton."""
    from fastpose.ops.triton import ONE_WARP
    from fastpose.ops.warp_templates import triton_kernels
    from fastpose.ops.warp_templates.triton import TEXELS, TILE_X, TILE_Y

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    constants = dict(TILE_X=TILE_X, TILE_Y=TILE_Y, TEXELS=TEXELS)
    if one:
        constants |= dict.fromkeys(SIZES, 1)
    types = types_of(kernel, f"*{maps}", f"*{image}")
    found = machine_code(kernel, types, constants, ONE_WARP, tmp_path)
    # The division's slow path has a stack frame, of which nothing is ever stored.
    assert found.local == 0 and not found.count(r"\b(LDL|STL)\b"), "spilled registers"
    assert found.registers <= (168 if maps == "fp32" else 255)


def test_refuses_tensors_that_are_not_on_a_gpu() -> None:
    with pytest.raises(ValueError, match="needs tensors on a GPU, got affine on cpu"):
        ops.warp_templates(torch.zeros(2, 3, 3), torch.zeros(1, 2, 2, 3), 8, backend="triton")
