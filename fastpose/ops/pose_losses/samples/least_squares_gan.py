"""Calls of `least_squares_gan` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers


def unstable(sample: Sample) -> Tensor:
    """Nothing branches."""
    return torch.zeros((), dtype=torch.bool)


def _scores(source: torch.Generator, batch: int, sides: Sequence[int]) -> list[Tensor]:
    return [
        torch.randn(batch, 1, side, side, generator=source, dtype=torch.float64) for side in sides
    ]


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    rows: list[tuple[str, int, tuple[int, ...], float]] = [
        # name, batch, sides of the maps of scores, target
        ("one_score", 1, (1,), 1.0),
        ("one_scale", 2, (6,), 1.0),
        ("three_scales", 2, (14, 6, 2), 1.0),
        ("three_scales_fake", 2, (14, 6, 2), 0.0),
        ("two_scales", 3, (5, 3), 0.9),
        ("equal_scales", 2, (4, 4), 1.0),
        ("small_first", 2, (1, 7), 0.0),
        ("negative_target", 2, (3, 2), -1.0),
        ("far_target", 2, (3, 2), 100.0),
        ("several_parts", 3, (30, 14), 1.0),
        ("most_scales", 1, tuple(range(1, 17)), 0.5),
        ("one_of_many", 33, (1, 1), 1.0),
        ("empty_batch", 0, (6, 2), 1.0),
        ("an_empty_scale", 2, (6, 0), 1.0),
    ]
    for seed, (name, batch, sides, target) in enumerate(rows):
        scores = [s.to(device, dtype) for s in _scores(generator(seed), batch, sides)]
        yield Sample(name, (scores, target))


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    source = generator(seed)
    whole = whole_numbers(source)
    side, scales = whole(8, 30), whole(1, 3)
    scores = _scores(source, whole(1, 8), [side >> s for s in range(scales)])
    return Sample(f"random_{seed}", ([s.to(device, dtype) for s in scores], float(whole(0, 1))))


def error_cases() -> Iterator[ErrorCase]:
    scores = torch.zeros(2, 1, 3, 3)

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        return ErrorCase(name, (*args, *([scores], 1.0)[len(args) :]), kw, error, message)

    def second(name: str, error: type[Exception], message: str, value: Any) -> ErrorCase:
        return case(f"scores_second_{name}", error, message, [scores, value])

    yield case("scores_tensor", TypeError, "scores must be a list or tuple", scores)
    yield case("scores_none", TypeError, "scores must be a list or tuple", None)
    yield case("scores_number", TypeError, "scores must be a list or tuple", 1.0)
    yield case("scores_text", TypeError, "scores must be a list or tuple", "scores")
    yield case("scores_dict", TypeError, "scores must be a list or tuple", {"fine": scores})
    yield case("scores_iterator", TypeError, "scores must be a list or tuple", iter([scores]))
    yield case("scores_empty", ValueError, "scores must be 1 to 16 tensors, got 0", [])
    yield case("scores_no_tuple", ValueError, "scores must be 1 to 16 tensors, got 0", ())
    yield case("scores_many", ValueError, "scores must be 1 to 16 tensors, got 17", [scores] * 17)
    yield case("scores_of_none", TypeError, "scores[0] must be a tensor", [None])
    yield case("scores_of_numbers", TypeError, "scores[0] must be a tensor", [1.0, 0.0])
    yield case("scores_of_arrays", TypeError, "scores[0] must be a tensor", [scores.numpy()])
    yield case("scores_of_int", TypeError, "got torch.int32", [scores.int()])
    yield case("scores_of_bool", TypeError, "got torch.bool", [scores.bool()])
    yield case("scores_of_complex", TypeError, "complex64", [scores.to(torch.complex64)])
    yield case("scores_sparse", TypeError, "scores[0] must be a dense", [scores.to_sparse()])
    yield second("none", TypeError, "scores[1] must be a tensor", None)
    yield second("list", TypeError, "scores[1] must be a tensor", [scores])
    yield second("int", TypeError, "scores[1] must be one of float32", scores.int())
    yield second("double", TypeError, "scores[1] must be torch.float32", scores.double())
    yield second("half", TypeError, "scores[1] must be torch.float32", scores.half())
    yield second("device", ValueError, "scores[1] must be on the device", scores.to("meta"))
    yield second("huge", ValueError, "fewer than 2^31", torch.zeros(1).expand(2**31))
    yield case("target_none", TypeError, "target must be a number", [scores], None)
    yield case("target_text", TypeError, "target must be a number", [scores], "real")
    yield case("target_bool", TypeError, "target must be a number", [scores], True)
    yield case("target_complex", TypeError, "target must be a number", [scores], 1j)
    yield case("target_list", TypeError, "target must be a number", [scores], [1.0])
    yield case("target_tensor", TypeError, "target must be a number", [scores], torch.ones(()))
    yield case("target_nan", ValueError, "target must be finite", [scores], float("nan"))
    yield case("target_infinite", ValueError, "target must be finite", [scores], float("inf"))
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
    yield case("backend_number", ValueError, "backend must be one of", backend=0)
