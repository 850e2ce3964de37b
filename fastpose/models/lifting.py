"""From 2D joints to 3D: a residual network on coordinates alone.

Martinez, Hossain, Romero, Little, "A Simple yet Effective Baseline for 3D Human Pose Estimation",
ICCV 2017, as the 3D experiments of the shape templates use it (Schmidtke et al., CVPR 2021;
Ellershaw's published code): adults first, then the target's bodies, then what a detector says.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fastpose.errors import UserError
from fastpose.models.base import Model, ModelConfig
from fastpose.nn.batch_norm import BatchNorm1d
from fastpose.skeletons import Skeleton, conversion_matrix

ROOT = "pelvis"


@dataclass(frozen=True)
class LiftingConfig(ModelConfig):
    """Architecture and fixed choices of the network.

    Args:
        width: of the hidden layers, 1024 as published.
        blocks: residual blocks of two layers each, 2 as published.
        dropout: 0.5 as published.
        centred: 2D joints relative to the pelvis (assumed); False: where they lie in the picture,
            as the published code has it, which makes the network depend on where people stand.
        detector: a run or checkpoint whose detections the stages that need "detected" learn from.
    """

    FILES = ("detector",)

    width: int = 1024
    blocks: int = 2
    dropout: float = 0.5
    centred: bool = True
    detector: str | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.blocks < 0:
            raise UserError(
                f"model.width, model.blocks: expected 1 or more and 0 or more, got {self.width}, "
                f"{self.blocks}"
            )
        if not 0.0 <= self.dropout < 1.0:
            raise UserError(f"model.dropout: expected 0 to below 1, got {self.dropout}")


class Layer(nn.Module):
    """Linear, BatchNorm, ReLU, dropout; linear weights of Kaiming's normal distribution."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(self.linear.weight)
        self.norm = BatchNorm1d(outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, outputs) from (B, inputs)."""
        return self.dropout(torch.relu(self.norm(self.linear(x))))


class Lifter(Model):
    """The whole network. One phase, ``"main"``, trains it.

    Args:
        config: architecture.
        skeleton: the K joints it is given and places in space; one is the pelvis.
        for_training: makes no difference here.

    Raises:
        UserError: the skeleton has no pelvis.
    """

    networks = ("",)  # itself

    def __init__(
        self, config: LiftingConfig, skeleton: Skeleton, *, for_training: bool = True
    ) -> None:
        super().__init__()
        self.config, self.skeleton = config, skeleton
        self.root = skeleton.index(ROOT)
        joints, width = len(skeleton.joints), config.width
        self.first = Layer(2 * joints, width, config.dropout)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Layer(width, width, config.dropout) for _ in range(2)))
            for _ in range(config.blocks)
        )
        self.last = nn.Linear(width, 3 * joints)
        nn.init.kaiming_normal_(self.last.weight)

    def forward(self, points: Tensor) -> Tensor:
        """Positions (B, K, 3), metres from the pelvis, x right, y down, z away from the camera.

        Args:
            points: (B, K, 2) normalised by the picture's side, (x, y).
        """
        if self.config.centred:
            points = points - points[:, self.root, None]
        x = self.first(points.flatten(1))
        for block in self.blocks:
            x = x + block(x)
        positions = self.last(x).view(len(points), -1, 3)
        return positions - positions[:, self.root, None]

    def losses(self, batch: MutableMapping[str, Any], phase: str) -> dict[str, Tensor]:
        """Mean squared error of the coordinates, metres squared.

        Args:
            batch: ``"points"`` (B, K, 2) normalised and ``"positions"`` (B, K, 3), see
                :meth:`forward`.
            phase: ``"main"``.
        """
        if phase != "main":
            raise ValueError(f"phase: unknown to Lifter: {phase!r}")
        return {"positions": ((self(batch["points"]) - batch["positions"]) ** 2).mean()}

    @torch.inference_mode()
    def lift(self, points: np.ndarray, size: float, skeleton: Skeleton | None = None) -> np.ndarray:
        """Positions (N, K, 3) of detected joints, as :meth:`forward` gives them.

        Args:
            points: (N, J, 2) pixels of square pictures, (x, y).
            size: their side in pixels.
            skeleton: the J joints; converted by name. None: the network's own.

        Raises:
            UserError: a joint that the network needs cannot be made from those of ``skeleton``.
            ValueError: ``points`` of another shape.
        """
        given = skeleton or self.skeleton
        if points.ndim != 3 or points.shape[1:] != (len(given.joints), 2):
            raise ValueError(
                f"points: expected (N, {len(given.joints)}, 2) for skeleton '{given.name}', got "
                f"{points.shape}"
            )
        converted = conversion_matrix(given, self.skeleton) @ np.asarray(points, np.float32)
        parameter = next(self.parameters())
        normalised = torch.from_numpy(2.0 * converted / (size - 1) - 1.0).to(parameter)
        training = self.training
        positions = self.eval()(normalised)
        self.train(training)
        return positions.cpu().numpy()
