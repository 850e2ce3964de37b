"""Calls of `render_skeleton` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.render_skeleton import reference
from fastpose.ops.render_skeleton.plan import plan_for
from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers

CHAIN = ((0, 1), (1, 2), (2, 3), (3, 4))
MEANS = (((0, 1), 2), (2, (3, 4, 1)), ((1,), (0, 4)))
DENSE = tuple((i, j) for i in range(12) for j in range(i + 1, 12))  # 66 limbs


def tie_gaps(points: Tensor, limbs: Any, size: tuple[int, int], **static: Any) -> Tensor:
    """(B, C, H, W): by how much of d^2 the nearest limb of a pixel beats the next one.

    Limbs that meet in a joint and are both nearest there are no tie: they move together.
    """
    plan = plan_for(limbs, static.get("channels"), static.get("widths"), points.device)
    ends = reference.ends_of(points.double(), plan.packed, plan.limbs, plan.channels)
    near = list(reference.nearest_points(ends, plan.widths, plan.limbs, *size))
    squared = torch.cat([n.squared for n in near], 1)
    residual = torch.cat([n.residual for n in near], 1)
    gaps = squared.new_full((points.shape[0], plan.channels, *size), torch.inf)
    for channel in ends.channel.unique():
        mine = ends.channel == channel
        best, winner = squared[:, mine].min(1, keepdim=True)
        place = residual[:, mine].take_along_dim(winner[..., None], 1)
        elsewhere = (residual[:, mine] - place).square().sum(-1) > 1e-20
        gaps[:, channel] = (squared[:, mine] - best).where(elsewhere, torch.inf).amin(1)
    return gaps


def unstable(sample: Sample) -> Tensor:
    """Pixels whose nearest limb rounding in float32 may change; shaped like the output."""
    points, limbs, size = sample.args
    static = {k: v for k, v in sample.kwargs.items() if k in ("channels", "widths")}
    return tie_gaps(points, limbs, size, **static) < 1e-5


def _points(
    seed: int, batch: int, joints: int, limbs: Any, size: tuple[int, int], reach: float, static: Any
) -> Tensor:
    """Random joints in [-reach, reach], drawn again until no pixel lies near a tie."""
    for attempt in range(seed, seed + 1000):
        drawn = torch.rand(batch, joints, 2, generator=generator(attempt), dtype=torch.float64)
        points = (drawn * 2 - 1) * reach
        if not (tie_gaps(points, limbs, size, **static) < 1e-5).any():
            return points
    raise RuntimeError("no points without a near tie were found")


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    rows: list[tuple[str, int, int, Any, tuple[int, int], float, dict[str, Any]]] = [
        # name, batch, joints, limbs, size, reach of the joints, keywords
        ("one_limb", 1, 2, ((0, 1),), (5, 5), 0.8, {}),
        ("chain", 2, 5, CHAIN, (9, 9), 0.9, {}),
        ("gaussian", 2, 5, CHAIN, (8, 11), 0.9, dict(profile="gaussian", sharpness=6.0)),
        ("whole_tiles", 2, 5, CHAIN, (16, 32), 0.9, dict(sharpness=8.0)),
        ("cut_tiles", 1, 5, CHAIN, (19, 23), 0.9, dict(sharpness=8.0)),
        ("means", 2, 5, MEANS, (10, 7), 0.9, dict(sharpness=4.0)),
        ("channels", 2, 5, CHAIN, (7, 9), 0.9, dict(channels=(2, 0, 2, 4), sharpness=4.0)),
        ("widths", 2, 5, CHAIN, (9, 10), 0.9, dict(widths=(0.3, 0.0, 0.5, 0.2), sharpness=3.0)),
        ("everything", 2, 5, MEANS, (11, 6), 0.9, dict(
            widths=(0.2, 0.1, 0.4), channels=(1, 0, 1), profile="gaussian", sharpness=3.0)),
        ("off_image", 2, 5, CHAIN, (8, 8), 4.0, dict(sharpness=1.5)),
        ("no_length", 1, 3, ((0, 1), (2, 2)), (7, 7), 0.8, dict(sharpness=4.0)),
        ("no_length_wide", 1, 3, ((0, 1), (2, 2)), (7, 7), 0.8, dict(widths=(0.2, 0.2))),
        ("one_pixel", 2, 3, ((0, 1), (1, 2)), (1, 1), 0.9, {}),
        ("one_row", 2, 3, ((0, 1), (1, 2)), (1, 21), 0.9, dict(sharpness=4.0)),
        ("one_column", 1, 3, ((0, 1), (1, 2)), (37, 1), 0.9, dict(sharpness=4.0)),
        ("unused_joint", 2, 7, ((1, 3),), (6, 6), 0.9, {}),
        ("many_limbs", 1, 12, DENSE, (6, 7), 1.0, dict(sharpness=4.0)),
        ("empty_batch", 0, 5, CHAIN, (6, 6), 0.9, {}),
    ]  # fmt: skip
    for seed, (name, batch, joints, limbs, size, reach, keywords) in enumerate(rows):
        static = {k: v for k, v in keywords.items() if k in ("channels", "widths")}
        points = _points(1000 * seed, batch, joints, limbs, size, reach, static)
        yield Sample(name, (points.to(device, dtype), limbs, size), keywords)


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    """An ordinary drawing: a few to some dozens of limbs, mostly on the image."""
    source = generator(seed)
    whole = whole_numbers(source)
    joints, number = whole(2, 20), whole(1, 20)
    size = (whole(3, 48), whole(3, 48))
    ends = torch.randint(joints, (number, 2), generator=source)
    ends[:, 1] = torch.where(ends[:, 0] == ends[:, 1], (ends[:, 1] + 1) % joints, ends[:, 1])
    limbs = tuple((int(a), int(b)) for a, b in ends)
    points = torch.rand(whole(1, 2), joints, 2, generator=source, dtype=torch.float64) * 2.4 - 1.2
    keywords: dict[str, Any] = dict(
        sharpness=float(torch.rand((), generator=source)) * 30 + 1,
        profile=("exponential", "gaussian")[whole(0, 1)],
    )
    if whole(0, 2) == 0:
        keywords["channels"] = tuple(whole(0, 3) for _ in limbs)
    if whole(0, 2) == 0:
        keywords["widths"] = tuple(whole(0, 8) / 32 for _ in limbs)
    return Sample(f"random_{seed}", (points.to(device, dtype), limbs, size), keywords, smooth=False)


def error_cases() -> Iterator[ErrorCase]:
    points = torch.zeros(2, 3, 2)
    pairs = ((0, 1), (1, 2))

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        given = (*args, *(points, pairs, 8)[len(args) :])
        return ErrorCase(name, given, kw, error, message)

    yield case("points_list", TypeError, "points must be a tensor", [[0.0, 0.0]])
    yield case("points_half", TypeError, "points must be float32 or float64", points.half())
    yield case("points_int", TypeError, "points must be float32 or float64", points.int())
    yield case("points_rank", ValueError, "points must have shape (B, K, 2)", points[0])
    yield case("points_3d", ValueError, "points must have shape (B, K, 2)", torch.zeros(2, 3, 3))
    yield case("limbs_none", TypeError, "limbs must be a sequence of pairs", points, None)
    yield case("limbs_number", TypeError, "limbs must be a sequence of pairs", points, 3)
    yield case("limbs_text", TypeError, "limbs must be a sequence of pairs", points, "01")
    yield case("limbs_empty", ValueError, "limbs must be 1 to 512 pairs, got 0", points, ())
    yield case("limbs_many", ValueError, "limbs must be 1 to 512 pairs", points, ((0, 1),) * 513)
    yield case("limbs_flat", TypeError, "limbs must be pairs of ends", points, (0, 1))
    yield case("limbs_triple", ValueError, "got 3 ends for limb 0", points, ((0, 1, 2),))
    yield case("limbs_float", TypeError, "limbs must hold integers", points, ((0, 1.5),))
    yield case("limbs_bool", TypeError, "limbs must hold integers", points, ((False, 2),))
    yield case("limbs_name", TypeError, "limbs must hold integers", points, (("hip", "knee"),))
    yield case("limbs_negative", ValueError, "got -1", points, ((0, -1),))
    yield case("limbs_outside", ValueError, "limbs name joint 3", points, ((0, 3),))
    yield case("limbs_mean_outside", ValueError, "limbs name joint 9", points, ((0, (1, 9)),))
    yield case("limbs_mean_empty", ValueError, "mean of no joints", points, ((0, ()),))
    yield case("limbs_mean_float", TypeError, "limbs must hold integers", points, ((0, (1, 0.5)),))
    yield case("limbs_tensor_shape", ValueError, "limbs must have shape (E, 2)", points,
               torch.zeros(4, dtype=torch.int64))  # fmt: skip
    yield case("limbs_tensor_float", TypeError, "limbs must be an integer tensor", points,
               torch.zeros(1, 2))  # fmt: skip
    yield case("limbs_tensor_bool", TypeError, "limbs must be an integer tensor", points,
               torch.zeros(1, 2, dtype=torch.bool))  # fmt: skip
    yield case("limbs_tensor_meta", ValueError, "limbs must be on the CPU", points,
               torch.zeros(1, 2, dtype=torch.int64, device="meta"))  # fmt: skip
    yield case("size_zero", ValueError, "size must be at least 1", points, pairs, 0)
    yield case("size_negative", ValueError, "size must be at least 1", points, pairs, (8, -8))
    yield case("size_float", TypeError, "size must be an integer", points, pairs, 8.0)
    yield case("size_bool", TypeError, "size must be an integer", points, pairs, True)
    yield case("size_none", TypeError, "size must be an integer", points, pairs, None)
    yield case("size_triple", TypeError, "size must be an integer", points, pairs, (3, 8, 8))
    yield case("size_huge", ValueError, "fewer than 2^31", points, pairs, (2**20, 2**20))
    yield case("size_beyond_int", ValueError, "fewer than 2^31", points, pairs, 2**40)
    yield case("sharpness_zero", ValueError, "sharpness must be finite and greater", sharpness=0)
    yield case("sharpness_negative", ValueError, "sharpness must be finite", sharpness=-1.0)
    yield case("sharpness_nan", ValueError, "sharpness must be finite", sharpness=float("nan"))
    yield case("sharpness_text", TypeError, "sharpness must be a number", sharpness="25")
    yield case("sharpness_tensor", TypeError, "sharpness must be a number", sharpness=points)
    yield case("profile_unknown", ValueError, "profile must be one of", profile="linear")
    yield case("profile_list", ValueError, "profile must be one of", profile=["gaussian"])
    yield case("channels_short", ValueError, "channels must have one entry per", channels=(0,))
    yield case("channels_negative", ValueError, "channels must lie in", channels=(0, -1))
    yield case("channels_large", ValueError, "channels must lie in", channels=(0, 512))
    yield case("channels_float", TypeError, "channels must hold integers", channels=(0, 1.0))
    yield case("channels_number", TypeError, "channels must be a sequence", channels=1)
    yield case("widths_short", ValueError, "widths must have one entry per limb", widths=(0.1,))
    yield case("widths_negative", ValueError, "widths must be finite", widths=(0.1, -0.1))
    yield case("widths_nan", ValueError, "widths must be finite", widths=(0.1, float("nan")))
    yield case("widths_text", TypeError, "widths must hold numbers", widths=("a", "b"))
    yield case("widths_rank", ValueError, "widths must have shape (E,)", widths=torch.ones(2, 1))
    yield case("eps_zero", ValueError, "eps must be finite and at least", eps=0.0)
    yield case("eps_infinite", ValueError, "eps must be finite", eps=float("inf"))
    yield case("dtype_int", TypeError, "dtype must be one of", dtype=torch.int32)
    yield case("out_list", TypeError, "out must be a tensor", out=[])
    yield case("out_dtype", TypeError, "out must be one of", out=torch.zeros(2, 1, 8, 8).int())
    yield case(
        "out_shape", ValueError, "out must have shape (2, 1, 8, 8)", out=torch.zeros(2, 8, 8)
    )
    yield case("out_device", ValueError, "out must be on the device of points",
               out=torch.zeros(2, 1, 8, 8, device="meta"))  # fmt: skip
    yield case("out_expanded", ValueError, "out must not overlap itself",
               out=torch.zeros(1, 1, 8, 8).expand(2, 1, 8, 8))  # fmt: skip
    yield case("out_and_dtype", TypeError, "give only one of the two",
               out=torch.zeros(2, 1, 8, 8), dtype=torch.float64)  # fmt: skip
    yield case("out_leaf", ValueError, "out must not be a leaf",
               out=torch.zeros(2, 1, 8, 8, requires_grad=True))  # fmt: skip
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
