"""SSIM of pictures as others compute it: (B, C, H, W) twice to (B,)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fastpose.ops.structural_similarity.reference import SIDE, taps_of

C1, C2 = 0.01**2, 0.03**2
TAPS = {window: taps_of(window) for window in SIDE}


def _similarity(x: Tensor, y: Tensor, xx: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """From the means of x, y and their products in windows; a mean for each picture."""
    of_x, of_y, both = xx - x * x, yy - y * y, xy - x * y
    top = (2 * x * y + C1) * (2 * both + C2)
    return (top / ((x * x + y * y + C1) * (of_x + of_y + C2))).mean((1, 2, 3))


def plain(x: Tensor, y: Tensor, window: int) -> Tensor:
    """Five convolutions with a window of two dimensions, as in most published training code."""
    channels, taps = x.shape[1], torch.tensor(TAPS[window])
    kernel = torch.outer(taps, taps).expand(channels, 1, SIDE[window], SIDE[window]).to(x)

    def mean(image: Tensor) -> Tensor:
        return F.conv2d(image, kernel, groups=channels)

    return _similarity(mean(x), mean(y), mean(x * x), mean(y * y), mean(x * y))


def separable(x: Tensor, y: Tensor, window: int) -> Tensor:
    """All five maps in one batch, and a window of one dimension after the other."""
    channels, taps = x.shape[1], torch.tensor(TAPS[window]).to(x)
    down, along = (taps.view(shape).expand(channels, 1, -1, -1) for shape in ((-1, 1), (1, -1)))
    maps = torch.cat((x, y, x * x, y * y, x * y))
    maps = F.conv2d(F.conv2d(maps, down, groups=channels), along, groups=channels)
    return _similarity(*maps.chunk(5))


def box(x: Tensor, y: Tensor, window: int) -> Tensor:
    """Of a uniform window: five averages."""

    def mean(image: Tensor) -> Tensor:
        return F.avg_pool2d(image, SIDE[window], 1)

    return _similarity(mean(x), mean(y), mean(x * x), mean(y * y), mean(x * y))


def kornia_ssim(x: Tensor, y: Tensor) -> Tensor:
    from kornia.metrics import ssim

    return ssim(x, y, 11, 1.0, padding="valid").mean((1, 2, 3))
