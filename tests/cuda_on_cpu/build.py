"""Compiles CUDA kernels for the CPU; see cuda_on_cpu.h."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
FLAGS = ("-std=c++20", "-O1", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
# Calls our own handler for a misaligned access, so nothing of the sanitizer is linked.
ALIGNMENT = "-fsanitize=alignment"
MORE = tuple(os.environ.get("CXXFLAGS", "").split())  # such as those of `make sanitize`


def library(name: str) -> ctypes.CDLL:
    """The library of ``<name>.cpp`` in this folder, compiled unless one of the same sources exists.

    Skips the test where there is no C++ compiler.
    """
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler: install g++ or set CXX")
    ours = (ROOT.glob(f"csrc/{part}/*") for part in ("common", name))
    sources = sorted([*FOLDER.glob("*.h"), FOLDER / f"{name}.cpp", *itertools.chain(*ours)])
    state = hashlib.sha256(repr((compiler, FLAGS, ALIGNMENT, MORE)).encode())
    for source in sources:
        state.update(source.name.encode() + source.read_bytes())
    target = ROOT / f"build/cuda_on_cpu/{name}-{state.hexdigest()[:16]}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.tmp")  # other workers may do the same
        compiled = partial.with_suffix(".o")
        folders = [f"-I{FOLDER}", f"-I{ROOT / 'csrc'}"]  # ours stand in for NVIDIA's headers
        source = str(FOLDER / f"{name}.cpp")
        for step in (
            [*FLAGS, ALIGNMENT, *MORE, *folders, "-c", source, "-o", str(compiled)],
            ["-shared", *MORE, str(compiled), "-o", str(partial)],
        ):
            run = subprocess.run([compiler, *step], capture_output=True, text=True)
            assert run.returncode == 0, run.stderr
        compiled.unlink()
        partial.rename(target)
    return ctypes.CDLL(str(target))
