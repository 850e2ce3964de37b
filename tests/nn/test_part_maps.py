"""Parts from heatmaps: at rest the template, and otherwise where the heatmap says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fastpose.nn.part_maps import PartMaps
from fastpose.nn.part_motion import PartMotion
from fastpose.templates import load_template


def make(transform: str, **options: Any) -> tuple[PartMaps, PartMotion]:
    template = load_template("adult")
    motion = PartMotion(template, transform=transform, pivot="part", two_step=False)
    torch.manual_seed(0)
    return PartMaps(64, motion, width=2, **options), motion


class Fixed(nn.Module):
    """An encoder that always finds the same."""

    def __init__(self, found: Tensor) -> None:
        super().__init__()
        self.found = found

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.found.expand(len(images), -1, -1, -1), []


@pytest.mark.parametrize("transform", ["affine", "similarity", "rigid"])
def test_the_undeformed_template_at_first(transform: str) -> None:
    maps, motion = make(transform, zero_head=True)
    (moved,) = motion(maps(torch.rand(2, 3, 64, 64)))
    assert torch.allclose(moved, torch.eye(2, 3).expand_as(moved), atol=1e-6)


@pytest.mark.parametrize("transform", ["affine", "similarity", "rigid"])
def test_a_part_goes_where_its_heatmap_peaks_and_turns_as_the_field_there_says(
    transform: str,
) -> None:
    maps, motion = make(transform)
    linear = motion.numbers - 2
    found = torch.randn(1, motion.maps * (1 + linear) + (transform == "rigid"), 8, 8)
    found[:, : motion.maps] = 0.0
    found[:, : motion.maps, 2, 5] = 200.0  # the third row, the sixth column
    maps.encoder = Fixed(found)
    (moved,) = motion(maps(torch.zeros(1, 3, 64, 64)))
    centres = (moved[0, :, :, :2] @ motion.origins[..., None])[..., 0] + moved[0, :, :, 2]
    # As far from the template's part as the cell is from the heatmap's mean at rest; the middle of
    # the sixth of eight cells of 8 pixels is at 43.5 of 0 to 63.
    cell = torch.tensor([43.5, 19.5]) * 2.0 / 63.0 - 1.0
    expected = motion.origins + cell - maps.rest
    assert torch.allclose(centres, expected, atol=1e-4)
    field = found[0, motion.maps : motion.maps * (1 + linear), 2, 5].view(motion.maps, linear)
    if transform == "affine":
        turned = torch.eye(2) + field.view(-1, 2, 2)
    else:
        a, b = 1.0 + field[:, 0], field[:, 1]
        if transform == "rigid":
            shared = (0.3 * found[0, -1].mean().tanh()).exp() / (a**2 + b**2).sqrt()
            a, b = shared * a, shared * b
        turned = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)
    assert torch.allclose(moved[0, :, :, :2], turned, atol=1e-3)


def test_maps_about_the_corner_or_in_two_steps_are_refused() -> None:
    template = load_template("adult")
    for pivot, two_step in (("corner", False), ("part", True)):
        motion = PartMotion(template, transform="affine", pivot=pivot, two_step=two_step)
        with pytest.raises(ValueError, match="one step about the parts"):
            PartMaps(64, motion)
