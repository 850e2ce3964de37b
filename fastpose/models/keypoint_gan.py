"""KeypointGAN: pose through a skeleton bottleneck, from unlabelled frames and unpaired poses.

Jakab, Gupta, Bilen, Vedaldi, "Self-supervised Learning of Interpretable Keypoints from Unlabelled
Videos", CVPR 2020. Every value is that of the published code unless its field says "assumed".

    skeleton image  y  = translator(x)                raw, judged by the discriminator
    keypoints       p  = regressor(y)
    clean skeleton  y* = 2 render_skeleton(p) - 1     all that the decoder sees of the pose
    reconstruction  x^ = decoder(y*, x')              x' is another frame of the clip
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from fastpose import ops
from fastpose.errors import UserError
from fastpose.models.base import ModelConfig, PixelDetector, PoseModel, to_pictures, to_pixels
from fastpose.nn.blocks import INSTANCE, initialise
from fastpose.nn.decoder import Decoder
from fastpose.nn.encoder import Encoder
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.nn.image_pool import ImagePool
from fastpose.nn.patch_discriminator import MultiScaleDiscriminator
from fastpose.nn.perceptual_loss import PerceptualLoss
from fastpose.nn.point_detector import SIZES, PointDetector
from fastpose.nn.u_net import UNet
from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class KeypointGANConfig(ModelConfig):
    """Architecture and fixed choices of the model.

    Args:
        image_size: side S of the frames: 64, 128 or 256.
        width: channels of the networks at full resolution; 32 in the published code.
        discriminator_width: channels of the discriminators' first layer; 64 in the published code.
        sharpness: gamma of the rendered skeleton, 1 / sigma^2; 25 in the published configuration.
        keypoint_extent: keypoints lie in [-extent, extent]; 1 in the published code. Larger lets
            joints lie outside the picture, which people cut by the frame need (ours).
        pool_size: pictures kept for the discriminator; 50 in the published configuration.
        features: network of the perceptual loss: ``vgg19``, ``squeezenet1_1`` or ``random``.
        feature_weights: its local weights file, with the key names of torchvision.
        feature_relu: rectify VGG-19's features; the published code does not.
        motion_weight: how much more the perceptual loss looks at what differs between the two
            frames of a pair than at what stands still; 0 in the paper (ours).
    """

    FILES = ("feature_weights",)

    image_size: int = 128
    width: int = 32
    discriminator_width: int = 64
    sharpness: float = 25.0
    keypoint_extent: float = 1.0
    pool_size: int = 50
    features: str = "random"
    feature_weights: str | None = None
    feature_relu: bool = True
    motion_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.image_size not in SIZES:
            raise UserError(f"model.image_size: expected one of {SIZES}, got {self.image_size}")
        for name in ("width", "discriminator_width", "sharpness", "pool_size"):
            if not getattr(self, name) > 0:
                raise UserError(f"model.{name}: must be positive, got {getattr(self, name)}")
        if self.motion_weight < 0.0:
            raise UserError(f"model.motion_weight: must not be negative, got {self.motion_weight}")
        if not 1.0 <= self.keypoint_extent <= 4.0:
            raise UserError(f"model.keypoint_extent: expected 1 to 4, got {self.keypoint_extent}")


class ConditionalDecoder(nn.Module):
    """Clean skeleton and another frame to an image: two encoders, one decoder."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        deep = width << 3
        self.skeleton_encoder = Encoder(1, deep, width=width)
        self.appearance_encoder = Encoder(3, deep, width=width)
        self.decoder = Decoder(2 * deep, 3, width=width)

    def forward(self, skeleton: torch.Tensor, appearance: torch.Tensor) -> torch.Tensor:
        """Image (B, 3, S, S), unbounded."""
        pose, _ = self.skeleton_encoder(skeleton)
        style, _ = self.appearance_encoder(appearance)
        return self.decoder(torch.cat((pose, style), dim=1))


