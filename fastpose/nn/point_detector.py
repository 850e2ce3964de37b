"""From a picture to keypoints: what KeypointGAN's regressor and the supervised baseline share."""

from __future__ import annotations

from torch import Tensor, nn

from fastpose import ops
from fastpose.nn.blocks import BATCH
from fastpose.nn.encoder import Encoder

SIZES = (64, 128, 256)  # of the pictures


class PointDetector(nn.Module):
    """Encoder, separable soft-argmax.

    Args:
        in_channels: of the pictures.
        joints: K.
        width: channels at full resolution.
        extent: points lie in [-extent, extent].
        norm: see ``Encoder``.
    """

    def __init__(
        self, in_channels: int, joints: int, *, width: int, extent: float, norm: str = BATCH
    ) -> None:
        super().__init__()
        self.encoder = Encoder(in_channels, joints, width=width, norm=norm)
        self.extent = extent

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, K, 2), normalised, and confidence (B, K) from (B, in_channels, S, S)."""
        logits, _ = self.encoder(images)
        return ops.soft_argmax(logits, extent=self.extent)
