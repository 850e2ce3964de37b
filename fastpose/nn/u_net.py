"""The image-to-skeleton network Phi of KeypointGAN."""

from __future__ import annotations

import torch
from torch import nn

from fastpose.nn.blocks import conv_block
from fastpose.nn.decoder import upsample
from fastpose.nn.encoder import Encoder


class UNet(nn.Module):
    """Encoder with skips and a decoder; the output is linear, unbounded.

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output.
        width: channels at full resolution (32 in the paper).
    """

    def __init__(self, in_channels: int, out_channels: int, *, width: int = 32) -> None:
        super().__init__()
        deep = width << 3
        self.encoder = Encoder(in_channels, deep, width=width)
        self.bottom = nn.Sequential(conv_block(deep, deep), conv_block(deep, deep))
        self.up = upsample()
        self.merges, self.blocks = nn.ModuleList(), nn.ModuleList()
        channels = deep
        for level in (2, 1):
            out = width << level
            self.merges.append(nn.Conv2d(channels + out, channels, 1, bias=False))
            self.blocks.append(nn.Sequential(conv_block(channels, out), conv_block(out, out)))
            channels = out
        self.merges.append(nn.Conv2d(channels + width, channels, 1, bias=False))
        self.blocks.append(
            nn.Sequential(conv_block(channels, width), nn.Conv2d(width, out_channels, 3, padding=1))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, out_channels, H, W) from (B, in_channels, H, W); H and W divisible by 8."""
        x, skips = self.encoder(x)
        x = self.bottom(x)
        for merge, block, skip in zip(self.merges, self.blocks, reversed(skips), strict=True):
            x = block(merge(torch.cat((self.up(x), skip), dim=1)))
        return x
