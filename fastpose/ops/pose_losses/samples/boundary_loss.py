"""Calls of `boundary_loss` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers


def unstable(sample: Sample) -> Tensor:
    """Points lie clear of the bound."""
    return torch.zeros((), dtype=torch.bool)


def _points(source: torch.Generator, batch: int, points: int, reach: float, bound: float) -> Tensor:
    """Random points in [-reach, reach], moved off the bound, where the loss jumps."""
    at = (torch.rand(batch, points, 2, generator=source, dtype=torch.float64) * 2 - 1) * reach
    return at.where((at.abs() - bound).abs() > 1e-3, at * 1.01 + 0.01)


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    rows: list[tuple[str, int, int, float, float, str]] = [
        # name, batch, points, reach, bound, form
        ("one_point", 1, 1, 3.0, 1.0, "paper"),
        ("one_point_code", 1, 1, 3.0, 1.0, "code"),
        ("a_template", 2, 32, 1.5, 1.0, "paper"),
        ("a_template_code", 2, 32, 1.5, 1.0, "code"),
        ("inside", 2, 9, 0.9, 1.0, "paper"),
        ("far_outside", 2, 9, 500.0, 1.0, "code"),
        ("inner_bound", 3, 7, 1.0, 0.5, "paper"),
        ("outer_bound", 3, 7, 3.0, 1.25, "code"),
        ("no_bound", 2, 5, 1.0, 0.0, "paper"),
        ("odd_count", 3, 11, 2.0, 1.0, "paper"),
        ("several_parts", 5, 217, 1.5, 1.0, "code"),
        ("one_of_many", 41, 1, 1.5, 1.0, "paper"),
        ("empty_batch", 0, 32, 1.5, 1.0, "paper"),
        ("empty_batch_code", 0, 32, 1.5, 1.0, "code"),
        ("no_points", 2, 0, 1.5, 1.0, "paper"),
    ]
    for seed, (name, batch, count, reach, bound, form) in enumerate(rows):
        points = _points(generator(seed), batch, count, reach, bound)
        yield Sample(name, (points.to(device, dtype), bound), dict(form=form))


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    source = generator(seed)
    whole = whole_numbers(source)
    bound = float(torch.rand((), generator=source)) + 0.25
    points = _points(source, whole(1, 48), whole(4, 60), 2.5, bound)
    points[0, 0] = 3.0  # at least one is outside
    keywords = dict(form=("paper", "code")[whole(0, 1)])
    return Sample(f"random_{seed}", (points.to(device, dtype), bound), keywords)


def error_cases() -> Iterator[ErrorCase]:
    points = torch.zeros(2, 3, 2)

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        return ErrorCase(name, args or (points,), kw, error, message)

    shape = "points must have shape (B, M, 2)"
    yield case("points_none", TypeError, "points must be a tensor", None)
    yield case("points_list", TypeError, "points must be a tensor", [[0.0, 0.0]])
    yield case("points_array", TypeError, "points must be a tensor", points.numpy())
    yield case("points_number", TypeError, "points must be a tensor", 2.0)
    yield case("points_text", TypeError, "points must be a tensor", "points")
    yield case("points_int", TypeError, "got torch.int64", points.long())
    yield case("points_bytes", TypeError, "got torch.uint8", points.byte())
    yield case("points_bool", TypeError, "got torch.bool", points.bool())
    yield case("points_complex", TypeError, "complex64", points.to(torch.complex64))
    yield case("points_sparse", TypeError, "points must be a dense", points.to_sparse())
    yield case("points_unbatched", ValueError, shape, points[0])
    yield case("points_alone", ValueError, shape, points[0, 0])
    yield case("points_deep", ValueError, shape, points[None])
    yield case("points_3d", ValueError, shape, torch.zeros(2, 3, 3))
    yield case("points_1d", ValueError, shape, torch.zeros(2, 3, 1))
    yield case("points_transposed", ValueError, shape, torch.zeros(2, 2, 3))
    yield case("points_huge", ValueError, "fewer than 2^31", torch.zeros(1).expand(2**15, 2**15, 2))
    yield case("bound_negative", ValueError, "bound must be finite and at least 0", bound=-0.5)
    yield case("bound_nan", ValueError, "bound must be finite", bound=float("nan"))
    yield case("bound_infinite", ValueError, "bound must be finite", bound=float("inf"))
    yield case("bound_minus_infinite", ValueError, "bound must be finite", bound=float("-inf"))
    yield case("bound_none", TypeError, "bound must be a number", bound=None)
    yield case("bound_text", TypeError, "bound must be a number", bound="1")
    yield case("bound_bool", TypeError, "bound must be a number", bound=True)
    yield case("bound_complex", TypeError, "bound must be a number", bound=1j)
    yield case("bound_pair", TypeError, "bound must be a number", bound=(1.0, 1.0))
    yield case("bound_tensor", TypeError, "bound must be a number", bound=torch.ones(()))
    yield case("form_unknown", ValueError, "form must be one of paper, code", form="mean")
    yield case("form_none", ValueError, "form must be one of", form=None)
    yield case("form_list", ValueError, "form must be one of", form=["code"])
    yield case("form_bool", ValueError, "form must be one of", form=False)
    yield case("form_upper", ValueError, "form must be one of", form="Paper")
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
    yield case("backend_number", ValueError, "backend must be one of", backend=1)
