"""Calls of `anchor_loss` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers


def unstable(sample: Sample) -> Tensor:
    """Nothing branches."""
    return torch.zeros((), dtype=torch.bool)


def _pairs(source: torch.Generator, batch: int, pairs: int, apart: float) -> tuple[Tensor, Tensor]:
    """Points on the image, and such that are `apart` from them on average."""
    a = torch.rand(batch, pairs, 2, generator=source, dtype=torch.float64) * 2 - 1
    return a, a + apart * torch.randn(a.shape, generator=source, dtype=torch.float64)


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    code: dict[str, Any] = dict(form="code")
    rows: list[tuple[str, int, int, float, dict[str, Any]]] = [
        # name, batch, pairs, distance, keywords
        ("one_pair", 1, 1, 0.3, {}),
        ("one_pair_code", 1, 1, 0.3, code),
        ("a_template", 2, 17, 0.3, {}),
        ("a_template_code", 2, 17, 0.3, code),
        ("near", 3, 5, 1e-3, {}),
        ("far", 2, 6, 50.0, {}),
        ("joined", 2, 4, 0.0, {}),
        ("joined_code", 2, 4, 0.0, code),
        ("odd_count", 3, 7, 0.2, {}),
        ("many_pairs", 2, 150, 0.2, {}),
        ("several_parts", 5, 223, 0.3, code),
        ("one_of_many", 37, 1, 0.3, {}),
        ("empty_batch", 0, 17, 0.3, {}),
        ("empty_batch_code", 0, 17, 0.3, code),
        ("no_pairs", 2, 0, 0.3, {}),
    ]
    for seed, (name, batch, pairs, apart, keywords) in enumerate(rows):
        both = _pairs(generator(seed), batch, pairs, apart)
        yield Sample(name, tuple(t.to(device, dtype) for t in both), keywords)


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    source = generator(seed)
    whole = whole_numbers(source)
    both = _pairs(source, whole(1, 48), whole(1, 60), float(torch.rand((), generator=source)))
    keywords = dict(form=("paper", "code")[whole(0, 1)])
    return Sample(f"random_{seed}", tuple(t.to(device, dtype) for t in both), keywords)


def error_cases() -> Iterator[ErrorCase]:
    points = torch.zeros(2, 3, 2)

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        return ErrorCase(name, (*args, *(points, points)[len(args) :]), kw, error, message)

    shape = "must have shape (B, M, 2)"
    for name in ("a", "b"):

        def put(value: Any, name: str = name) -> tuple[Any, Any]:
            return (value, points) if name == "a" else (points, value)

        yield case(f"{name}_none", TypeError, f"{name} must be a tensor", *put(None))
        yield case(f"{name}_list", TypeError, f"{name} must be a tensor", *put([[0.0, 0.0]]))
        yield case(f"{name}_array", TypeError, f"{name} must be a tensor", *put(points.numpy()))
        yield case(f"{name}_number", TypeError, f"{name} must be a tensor", *put(1.0))
        yield case(f"{name}_int", TypeError, "got torch.int32", *put(points.int()))
        yield case(f"{name}_bool", TypeError, "got torch.bool", *put(points.bool()))
        yield case(f"{name}_complex", TypeError, "complex64", *put(points.to(torch.complex64)))
        yield case(f"{name}_sparse", TypeError, "must be a dense", *put(points.to_sparse()))
        yield case(f"{name}_unbatched", ValueError, f"{name} {shape}", *put(points[0]))
        yield case(f"{name}_deep", ValueError, f"{name} {shape}", *put(points[None]))
        yield case(f"{name}_3d", ValueError, f"{name} {shape}", *put(torch.zeros(2, 3, 3)))
    yield case(
        "a_huge", ValueError, "fewer than 2^31", *[torch.zeros(1).expand(2**15, 2**15, 2)] * 2
    )
    yield case("b_double", TypeError, "b must be torch.float32 like a", points, points.double())
    yield case("b_half", TypeError, "b must be torch.float32 like a", points, points.half())
    yield case("b_device", ValueError, "on the device of a", points, points.to("meta"))
    yield case("b_batch", ValueError, "b must have the shape of a", points, points[:1])
    yield case("b_pairs", ValueError, "b must have the shape of a", points, points[:, 1:])
    yield case("b_empty", ValueError, "b must have the shape of a", points, points[:, :0])
    yield case("form_unknown", ValueError, "form must be one of paper, code", form="sum")
    yield case("form_none", ValueError, "form must be one of", form=None)
    yield case("form_list", ValueError, "form must be one of", form=["paper"])
    yield case("form_bool", ValueError, "form must be one of", form=True)
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
    yield case("backend_number", ValueError, "backend must be one of", backend=0)
