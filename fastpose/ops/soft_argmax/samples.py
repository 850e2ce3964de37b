"""Calls of `soft_argmax` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, as_one, generator, whole_numbers

JOINT = dict(mode="joint")
GAP = 1e-3  # of the largest logits of a map in samples: finite differences stay on one side


def _peaks(logits: Tensor, mode: str) -> list[Tensor]:
    """Of each softmax that gives weights, the logits, (B, K, N)."""
    if mode == "joint":
        return [logits.flatten(2)]
    return [logits.mean(-2), logits.mean(-1)]


def _gap(logits: Tensor, mode: str) -> Tensor:
    """(B, K): by how much the largest logit beats the next one; inf where there is none."""
    gaps = [torch.full(logits.shape[:2], torch.inf, dtype=logits.dtype, device=logits.device)]
    for values in _peaks(logits, mode):
        if values.shape[-1] > 1:
            first, second = values.topk(2).values.unbind(-1)
            gaps.append(first - second)
    return torch.stack(gaps).amin(0)


def unstable(sample: Sample) -> Tensor:
    """Confidences whose largest weight rounding may change; shaped like all results as one."""
    logits = sample.args[0].double()
    tie = _gap(logits, sample.kwargs.get("mode", "marginal")) < 1e-4
    return as_one((torch.zeros_like(tie)[..., None].expand(-1, -1, 2), tie))


def _logits(seed: int, shape: tuple[int, ...], mode: str, height: float) -> Tensor:
    """Random maps, drawn again until no map's largest logit is nearly equalled."""
    for attempt in range(seed, seed + 1000):
        drawn = torch.randn(shape, generator=generator(attempt), dtype=torch.float64) * height
        if not (_gap(drawn, mode) < GAP).any():
            return drawn
    raise RuntimeError("no maps with a clear maximum were found")


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    rows: list[tuple[str, tuple[int, ...], float, dict[str, Any]]] = [
        # name, shape of the logits, how far they spread, keywords
        ("whole_vectors", (2, 3, 16, 16), 2.0, {}),
        ("odd_sides", (2, 3, 9, 7), 2.0, {}),
        ("wide", (1, 2, 3, 37), 2.0, {}),
        ("tall", (1, 2, 35, 5), 2.0, dict(extent=1.5)),
        ("one_row", (2, 2, 1, 9), 1.0, {}),
        ("one_column", (2, 2, 11, 1), 1.0, {}),
        ("one_pixel", (2, 3, 1, 1), 1.0, {}),
        ("sharp", (1, 3, 8, 8), 60.0, {}),
        ("one_map", (1, 1, 6, 5), 2.0, {}),
        ("many_maps", (1, 19, 4, 3), 2.0, {}),
        ("joint", (2, 3, 16, 16), 2.0, JOINT),
        ("joint_odd_sides", (2, 3, 9, 7), 2.0, dict(extent=0.5, **JOINT)),
        ("joint_wide", (1, 2, 3, 37), 2.0, JOINT),
        ("joint_tall", (1, 2, 35, 5), 2.0, JOINT),
        ("joint_one_row", (2, 2, 1, 9), 1.0, JOINT),
        ("joint_one_column", (2, 2, 11, 1), 1.0, JOINT),
        ("joint_one_pixel", (2, 3, 1, 1), 1.0, JOINT),
        ("joint_sharp", (1, 3, 8, 8), 30.0, JOINT),
        ("joint_many_maps", (1, 19, 4, 3), 2.0, JOINT),
        ("no_maps", (2, 0, 4, 4), 1.0, {}),
        ("empty_batch", (0, 3, 6, 6), 1.0, {}),
        ("joint_empty_batch", (0, 3, 6, 6), 1.0, JOINT),
    ]
    for seed, (name, shape, height, keywords) in enumerate(rows):
        logits = _logits(1000 * seed, shape, keywords.get("mode", "marginal"), height)
        yield Sample(name, (logits.to(device, dtype),), keywords)


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    """Ordinary maps: a blob each, on noise, on a level that may lie far from 0."""
    source = generator(seed)
    whole = whole_numbers(source)

    def real(*shape: int) -> Tensor:
        return torch.rand(shape, generator=source, dtype=torch.float64)

    batch, maps, height, width = whole(1, 2), whole(1, 20), whole(3, 48), whole(3, 48)
    x, y = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)
    centre = real(2, batch, maps, 1, 1) * 1.6 - 0.8
    squared = (x - centre[0]) ** 2 + (y[:, None] - centre[1]) ** 2
    noise = torch.randn(squared.shape, generator=source, dtype=torch.float64)
    logits = noise - 20 * real(batch, maps, 1, 1) * squared + 40 * real() - 20
    keywords: dict[str, Any] = dict(mode=("marginal", "joint")[whole(0, 1)])
    if whole(0, 2) == 0:
        keywords["extent"] = whole(1, 12) / 8
    return Sample(f"random_{seed}", (logits.to(device, dtype),), keywords, smooth=False)


