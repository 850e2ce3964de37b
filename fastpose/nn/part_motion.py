"""How the parts of a shape template move: from a network's numbers to affine maps.

Schmidtke et al., CVPR 2021, eq. 3, and the two-step variant of Yoo and Russakovsky, ICCV workshops
2023. Maps act on normalised, corner-aligned coordinates u = 2 p / (n - 1) - 1 of the template's
canvas and of the image alike, so that nothing depends on the image's size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastpose.nn.constant import constant
from fastpose.templates import Template

TRANSFORMS = ("affine", "similarity", "rigid")
PIVOTS = ("corner", "part")
_SCALES = 0.3  # by which logarithm all parts of an image together may be larger or smaller
_TINY = 1e-6  # where both numbers of a turn vanish it has no direction, and its part no size


class PartMotion(nn.Module):
    """Numbers to maps (A | t): A = I + what was regressed, t in sides of the image.

    Args:
        template: K parts.
        transform: "affine", six numbers for each map, as published; or "similarity", four of them,
            a true turn and scale: A = [[1 + a, -b], [b, 1 + a]]; or "rigid", the same turn alone,
            and one scale for all parts of an image, 0.74 to 1.35, so that none can vanish (ours).
        pivot: what A leaves where it is: "corner", the first pixel's centre, as published; or
            "part", the centre of the part (ours), so that a turn does not throw a part away.
        two_step: the parts of each of the template's groups first move as one, then each by
            itself.

    Attributes:
        outputs: how many numbers a network has to give.
    """

    origins: Tensor
    sized: Tensor
    step_one: Tensor
    moved_again: Tensor

    def __init__(self, template: Template, *, transform: str, pivot: str, two_step: bool) -> None:
        super().__init__()
        names = [part.name for part in template.parts]
        groups = list(template.groups.values()) if two_step else []
        # Which map of step one moves each part: its group's, or its own.
        group_of = {name: index for index, group in enumerate(groups) for name in group}
        alone = [name for name in names if name not in group_of]
        first = [
            len(alone) + group_of[name] if name in group_of else alone.index(name) for name in names
        ]
        again = [index for index, name in enumerate(names) if name in group_of]
        self.maps = len(alone) + len(groups) + len(again)
        self.numbers = 6 if transform == "affine" else 4
        self.rigid = transform == "rigid"
        self.outputs = self.maps * self.numbers + self.rigid
        self.side = 2.0 * template.size / (template.size - 1)  # one side, in normalised units
        centers = normalise(torch.from_numpy(template.centers), template.size)
        origins = torch.full((self.maps, 2), -1.0, dtype=torch.float64)
        if pivot == "part":
            for index in range(len(alone) + len(groups)):
                mine = [k for k, one in enumerate(first) if one == index]
                origins[index] = centers[mine].mean(dim=0)
            origins[len(alone) + len(groups) :] = centers[again]
        self.about_parts = pivot == "part"
        constant(self, "sized", (torch.arange(self.maps) < self.maps - len(again)).double())
        constant(self, "origins", origins)
        constant(self, "step_one", torch.tensor(first))
        constant(self, "moved_again", torch.tensor(again, dtype=torch.long))

    def forward(self, numbers: Tensor) -> list[Tensor]:
        """Maps (B, K, 2, 3) after each step, of one step or of two, from (B, outputs).

        The last ones are where the parts come to lie.
        """
        linear, shift = self._split(numbers)
        steps = len(self.moved_again)
        own = slice(None, self.maps - steps)
        first = about(linear[:, own], shift[:, own], self.origins[own])[:, self.step_one]
        if not steps:
            return [first]
        # About where step one has brought the part; the published corner stays the corner.
        origins = self.origins[self.maps - steps :]
        if self.about_parts:
            origins = apply(first[:, self.moved_again], origins[None, :, None])[:, :, 0]
        again = about(linear[:, self.maps - steps :], shift[:, self.maps - steps :], origins)
        second = first.index_copy(1, self.moved_again, compose(again, first[:, self.moved_again]))
        return [first, second]

    def _split(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """A (B, maps, 2, 2) and t (B, maps, 2) in normalised units."""
        batch = numbers.shape[0]
        if self.numbers == 6:
            delta = numbers.view(batch, self.maps, 2, 3)
            identity = torch.eye(2, dtype=numbers.dtype, device=numbers.device)
            return identity + delta[..., :2], self.side * delta[..., 2]
        a, b, x, y = numbers[:, : 4 * self.maps].view(batch, self.maps, 4).unbind(-1)
        a = 1.0 + a
        if self.rigid:
            # What moves again has its size already.
            size = (_SCALES * numbers[:, -1:].tanh() * self.sized).exp()
            scale = size * (a**2 + b**2 + _TINY).rsqrt()
            a, b = scale * a, scale * b
        linear = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)
        return linear, self.side * torch.stack([x, y], -1)


def normalise(points: Tensor, size: int) -> Tensor:
    """Canvas pixels to [-1, 1], corner-aligned."""
    return 2.0 * points / (size - 1) - 1.0


def about(linear: Tensor, shift: Tensor, origin: Tensor) -> Tensor:
    """(..., 2, 3): u to A (u - origin) + origin + shift."""
    offset = origin + shift - (linear @ origin[..., None])[..., 0]
    return torch.cat([linear, offset[..., None]], dim=-1)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """(..., 2, 3): ``outer`` after ``inner``."""
    linear = outer[..., :2] @ inner[..., :2]
    offset = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return torch.cat([linear, offset], dim=-1)


def apply(maps: Tensor, points: Tensor) -> Tensor:
    """Points (..., N, 2) moved by maps (..., 2, 3)."""
    return points @ maps[..., :2].transpose(-1, -2) + maps[..., None, :, 2]
