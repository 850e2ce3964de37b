"""From warped template parts and another frame to the picture."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from fastpose.nn.blocks import leaky_block
from fastpose.nn.decoder import upsample

_DOWN = 6  # layers between the first and the lowest resolution


class ImageTranslator(nn.Module):
    """Down to an eighth of the resolution and up again.

    Source: the published code of Schmidtke et al., CVPR 2021.

    Args:
        in_channels: 3 of the frame and one for each part.
        width: channels at full resolution, 32 in the published code.
        skips: add what the way down saw at each resolution on the way up (ours): the background
            need not pass through an eighth of the resolution then.
    """

    def __init__(self, in_channels: int, *, width: int = 32, skips: bool = False) -> None:
        super().__init__()
        self.skips = skips
        widths = [width << level for level in range(4)]
        layers: list[nn.Module] = [leaky_block(in_channels, width)]
        for before, after in itertools.pairwise(widths):
            layers += [leaky_block(before, before), leaky_block(before, after, stride=2)]
        for after, before in zip(widths[-2::-1], widths[:0:-1], strict=True):
            layers += [leaky_block(before, before), upsample(), leaky_block(before, after)]
        layers.append(nn.Conv2d(width, 3, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, 3, S, S), unbounded, from (B, in_channels, S, S), S a multiple of 8."""
        if not self.skips:
            return self.layers(x)
        first, *layers, last = self.layers
        x, seen = first(x), []
        for block, halve in zip(layers[0:_DOWN:2], layers[1:_DOWN:2], strict=True):
            x = block(x)
            seen.append(x)
            x = halve(x)
        ways = (layers[_DOWN + step :: 3] for step in range(3))
        for block, double, narrow in zip(*ways, strict=True):
            x = narrow(double(block(x))) + seen.pop()
        return last(x)
