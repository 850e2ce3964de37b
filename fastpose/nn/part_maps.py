"""From an image to the numbers of ``PartRegressor``, by way of a heatmap for each part (ours)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastpose.nn.constant import constant
from fastpose.nn.encoder import Encoder
from fastpose.nn.part_motion import PartMotion

_SPREAD = 0.35  # of a part about its place in the template at first, half sides


class PartMaps(nn.Module):
    """Where a part lies is the mean of a heatmap, how it lies the mean of fields under it.

    What moves in the picture moves the numbers with it from the start: the published regressor has
    to learn that for every place, from pictures alone, and takes many more of them.

    Args:
        image_size: side S of the images, a multiple of 8.
        motion: takes the numbers; its maps turn about the parts' centres, in one step.
        width: channels at full resolution.
        zero_head: begin with the undeformed template.
    """

    grid: Tensor
    prior: Tensor
    rest: Tensor

    def __init__(
        self, image_size: int, motion: PartMotion, *, width: int = 32, zero_head: bool = False
    ) -> None:
        super().__init__()
        if not motion.about_parts or len(motion.moved_again):
            raise ValueError("motion: expected one step about the parts' centres")
        self.maps, self.linear = motion.maps, motion.numbers - 2
        self.shared = motion.outputs - self.maps * motion.numbers
        self.side = motion.side
        self.encoder = Encoder(3, self.maps * (1 + self.linear) + self.shared, width=width)
        if zero_head:
            nn.init.zeros_(self.encoder.head.weight)
        cells = image_size // 8
        # The cells' middles, corner-aligned like all points.
        along = (torch.arange(cells, dtype=torch.float64) + 0.5) * (2.0 / cells) - 1.0
        along *= image_size / (image_size - 1)
        y, x = torch.meshgrid(along, along, indexing="ij")
        grid = torch.stack([x, y], dim=-1).reshape(-1, 2)
        away = (grid - motion.origins[:, None].double()).square().sum(dim=-1)
        prior = -away / (2.0 * _SPREAD**2)
        constant(self, "grid", grid)
        constant(self, "prior", prior)
        constant(self, "rest", prior.softmax(dim=-1) @ grid)

    def forward(self, images: Tensor) -> Tensor:
        """(B, ``motion.outputs``) float32 from (B, 3, S, S) in [-1, 1]."""
        found, _ = self.encoder(images)
        found = found.flatten(2).float()
        with torch.autocast(images.device.type, enabled=False):
            share = (found[:, : self.maps] + self.prior).softmax(dim=-1)
            shift = (share @ self.grid - self.rest) / self.side
            fields = found[:, self.maps : self.maps * (1 + self.linear)]
            fields = fields.unflatten(1, (self.maps, self.linear))
            linear = (share[:, :, None] * fields).sum(dim=-1)
            if self.linear == 4:  # the rows of (A | t), each with its shift
                numbers = torch.cat([linear.unflatten(2, (2, 2)), shift[..., None]], dim=-1)
            else:
                numbers = torch.cat([linear, shift], dim=-1)
            shared = found[:, self.maps * (1 + self.linear) :].mean(dim=-1)
            return torch.cat([numbers.flatten(1), shared], dim=1)
