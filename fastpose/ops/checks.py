"""Checks of arguments that several operators share.

Each raises a TypeError or, for shapes, ranges and devices, a ValueError, which names the argument,
what was expected and what came, in one line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_NAMES = "float32, float64, bfloat16, float16"
_WIDE = DTYPES[:2]
_STRIDED, _SymInt = torch.strided, torch.SymInt  # looking them up in torch takes time
_MOST_ELEMENTS = 2**31


def check_tensor(name: str, value: Any, shape: str | None, *, narrow: bool = False) -> torch.Size:
    """A floating tensor whose shape reads like `shape`: "(B, K, 2)" has names and fixed sizes, None
    is any. Returns the shape.

    float32 and float64; with `narrow` bfloat16 and float16 too.
    """
    if not isinstance(value, Tensor):
        expected = f"a tensor {shape}" if shape else "a tensor"
        raise TypeError(f"{name} must be {expected}, got {type(value).__name__}")
    if value.dtype not in (DTYPES if narrow else _WIDE):
        expected = f"one of {_NAMES}" if narrow else "float32 or float64"
        raise TypeError(f"{name} must be {expected}, got {value.dtype}")
    if value.layout is not _STRIDED:
        raise TypeError(f"{name} must be a dense tensor, got {value.layout}")
    found = value.shape
    if shape is None:
        return found
    dimensions, fixed = _sizes(shape)
    fits = len(found) == dimensions
    for i, size in fixed if fits else ():
        fits = fits and found[i] == size
    if not fits:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(found)}")
    return found


_parsed: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {}


def _sizes(shape: str) -> tuple[int, tuple[tuple[int, int], ...]]:
    """How many dimensions "(B, K, 2)" has, and those of a fixed size with it."""
    sizes = _parsed.get(shape)
    if sizes is None:
        names = shape.strip("()").split(", ")
        fixed = tuple((i, int(each)) for i, each in enumerate(names) if each.isdigit())
        sizes = _parsed[shape] = len(names), fixed
    return sizes


# Constant to torch.compile too, see `_plan` in render_skeleton/plan.py.
_sizes._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def check_like(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """That `value` has the type and device of `other`."""
    if value.dtype != other.dtype:
        raise TypeError(f"{name} must be {other.dtype} like {other_name}, got {value.dtype}")
    if value.device != other.device:
        raise _elsewhere(name, value, other_name, other.device)


def check_device(name: str, value: Tensor, other_name: str, device: torch.device) -> None:
    """That `value` is on the device of the argument called `other_name`."""
    if value.device != device:
        raise _elsewhere(name, value, other_name, device)


def _elsewhere(name: str, value: Tensor, other_name: str, device: torch.device) -> ValueError:
    return ValueError(
        f"{name} must be on the device of {other_name} ({device}), got {value.device}"
    )


def check_same_shape(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """That `value` has the shape of `other`."""
    if value.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name}, {tuple(other.shape)}, "
            f"got {tuple(value.shape)}"
        )


def check_size(size: Any) -> tuple[int, int]:
    """(height, width) of a size given as a number or a pair."""
    sides: Any = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size, size)
    for side in sides:
        if type(side) is not int and (
            isinstance(side, bool) or not isinstance(side, (int, _SymInt))
        ):
            raise TypeError(f"size must be an integer or a pair (H, W) of them, got {size!r}")
        if side < 1:
            raise ValueError(f"size must be at least 1 pixel, got {size!r}")
    return sides[0], sides[1]


def check_numel(name: str, shape: tuple[int, ...]) -> None:
    """That a tensor of that shape has fewer than 2^31 elements; `name` is to blame otherwise."""
    if math.prod(shape) >= _MOST_ELEMENTS:
        raise ValueError(
            f"{name} gives a result of shape {shape}; expected fewer than 2^31 elements"
        )


def check_number(name: str, value: Any, least: float = 0.0, *, zero: bool = False) -> None:
    """A finite number of at least `least`; 0 itself only with `zero`."""
    check_is_number(name, value)
    if not (least <= value < math.inf) or (value == 0 and not zero):
        bound = f"at least {least:g}" if least or zero else "greater than 0"
        raise ValueError(f"{name} must be finite and {bound}, got {value}")


def check_is_number(name: str, value: Any) -> None:
    """Any number."""
    if type(value) is not float and (
        isinstance(value, bool) or not isinstance(value, (int, float))
    ):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """One of the given names."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_result_type(dtype: Any) -> None:
    """A type that images can have, or None."""
    if dtype is not None and dtype not in DTYPES:
        raise TypeError(f"dtype must be one of {_NAMES}, got {dtype}")


def check_out(
    out: Any,
    like: str,
    device: torch.device,
    shape: tuple[int, ...],
    dtype: torch.dtype | None,
) -> None:
    """That `out` can take a result of that shape; `like` is the argument whose device it shares."""
    if not isinstance(out, Tensor):
        raise TypeError(f"out must be a tensor, got {type(out).__name__}")
    if out.dtype not in DTYPES:
        raise TypeError(f"out must be one of {_NAMES}, got {out.dtype}")
    if out.layout is not _STRIDED:
        raise TypeError(f"out must be a dense tensor, got {out.layout}")
    if dtype is not None and dtype != out.dtype:
        raise TypeError(f"dtype is {dtype}, but out is {out.dtype}; give only one of the two")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, got {tuple(out.shape)}")
    if out.device != device:
        raise _elsewhere("out", out, like, device)
    if not out.is_contiguous() and any(
        n > 1 and step == 0 for n, step in zip(out.shape, out.stride(), strict=True)
    ):
        raise ValueError(f"out must not overlap itself, got strides {out.stride()}")
    if out.requires_grad and out.is_leaf and torch.is_grad_enabled():
        raise ValueError("out must not be a leaf that requires grad: it is written in place")
