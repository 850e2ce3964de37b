"""Calls of `feature_distance` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers

Shape = tuple[int, int, int]  # channels, height, width of a layer
PYRAMID: tuple[Shape, ...] = ((3, 5, 7), (4, 4, 4), (19, 2, 3), (6, 1, 2))
# Differences are at least this far from 0, where the gradient of l1 jumps.
LEAST_DIFFERENCE = 1e-3


def problem(
    name: str,
    seed: int,
    batch: int,
    shapes: tuple[Shape, ...],
    *,
    mask: tuple[int, int] | None = None,
    mean: bool = False,
    started: bool | None = None,
    channels_last: bool = False,
    smooth: bool = True,
    **options: Any,
) -> Sample:
    """Random features and targets in float64; with a mask of that size, and running means."""
    source = generator(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=source, dtype=torch.float64)

    features, targets = [], []
    for shape in shapes:
        x, difference = drawn(batch, *shape), drawn(batch, *shape)
        difference = difference + LEAST_DIFFERENCE * difference.sign()
        y = x - difference
        if channels_last:
            x, y = (t.contiguous(memory_format=torch.channels_last) for t in (x, y))
        features.append(x)
        targets.append(y)
    kwargs: dict[str, Any] = dict(targets=targets, **options)
    constants, state = ["targets"], []
    if mask is not None:
        kwargs["mask"] = drawn(batch, 1, *mask).square()
        constants.append("mask")
    if mean:
        kwargs["running_mean"] = 0.5 + drawn(len(shapes)).square()
        state.append("running_mean")
    if started is not None:
        kwargs["started"] = torch.tensor(started)
        state.append("started")
    return Sample(
        name, (features,), kwargs, smooth, batched_constants=tuple(constants), state=tuple(state)
    )


def unstable(sample: Sample) -> Tensor:
    """Rounding changes no branch."""
    return torch.zeros((), dtype=torch.bool)


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    one, two = ((4, 4, 5),), ((4, 4, 5), (2, 3, 3))
    # A running mean that moves is a constant for the gradient, but not for a finite difference.
    moving = dict(mean=True, update=True, smooth=False)
    rows: list[tuple[str, int, tuple[Shape, ...], dict[str, Any]]] = [
        # name, batch, shapes of the layers, more
        ("one_layer", 2, one, {}),
        ("l1", 2, two, dict(norm="l1")),
        ("one_number", 1, ((1, 1, 1),), {}),
        ("pyramid", 2, PYRAMID, {}),
        ("channels_last", 2, PYRAMID, dict(channels_last=True)),
        ("mask", 2, PYRAMID, dict(mask=(5, 7))),
        ("mask_channels_last", 2, PYRAMID, dict(mask=(5, 7), channels_last=True)),
        ("mask_l1", 2, two, dict(mask=(4, 5), norm="l1")),
        ("mask_is_smaller", 1, PYRAMID, dict(mask=(5, 3))),
        ("mask_of_one_pixel", 2, two, dict(mask=(1, 1))),
        ("mean", 2, two, dict(mean=True)),
        ("mean_not_started", 2, two, dict(mean=True, started=False)),
        ("first_step", 2, two, dict(started=False, **moving)),
        ("next_step", 2, PYRAMID, dict(started=True, momentum=0.9, **moving)),
        ("step_without_flag", 2, two, dict(norm="l1", **moving)),
        ("through_mean", 2, two, dict(
            mean=True, update=True, momentum=0.7, through_mean=True, mask=(12, 14))),
        ("through_first_mean", 2, two, dict(
            mean=True, update=True, started=False, through_mean=True)),
        ("many_layers", 1, ((1, 2, 3),) * 32, dict(mask=(4, 4))),
        ("everything", 3, PYRAMID, dict(
            mask=(32, 32), started=True, norm="l1", channels_last=True, **moving)),
        ("empty_batch", 0, two, dict(mask=(6, 6), **moving)),
    ]  # fmt: skip
    for seed, (name, batch, shapes, more) in enumerate(rows):
        yield problem(name, seed, batch, shapes, **more).with_tensors(lambda t: t.to(device, dtype))


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    """An ordinary call: a few layers, which halve in size and grow in channels."""
    source = generator(seed)
    whole = whole_numbers(source)
    side, shapes = (whole(3, 40), whole(3, 40)), []
    for level in range(whole(1, 5)):
        height, width = (max(1, s >> level) for s in side)
        shapes.append((whole(1, 12) << level, height, width))
    more: dict[str, Any] = dict(norm=("l2", "l1")[whole(0, 1)])
    if whole(0, 1):
        more["mask"] = side
    if whole(0, 1):
        more |= dict(mean=True, update=bool(whole(0, 1)), started=bool(whole(0, 1)))
    made = problem(f"random_{seed}", seed, whole(1, 3), tuple(shapes), smooth=False, **more)
    return made.with_tensors(lambda t: t.to(device, dtype))


def error_cases() -> Iterator[ErrorCase]:
    """Calls that must raise; the first word of the name is part of the message."""
    x, y = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)

    def case(
        name: str,
        error: type[Exception],
        message: str,
        features: Any = None,
        targets: Any = None,
        **kwargs: Any,
    ) -> ErrorCase:
        args = ([x] if features is None else features, [y] if targets is None else targets)
        return ErrorCase(name, args, kwargs, error, message)

    yield case("features_tensor", TypeError, "features must be a list or tuple of tensors", x)
    yield case("features_text", TypeError, "features must be a list or tuple of tensors", "x")
    yield case("features_empty", ValueError, "features must be 1 to 32 layers, got 0", [], [])
    yield case("features_many", ValueError, "features must be 1 to 32 layers, got 33",
               [x] * 33, [y] * 33)  # fmt: skip
    yield case("features_none", TypeError, "features[0] must be a tensor", [None])
    yield case("features_numbers", TypeError, "features[1] must be a tensor", [x, 1.0], [y, y])
    yield case("features_int", TypeError, "features[0] must be one of", [x.int()], [y.int()])
    yield case("features_complex", TypeError, "features[0] must be one of",
               [x.to(torch.complex64)], [y.to(torch.complex64)])  # fmt: skip
    yield case("features_rank", ValueError, "features[0] must have shape (B, C, H, W), got",
               [x[0]], [y[0]])  # fmt: skip
    yield case("features_without_channels", ValueError, "features[0] must have channels",
               [x[:, :0]], [y[:, :0]])  # fmt: skip
    yield case("features_without_pixels", ValueError, "features[1] must have channels and pixels",
               [x, x[..., :0]], [y, y[..., :0]])  # fmt: skip
    yield case("features_huge", ValueError, "fewer than 2^31",
               [torch.zeros(1, 1, 1, 1).expand(2, 3, 2**15, 2**15)])  # fmt: skip
    yield case("features_batch", ValueError, "features[1] must have the batch of features[0] (2)",
               [x, x[:1]], [y, y[:1]])  # fmt: skip
    yield case("features_device", ValueError, "features[1] must be on the device of features[0]",
               [x, x.to("meta")], [y, y])  # fmt: skip
    yield case("features_mixed_double", TypeError, "expected float64 for all or none",
               [x, x.double()], [y, y.double()])  # fmt: skip
    yield case("targets_tensor", TypeError, "targets must be a list or tuple of tensors", [x], y)
    yield case("targets_none", TypeError, "targets[0] must be a tensor", [x], [None])
    yield case("targets_fewer", ValueError, "targets must have as many layers as features (2)",
               [x, x], [y])  # fmt: skip
    yield case("targets_more", ValueError, "as many layers as features (1), got 2", [x], [y, y])
    yield case("targets_shape", ValueError, "targets[0] must have the shape of features[0]",
               [x], [y[..., :2]])  # fmt: skip
    yield case("targets_batch", ValueError, "targets[0] must have the shape of features[0]",
               [x], [y[:1]])  # fmt: skip
    yield case("targets_rank", ValueError, "targets[0] must have shape (B, C, H, W)", [x], [y[0]])
    yield case("targets_order", ValueError, "targets[0] must have the shape of features[0]",
               [x, x[..., :2]], [y[..., :2], y])  # fmt: skip
    yield case("targets_dtype", TypeError, "targets[0] must be torch.float32 like features[0]",
               [x], [y.bfloat16()])  # fmt: skip
    yield case("targets_int", TypeError, "targets[0] must be one of", [x], [y.long()])
    yield case("targets_device", ValueError, "targets[0] must be on the device of features[0]",
               [x], [y.to("meta")])  # fmt: skip
    yield case("targets_require_grad", ValueError, "targets[0] requires grad, but targets get none",
               [x], [y.clone().requires_grad_()])  # fmt: skip
    yield case("norm_unknown", ValueError, "norm must be one of l2, l1, got 'l3'", norm="l3")
    yield case("norm_number", ValueError, "norm must be one of", norm=2)
    yield case("norm_none", ValueError, "norm must be one of", norm=None)
    yield case("mask_list", TypeError, "mask must be a tensor", mask=[1.0])
    yield case("mask_rank", ValueError, "mask must have shape (B, 1, H, W)",
               mask=torch.ones(2, 4, 4))  # fmt: skip
    yield case("mask_channels", ValueError, "mask must have shape (B, 1, H, W)",
               mask=torch.ones(2, 3, 4, 4))  # fmt: skip
    yield case("mask_batch", ValueError, "mask must have shape (2, 1, H, W)",
               mask=torch.ones(1, 1, 4, 4))  # fmt: skip
    yield case("mask_empty", ValueError, "with H and W of at least 1", mask=torch.ones(2, 1, 0, 4))
    yield case("mask_bool", TypeError, "mask must be one of",
               mask=torch.ones(2, 1, 4, 4, dtype=torch.bool))  # fmt: skip
    yield case("mask_device", ValueError, "mask must be on the device of features",
               mask=torch.ones(2, 1, 4, 4, device="meta"))  # fmt: skip
    yield case("mask_requires_grad", ValueError, "mask requires grad, but gets none",
               mask=torch.ones(2, 1, 4, 4, requires_grad=True))  # fmt: skip
    yield case("running_mean_list", TypeError, "running_mean must be a tensor", running_mean=[1.0])
    yield case("running_mean_short", ValueError, "it belongs to another feature network",
               [x, x], [y, y], running_mean=torch.ones(1))  # fmt: skip
    yield case("running_mean_long", ValueError, "running_mean must have shape (1,), one for each",
               running_mean=torch.ones(6))  # fmt: skip
    yield case("running_mean_rank", ValueError, "running_mean must have shape (L)",
               running_mean=torch.ones(1, 1))  # fmt: skip
    yield case("running_mean_int", TypeError, "running_mean must be float32 or float64",
               running_mean=torch.ones(1, dtype=torch.int64))  # fmt: skip
    yield case("running_mean_narrow", TypeError, "running_mean must be float32 or float64",
               running_mean=torch.ones(1, dtype=torch.bfloat16))  # fmt: skip
    yield case("running_mean_double", TypeError, "running_mean must be torch.float32 for",
               running_mean=torch.ones(1, dtype=torch.float64))  # fmt: skip
    yield case("running_mean_single", TypeError, "running_mean must be torch.float64 for",
               [x.double()], [y.double()], running_mean=torch.ones(1))  # fmt: skip
    yield case("running_mean_device", ValueError, "running_mean must be on the device of features",
               running_mean=torch.ones(1, device="meta"))  # fmt: skip
    yield case("running_mean_strided", ValueError, "running_mean must be contiguous",
               [x, x], [y, y], running_mean=torch.ones(4)[::2])  # fmt: skip
    yield case("running_mean_requires_grad", ValueError, "running_mean must not require grad",
               running_mean=torch.ones(1, requires_grad=True))  # fmt: skip
    mean = torch.ones(1)
    yield case("started_number", TypeError, "started must be a bool tensor (), got bool",
               running_mean=mean, started=True)  # fmt: skip
    yield case("started_dtype", TypeError, "started must be a bool tensor (), got torch.int64",
               running_mean=mean, started=torch.tensor(1))  # fmt: skip
    yield case("started_shape", ValueError, "started must have shape (), got (1,)",
               running_mean=mean, started=torch.ones(1, dtype=torch.bool))  # fmt: skip
    yield case("started_device", ValueError, "started must be on the device of features",
               running_mean=mean, started=torch.tensor(True, device="meta"))  # fmt: skip
    yield case("started_alone", ValueError, "started is given, but there is no running_mean",
               started=torch.tensor(True))  # fmt: skip
    yield case("update_alone", ValueError, "update is True, but there is no running_mean",
               update=True)  # fmt: skip
    yield case("update_number", TypeError, "update must be True or False, got int",
               running_mean=mean, update=1)  # fmt: skip
    yield case("through_mean_text", TypeError, "through_mean must be True or False",
               through_mean="yes")  # fmt: skip
    yield case("momentum_text", TypeError, "momentum must be a number", momentum="0.9")
    yield case("momentum_bool", TypeError, "momentum must be a number", momentum=True)
    yield case("momentum_large", ValueError, "momentum must be 0 to 1, got 1.5", momentum=1.5)
    yield case("momentum_negative", ValueError, "momentum must be 0 to 1", momentum=-0.1)
    yield case("momentum_nan", ValueError, "momentum must be 0 to 1", momentum=float("nan"))
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
