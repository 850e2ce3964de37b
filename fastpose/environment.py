"""What fastpose runs on here: versions, devices, native libraries, owners of the operators.

``fastpose info`` prints it, and a training run keeps it beside its results.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path
from typing import Any

import fastpose

PACKAGES = ("torch", "numpy", "av", "pillow", "safetensors", "rich", "tyro")
EXTRAS = {
    "triton": "comes with a CUDA torch",
    "onnx": "fastpose[onnx]",
    "onnxscript": "fastpose[onnx]",
    "onnxruntime": "fastpose[onnx]",
    "tensorrt": "fastpose[tensorrt]",
    "tensorrt-rtx": "fastpose[tensorrt-rtx]",
    "tensorboard": "fastpose[tensorboard]",
    "kornia": "fastpose[bench]",
}


def collect() -> dict[str, Any]:
    """Everything below in one JSON-able dict."""
    return {
        "fastpose": fastpose.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {name: package_version(name) for name in (*PACKAGES, *EXTRAS)},
        "devices": devices(),
        "native": native(),
        "operators": operators(),
    }


def package_version(name: str) -> str | None:
    """The installed version, or None. Nothing is imported."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def devices() -> dict[str, Any]:
    """The processor, the CUDA devices that torch sees (or why none), ONNX Runtime's providers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {"cpu": {"name": _processor(), "cores": cores}, "cuda": []}
    if importlib.util.find_spec("torch") is None:
        found["cuda_reason"] = "torch is not installed"
    else:
        import torch

        found["cpu"]["torch_threads"] = torch.get_num_threads()
        if torch.version.cuda is None:
            found["cuda_reason"] = f"torch {torch.__version__} has no CUDA"
        elif not torch.cuda.is_available():
            found["cuda_reason"] = f"torch has CUDA {torch.version.cuda} but sees no device"
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            found["cuda"].append(
                {
                    "name": facts.name,
                    "capability": f"{facts.major}.{facts.minor}",
                    "memory_gib": round(facts.total_memory / 2**30, 1),
                }
            )
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        found["onnxruntime"] = onnxruntime.get_available_providers()
    return found


def native() -> dict[str, Any]:
    """Facts about the native build, and what became of each library."""
    from fastpose import _native

    if importlib.util.find_spec("torch") is None:
        return {"build": _native.build_info(), "libraries": {}}
    libraries = {
        library.name: {"loaded": library.loaded, "reason": library.reason}
        for library in _native.load()
    }
    if libraries["cpu"]["loaded"]:
        libraries["cpu"]["instruction_set"] = _native.cpu_isa()
    return {"build": _native.build_info(), "libraries": libraries}


def operators() -> list[dict[str, Any]]:
    """For each operator and device: the owner that serves, and why each other one does not.

    A row is ``{"operator", "device", "owner", "others": {owner: reason}}``.
    """
    if importlib.util.find_spec("torch") is None:
        return []
    from fastpose import _native, ops  # noqa: F401  (importing ops registers the operators)
    from fastpose.ops import registry

    libraries = {library.name: library for library in _native.load()}
    rows = []
    for name, operator in registry.OPERATORS.items():
        for device, candidates in (
            ("cpu", ("cpu", "reference")),
            ("cuda", ("cuda", "triton", "reference")),
        ):
            owner = operator.owner(device)
            others = {}
            for other in candidates:
                if other == owner:
                    continue
                if candidates.index(other) > candidates.index(owner):
                    others[other] = f"fallback, behind {owner}"
                elif other == "triton":
                    missing = package_version("triton") is None
                    others[other] = "not installed" if missing else "has no such kernel"
                else:
                    others[other] = libraries[other].reason or "has no such kernel"
            rows.append({"operator": name, "device": device, "owner": owner, "others": others})
    return rows
