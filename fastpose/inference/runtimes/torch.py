"""A training run or checkpoint on torch. The only file of `inference` that imports torch.

It is imported when somebody opens a directory, never for an exported file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.inference.metadata import ModelInfo
from fastpose.inference.runtimes import check_crops


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

        from fastpose.training.checkpoint import load_model

        model = load_model(path)
        torch.set_num_threads(threads)
        self.info = ModelInfo(skeleton=model.skeleton, image_size=model.image_size)
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
