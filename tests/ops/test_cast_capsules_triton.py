"""The Triton kernel of cast_capsules without a GPU: interpreted, and compiled for Hopper."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from fastpose.ops.cast_capsules import Capsules
from tests.ops.triton_tools import machine_code, run_interpreted

pytest.importorskip("triton", reason="Triton is not installed")

DOUBLES = (*(field.name for field in fields(Capsules)), "left", "top", "step")


@pytest.mark.timeout(240)
def test_interpreted() -> None:
    run_interpreted("cast_capsules_triton_interpreted.py")


def test_compiles_for_hopper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastpose.ops.cast_capsules import triton, triton_kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    types = dict.fromkeys(DOUBLES, "*fp64")
    types |= {"depth_out": "*fp32", "light_out": "*fp32", "texel_out": "*i32"}
    kernel, block = triton_kernels.cast_kernel, {"BLOCK": triton.BLOCK}
    found = machine_code(kernel, types, block, triton.OPTIONS, tmp_path)
    assert found.registers <= 128
    # Additions that the compiler would otherwise fuse with a product stay by themselves.
    free = triton.OPTIONS | {"enable_fp_fusion": True}
    fused = machine_code(kernel, types, block, free, tmp_path)
    assert found.count(r"\bFADD\b") > fused.count(r"\bFADD\b")
    assert found.count(r"\bDADD\b") > fused.count(r"\bDADD\b")
