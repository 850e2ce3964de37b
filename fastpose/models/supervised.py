"""A detector that is told where the joints are: the baseline of what labels would give.

The encoder and the separable soft-argmax are those of KeypointGAN's detector (Jakab et al., CVPR
2020), here on the picture itself as in the pose branch of Jakab et al., NeurIPS 2018. The papers
compare with a stacked hourglass on heat maps (Newell et al., ECCV 2016), which is not here.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fastpose.errors import UserError
from fastpose.models.base import ModelConfig, PixelDetector, PoseModel, to_pictures, to_pixels
from fastpose.nn.blocks import initialise
from fastpose.nn.point_detector import SIZES, PointDetector
from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class SupervisedConfig(ModelConfig):
    """Architecture of the detector.

    Args:
        image_size: side S of the frames: 64, 128 or 256.
        width: channels of the encoder at full resolution; 32 in the published code.
        keypoint_extent: keypoints lie in [-extent, extent]; 1 in the published code. Larger lets
            joints lie outside the picture (ours).
    """

    image_size: int = 128
    width: int = 32
    keypoint_extent: float = 1.0

    def __post_init__(self) -> None:
        if self.image_size not in SIZES:
            raise UserError(f"model.image_size: expected one of {SIZES}, got {self.image_size}")
        if self.width < 1:
            raise UserError(f"model.width: must be positive, got {self.width}")
        if not 1.0 <= self.keypoint_extent <= 4.0:
            raise UserError(f"model.keypoint_extent: expected 1 to 4, got {self.keypoint_extent}")


class Supervised(PoseModel):
    """The whole system. One phase, ``"main"``, trains it.

    Args:
        config: architecture.
        skeleton: the K joints.
        for_training: makes no difference here.
    """

    networks = ("detector",)

    def __init__(
        self, config: SupervisedConfig, skeleton: Skeleton, *, for_training: bool = True
    ) -> None:
        super().__init__()
        self.config, self.skeleton, self.image_size = config, skeleton, config.image_size
        self.detector = PointDetector(
            3, len(skeleton.joints), width=config.width, extent=config.keypoint_extent
        )
        initialise(self)

    def losses(self, batch: MutableMapping[str, Any], phase: str) -> dict[str, Tensor]:
        """Mean absolute error of the known coordinates, the unknown counting 0.

        Sun et al., "Integral Human Pose Regression", ECCV 2018, who regress through a soft-argmax.

        Args:
            batch: ``"target"`` (B, 3, S, S) in [-1, 1], ``"points"`` (B, K, 2) normalised and
                ``"known"`` (B, K), 1 where a joint is labelled and 0 elsewhere.
            phase: ``"main"``.
        """
        if phase != "main":
            raise ValueError(f"phase: unknown to Supervised: {phase!r}")
        points, _ = self.detector(batch["target"])
        return {"points": ((points - batch["points"]).abs() * batch["known"][..., None]).mean()}

    def inference_module(self) -> nn.Module:
        """What is exported: uint8 (B, 3, S, S) to pixels (B, K, 2) and confidence (B, K)."""
        return PixelDetector(self.detector, self.image_size)

    @torch.no_grad()
    def sheet(self, batch: MutableMapping[str, Any]) -> dict[str, np.ndarray]:
        """Columns of a sample sheet, uint8 (n, S, S, 3), and ``points`` (n, K, 2) in pixels."""
        points, _ = self.detector(batch["target"])
        return {
            "input": to_pictures(batch["target"]),
            "points": to_pixels(points, self.image_size).float().cpu().numpy(),
        }
