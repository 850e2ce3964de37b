"""Does the exported file answer like torch? Measured on real frames, in pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from fastpose.inference.onnx_file import parse_onnx
from fastpose.inference.runtimes.onnxruntime import OnnxRuntime

TOLERANCE_PX = 0.05  # float32, in pixels of the model's input
BATCHES = (1, 2, 7, 32)


@dataclass(frozen=True)
class BatchParity:
    """Distance between ONNX Runtime and torch at one batch size, in pixels of the input."""

    batch: int
    max_error_px: float
    p99_error_px: float
    max_confidence_error: float


@dataclass(frozen=True)
class ParityReport:
    """Outcome of `check_parity`.

    Attributes:
        frames: how many frames were compared.
        runtime: what ran the exported file.
        tolerance_px: largest distance allowed.
        by_batch: the distances at each batch size.
        batch_difference_px: largest distance between the same frame alone and inside a batch.
    """

    frames: int
    runtime: str
    tolerance_px: float
    by_batch: tuple[BatchParity, ...]
    batch_difference_px: float

    @property
    def max_error_px(self) -> float:
        """Worst joint of all frames and batch sizes; NaN if any answer was not finite."""
        return _worst(*(b.max_error_px for b in self.by_batch))

    @property
    def p99_error_px(self) -> float:
        """Worst 99th percentile of all batch sizes."""
        return _worst(*(b.p99_error_px for b in self.by_batch))

    @property
    def worst_px(self) -> float:
        """The larger of the distance to torch and the influence of the batch."""
        return _worst(self.max_error_px, self.batch_difference_px)

    @property
    def passed(self) -> bool:
        """Nothing is beyond the tolerance, and nothing is NaN."""
        return self.worst_px <= self.tolerance_px

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with the summary figures."""
        return {
            **asdict(self),
            "max_error_px": self.max_error_px,
            "p99_error_px": self.p99_error_px,
            "passed": self.passed,
        }


def check_parity(
    module: torch.nn.Module,
    content: bytes,
    images: np.ndarray,
    *,
    tolerance_px: float = TOLERANCE_PX,
) -> ParityReport:
    """Compare the exported bytes with the torch module on the same frames.

    Args:
        module: the detector that was exported, on the CPU, in eval mode.
        content: the ONNX file.
        images: uint8 (N, S, S, 3) RGB, N >= 1.
    """
    runtime = OnnxRuntime(parse_onnx(content, name="the export"), threads=1, name="the export")
    expected_points, expected_confidence = run_eager(module, images)
    rows, answers = [], {}
    for batch in sorted({min(b, len(images)) for b in BATCHES}):
        parts = [runtime.run(images[i : i + batch]) for i in range(0, len(images), batch)]
        points, confidence = (np.concatenate(group) for group in zip(*parts, strict=True))
        answers[batch] = points
        distance = np.linalg.norm(points - expected_points, axis=-1)
        rows.append(
            BatchParity(
                batch=batch,
                max_error_px=float(distance.max()),
                p99_error_px=float(np.quantile(distance, 0.99)),
                max_confidence_error=float(np.abs(confidence - expected_confidence).max()),
            )
        )
    alone = answers[1]
    spread = _worst(
        *(float(np.linalg.norm(points - alone, axis=-1).max()) for points in answers.values())
    )
    return ParityReport(
        frames=len(images),
        runtime=runtime.name,
        tolerance_px=tolerance_px,
        by_batch=tuple(rows),
        batch_difference_px=spread,
    )


def run_eager(module: torch.nn.Module, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The torch module's answer on uint8 (N, S, S, 3), in batches of 16: (N, K, 2) and (N, K)."""
    points, confidence = [], []
    with torch.inference_mode():
        for start in range(0, len(images), 16):
            planes = np.ascontiguousarray(images[start : start + 16].transpose(0, 3, 1, 2))
            p, c = module(torch.from_numpy(planes))
            points.append(p.numpy())
            confidence.append(c.numpy())
    return np.concatenate(points), np.concatenate(confidence)


def _worst(*values: float) -> float:
    """The largest value, or NaN if any is NaN, unlike Python's `max`."""
    return float(np.max(values))
