"""The static arguments of `render_skeleton`, checked once and kept as tensors on each device."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MOST_LIMBS = 512
MOST_CHANNELS = 512

End = int | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """What the kernels need to know of limbs, channels and widths.

    Attributes:
        packed: int32, on the device: first[channels + 1], offset[2 limbs + 1], index[N]. Limbs are
            sorted by channel; channel c is drawn by limbs first[c] .. first[c + 1] - 1. End i (2 e
            the start, 2 e + 1 the end of limb e) is the mean of the joints index[offset[i]] ..
            index[offset[i + 1] - 1].
        widths: (limbs,) float32 in the same order, on the device; None draws lines.
        limbs: E.
        channels: C.
        joints: the largest joint index plus one.
    """

    packed: Tensor
    widths: Tensor | None
    limbs: int
    channels: int
    joints: int


_plans: dict[Any, Plan] = {}
_MOST_PLANS = 4096  # arguments that were meant to be static but are not shall not fill the memory


def plan_for(limbs: Any, channels: Any, widths: Any, device: torch.device) -> Plan:
    """The plan of these static arguments; TypeError or ValueError names the one that is wrong."""
    if not torch.compiler.is_compiling():
        try:  # tuples all the way down: no conversion needed to look them up
            return _plans[limbs, channels, widths, device]
        except (KeyError, TypeError):
            pass
    channels, widths = _freeze(channels, "channels"), _freeze(widths, "widths")
    return _plan(_freeze_limbs(limbs), channels, widths, device)


def _plan(
    limbs: tuple[tuple[End, End], ...],
    channels: tuple[int, ...] | None,
    widths: tuple[float, ...] | None,
    device: torch.device,
) -> Plan:
    key = (limbs, channels, widths, device)
    plan = _plans.get(key)
    if plan is None:
        with torch.inference_mode(False):
            plan = _make_plan(*key)
        if type(plan.packed) is Tensor:  # no fake tensor may outlive its tracing
            if len(_plans) >= _MOST_PLANS:
                _plans.clear()
            _plans[key] = plan
    return plan


# What torch.compiler.assume_constant_result does, without its import of torch._dynamo: that takes
# seconds, and everybody who imports fastpose.ops would pay for it.
_plan._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def _make_plan(
    limbs: tuple[tuple[End, End], ...],
    channels: tuple[int, ...] | None,
    widths: tuple[float, ...] | None,
    device: torch.device,
) -> Plan:
    if not 1 <= len(limbs) <= MOST_LIMBS:
        raise ValueError(f"limbs must be 1 to {MOST_LIMBS} pairs, got {len(limbs)}")
    _check_length("channels", channels, len(limbs))
    _check_length("widths", widths, len(limbs))
    channel_of = channels or (0,) * len(limbs)
    for e, channel in enumerate(channel_of):
        if not 0 <= channel < MOST_CHANNELS:
            raise ValueError(
                f"channels must lie in 0 to {MOST_CHANNELS - 1}, got {channel} for limb {e}"
            )
    for e, width in enumerate(widths or ()):
        if not (math.isfinite(width) and width >= 0):
            raise ValueError(f"widths must be finite and not negative, got {width} for limb {e}")
    order = sorted(range(len(limbs)), key=channel_of.__getitem__)  # stable
    count = max(channel_of) + 1
    first = [sum(channel < c for channel in channel_of) for c in range(count + 1)]
    offset, index = [0], []
    for e in order:
        for end in limbs[e]:
            index += [end] if isinstance(end, int) else end
            offset.append(len(index))
    for j in index:
        if not 0 <= j < 2**31:
            raise ValueError(f"limbs must name joints by indices from 0 on, got {j}")
    return Plan(
        torch.tensor(first + offset + index, dtype=torch.int32, device=device),
        None
        if widths is None
        else torch.tensor([widths[e] for e in order], dtype=torch.float32, device=device),
        len(limbs),
        count,
        max(index) + 1,
    )


def _check_length(name: str, values: Sequence[Any] | None, limbs: int) -> None:
    if values is not None and len(values) != limbs:
        raise ValueError(f"{name} must have one entry per limb ({limbs}), got {len(values)}")


def _freeze_limbs(limbs: Any) -> tuple[tuple[End, End], ...]:
    if isinstance(limbs, Tensor):
        _check_tensor("limbs", limbs, integer=True)
        if limbs.ndim != 2 or limbs.shape[1] != 2:
            raise ValueError(f"limbs must have shape (E, 2), got {tuple(limbs.shape)}")
        limbs = limbs.tolist()
    if isinstance(limbs, str) or not isinstance(limbs, Sequence):
        raise TypeError(
            f"limbs must be a sequence of pairs or a CPU integer tensor (E, 2), got {_kind(limbs)}"
        )
    return tuple(_freeze_pair(e, pair) for e, pair in enumerate(limbs))


def _freeze_pair(e: int, pair: Any) -> tuple[End, End]:
    if not isinstance(pair, (tuple, list)):
        raise TypeError(f"limbs must be pairs of ends, got {_kind(pair)} for limb {e}")
    if len(pair) != 2:
        raise ValueError(f"limbs must be pairs of ends, got {len(pair)} ends for limb {e}")
    return (_freeze_end(e, pair[0]), _freeze_end(e, pair[1]))


def _freeze_end(e: int, end: Any) -> End:
    if not isinstance(end, (tuple, list)):
        return _whole("limbs", end, e)
    if len(end) == 0:
        raise ValueError(f"limbs: an end of limb {e} is the mean of no joints")
    return tuple([_whole("limbs", j, e) for j in end])


def _freeze(values: Any, name: str) -> tuple[Any, ...] | None:
    if values is None:
        return None
    integer = name == "channels"
    if isinstance(values, Tensor):
        _check_tensor(name, values, integer=integer)
        if values.ndim != 1:
            raise ValueError(f"{name} must have shape (E,), got {tuple(values.shape)}")
        values = values.tolist()
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a sequence with one entry per limb, got {_kind(values)}")
    if integer:
        return tuple([_whole(name, v, e) for e, v in enumerate(values)])
    return tuple([_real(name, v, e) for e, v in enumerate(values)])


def _whole(name: str, value: Any, e: int) -> int:
    if isinstance(value, bool) or not (isinstance(value, int) or hasattr(value, "__index__")):
        raise TypeError(f"{name} must hold integers, got {_kind(value)} for limb {e}")
    return operator.index(value)  # also makes a number that torch.compile took for a symbol static


def _real(name: str, value: Any, e: int) -> float:
    if isinstance(value, bool) or not (
        isinstance(value, (int, float)) or hasattr(value, "__float__")
    ):
        raise TypeError(f"{name} must hold numbers, got {_kind(value)} for limb {e}")
    return float(value)


def _check_tensor(name: str, values: Tensor, *, integer: bool) -> None:
    if torch.compiler.is_compiling():
        raise TypeError(f"{name} must be a sequence inside torch.compile, got a tensor")
    if values.device.type != "cpu":
        raise ValueError(f"{name} must be on the CPU (it is read once), got {values.device}")
    if integer and (
        values.dtype == torch.bool or values.is_floating_point() or values.is_complex()
    ):
        raise TypeError(f"{name} must be an integer tensor, got {values.dtype}")


def _kind(value: Any) -> str:
    return type(value).__name__
