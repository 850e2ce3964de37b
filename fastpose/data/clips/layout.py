"""Which arrays a clip may have, of which type and shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastpose.skeletons import Skeleton

FORMAT, VERSION = "fastpose-clips", 2

# name -> (dtype, shape): N frames, S the side, K joints; without an N there is one for the clip.
EXTRAS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "keypoints": ("float32", ("N", "K", 2)),  # pixels of the S x S frame
    "visible": ("bool", ("N", "K")),  # which of the joints are labelled, and count
    "mask": ("uint8", ("N", "S", "S")),  # 0..255, the person's share of the pixel
    "parts": ("uint8", ("N", "S", "S")),  # 1 + index into info["parts"], 0 beside the person
    "keypoints3d": ("float32", ("N", "K", 3)),  # metres, camera space
    "rotation": ("float32", ("N", 3, 3)),  # from the world to the camera of the window, see Clip
    "background": ("uint8", ("S", "S", 3)),
}
ARRAYS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "frames": ("uint8", ("N", "S", "S", 3)),
    **EXTRAS,
}


def array_shape(
    key: str, count: int, size: int, skeleton: Skeleton | None
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape of one clip's array ``key`` for ``count`` frames of ``size`` pixels."""
    dtype, shape = ARRAYS[key]
    joints = len(skeleton.joints) if skeleton else -1
    sizes = {"N": count, "S": size, "K": joints}
    return np.dtype(dtype), tuple(sizes[s] if isinstance(s, str) else s for s in shape)


def rows_of(key: str, count: int) -> int:
    """How many rows of a shard's array one clip of ``count`` frames takes."""
    return count if ARRAYS[key][1][0] == "N" else 1


def row_shape(key: str, size: int, skeleton: Skeleton | None) -> tuple[int, ...]:
    """Shape of one row of a shard's array."""
    shape = array_shape(key, 1, size, skeleton)[1]
    return shape[1:] if ARRAYS[key][1][0] == "N" else shape


Entry = Mapping[str, Any]  # one clip in the index
