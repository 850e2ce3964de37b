"""Compiles CUDA kernels for the CPU; see cuda_on_cpu.h."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
FLAGS = (
    "-std=c++20",
    "-O1",
    "-fPIC",
    "-shared",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
)


def library(name: str) -> ctypes.CDLL:
    """The library of ``<name>.cpp`` in this folder, compiled unless one of the same sources exists.

    Skips the test where there is no C++ compiler.
    """
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler: install g++ or set CXX")
    sources = sorted([*FOLDER.glob("*.[hc]*"), *ROOT.glob("csrc/*/*.*")])
    state = hashlib.sha256(repr((compiler, FLAGS)).encode())
    for source in sources:
        state.update(source.name.encode() + source.read_bytes())
    target = ROOT / f"build/cuda_on_cpu/{name}-{state.hexdigest()[:16]}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.tmp")  # other workers may do the same
        folders = [f"-I{FOLDER}", f"-I{ROOT / 'csrc'}"]  # ours stand in for NVIDIA's headers
        run = subprocess.run(
            [compiler, *FLAGS, *folders, str(FOLDER / f"{name}.cpp"), "-o", str(partial)],
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        partial.rename(target)
    return ctypes.CDLL(str(target))
