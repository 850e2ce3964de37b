"""The Triton kernels of the pose losses without a GPU: interpreted, and compiled for Hopper.

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

NUMBERS = ("a", "b", "grad_a", "grad_b", "mean", "log_variance", "grad_mean", "grad_log_variance")
WIDE = ("loss", "grad_loss", "coordinates")  # of the type of losses


@pytest.mark.timeout(240)
def test_interpreted() -> None:
    run_interpreted("pose_losses_triton_interpreted.py")


@pytest.mark.parametrize(
    ("numbers", "wide"), [("fp32", "fp32"), ("bf16", "fp32"), ("fp64", "fp64")]
)
@pytest.mark.parametrize(
    ("name", "term"),
    [("sum_kernel", 0), ("sum_kernel", 1), ("sum_kernel", 2),
     ("backward_kernel", 0), ("backward_kernel", 1), ("backward_kernel", 2),
     ("divergence_kernel", 0), ("divergence_backward_kernel", 0)],
)  # fmt: skip
def test_compiles_for_hopper(
    name: str,
    term: int,
    numbers: str,
    wide: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fastpose.ops.pose_losses import triton_kernels
    from fastpose.ops.pose_losses.triton import gaussian_kl, launch
    from fastpose.ops.triton import FOUR_WARPS

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    block = gaussian_kl.BLOCK if "divergence" in name else launch.BLOCK
    constants: dict[str, Any] = dict(
        TERM=term, C=0.9, FIRST=False, LAST=True, WANT_A=True, WANT_B=term == launch.PAIR,
        FREE_BITS=0.1, WANT_MEAN=True, WANT_LOG_VARIANCE=True, ROWS=gaussian_kl.ROWS, BLOCK=block,
    )  # fmt: skip
    constants = {n: v for n, v in constants.items() if n in kernel.arg_names}
    types = dict.fromkeys(NUMBERS, f"*{numbers}") | dict.fromkeys(WIDE, f"*{wide}")
    types |= {"total": "*fp64", "denominator": "i64"}
    found = machine_code(kernel, types, constants, FOUR_WARPS, tmp_path)
    # The division's slow path has a stack frame, of which nothing is ever stored.
    assert found.local == 0 and not found.count(r"\b(LDL|STL)\b"), "spilled registers"
    assert found.registers <= (128 if wide == "fp32" else 255)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("a", lambda: ops.anchor_loss(*torch.zeros(2, 1, 1, 2), backend="triton")),
        ("points", lambda: ops.boundary_loss(torch.zeros(1, 1, 2), backend="triton")),
        ("mean", lambda: ops.gaussian_kl(*torch.zeros(2, 1, 1), backend="triton")),
        ("scores", lambda: ops.least_squares_gan([torch.zeros(1)], 1.0, backend="triton")),
    ],
)
def test_refuses_tensors_that_are_not_on_a_gpu(name: str, call: Any) -> None:
    with pytest.raises(ValueError, match=f"needs tensors on a GPU, got {name} on cpu"):
        call()
