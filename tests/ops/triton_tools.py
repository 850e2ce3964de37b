"""What the tests of every operator's Triton kernels need where there is no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine_code.read import Kernel, find_cuobjdump, kernels

ROOT = Path(__file__).resolve().parents[2]


def run_interpreted(tests: str) -> None:
    """Runs a file of tests beside this one in Triton's interpreter: it must be chosen before Triton
    is imported, hence a process of its own, and a name that pytest does not collect by itself."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"tests/ops/{tests}"],
        cwd=ROOT,
        env={k: v for k, v in environment.items() if not k.startswith("PYTEST_")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert "skipped" not in run.stdout


def machine_code(
    kernel: Any, types: dict[str, str], constants: dict[str, Any], options: dict[str, Any], at: Path
) -> Kernel:
    """The kernel compiled for sm_90. Arguments that neither names are of 32 bits.

    Writes a file into the folder `at`, where Triton's cache should be, too (TRITON_CACHE_DIR).
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature, values = {}, {}
    for i, name in enumerate(kernel.arg_names):
        if name in constants:
            signature[name], values[(i,)] = "constexpr", constants[name]
        elif name in types:
            signature[name] = types[name]
        else:
            signature[name] = "i32"
    source = ASTSource(fn=kernel, signature=signature, constexprs=values)
    result = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    cuobjdump = find_cuobjdump()
    assert cuobjdump is not None, "Triton's package has one"
    binary = at / "kernel.cubin"
    binary.write_bytes(result.asm["cubin"])
    (found,) = kernels(binary, cuobjdump)
    assert found.name == kernel.__name__ and found.code
    return found
