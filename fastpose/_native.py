"""The only file that knows which native libraries exist.

Three files beside this one, all built by CMake and never at import:

- ``_C``: a pybind11 module with facts about the build; no torch in it.
- ``libfastpose_cpu.so``: operators for CPU tensors.
- ``libfastpose_cuda.so``: operators for CUDA tensors; present where nvcc was, loaded where torch
  has CUDA.

``fastpose.ops`` calls :func:`load` when it is imported. A library that is missing or cannot be
loaded leaves its reason in the record, and the operators' fallbacks serve. With
``FASTPOSE_REQUIRE_NATIVE=1`` it is an ImportError instead.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
CPU_ISAS = ("scalar", "avx2", "avx512")
_HOW_TO_BUILD = "build it with 'make build' or 'pip install .'"


@dataclass(frozen=True)
class NativeLibrary:
    """What became of one library.

    Attributes:
        name: ``cpu`` or ``cuda``.
        path: where it is, or would be.
        loaded: whether its operators are registered with torch.
        reason: why it is not loaded; empty when it is.
    """

    name: str
    path: Path
    loaded: bool
    reason: str = ""


def _load_one(name: str) -> NativeLibrary:
    import torch

    path = PACKAGE / f"libfastpose_{name}.so"
    if name == "cuda" and torch.version.cuda is None:
        return NativeLibrary(name, path, False, f"torch {torch.__version__} has no CUDA")
    if not path.is_file():
        return NativeLibrary(name, path, False, f"{path.name} was not built; {_HOW_TO_BUILD}")
    try:
        torch.ops.load_library(path)
    except OSError as error:
        return NativeLibrary(name, path, False, " ".join(str(error).split()))
    return NativeLibrary(name, path, loaded=True)


@functools.cache
def load() -> tuple[NativeLibrary, ...]:
    """Load every native library once, and say what became of each.

    Raises:
        ImportError: ``FASTPOSE_REQUIRE_NATIVE=1`` and a library is not loaded; that for CUDA is
            asked for only where torch sees a CUDA device.
    """
    import torch

    libraries = tuple(_load_one(name) for name in ("cpu", "cuda"))
    if os.environ.get("FASTPOSE_REQUIRE_NATIVE", "0") not in ("", "0"):
        for library in libraries:
            needed = library.name == "cpu" or torch.cuda.is_available()
            if needed and not library.loaded:
                raise ImportError(
                    f"FASTPOSE_REQUIRE_NATIVE is set and the native {library.name} library is "
                    f"not loaded: {library.reason}"
                )
    return libraries


def build_info() -> dict[str, str]:
    """Facts about the native build (keys as in ``csrc/module.cpp``); empty when there is none."""
    try:
        module = importlib.import_module("fastpose._C")
    except ImportError:
        return {}
    return module.build_info()


def _cpu_library() -> ctypes.CDLL:
    library = load()[0]
    if not library.loaded:
        raise RuntimeError(f"the native cpu library is not loaded: {library.reason}")
    return ctypes.CDLL(str(library.path))  # the handle that torch opened


def entry_point(name: str, library: str = "cpu") -> Callable[..., Any] | None:
    """A C function of a library: of ``cpu`` one that takes a pointer and returns nothing, of
    ``cuda`` one that takes a pointer and a stream, and returns None or why it did not launch.

    None without the library, and where one built from older sources has no such function.
    """
    found = {each.name: each for each in load()}[library]
    if not found.loaded:
        return None
    function = getattr(ctypes.CDLL(str(found.path)), name, None)  # the handle that torch opened
    if function is None:
        return None
    arguments, result = {"cpu": (1, None), "cuda": (2, ctypes.c_char_p)}[library]
    function.argtypes, function.restype = [ctypes.c_void_p] * arguments, result
    return function


def cpu_isa() -> str:
    """The instruction set that the CPU kernels use now: ``scalar``, ``avx2`` or ``avx512``."""
    return CPU_ISAS[_cpu_library().fastpose_cpu_isa()]


def limit_cpu_isa(isa: str) -> None:
    """Let the CPU kernels use nothing wider than ``isa``: for tests and benchmarks.

    Raises:
        ValueError: a name that is not in ``CPU_ISAS``.
    """
    if isa not in CPU_ISAS:
        raise ValueError(f"isa is '{isa}'; expected one of {', '.join(CPU_ISAS)}")
    _cpu_library().fastpose_set_cpu_isa_limit(CPU_ISAS.index(isa))
