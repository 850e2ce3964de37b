"""The three deterministic reductions of reductions.cu: checked, then timed."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.clock import Contender, interleave, prepare
from fastpose.ops.render_skeleton import reference
from fastpose.ops.render_skeleton.plan import plan_for
from fastpose.ops.samples import generator

ROOT = Path(__file__).resolve().parents[2]
WAYS = ("two passes", "cluster", "fixed point")
SHARPNESS, EPS = 25.0, 1e-6
MOST_ERROR = 1e-4  # relative, of float32 sums over many pixels


def compiled(folder: Path, capability: tuple[int, int]) -> ctypes.CDLL:
    """reductions.cu for a GPU of that compute capability (9.0 and newer have clusters).

    Raises:
        RuntimeError: there is no nvcc, or it refuses.
    """
    nvcc = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if nvcc is None:
        raise RuntimeError("no nvcc: install the CUDA toolkit")
    target = folder / "reductions.so"
    options = [
        "-std=c++20",
        "-O3",
        "-shared",
        "-Xcompiler=-fPIC",
        f"-arch=sm_{capability[0]}{capability[1]}",
    ]
    source = ["-I", str(ROOT / "csrc"), str(Path(__file__).with_suffix(".cu"))]
    command = [nvcc, *options, *source, "-o", str(target)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    return ctypes.CDLL(str(target))


def measure(library: ctypes.CDLL, batch: int, size: int, rounds: int) -> dict[str, Any]:
    """Microseconds and relative error of each way, for 16 limbs on square images."""
    joints, device = 17, torch.device("cuda")
    limbs = tuple((i, i + 1) for i in range(joints - 1))
    plan = plan_for(limbs, None, None, device)
    points = (torch.rand(batch, joints, 2, generator=generator(0)) * 2 - 1).to(device)
    # Of a loss that is a mean: the unit of the fixed-point sums must fit it.
    gradient = torch.randn(batch, 1, size, size, generator=generator(1)).to(device) / size
    exact = reference.backward(
        gradient.double().cpu(), points.double().cpu(), plan.packed.cpu(), None, plan.limbs,
        SHARPNESS, reference.EXPONENTIAL, EPS,
    )  # fmt: skip

    def builder(way: int) -> Callable[[], Callable[[], torch.Tensor]]:
        def build() -> Callable[[], torch.Tensor]:
            own, result = gradient.clone(), torch.empty_like(points)
            scratch = torch.empty(batch << 20, dtype=torch.uint8, device=device)

            def call() -> torch.Tensor:
                status = library.reduce(
                    way, *(ctypes.c_void_p(t.data_ptr()) for t in (points, plan.packed, own)),
                    ctypes.c_void_p(result.data_ptr()), ctypes.c_void_p(scratch.data_ptr()),
                    ctypes.c_int64(batch), ctypes.c_int64(joints), plan.limbs, size, size,
                    ctypes.c_double(SHARPNESS),
                    ctypes.c_void_p(torch.cuda.current_stream().cuda_stream),
                )  # fmt: skip
                if status != 0:
                    raise RuntimeError(f"{WAYS[way]} did not launch: error {status}")
                return result

            return call

        return build

    found: dict[str, Any] = {"batch": batch, "size": size, "limbs": len(limbs)}
    contenders = []
    for way, name in enumerate(WAYS):
        contender = Contender(name, builder(way), gradient.numel() * 4)
        try:
            call = contender.build()
            first = call().clone()
            same = all(torch.equal(first, call()) for _ in range(100))
        except RuntimeError as error:
            found[name] = {"note": str(error)}
            continue
        error = float((first.double().cpu() - exact).norm() / exact.norm())
        found[name] = {"error": error, "same_bytes_100_times": same, "ok": error < MOST_ERROR}
        contenders.append(contender)
        prepare(contender, device)
    interleave(contenders, rounds, seconds=10)
    for contender in contenders:
        cold = contender.cold
        found[contender.name]["microseconds"] = round(sorted(cold)[len(cold) // 2], 3)
    return found
