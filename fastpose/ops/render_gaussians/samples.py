"""Calls of `render_gaussians` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers


def unstable(sample: Sample) -> Tensor:
    """No pixel: nothing branches. Shaped like the output."""
    mean, _, size, affine = sample.args
    batched = mean if affine is None else affine
    height, width = size if isinstance(size, tuple) else (size, size)
    return torch.zeros(*batched.shape[:2], height, width, dtype=torch.bool)


def covariances(
    source: torch.Generator,
    shape: tuple[int, ...],
    least: float,
    most: float,
    turn: float = 1.0,
    thin: float = 0.0,
) -> Tensor:
    """(*shape, 2, 2) float64: standard deviations in [least, most], axes at any angle, or, with
    `turn` 0, those of the image; with `thin` one axis is that many times as long as the other."""
    angle = torch.rand(shape, generator=source, dtype=torch.float64) * torch.pi * turn
    cosine, sine = angle.cos(), angle.sin()
    rotation = torch.stack((cosine, -sine, sine, cosine), -1).unflatten(-1, (2, 2))
    deviation = torch.rand(*shape, 2, generator=source, dtype=torch.float64) * (most - least)
    deviation = deviation + least
    if thin:
        deviation[..., 1] = deviation[..., 0] / thin
    return rotation * deviation[..., None, :].square() @ rotation.mT


def means(source: torch.Generator, shape: tuple[int, ...], reach: float) -> Tensor:
    """(*shape, 2) float64 in [-reach, reach]."""
    return (torch.rand(*shape, 2, generator=source, dtype=torch.float64) * 2 - 1) * reach


def affines(source: torch.Generator, batch: int, maps: int) -> Tensor:
    """(batch, maps, 2, 3) float64: the identity and noise; some mirror, none is nearly singular."""
    linear = torch.randn(batch, maps, 2, 2, generator=source, dtype=torch.float64) * 0.3
    linear = linear + torch.eye(2, dtype=torch.float64)
    thin = linear.det().abs() < 0.2
    linear = linear + thin[..., None, None] * torch.eye(2, dtype=torch.float64)
    mirror = torch.rand(batch, maps, generator=source) < 0.2
    linear[..., 0] *= torch.where(mirror, -1.0, 1.0)[..., None]
    return torch.cat((linear, means(source, (batch, maps), 0.3)[..., None]), -1)


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    rows: list[tuple[str, int, int, Any, tuple[int, int], dict[str, Any]]] = [
        # name, batch, maps, the covariance's shape or a variance, size, what is special
        ("heatmaps", 2, 3, 0.05, (9, 9), {}),
        ("diagonal", 2, 3, (2, 3), (8, 11), dict(turn=0.0)),
        ("rotated", 2, 3, (2, 3), (16, 32), {}),
        ("mixed", 2, 4, (2, 4), (12, 17), dict(straight=(1, 2))),
        ("not_symmetric", 1, 2, (1, 2), (7, 9), dict(skew=0.03)),
        ("one_for_all", 2, 3, (), (10, 7), {}),
        ("one_for_a_map", 3, 2, (2,), (6, 8), {}),
        ("one_for_an_image", 3, 2, (3, 1), (8, 6), {}),
        ("jitter", 2, 2, (2, 2), (9, 10), dict(jitter=0.02)),
        ("cut_vectors", 1, 2, (1, 2), (19, 23), {}),
        ("more_than_a_band", 1, 2, (1, 2), (133, 9), {}),
        ("many_maps", 1, 37, (1, 37), (5, 6), {}),
        ("narrow", 2, 3, (2, 3), (24, 40), dict(least=0.05, most=0.1)),
        ("narrow_heatmaps", 2, 3, 0.004, (24, 40), {}),
        ("off_image", 2, 3, (2, 3), (8, 8), dict(reach=2.5, least=0.4)),
        ("one_pixel", 2, 3, (2, 3), (1, 1), {}),
        ("one_row", 2, 3, (2, 3), (1, 21), {}),
        ("one_column", 1, 3, (1, 3), (37, 1), {}),
        ("templates", 2, 3, (3,), (16, 18), dict(affine=True)),
        ("templates_jitter", 2, 2, (2,), (11, 6), dict(affine=True, jitter=0.01)),
        ("round_templates", 3, 2, 0.06, (8, 9), dict(affine=True)),
        ("alike_templates", 2, 3, (), (9, 8), dict(affine=True)),
        ("straight_templates", 2, 3, (3,), (9, 20), dict(affine=True, turn=0.0)),
        ("empty_batch", 0, 3, (3,), (6, 6), dict(affine=True)),
        ("no_maps", 2, 0, 0.1, (6, 6), {}),
        ("thin", 1, 2, (1, 2), (20, 19), dict(least=6.0, most=12.0, thin=32.0)),
        ("thin_templates", 2, 3, (3,), (9, 22), dict(affine=True, least=4.0, most=8.0, thin=32.0)),
        ("templates_of_two_bands", 2, 3, (3,), (150, 9), dict(affine=True)),
    ]
    for seed, (name, batch, maps, spread, size, special) in enumerate(rows):
        problem = _problem(name, seed, batch, maps, spread, size, **special)
        yield problem.with_tensors(lambda t: t.to(device, dtype))


def _problem(
    name: str,
    seed: int,
    batch: int,
    maps: int,
    spread: tuple[int, ...] | float,
    size: tuple[int, int],
    *,
    affine: bool = False,
    reach: float = 0.9,
    least: float = 0.15,
    most: float = 0.6,
    turn: float = 1.0,
    straight: tuple[int, ...] = (),
    skew: float = 0.0,
    thin: float = 0.0,
    **keywords: Any,
) -> Sample:
    source = generator(seed)
    mean = means(source, (maps,) if affine else (batch, maps), reach)
    covariance: Tensor | float = 0.0
    if not isinstance(spread, tuple):
        covariance = spread
    else:
        covariance = covariances(source, spread, least, most, turn, thin)
        covariance[..., 0, 1] += skew
        for k in straight:  # axes along those of the image
            covariance[..., k, :, :] *= torch.eye(2, dtype=torch.float64)
    shared = tuple(
        i
        for i, shape in ((0, mean.shape[:-1]), (1, spread))
        if isinstance(shape, tuple) and len(shape) < 2
    )
    given = affines(source, batch, maps) if affine else None
    return Sample(name, (mean, covariance, size, given), keywords, shared=shared)


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    """Heatmaps, blobs or templates, mostly on the image; every fifth image is high and narrow."""
    source = generator(seed)
    whole = whole_numbers(source)
    batch, maps, size = whole(1, 3), whole(2, 20), (whole(3, 80), whole(3, 80))
    if seed % 5 == 3:
        size = (129 + size[0], 1 + size[1] // 4)
    affine = whole(0, 1) == 1
    leading = (maps,) if affine else (batch, maps)
    options: tuple[tuple[int, ...] | float, ...] = (leading, leading, leading[-1:], 0.03)
    special: dict[str, Any] = dict(turn=float(whole(0, 3) > 0))
    special.update(least=0.08, most=0.08 + 0.1 * whole(0, 5), reach=1.1)
    if whole(0, 2) == 0:
        special["jitter"] = whole(0, 4) / 256
    problem = _problem(
        f"random_{seed}", seed, batch, maps, options[whole(0, 3)], size, affine=affine, **special
    )
    return problem.with_tensors(lambda t: t.to(device, dtype))


def error_cases() -> Iterator[ErrorCase]:
    mean, template = torch.zeros(2, 3, 2), torch.zeros(3, 2)
    one = torch.eye(2)
    move = torch.zeros(2, 3, 2, 3)

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        given = (*args, *(mean, one, 8)[len(args) :])
        return ErrorCase(name, given, kw, error, message)

    yield case("mean_list", TypeError, "mean must be a tensor (B, K, 2)", [[0.0, 0.0]])
    yield case("mean_none", TypeError, "mean must be a tensor", None)
    yield case("mean_half", TypeError, "mean must be float32 or float64", mean.half())
    yield case("mean_int", TypeError, "mean must be float32 or float64", mean.int())
    yield case("mean_complex", TypeError, "mean must be float32 or float64", mean.to(torch.cfloat))
    yield case("mean_rank", ValueError, "mean must have shape (B, K, 2)", template)
    yield case("mean_3d", ValueError, "mean must have shape (B, K, 2)", torch.zeros(2, 3, 3))
    yield case("mean_scalar", ValueError, "mean must have shape (B, K, 2)", torch.zeros(()))
    yield case("mean_batched", ValueError, "mean must have shape (K, 2)", mean, one, 8, move)
    yield case("mean_short", ValueError, "with K = 2 like mean", template[:2], one, 8, move)
    yield case("covariance_none", TypeError, "covariance must be a tensor", mean, None)
    yield case("covariance_list", TypeError, "covariance must be a tensor", mean, [[1.0]])
    yield case("covariance_text", TypeError, "covariance must be a tensor", mean, "0.1")
    yield case("covariance_bool", TypeError, "covariance must be a number", mean, True)
    yield case("covariance_zero", ValueError, "covariance must be finite and greater", mean, 0.0)
    yield case("covariance_negative", ValueError, "covariance must be finite", mean, -0.1)
    yield case("covariance_nan", ValueError, "covariance must be finite", mean, float("nan"))
    yield case("covariance_infinite", ValueError, "covariance must be finite", mean, float("inf"))
    yield case("covariance_half", TypeError, "covariance must be torch.float32", mean, one.half())
    yield case("covariance_double", TypeError, "covariance must be torch.float32 like mean", mean,
               one.double())  # fmt: skip
    yield case("covariance_int", TypeError, "covariance must be torch.float32", mean, one.int())
    yield case("covariance_meta", ValueError, "covariance must be on the device of mean", mean,
               one.to("meta"))  # fmt: skip
    yield case("covariance_scalar", ValueError, "broadcasts to (2, 3, 2, 2)", mean, one[0, 0])
    yield case("covariance_vector", ValueError, "broadcasts to (2, 3, 2, 2)", mean, one[0])
    yield case("covariance_flat", ValueError, "covariance must be", mean, torch.ones(2, 3, 2))
    yield case("covariance_3d", ValueError, "broadcasts to (2, 3, 2, 2)", mean, torch.eye(3))
    yield case("covariance_wide", ValueError, "broadcasts to", mean, torch.ones(2, 3, 2, 3))
    yield case("covariance_maps", ValueError, "broadcasts to", mean, torch.ones(4, 2, 2))
    yield case("covariance_batch", ValueError, "broadcasts to", mean, torch.ones(3, 3, 2, 2))
    yield case("covariance_rank", ValueError, "broadcasts to", mean, torch.ones(1, 2, 3, 2, 2))
    yield case("covariance_batched", ValueError, "broadcasts to (3, 2, 2)", template,
               torch.ones(2, 3, 2, 2), 8, move)  # fmt: skip
    yield case("affine_list", TypeError, "affine must be a tensor", template, one, 8, [[1.0]])
    yield case("affine_number", TypeError, "affine must be a tensor", template, one, 8, 1.0)
    yield case("affine_rank", ValueError, "affine must have shape (B, K, 2, 3)", template, one, 8,
               move[0])  # fmt: skip
    yield case("affine_square", ValueError, "affine must have shape (B, K, 2, 3)", template, one, 8,
               torch.ones(2, 3, 3, 3))  # fmt: skip
    yield case("affine_linear", ValueError, "affine must have shape (B, K, 2, 3)", template, one, 8,
               torch.ones(2, 3, 2, 2))  # fmt: skip
    yield case("affine_maps", ValueError, "with K = 3 like mean", template, one, 8,
               torch.ones(2, 4, 2, 3))  # fmt: skip
    yield case("affine_half", TypeError, "affine must be float32 or float64", template, one, 8,
               move.half())  # fmt: skip
    yield case("affine_double", TypeError, "affine must be torch.float32 like mean", template, one,
               8, move.double())  # fmt: skip
    yield case("affine_meta", ValueError, "affine must be on the device of mean", template, one, 8,
               move.to("meta"))  # fmt: skip
    yield case("size_zero", ValueError, "size must be at least 1", mean, one, 0)
    yield case("size_negative", ValueError, "size must be at least 1", mean, one, (8, -8))
    yield case("size_float", TypeError, "size must be an integer", mean, one, 8.0)
    yield case("size_bool", TypeError, "size must be an integer", mean, one, True)
    yield case("size_none", TypeError, "size must be an integer", mean, one, None)
    yield case("size_triple", TypeError, "size must be an integer", mean, one, (3, 8, 8))
    yield case("size_huge", ValueError, "fewer than 2^31", mean, one, (2**20, 2**20))
    yield case("size_beyond_int", ValueError, "fewer than 2^31", mean, one, 2**40)
    yield case("jitter_negative", ValueError, "jitter must be finite and at least 0", jitter=-1e-9)
    yield case("jitter_nan", ValueError, "jitter must be finite", jitter=float("nan"))
    yield case("jitter_infinite", ValueError, "jitter must be finite", jitter=float("inf"))
    yield case("jitter_text", TypeError, "jitter must be a number", jitter="0")
    yield case("jitter_tensor", TypeError, "jitter must be a number", jitter=torch.zeros(()))
    yield case("dtype_int", TypeError, "dtype must be one of", dtype=torch.int32)
    yield case("dtype_text", TypeError, "dtype must be one of", dtype="float32")
    yield case("out_list", TypeError, "out must be a tensor", out=[])
    yield case("out_dtype", TypeError, "out must be one of", out=torch.zeros(2, 3, 8, 8).int())
    yield case("out_shape", ValueError, "out must have shape (2, 3, 8, 8)",
               out=torch.zeros(2, 1, 8, 8))  # fmt: skip
    yield case("out_device", ValueError, "out must be on the device of mean",
               out=torch.zeros(2, 3, 8, 8, device="meta"))  # fmt: skip
    yield case("out_expanded", ValueError, "out must not overlap itself",
               out=torch.zeros(1, 1, 8, 8).expand(2, 3, 8, 8))  # fmt: skip
    yield case("out_and_dtype", TypeError, "give only one of the two",
               out=torch.zeros(2, 3, 8, 8), dtype=torch.float64)  # fmt: skip
    yield case("out_leaf", ValueError, "out must not be a leaf",
               out=torch.zeros(2, 3, 8, 8, requires_grad=True))  # fmt: skip
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
