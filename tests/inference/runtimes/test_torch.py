"""A training run on torch answers as the model itself does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fastpose.inference.runtimes import open_runtime
from fastpose.models.base import PoseModel
from fastpose.skeletons import get_skeleton


class Level(PoseModel):
    """Every joint at the mean brightness of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.skeleton, self.image_size = get_skeleton("limbs12"), 16

    def inference_module(self) -> torch.nn.Module:
        return self

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert images.dtype == torch.uint8 and images.shape[1:] == (3, 16, 16)
        level = images.float().mean(dim=(2, 3))
        return level[:, :1, None].expand(-1, 12, 2), level[:, 1:2].expand(-1, 12) / 255


@pytest.fixture
def run(tmp_path: Path, monkeypatch) -> Path:
    from fastpose.training import checkpoint

    found = checkpoint.CheckpointInfo(
        tmp_path / "step_000007", 7, "main", {"recipe": {"name": "level"}}, "ab12"
    )
    models = {found.folder: Level()}
    monkeypatch.setattr(checkpoint, "describe", {tmp_path: found}.get)
    monkeypatch.setattr(checkpoint, "load_model", models.get)
    return tmp_path


def test_a_directory_runs_on_torch(run: Path) -> None:
    runtime = open_runtime(run, threads=1)
    assert runtime.name == f"torch {torch.__version__} (CPU, 1 thread)"
    assert runtime.info.image_size == 16 and runtime.info.skeleton.name == "limbs12"
    assert runtime.info.checkpoint["step"] == 7 and runtime.info.checkpoint["recipe"] == "level"
    crops = np.zeros((3, 16, 16, 3), np.uint8)
    crops[..., 0] = np.array([0, 100, 200])[:, None, None]
    crops[..., 1] = 51
    points, confidence = runtime.run(crops)
    np.testing.assert_allclose(points[:, 0, 0], [0, 100, 200])
    np.testing.assert_allclose(confidence, 0.2)
    assert points.dtype == confidence.dtype == np.float32


def test_wrong_crops_get_our_message(run: Path) -> None:
    with pytest.raises(ValueError, match=r"\(B, 16, 16, 3\)"):
        open_runtime(run, threads=1).run(np.zeros((1, 8, 8, 3), np.uint8))
