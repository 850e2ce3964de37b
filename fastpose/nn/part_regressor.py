"""From an image to a handful of numbers for each part of a shape template.

Source: the published code of Schmidtke et al., CVPR 2021, its training configuration ("released")
and the network behind its released checkpoint ("paper_like": about as many parameters as the paper
states; there it also sees the undeformed template, which is the same for every image).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from fastpose.nn.batch_norm import BatchNorm1d
from fastpose.nn.blocks import leaky_block

VARIANTS = ("released", "paper_like")
SMALLEST = 64  # side of the image


class PartRegressor(nn.Module):
    """Strided convolutions, then two linear layers.

    Args:
        image_size: side S of the images, 64 or more.
        outputs: how many numbers.
        width: channels at full resolution, 32 in the published code.
        variant: "released" or "paper_like".
        zero_head: begin with the last layer at 0, so that all numbers are 0 (ours); the published
            code begins with torch's default, which throws parts over half of the image.
    """

    def __init__(
        self,
        image_size: int,
        outputs: int,
        *,
        width: int = 32,
        variant: str = "released",
        zero_head: bool = False,
    ) -> None:
        super().__init__()
        if image_size < SMALLEST:
            raise ValueError(f"image_size: expected {SMALLEST} or more, got {image_size}")
        if variant == "released":
            self.features, channels, side = _released(image_size, width)
        elif variant == "paper_like":
            self.features, channels, side = _paper_like(image_size, width)
        else:
            raise ValueError(f"variant: expected one of {VARIANTS}, got {variant!r}")
        hidden = 16 * width
        self.hidden = nn.Linear(channels * side * side, hidden)
        self.norm = BatchNorm1d(hidden)
        self.head = nn.Linear(hidden, outputs)
        if zero_head:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(B, outputs) float32 from (B, 3, S, S) in [-1, 1]."""
        maps = self.features(images).flatten(1)
        hidden = nn.functional.leaky_relu(self.norm(self.hidden(maps)), 0.01)
        # Lengths of a pixel in 256 are more than 8 bits of mantissa hold.
        with torch.autocast(images.device.type, enabled=False):
            return self.head(hidden.to(self.head.weight.dtype))


def _released(size: int, width: int) -> tuple[nn.Sequential, int, int]:
    """Layers, and channels and side of their output."""
    widths = [width << level for level in (0, 1, 2, 3, 4, 4, 4)]
    layers = [leaky_block(3, widths[0])]
    side = size
    for before, after in itertools.pairwise(widths):
        layers += [leaky_block(before, before), leaky_block(before, after, stride=2)]
        side = (side + 1) // 2
    # The padding of this 1x1 convolution adds a border of constants: published so.
    layers.append(leaky_block(widths[-1], 8 * width, kernel=1))
    return nn.Sequential(*layers), 8 * width, side + 2


def _paper_like(size: int, width: int) -> tuple[nn.Sequential, int, int]:
    """Layers, and channels and side of their output."""
    layers: list[nn.Module] = []
    channels, side = 3, size
    # (channels, stride, dilation); padding is 1 throughout, so that dilation shrinks the maps.
    for out, stride, dilation in (
        (width, 1, 1),
        (width, 1, 4),
        (2 * width, 2, 1),
        (2 * width, 1, 8),
        (4 * width, 2, 1),
        (4 * width, 1, 1),
        (8 * width, 2, 1),
        *((8 * width, stride, 1) for _ in range(3) for stride in (1, 2)),
    ):
        layers.append(leaky_block(channels, out, stride=stride, dilation=dilation))
        channels, side = out, (side + 1 - 2 * dilation) // stride + 1
    return nn.Sequential(*layers), channels, side
