"""Calls of `structural_similarity` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers


def unstable(sample: Sample) -> Tensor:
    """Nothing branches."""
    return torch.zeros(sample.args[0].shape[0], dtype=torch.bool)


def pictures(
    source: torch.Generator, shape: tuple[int, ...], likeness: float, data_range: float
) -> tuple[Tensor, Tensor]:
    """Two with light and dark areas and noise; `likeness` 1 makes them equal, 0 unrelated."""

    def drawn(*size: int) -> Tensor:
        return torch.rand(size, generator=source, dtype=torch.float64)

    *planes, height, width = shape
    areas = drawn(2, *planes, (height + 4) // 5, (width + 4) // 5)
    areas = areas.repeat_interleave(5, -2).repeat_interleave(5, -1)[..., :height, :width]
    x, other = (0.7 * areas + 0.3 * drawn(2, *shape)) * data_range
    return x, likeness * x + (1 - likeness) * other


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    uniform: dict[str, Any] = dict(window="uniform")
    rows: list[tuple[str, tuple[int, ...], float, dict[str, Any]]] = [
        # name, shape, likeness, keywords
        ("one_window", (1, 1, 11, 11), 0.5, {}),
        ("few_windows", (2, 1, 13, 14), 0.5, {}),
        ("channels", (2, 3, 12, 15), 0.3, {}),
        ("unrelated", (1, 2, 14, 13), 0.0, {}),
        ("alike", (2, 1, 13, 13), 0.98, {}),
        ("equal", (1, 1, 12, 13), 1.0, {}),
        ("one_uniform_window", (2, 1, 7, 7), 0.5, uniform),
        ("uniform", (2, 2, 9, 12), 0.5, uniform),
        ("uniform_population", (1, 1, 8, 9), 0.4, dict(**uniform, use_sample_covariance=False)),
        ("gaussian_sample", (1, 1, 12, 12), 0.4, dict(use_sample_covariance=True)),
        ("whole_tiles", (1, 1, 32, 32), 0.5, {}),
        ("cut_tiles", (1, 1, 35, 43), 0.5, {}),
        ("two_bands", (1, 1, 76, 12), 0.5, {}),
        ("two_blocks", (1, 1, 12, 141), 0.5, {}),
        ("uniform_bands", (1, 1, 71, 8), 0.5, uniform),
        ("uniform_blocks", (1, 1, 8, 137), 0.5, uniform),
        ("bytes", (2, 1, 12, 12), 0.6, dict(data_range=255.0)),
        ("small_range", (1, 1, 12, 12), 0.6, dict(data_range=0.01)),
        ("empty_batch", (0, 3, 12, 12), 0.5, {}),
    ]
    for seed, (name, shape, likeness, keywords) in enumerate(rows):
        both = pictures(generator(seed), shape, likeness, keywords.get("data_range", 1.0))
        yield Sample(name, tuple(t.to(device, dtype) for t in both), keywords)
    ramp = torch.linspace(0, 1, 13 * 14, dtype=torch.float64).reshape(1, 1, 13, 14)
    for name, both in (
        ("flat", (torch.full_like(ramp, 0.25), torch.full_like(ramp, 0.75))),
        ("black_and_white", (torch.zeros_like(ramp), torch.ones_like(ramp))),
        ("negative", (ramp, 1 - ramp)),
        ("below_zero", (2 * ramp - 1, 1 - 3 * ramp.square())),
    ):
        yield Sample(name, tuple(t.to(device, dtype) for t in both))


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    """An ordinary comparison of one to three pictures."""
    source = generator(seed)
    whole = whole_numbers(source)
    keywords: dict[str, Any] = dict(
        window=("gaussian", "uniform")[whole(0, 1)], data_range=(1.0, 2.0, 255.0)[whole(0, 2)]
    )
    shape = (whole(1, 3), whole(1, 3), whole(11, 44), whole(11, 44))
    likeness = float(torch.rand((), generator=source))
    both = pictures(source, shape, likeness, keywords["data_range"])
    return Sample(f"random_{seed}", tuple(t.to(device, dtype) for t in both), keywords)


def error_cases() -> Iterator[ErrorCase]:
    image = torch.zeros(2, 3, 16, 16)

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        return ErrorCase(name, (*args, *(image, image)[len(args) :]), kw, error, message)

    shape = "must have shape (B, C, H, W)"
    for name in ("x", "y"):

        def put(value: Any, name: str = name) -> tuple[Any, Any]:
            return (value, image) if name == "x" else (image, value)

        yield case(f"{name}_none", TypeError, f"{name} must be a tensor", *put(None))
        yield case(f"{name}_list", TypeError, f"{name} must be a tensor", *put([[0.0]]))
        yield case(f"{name}_array", TypeError, f"{name} must be a tensor", *put(image.numpy()))
        yield case(f"{name}_bytes", TypeError, "got torch.uint8", *put(image.byte()))
        yield case(f"{name}_bool", TypeError, "got torch.bool", *put(image.bool()))
        yield case(
            f"{name}_complex", TypeError, "got torch.complex64", *put(image.to(torch.complex64))
        )
        yield case(f"{name}_plane", ValueError, f"{name} {shape}", *put(image[0, 0]))
        yield case(f"{name}_unbatched", ValueError, f"{name} {shape}", *put(image[0]))
        yield case(f"{name}_video", ValueError, f"{name} {shape}", *put(image[None]))
    yield case("x_low", ValueError, "x must be at least 11 pixels high", *[image[:, :, :10]] * 2)
    yield case("x_narrow", ValueError, "x must be at least 11 pixels high", *[image[..., :10]] * 2)
    yield case("x_empty", ValueError, "x must be at least 11 pixels high", *[image[..., :0]] * 2)
    yield case("x_low_uniform", ValueError, "x must be at least 7 pixels high",
               *[image[:, :, :6]] * 2, window="uniform")  # fmt: skip
    yield case("x_channels", ValueError, "x must have at least one", *[image[:, :0]] * 2)
    yield case("x_huge", ValueError, "fewer than 2^31",
               *[torch.zeros(1, 1, 1, 1).expand(32, 1, 2**13, 2**13)] * 2)  # fmt: skip
    yield case("y_half", TypeError, "y must be torch.float32 like x", image, image.half())
    yield case("y_double", TypeError, "y must be torch.float32 like x", image, image.double())
    yield case("y_device", ValueError, "on the device of x", image, image.to("meta"))
    yield case("y_batch", ValueError, "y must have the shape of x", image, image[:1])
    yield case("y_channels", ValueError, "y must have the shape of x", image, image[:, :1])
    yield case("y_height", ValueError, "y must have the shape of x", image, image[:, :, 1:])
    yield case("y_width", ValueError, "y must have the shape of x", image, image[..., 1:])
    yield case("window_unknown", ValueError, "window must be one of", window="box")
    yield case("window_number", ValueError, "window must be one of", window=11)
    yield case("window_none", ValueError, "window must be one of", window=None)
    yield case("window_list", ValueError, "window must be one of", window=["gaussian"])
    yield case("data_range_zero", ValueError, "data_range must be finite", data_range=0)
    yield case("data_range_negative", ValueError, "data_range must be finite", data_range=-1.0)
    yield case("data_range_tiny", ValueError, "at least 1e-12", data_range=1e-13)
    yield case("data_range_infinite", ValueError, "must be finite", data_range=float("inf"))
    yield case("data_range_nan", ValueError, "must be finite", data_range=float("nan"))
    yield case("data_range_text", TypeError, "data_range must be a number", data_range="255")
    yield case("data_range_bool", TypeError, "data_range must be a number", data_range=True)
    yield case("data_range_tensor", TypeError, "must be a number", data_range=torch.ones(()))
    yield case("data_range_none", TypeError, "data_range must be a number", data_range=None)
    yield case("use_sample_covariance_number", TypeError, "must be True, False or None",
               use_sample_covariance=1)  # fmt: skip
    yield case("use_sample_covariance_text", TypeError, "must be True, False or None",
               use_sample_covariance="yes")  # fmt: skip
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
    yield case("backend_number", ValueError, "backend must be one of", backend=0)
