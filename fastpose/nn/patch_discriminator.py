"""PatchGAN discriminators at several scales (spec 4.5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fastpose.nn.blocks import INSTANCE, norm_layer


def _downsamplings(size: int) -> int:
    """Stride-2 layers, at most three, that leave at least 2x2 scores."""
    for count in (3, 2, 1):
        if (size >> count) - 2 >= 2:
            return count
    raise ValueError(f"size: a patch discriminator needs pictures of 8 pixels or more, got {size}")


class PatchDiscriminator(nn.Module):
    """4x4 convolutions, LeakyReLU 0.2, InstanceNorm; a map of scores, no sigmoid.

    Args:
        in_channels: channels of the judged picture.
        size: its side; small pictures get fewer stride-2 layers, so that 2x2 scores remain.
        width: channels of the first layer (64 in the paper).
    """

    def __init__(self, in_channels: int, size: int, *, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, halvings = in_channels, _downsamplings(size)
        for level in range(halvings + 1):
            out, stride = width << level, 2 if level < halvings else 1
            layers.append(nn.Conv2d(channels, out, 4, stride, 1))
            if level:
                layers.append(norm_layer(INSTANCE, out))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            channels = out
        layers.append(nn.Conv2d(channels, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (B, 1, h, w)."""
        return self.layers(x)


class MultiScaleDiscriminator(nn.Module):
    """Independent patch discriminators on the picture at scales 1, 1/2, 1/4, ...

    Args:
        in_channels: channels of the judged picture.
        size: its side in pixels.
        width: channels of each discriminator's first layer.
        scales: how many.
    """

    def __init__(self, in_channels: int, size: int, *, width: int = 64, scales: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchDiscriminator(in_channels, size >> s, width=width) for s in range(scales)
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """One map of scores for each scale; the picture is shrunk bilinearly."""
        scores = []
        for index, judge in enumerate(self.scales):
            if index:
                x = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
            scores.append(judge(x))
        return scores
