"""The Triton kernels of structural_similarity without a GPU: interpreted, and compiled for Hopper.

On a GPU the generic tests of this folder run them too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from fastpose import ops
from fastpose.ops.structural_similarity import reference
from tests.ops.triton_tools import machine_code, run_interpreted

triton = pytest.importorskip("triton", reason="Triton is not installed")

IMAGES = ("x", "y", "slope_x", "slope_y")
WIDE = ("down", "along", "slope", "values", "grad_output")  # of the type of sums
STRIDES = tuple(f"{name}_{axis}" for name in ("x", "y", "to_x", "to_y", "from", "to")
                for axis in "bcyx")  # fmt: skip


@pytest.mark.timeout(240)
def test_interpreted() -> None:
    run_interpreted("structural_similarity_triton_interpreted.py")


def types_of(kernel: Any, image: str, wide: str) -> dict[str, str]:
    """Of a kernel's pointers, strides and numbers, for images and sums of those types."""
    types = dict.fromkeys(STRIDES, "i64") | {"stride": "i64"}
    types |= dict.fromkeys(WIDE, f"*{wide}") | dict.fromkeys(IMAGES, f"*{image}")
    if kernel.__name__ == "backward_kernel":  # of images
        types |= dict.fromkeys(("slope", "grad"), f"*{image}")
    return types | {"partial": "*fp64"}


@pytest.mark.parametrize(
    ("image", "wide", "window"),
    [("fp32", "fp32", 0), ("bf16", "fp32", 1), ("fp64", "fp64", 0)],
)
@pytest.mark.parametrize(
    "name",
    ["down_kernel", "compare_kernel", "along_kernel", "up_kernel", "finish_kernel",
     "backward_kernel"],
)  # fmt: skip
def test_compiles_for_hopper(
    name: str,
    image: str,
    wide: str,
    window: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fastpose.ops.structural_similarity import triton_kernels
    from fastpose.ops.structural_similarity.triton import BLOCK
    from fastpose.ops.triton import FOUR_WARPS

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    constants: dict[str, Any] = dict(
        REACH=reference.SIDE[window] - 1, TAPS=reference.taps_of(window), BLOCK=BLOCK,
        C1=2e-4, C2=18e-4, SLOPES=True, SCALE=0.5, NORM=1.02, WANT_X=True, WANT_Y=True,
    )  # fmt: skip
    constants = {n: v for n, v in constants.items() if n in kernel.arg_names}
    found = machine_code(kernel, types_of(kernel, image, wide), constants, FOUR_WARPS, tmp_path)
    # The division's slow path has a stack frame, of which nothing is ever stored.
    assert found.local == 0 and not found.count(r"\b(LDL|STL)\b"), "spilled registers"
    assert found.registers <= (168 if wide == "fp32" else 255)


def test_refuses_tensors_that_are_not_on_a_gpu() -> None:
    image = torch.zeros(1, 1, 11, 11)
    with pytest.raises(ValueError, match="needs tensors on a GPU, got x on cpu"):
        ops.structural_similarity(image, image, backend="triton")
