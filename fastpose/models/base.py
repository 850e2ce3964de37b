"""What models have in common, and what detectors of people on pictures of one size do."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fastpose.poses import Poses
from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class ModelConfig:
    """What recipes and runs ask of a model's configuration.

    Attributes:
        FILES: its fields that name files or folders.
        image_size: side of the pictures that the model takes; None: of any.
        skeleton: what it learns; None: the recipe names it.
    """

    FILES: ClassVar[tuple[str, ...]] = ()
    image_size: ClassVar[int | None] = None
    skeleton: ClassVar[Skeleton | None] = None


class Model(nn.Module):
    """What training asks of a model.

    Attributes:
        skeleton: its K joints.
        needs_still_background: whether the frames of a pair must share theirs.
        networks: modules that the losses call as a whole and that together hold all that is
            trained, by name; what ``torch.compile`` may replace. None: nothing can be compiled.
    """

    skeleton: Skeleton
    needs_still_background = False
    networks: tuple[str, ...] = ()

    def losses(self, batch: MutableMapping[str, Any], phase: str) -> dict[str, Tensor]:
        """Losses of one phase by name; ``batch`` also carries what one phase leaves to the next."""
        raise NotImplementedError

    def choose(self, batch_size: int, phases: Collection[str]) -> dict[str, Tensor]:
        """Random choices of one step that are made on the host: more entries for its batch."""
        return {}

    def sheet(self, batch: MutableMapping[str, Any]) -> dict[str, np.ndarray]:
        """Columns of a sample sheet; of a model that looks at frames."""
        raise NotImplementedError


class PoseModel(Model):
    """A detector of its skeleton's joints.

    Attributes:
        image_size: side S of its pictures.
    """

    image_size: int

    def inference_module(self) -> nn.Module:
        """What is exported: uint8 (B, 3, S, S) to pixels (B, K, 2) and confidence (B, K)."""
        raise NotImplementedError

    @torch.inference_mode()
    def predict(self, images: np.ndarray | Tensor) -> Poses:
        """Poses in pixels of ``images`` (B, S, S, 3) uint8 RGB."""
        size = self.image_size
        batch = torch.as_tensor(np.ascontiguousarray(images))
        if batch.dtype != torch.uint8 or batch.shape[1:] != (size, size, 3):
            raise ValueError(
                f"images: expected uint8 (B, {size}, {size}, 3), got {batch.dtype} "
                f"{tuple(batch.shape)}"
            )
        device = next(self.parameters()).device
        training, detector = self.training, self.inference_module().eval()
        points, confidence = detector(batch.permute(0, 3, 1, 2).to(device))
        self.train(training)
        return Poses(points.cpu().numpy(), confidence.cpu().numpy(), self.skeleton)


class PixelDetector(nn.Module):
    """A detector on [-1, 1] and normalised coordinates, with pixels in and pixels out."""

    def __init__(self, detector: nn.Module, size: int) -> None:
        super().__init__()
        self.detector, self.size = detector, size

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) uint8 to points (B, K, 2) in pixels and confidence (B, K)."""
        points, confidence = self.detector(images.float() / 127.5 - 1.0)
        return to_pixels(points, self.size), confidence


def to_pixels(points: Tensor, size: int) -> Tensor:
    """Normalised, corner-aligned points to pixels of pictures of side ``size``."""
    return (points + 1.0) * ((size - 1) / 2.0)


def to_pictures(images: Tensor) -> np.ndarray:
    """uint8 (B, S, S, 3) of images (B, 1 or 3, S, S) in [-1, 1]; values beyond are clipped."""
    pixels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
