"""The Triton kernels of render_skeleton without a GPU: interpreted, and compiled for Hopper.

On a GPU the generic tests of this folder run them too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.machine_code import find_cuobjdump, kernels
from fastpose import ops

triton = pytest.importorskip("triton", reason="Triton is not installed")
ROOT = Path(__file__).resolve().parents[2]

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
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/ops/triton_interpreted.py"],
        cwd=ROOT,
        env={k: v for k, v in environment.items() if not k.startswith("PYTEST_")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert "skipped" not in run.stdout


def compiled(kernel: Any, points: str, image: str, wide: bool) -> Any:
    """The kernel compiled for sm_90, for points and images of those types."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature, constants = {}, {}
    for i, name in enumerate(kernel.arg_names):
        if name == "WIDE" or name in CONSTANTS:
            signature[name] = "constexpr"
            constants[(i,)] = wide if name == "WIDE" else CONSTANTS[name]
        elif name in POINTERS:
            signature[name] = POINTERS[name]
        elif name in MEMORY:
            signature[name] = image if name in ("out", "grad") else points
        else:
            signature[name] = "i64" if name.startswith("stride") else "i32"
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    from fastpose.ops.render_skeleton.triton import OPTIONS

    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=OPTIONS)


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

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    result = compiled(getattr(triton_kernels, name), points, image, wide)
    cuobjdump = find_cuobjdump()
    assert cuobjdump is not None, "Triton's package has one"
    binary = tmp_path / "kernel.cubin"
    binary.write_bytes(result.asm["cubin"])
    (kernel,) = kernels(binary, cuobjdump)
    assert kernel.name == name and kernel.code
    assert kernel.stack == 0 and kernel.local == 0, "spilled registers"
    assert kernel.registers <= (168 if points == "*fp32" else 255)


def test_refuses_tensors_that_are_not_on_a_gpu() -> None:
    with pytest.raises(ValueError, match="needs tensors on a GPU, got points on cpu"):
        ops.render_skeleton(torch.zeros(1, 2, 2), ((0, 1),), 8, backend="triton")
