"""The Triton kernels of feature_distance without a GPU: interpreted, and compiled for Hopper.

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


@pytest.mark.timeout(240)
def test_interpreted() -> None:
    run_interpreted("feature_distance_triton_interpreted.py")


@pytest.mark.parametrize(("number", "wide"), [("fp32", "fp32"), ("bf16", "fp32"), ("fp64", "fp64")])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    "name", ["weights_kernel", "forward_kernel", "finish_kernel", "backward_kernel"]
)
def test_compiles_for_hopper(
    name: str,
    channels_last: bool,
    number: str,
    wide: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fastpose.ops.feature_distance import triton_kernels
    from fastpose.ops.feature_distance.triton import BLOCK, CHUNK
    from fastpose.ops.triton import FOUR_WARPS

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    types = dict.fromkeys(("features", "targets", "gradient"), f"*{number}")
    names = ("mask", "weights", "running_mean", "scale", "slope_of", "grad_loss", "loss")
    types |= dict.fromkeys(names, f"*{wide}")
    types |= {"partial": "*fp64", "started": "*u8"}
    constants: dict[str, Any] = dict(
        MOMENTUM=0.99, NORM=int(channels_last), WEIGHTED=True, CHANNELS_LAST=channels_last,
        WANTED=True, KNOWN=True, HAS_MEAN=True, HAS_FLAG=True, UPDATE=True, THROUGH_MEAN=True,
        EPS=1e-8, CHUNK=CHUNK, LAYERS=8, BLOCK=BLOCK[name.removesuffix("_kernel")],
    )  # fmt: skip
    constants = {n: v for n, v in constants.items() if n in kernel.arg_names}
    found = machine_code(kernel, types, constants, FOUR_WARPS, tmp_path)
    # The division's slow path has a stack frame, of which nothing is ever stored.
    assert found.local == 0 and not found.count(r"\b(LDL|STL)\b"), "spilled registers"
    assert found.registers <= (128 if wide == "fp32" else 255)


def test_refuses_tensors_that_are_not_on_a_gpu() -> None:
    x = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r"needs tensors on a GPU, got features\[0\] on cpu"):
        ops.feature_distance([x], [x], backend="triton")