class KeypointGAN(PoseModel):
    """The whole system; see the module's docstring.

    Phases of :meth:`losses`: ``"pretrain"`` (regressor alone, from poses), ``"generator"``
    (translator and decoder), ``"discriminator"``, ``"regressor"``; within one step in this order.

    Args:
        config: architecture.
        skeleton: the K joints and the limbs that are drawn.
        for_training: build what only losses need (discriminator, decoder's feature network).
    """

    networks = ("translator", "regressor", "decoder", "discriminator")

    def __init__(
        self, config: KeypointGANConfig, skeleton: Skeleton, *, for_training: bool = True
    ) -> None:
        super().__init__()
        self.config, self.skeleton, self.image_size = config, skeleton, config.image_size
        self.translator = UNet(3, 1, width=config.width)
        self.regressor = PointDetector(
            1,
            len(skeleton.joints),
            width=config.width,
            extent=config.keypoint_extent,
            norm=INSTANCE,
        )
        self.decoder = ConditionalDecoder(width=config.width)
        self.discriminator = MultiScaleDiscriminator(
            1, config.image_size, width=config.discriminator_width
        )
        self.pool = ImagePool(config.pool_size, 1, config.image_size)
        initialise(self)
        self.perceptual: PerceptualLoss | None = None
        if for_training:
            self.perceptual = PerceptualLoss(
                FeatureNetwork(config.features, config.feature_weights, relu=config.feature_relu)
            )

    def render(self, points: torch.Tensor) -> torch.Tensor:
        """Skeleton pictures (B, 1, S, S) in [-1, 1] of normalised points (B, K, 2)."""
        image = ops.render_skeleton(
            points, self.skeleton.limbs, self.image_size, sharpness=self.config.sharpness
        )
        return 2.0 * image - 1.0

    def choose(self, batch_size: int, phases: Collection[str]) -> dict[str, torch.Tensor]:
        """Random choices of one step that are made on the host: more entries for its batch."""
        return {"_pool": self.pool.choose(batch_size)} if "discriminator" in phases else {}

    def losses(self, batch: MutableMapping[str, Any], phase: str) -> dict[str, torch.Tensor]:
        """Losses of one phase by name.

        Args:
            batch: ``"poses"`` (B, K, 2) normalised and, but for ``"pretrain"``, ``"target"`` and
                ``"other"`` (B, 3, S, S) in [-1, 1]. The generator phase leaves the detached raw
                skeleton and the drawn poses in it for the phases that follow.
            phase: see the class.
        """
        if phase == "generator":
            return self._generator_losses(batch)
        if phase == "discriminator":
            real = ops.least_squares_gan(self.discriminator(batch["_drawn"]), 1.0)
            earlier = self.pool.exchange(batch["_raw"], batch.get("_pool"))
            fake = ops.least_squares_gan(self.discriminator(earlier), 0.0)
            return {"real": real, "fake": fake}
        if phase in ("regressor", "pretrain"):
            return self._regressor_losses(batch, with_images=phase == "regressor")
        raise ValueError(f"phase: unknown to KeypointGAN: {phase!r}")

    def _generator_losses(self, batch: MutableMapping[str, Any]) -> dict[str, torch.Tensor]:
        assert self.perceptual is not None, "built with for_training=False"
        raw = self.translator(batch["target"])
        points, _ = self.regressor(raw)
        image = self.decoder(self.render(points), batch["other"])
        batch["_raw"] = raw.detach()
        with torch.no_grad():
            batch["_drawn"] = self.render(batch["poses"])
        return {
            "adversarial": ops.least_squares_gan(self.discriminator(raw), 1.0),
            "perceptual": self.perceptual(
                image, batch["target"], motion_map(batch, self.config.motion_weight)
            ),
        }

    def _regressor_losses(
        self, batch: MutableMapping[str, Any], *, with_images: bool
    ) -> dict[str, torch.Tensor]:
        poses = batch["poses"]
        if not with_images:
            batch["_drawn"] = self.render(poses)
        points, _ = self.regressor(batch["_drawn"])
        losses = {"poses": ((points - poses) ** 2).mean()}
        if with_images:
            # Detached: the published code reuses a graph whose weights have moved.
            seen, _ = self.regressor(batch["_raw"])
            losses["images"] = ((self.render(seen) - batch["_raw"]) ** 2).mean()
        return losses

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised points (B, K, 2) and confidence (B, K) of images (B, 3, S, S) in [-1, 1]."""
        return self.regressor(self.translator(images))

    def inference_module(self) -> nn.Module:
        """What is exported: uint8 (B, 3, S, S) to pixels (B, K, 2) and confidence (B, K)."""
        detector = nn.Sequential(self.translator, self.regressor)
        return PixelDetector(detector, self.image_size)

    @torch.no_grad()
    def sheet(self, batch: MutableMapping[str, Any]) -> dict[str, np.ndarray]:
        """Columns of a sample sheet, uint8 (n, S, S, 3), and ``points`` (n, K, 2) in pixels."""
        raw = self.translator(batch["target"])
        points, _ = self.regressor(raw)
        drawn = self.render(points)
        return {
            "input": to_pictures(batch["target"]),
            "raw skeleton": to_pictures(raw),
            "rendered skeleton": to_pictures(drawn),
            "reconstruction": to_pictures(self.decoder(drawn, batch["other"])),
            "points": to_pixels(points, self.image_size).float().cpu().numpy(),
        }


def motion_map(batch: MutableMapping[str, Any], weight: float) -> torch.Tensor | None:
    """(B, 1, S, S), 1 where a pair's frames agree, more where they differ; None without weight.

    The difference is smoothed over a 64th of the side either way and divided by its mean.
    """
    if weight == 0.0:
        return None
    difference = (batch["target"] - batch["other"]).abs().mean(dim=1, keepdim=True)
    reach = max(1, difference.shape[-1] // 64)
    smooth = F.avg_pool2d(difference, 2 * reach + 1, 1, reach, count_include_pad=False)
    return 1.0 + weight * smooth / smooth.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
