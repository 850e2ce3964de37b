"""Images that lie differently in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def layouts(shape: tuple[int, int, int, int], dtype: torch.dtype) -> dict[str, Tensor]:
    """NaN images of one shape that lie differently in memory."""
    b, c, h, w = shape

    def blank(*size: int) -> Tensor:
        return torch.full(size, torch.nan, dtype=dtype)

    return {
        "contiguous": blank(b, c, h, w),
        "channels_last": blank(b, h, w, c).permute(0, 3, 1, 2),
        "channels_of_a_larger_one": blank(b, h, w, c + 4).permute(0, 3, 1, 2)[:, 3 : 3 + c],
        "planes_of_a_larger_one": blank(b, c + 3, h, w)[:, 1 : 1 + c],
        "rows_with_gaps": blank(b, c, h, w + 8)[..., :w],
        "odd_rows": blank(b * c * h * (w + 8)).as_strided(
            shape, (c * h * (w + 8), h * (w + 8), w + 1, 1)
        ),
        "odd_planes": blank(b * c * (h * w + 8)).as_strided(
            shape, (c * (h * w + 8), h * w + 1, w, 1)
        ),
        "odd_images": blank(b * (c * h * w + 1)).as_strided(shape, (c * h * w + 1, h * w, w, 1)),
        "not_aligned": blank(b, c, h, w + 8)[..., 1 : 1 + w],
        "every_second_pixel": blank(b, c, h, 2 * w)[..., ::2],
        "columns_first": blank(b, c, w, h).transpose(2, 3),
    }
