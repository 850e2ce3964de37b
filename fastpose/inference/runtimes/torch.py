"""A training run or checkpoint on torch. The only file of `inference` that imports torch.

It is imported when somebody opens a directory, never for an exported file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastpose.inference.metadata import ModelInfo
from fastpose.inference.runtimes import check_crops

if TYPE_CHECKING:
    from fastpose.training.checkpoint import CheckpointInfo


def provenance(checkpoint: CheckpointInfo) -> dict[str, Any]:
    """Where a detector's weights come from, for metadata and reports."""
    return {
        "recipe": checkpoint.config["recipe"].get("name"),
        "step": checkpoint.step,
        "stage": checkpoint.stage,
        "sha256": checkpoint.sha256,
        "weights": "moving average",
    }


class TorchRuntime:
    """The detector of a training run, with its averaged weights.

    Args:
        path: a run directory (its newest complete checkpoint is taken) or a checkpoint directory.
        threads: torch's CPU threads, set for the whole process.

    Raises:
        UserError: no run, no complete checkpoint, or a damaged one.
    """

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        import torch

        from fastpose.training.checkpoint import describe, load_detector

        checkpoint = describe(path)
        model = load_detector(checkpoint.folder)
        torch.set_num_threads(threads)
        self.info = ModelInfo(model.skeleton, model.image_size, provenance(checkpoint))
        self._module = model.inference_module().eval()
        plural = "" if threads == 1 else "s"
        self.name = f"torch {torch.__version__} (CPU, {threads} thread{plural})"

    def run(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `fastpose.inference.runtimes.Runtime.run`."""
        import torch

        check_crops(crops, self.info.image_size)
        planes = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
        with torch.inference_mode():
            points, confidence = self._module(planes)
        return points.float().numpy(), confidence.float().numpy()
