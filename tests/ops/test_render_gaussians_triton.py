"""The Triton kernels of render_gaussians without a GPU: interpreted, and compiled for Hopper.

On a GPU the generic tests of this folder run them too.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fastpose import ops
from tests.ops.triton_tools import machine_code, run_interpreted

triton = pytest.importorskip("triton", reason="Triton is not installed")

INPUTS = ("mean", "covariance", "affine", "partial", "grad_mean", "grad_covariance", "grad_affine")
NUMBERS = ("variance", "jitter", "start_x", "step_x", "start_y", "step_y")
STRIDES = ("mean_", "covariance_", "affine_", "stride_")
KERNELS = ("forward_kernel", "backward_kernel", "finish_kernel")


@pytest.mark.timeout(400)
def test_interpreted() -> None:
    run_interpreted("render_gaussians_triton_interpreted.py")


@pytest.mark.parametrize(
    ("name", "inputs", "image", "flags"),
    [
        (name, inputs, image, flags)
        for name in KERNELS
        for inputs, image, flags in (
            ("fp32", "fp32", dict(HAS_COVARIANCE=False, MOVED=False, MAPS=1)),
            ("fp32", "bf16", dict(HAS_COVARIANCE=True, MOVED=True, MAPS=32)),
            ("fp64", "fp64", dict(HAS_COVARIANCE=True, MOVED=False, MAPS=32)),
        )
    ],
)
def test_compiles_for_hopper(
    name: str,
    inputs: str,
    image: str,
    flags: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fastpose.ops.render_gaussians import triton as launchers
    from fastpose.ops.render_gaussians import triton_kernels
    from fastpose.ops.triton import FOUR_WARPS, ONE_WARP

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    draws = name == "forward_kernel"
    constants = dict(
        flags,
        WANT_MEAN=True,
        WANT_COVARIANCE=True,
        WANT_AFFINE=True,
        GROUP=launchers.GROUP,
        TILE_Y=(1 if flags["MAPS"] > 1 else 16) if draws else launchers.TILE_Y,
        TILE_X=(64 if flags["MAPS"] > 1 else 128) if draws else launchers.TILE_X,
    )
    types = {n: "i64" for n in kernel.arg_names if n.startswith(STRIDES)}
    types |= dict.fromkeys(INPUTS, f"*{inputs}") | dict.fromkeys(("out", "grad"), f"*{image}")
    types |= dict.fromkeys(NUMBERS, "fp64")
    options = FOUR_WARPS if draws else ONE_WARP
    found = machine_code(kernel, types, constants, options, tmp_path)
    # The division's slow path has a stack frame, of which nothing is ever stored.
    assert found.local == 0 and not found.count(r"\b(LDL|STL)\b"), "spilled registers"
    assert found.registers <= (168 if inputs == "fp32" else 255)


@pytest.mark.parametrize("name", KERNELS)
def test_numbers_travel_as_64_bits(name: str) -> None:
    """Where Triton itself decides, by the annotations of a kernel's parameters."""
    from fastpose.ops.render_gaussians import triton_kernels

    for parameter in getattr(triton_kernels, name).params:
        assert (parameter.annotation_type == "fp64") == (parameter.name in NUMBERS)


def test_refuses_tensors_that_are_not_on_a_gpu() -> None:
    with pytest.raises(ValueError, match="needs tensors on a GPU, got mean on cpu"):
        ops.render_gaussians(torch.zeros(1, 2, 2), 0.1, 8, backend="triton")
