"""The encoder that all networks of the KeypointGAN family share."""

from __future__ import annotations

import torch
from torch import nn

from fastpose.nn.blocks import BATCH, INSTANCE, conv_block


class Encoder(nn.Module):
    """Four resolutions, two blocks each, then a 1x1 convolution to ``out_channels``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output at an eighth of the input's resolution.
        width: channels at full resolution (32 in the paper); doubles with each halving.
        norm: ``"batch"`` or ``"instance"``; the last convolution has a bias only with the latter.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, width: int = 32, norm: str = BATCH
    ) -> None:
        super().__init__()
        stages, channels = [], in_channels
        for level in range(4):
            out = width << level
            first = (
                conv_block(channels, out, kernel=7, norm=norm)
                if level == 0
                else conv_block(channels, out, stride=2, norm=norm)
            )
            stages.append(nn.Sequential(first, conv_block(out, out, norm=norm)))
            channels = out
        self.stages = nn.ModuleList(stages)
        self.head = nn.Conv2d(channels, out_channels, 1, bias=norm == INSTANCE)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Maps (B, out_channels, H/8, W/8); skips at full, half and quarter resolution."""
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return self.head(x), skips[:3]
