"""The decoder without skip connections: conditional image decoder Psi of KeypointGAN."""

from __future__ import annotations

import torch
from torch import nn

from fastpose.nn.blocks import conv_block


def upsample() -> nn.Upsample:
    """Bilinear doubling, not corner-aligned."""
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


class Decoder(nn.Module):
    """From maps at an eighth of the resolution to an image, without skips.

    Args:
        in_channels: channels of the maps (512 at width 32: skeleton and appearance side by side).
        out_channels: channels of the image.
        width: channels before the last convolution (32 in the paper).
    """

    def __init__(self, in_channels: int, out_channels: int, *, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for level in (3, 2, 1):
            out = width << level
            layers += [conv_block(channels, out), conv_block(out, out), upsample()]
            channels = out
        layers += [conv_block(channels, width), nn.Conv2d(width, out_channels, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Image (B, out_channels, 8h, 8w), unbounded, from maps (B, in_channels, h, w)."""
        return self.layers(x)
