"""What executes a detector: ONNX Runtime for exported files, torch for training runs.

A runtime turns square crops into keypoints and knows nothing of frames, windows or files.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from fastpose.errors import UserError
from fastpose.inference.metadata import ModelInfo


class Runtime(Protocol):
    """One loaded detector.

    Attributes:
        info: skeleton, input size and origin of the model.
        name: what runs it, for people, such as ``onnxruntime 1.31.1 (CPU, 2 threads)``.
    """

    info: ModelInfo
    name: str

    def run(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Detect in crops uint8 (B, S, S, 3) RGB.

        Returns keypoints float32 (B, K, 2), pixels of the S x S crop, and confidence (B, K), 0..1.
        """
        ...


def open_runtime(path: str | Path, *, threads: int | None = None) -> Runtime:
    """The runtime for `path`: a training run or checkpoint directory, or an exported ONNX file.

    Args:
        threads: CPU threads of one call; None takes every core this process may use.

    Raises:
        UserError: nothing there, or nothing that holds a detector.
    """
    threads = available_cores() if threads is None else threads
    if threads < 1:
        raise UserError(f"threads must be at least 1, got {threads}")
    if Path(path).is_dir():
        from fastpose.inference.runtimes.torch import TorchRuntime

        return TorchRuntime(path, threads=threads)
    from fastpose.inference.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(path, threads=threads)


def available_cores() -> int:
    """CPU cores this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def check_crops(crops: np.ndarray, size: int) -> None:
    """Raise ValueError or TypeError unless `crops` is uint8 (B, size, size, 3)."""
    if not isinstance(crops, np.ndarray) or crops.dtype != np.uint8:
        kind = getattr(crops, "dtype", type(crops).__name__)
        raise TypeError(f"crops: expected a uint8 array, got {kind}")
    if crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
        raise ValueError(f"crops: expected shape (B, {size}, {size}, 3), got {crops.shape}")