def error_cases() -> Iterator[ErrorCase]:
    logits = torch.zeros(2, 3, 4, 5)
    shaped, typed = "logits must have shape (B, K, H, W)", "logits must be one of float32"

    def case(
        name: str, error: type[Exception], message: str, given: Any = logits, **kw: Any
    ) -> ErrorCase:
        return ErrorCase(name, (given,), kw, error, message)

    for name, value in {
        "none": None,
        "list": [[[[0.0]]]],
        "number": 1.0,
        "text": "logits",
        "array": logits.numpy(),
        "tuple": (logits, logits),
    }.items():
        yield case(f"logits_{name}", TypeError, "logits must be a tensor (B, K, H, W)", value)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool,
                  torch.complex64, torch.complex128, torch.float8_e4m3fn):  # fmt: skip
        name = str(dtype).removeprefix("torch.")
        yield case(f"logits_{name}", TypeError, typed, torch.zeros(2, 3, 4, 5, dtype=dtype))
    for rank in (0, 1, 2, 3, 5, 6):
        yield case(f"logits_rank_{rank}", ValueError, shaped, torch.zeros((2,) * rank))
    for name, shape in {"height": (2, 3, 0, 5), "width": (2, 3, 4, 0), "size": (2, 3, 0, 0),
                        "everything": (0, 0, 0, 0)}.items():  # fmt: skip
        yield case(
            f"logits_no_{name}", ValueError, "logits must have maps of 1", torch.zeros(shape)
        )
    for name, shape in {"width": (1, 1, 1, 2**24 + 1), "height": (1, 1, 2**24 + 1, 1)}.items():
        yield case(f"logits_long_{name}", ValueError, "logits must have maps of 1 to 16777216",
                   torch.zeros(1, 1, 1, 1).expand(shape))  # fmt: skip
    for name, shape in {
        "batch": (2**31, 1, 1, 1),
        "maps": (1, 2**31, 1, 1),
        "size": (1, 1, 2**16, 2**15),
        "all": (2**9, 2**9, 2**9, 2**9),
    }.items():
        yield case(f"logits_large_{name}", ValueError, "fewer than 2^31 elements",
                   torch.zeros(1, 1, 1, 1).expand(shape))  # fmt: skip
    yield case("logits_sparse", TypeError, "logits must be a dense tensor", logits.to_sparse())
    for name, text in {"unknown": "spatial", "case": "Marginal", "empty": "", "space": "joint ",
                       "both": "marginal,joint"}.items():  # fmt: skip
        yield case(f"mode_{name}", ValueError, "mode must be one of marginal, joint", mode=text)
    for name, value in {"none": None, "number": 1, "bool": True, "list": ["joint"],
                        "bytes": b"joint", "tensor": logits}.items():  # fmt: skip
        yield case(f"mode_{name}", TypeError, "mode must be a string", mode=value)
    for name, number in {"zero": 0.0, "whole_zero": 0, "negative": -1.0, "infinite": float("inf"),
                         "below": float("-inf"), "nan": float("nan")}.items():  # fmt: skip
        yield case(f"extent_{name}", ValueError, "extent must be finite and", extent=number)
    for name, value in {"none": None, "text": "1", "bool": True, "tensor": torch.ones(()),
                        "pair": (1.0, 1.0), "complex": 1j}.items():  # fmt: skip
        yield case(f"extent_{name}", TypeError, "extent must be a number", extent=value)
    for name, value in {"unknown": "tpu", "empty": "", "number": 0, "case": "CPU"}.items():
        yield case(f"backend_{name}", ValueError, "backend must be one of", backend=value)
