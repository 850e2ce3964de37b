"""Calls of `gaussian_kl` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers


def unstable(sample: Sample) -> Tensor:
    """Divergences lie clear of the free bits."""
    return torch.zeros((), dtype=torch.bool)


def _gaussians(
    source: torch.Generator, batch: int, size: int, spread: float, free_bits: float
) -> tuple[Tensor, Tensor]:
    """Drawn again until no coordinate's divergence is near to `free_bits`, where it has a kink."""
    for _ in range(1000):
        mean, log_variance = spread * torch.randn(
            2, batch, size, generator=source, dtype=torch.float64
        )
        each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        if 0 in (batch, free_bits) or ((each.mean(0) - free_bits).abs() > 1e-4 * free_bits).all():
            return mean, log_variance
    raise RuntimeError("no Gaussians clear of the free bits were found")


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    rows: list[tuple[str, int, int, float, float]] = [
        # name, batch, size, spread, free bits
        ("one_number", 1, 1, 1.0, 0.0),
        ("a_code", 2, 32, 1.0, 0.0),
        ("near_the_prior", 3, 9, 1e-3, 0.0),
        ("far_from_it", 2, 7, 4.0, 0.0),
        ("the_prior", 2, 5, 0.0, 0.0),
        ("many_rows", 71, 3, 1.0, 0.0),
        ("many_coordinates", 2, 213, 1.0, 0.0),
        ("free_bits", 4, 28, 0.6, 0.1),
        ("few_are_free", 5, 17, 1.0, 0.2),
        ("all_are_free", 3, 6, 0.3, 5.0),
        ("one_row_free", 1, 19, 0.7, 0.2),
        ("many_rows_free", 67, 5, 0.5, 0.25),
        ("empty_batch", 0, 8, 1.0, 0.0),
        ("empty_batch_free", 0, 8, 1.0, 0.1),
        ("no_coordinates", 3, 0, 1.0, 0.0),
    ]
    for seed, (name, batch, size, spread, free_bits) in enumerate(rows):
        both = _gaussians(generator(seed), batch, size, spread, free_bits)
        keywords = dict(free_bits=free_bits) if free_bits else {}
        yield Sample(name, tuple(t.to(device, dtype) for t in both), keywords)


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    source = generator(seed)
    whole = whole_numbers(source)
    free_bits = (0.0, 0.1)[whole(0, 1)]
    spread = 0.3 + float(torch.rand((), generator=source))
    both = _gaussians(source, whole(1, 64), whole(2, 80), spread, free_bits)
    both[0][:, 0] += 2  # so that one coordinate is not free
    keywords = dict(free_bits=free_bits)
    return Sample(f"random_{seed}", tuple(t.to(device, dtype) for t in both), keywords)


def error_cases() -> Iterator[ErrorCase]:
    row = torch.zeros(2, 5)

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        return ErrorCase(name, (*args, *(row, row)[len(args) :]), kw, error, message)

    for name in ("mean", "log_variance"):

        def put(value: Any, name: str = name) -> tuple[Any, Any]:
            return (value, row) if name == "mean" else (row, value)

        shape = f"{name} must have shape (B, D)"
        yield case(f"{name}_none", TypeError, f"{name} must be a tensor", *put(None))
        yield case(f"{name}_list", TypeError, f"{name} must be a tensor", *put([[0.0]]))
        yield case(f"{name}_array", TypeError, f"{name} must be a tensor", *put(row.numpy()))
        yield case(f"{name}_number", TypeError, f"{name} must be a tensor", *put(0.0))
        yield case(f"{name}_int", TypeError, "got torch.int64", *put(row.long()))
        yield case(f"{name}_bool", TypeError, "got torch.bool", *put(row.bool()))
        yield case(f"{name}_complex", TypeError, "complex64", *put(row.to(torch.complex64)))
        yield case(f"{name}_sparse", TypeError, "must be a dense", *put(row.to_sparse()))
        yield case(f"{name}_vector", ValueError, shape, *put(row[0]))
        yield case(f"{name}_map", ValueError, shape, *put(torch.zeros(2, 5, 1, 1)))
    yield case(
        "mean_huge", ValueError, "fewer than 2^31", *[torch.zeros(1, 1).expand(2**16, 2**15)] * 2
    )
    yield case("log_variance_double", TypeError, "torch.float32 like mean", row, row.double())
    yield case("log_variance_bfloat16", TypeError, "torch.float32 like mean", row, row.bfloat16())
    yield case("log_variance_device", ValueError, "on the device of mean", row, row.to("meta"))
    yield case("log_variance_batch", ValueError, "must have the shape of mean", row, row[:1])
    yield case("log_variance_size", ValueError, "must have the shape of mean", row, row[:, 1:])
    yield case("log_variance_transposed", ValueError, "must have the shape of mean", row, row.T)
    yield case("free_bits_negative", ValueError, "free_bits must be finite", free_bits=-0.1)
    yield case("free_bits_nan", ValueError, "free_bits must be finite", free_bits=float("nan"))
    yield case("free_bits_infinite", ValueError, "must be finite", free_bits=float("inf"))
    yield case("free_bits_none", TypeError, "free_bits must be a number", free_bits=None)
    yield case("free_bits_text", TypeError, "free_bits must be a number", free_bits="0.1")
    yield case("free_bits_bool", TypeError, "free_bits must be a number", free_bits=False)
    yield case("free_bits_tensor", TypeError, "must be a number", free_bits=torch.zeros(()))
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
    yield case("backend_number", ValueError, "backend must be one of", backend=0)
