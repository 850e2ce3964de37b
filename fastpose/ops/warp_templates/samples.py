"""Calls of `warp_templates` for the generic tests, see `fastpose/ops/samples.py`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import ErrorCase, Sample, generator, whole_numbers
from fastpose.ops.warp_templates import reference


def lattice_gaps(affine: Tensor, template: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(B, K, H, W): how far, in texels, each pixel's source lies from where its four texels change.

    Infinite for pixels that are clearly off the template.
    """
    exact = affine.double()
    inverse = reference.inverse_of(exact)[..., None, None, :, :]
    y, x = torch.meshgrid(*[torch.arange(n).double() for n in size], indexing="ij")
    pixels = torch.stack((x, y), -1).to(affine.device)
    offset = pixels - exact[:, :, None, None, :, 2]
    source = (inverse @ offset[..., None])[..., 0]
    last = torch.tensor([template[1], template[0]], device=source.device)
    near = ((source > -1.5) & (source < last + 0.5)).all(-1)
    return (source - source.round()).abs().amin(-1).where(near, torch.inf)


def unstable(sample: Sample) -> Tensor:
    """Pixels for which rounding in float32 may choose other texels; shaped like the output."""
    templates, affine, size = sample.args
    return lattice_gaps(affine, templates.shape[1:], size) < 2e-4


def blobs(count: int, height: int, width: int) -> Tensor:
    """(K, h, w) float64: small Gaussian spots with exact zeros around them."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    result = []
    for k in range(count):
        at_x, at_y = (0.3 + 0.4 * (k % 2)) * width, (0.4 + 0.2 * (k % 3)) * height
        squared = (x.double() - at_x).square() + 0.5 * (y.double() - at_y).square()
        spot = (-0.2 * squared).exp()
        result.append(spot.where(spot > 0.02, 0))
    return torch.stack(result)


def random_affine(
    seed: int,
    batch: int,
    count: int,
    template: tuple[int, int],
    size: tuple[int, int],
    scale: float = 1.0,
    turn: float = 0.5,
    mirrored: bool = False,
    shift: float = 0.2,
) -> Tensor:
    """(B, K, 2, 3) float64: the template's centre lands near the image's centre, `shift` images off
    at most; turned by up to `turn` and scaled by up to a third more or less than `scale`."""
    source = generator(seed)

    def number(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=source, dtype=torch.float64) * 2 - 1

    angle = number(batch, count) * turn
    scales = scale * (1 + number(batch, count, 2) / 3)
    if mirrored:
        scales[..., 0] *= -1
    cos, sin = angle.cos(), angle.sin()
    turned = torch.stack((cos, -sin, sin, cos), -1).unflatten(-1, (2, 2))
    linear = turned * scales[..., None, :] + 0.1 * scale * number(batch, count, 2, 2)
    middle = torch.tensor([(template[1] - 1) / 2, (template[0] - 1) / 2], dtype=torch.float64)
    sides = torch.tensor([size[1], size[0]], dtype=torch.float64)
    centre = (sides - 1) / 2 + shift * sides * number(batch, count, 2)
    return torch.cat((linear, (centre - linear @ middle)[..., None]), -1)


def _clear_affine(
    seed: int,
    batch: int,
    count: int,
    template: tuple[int, int],
    size: tuple[int, int],
    **how: Any,
) -> Tensor:
    """As `random_affine`, drawn again until no source lies near where its texels change."""
    for attempt in range(seed, seed + 1000):
        affine = random_affine(attempt, batch, count, template, size, **how)
        if not (lattice_gaps(affine, template, size) < 1e-4).any():
            return affine
    raise RuntimeError("no affine maps without a pixel near a lattice line were found")


def _on_lattice() -> Tensor:
    """(1, 5, 2, 3): maps that put every source exactly on a texel or halfway between two."""
    return torch.tensor(
        [
            [[1, 0, 0], [0, 1, 0]],
            [[1, 0, 2], [0, 1, -3]],
            [[0, -1, 6], [1, 0, 1]],
            [[-1, 0, 5], [0, 2, 0]],
            [[0.5, 0, 1], [0, 4, 2]],
        ],
        dtype=torch.float64,
    )[None]


def samples(dtype: torch.dtype, device: torch.device | str = "cpu") -> Iterator[Sample]:
    rows: list[tuple[str, int, int, tuple[int, int], tuple[int, int], dict[str, Any]]] = [
        # name, batch, templates, their size, size, how the maps are drawn
        ("one_map", 1, 1, (5, 5), (7, 7), {}),
        ("some_maps", 2, 3, (7, 7), (9, 9), {}),
        ("whole_blocks", 1, 2, (12, 12), (16, 32), {}),
        ("cut_blocks", 2, 1, (13, 18), (19, 23), {}),
        ("any_angle", 2, 3, (8, 8), (10, 10), dict(turn=math.pi)),
        ("mirrored", 2, 2, (8, 8), (10, 10), dict(turn=math.pi, mirrored=True)),
        ("smaller", 2, 2, (15, 15), (9, 9), dict(scale=0.4)),
        ("much_smaller", 1, 2, (40, 40), (9, 9), dict(scale=0.1, turn=math.pi)),
        ("larger", 2, 2, (4, 5), (14, 14), dict(scale=4.0)),
        ("much_larger", 1, 2, (5, 4), (9, 9), dict(scale=30.0, shift=2.0, turn=math.pi)),
        ("partly_outside", 2, 2, (8, 8), (8, 8), dict(shift=0.8)),
        ("outside", 1, 2, (6, 6), (8, 8), dict(shift=20.0)),
        ("wide_templates", 1, 3, (3, 17), (11, 13), {}),
        ("one_texel", 2, 2, (1, 1), (5, 5), dict(scale=2.0)),
        ("one_row_of_texels", 1, 2, (1, 9), (7, 7), {}),
        ("one_column_of_texels", 1, 2, (9, 1), (7, 7), dict(scale=1.5)),
        ("one_pixel", 3, 2, (6, 6), (1, 1), {}),
        ("one_row", 2, 2, (6, 6), (1, 21), {}),
        ("one_column", 2, 2, (6, 6), (37, 1), {}),
        ("spots", 2, 3, (24, 28), (26, 22), {}),
        ("empty_batch", 0, 2, (6, 6), (6, 6), {}),
    ]  # fmt: skip
    for seed, (name, batch, count, template, size, how) in enumerate(rows):
        affine = _clear_affine(1000 * seed, batch, count, template, size, **how)
        templates = torch.rand(count, *template, generator=generator(seed), dtype=torch.float64)
        if name == "spots":
            templates = blobs(count, *template)
        args = (templates.to(device, dtype), affine.to(device, dtype), size)
        yield Sample(name, args, shared=(0,))
    lattice = _on_lattice()
    templates = torch.rand(lattice.shape[1], 6, 7, generator=generator(0), dtype=torch.float64)
    args = (templates.to(device, dtype), lattice.to(device, dtype), (8, 9))
    yield Sample("on_lattice", args, smooth=False, shared=(0,))


def random_problem(seed: int, dtype: torch.dtype, device: torch.device | str = "cpu") -> Sample:
    """An ordinary call: a few templates, any angle, from half to twice their size."""
    source = generator(seed)
    whole = whole_numbers(source)
    count, template, size = whole(1, 4), (whole(2, 40), whole(2, 40)), (whole(3, 48), whole(3, 48))
    scale = 2 ** (float(torch.rand((), generator=source)) * 2 - 1)
    affine = random_affine(
        seed, whole(1, 3), count, template, size, scale, turn=math.pi, mirrored=whole(0, 3) == 0
    )
    templates = torch.rand(count, *template, generator=source, dtype=torch.float64)
    if whole(0, 2) == 0:
        templates = blobs(count, *template)
    args = (templates.to(device, dtype), affine.to(device, dtype), size)
    return Sample(f"random_{seed}", args, smooth=False, shared=(0,))


def error_cases() -> Iterator[ErrorCase]:
    templates = torch.zeros(3, 5, 6)
    affine = torch.eye(2, 3).repeat(2, 3, 1, 1)
    out = torch.zeros(2, 3, 8, 8)

    def case(name: str, error: type[Exception], message: str, *args: Any, **kw: Any) -> ErrorCase:
        given = (*args, *(templates, affine, 8)[len(args) :])
        return ErrorCase(name, given, kw, error, message)

    kind, shape = "templates must be float32 or float64", "templates must have shape (K, h, w)"
    yield case("templates_none", TypeError, "templates must be a tensor", None)
    yield case("templates_list", TypeError, "templates must be a tensor", [[[0.0]]])
    yield case("templates_number", TypeError, "templates must be a tensor", 1.0)
    yield case("templates_array", TypeError, "got ndarray", templates.numpy())
    yield case("templates_half", TypeError, kind, templates.half())
    yield case("templates_bfloat16", TypeError, kind, templates.bfloat16())
    yield case("templates_int", TypeError, kind, templates.int())
    yield case("templates_bool", TypeError, kind, templates.bool())
    yield case("templates_complex", TypeError, kind, templates.to(torch.cfloat))
    yield case("templates_scalar", ValueError, shape, torch.zeros(()))
    yield case("templates_rank_2", ValueError, shape, templates[0])
    yield case("templates_rank_4", ValueError, shape, templates[None])
    yield case("templates_no_rows", ValueError, "templates must have sides of 1", templates[:, :0])
    yield case("templates_no_columns", ValueError, "templates must have sides of 1",
               templates[..., :0])  # fmt: skip
    yield case("templates_long", ValueError, "templates must have sides of 1 to 1048576",
               torch.zeros(1).expand(3, 1, 2**20 + 1))  # fmt: skip
    yield case("templates_huge", ValueError, "fewer than 2^31",
               torch.zeros(1).expand(3, 2**15, 2**15))  # fmt: skip
    kind, shape = "affine must be float32 or float64", "affine must have shape (B, K, 2, 3)"
    maps = "affine must have one map for each of the 3 templates"
    yield case("affine_none", TypeError, "affine must be a tensor", templates, None)
    yield case("affine_list", TypeError, "affine must be a tensor", templates, [1.0, 0.0])
    yield case("affine_half", TypeError, kind, templates, affine.half())
    yield case("affine_int", TypeError, kind, templates, affine.int())
    yield case("affine_complex", TypeError, kind, templates, affine.to(torch.cdouble))
    yield case("affine_double", TypeError, "affine must be torch.float32 like templates", templates,
               affine.double())  # fmt: skip
    yield case("affine_float", TypeError, "affine must be torch.float64 like templates",
               templates.double(), affine)  # fmt: skip
    yield case("affine_device", ValueError, "affine must be on the device of templates", templates,
               affine.to("meta"))  # fmt: skip
    yield case("affine_rank_2", ValueError, shape, templates, affine[0, 0])
    yield case("affine_rank_3", ValueError, shape, templates, affine[0])
    yield case("affine_rank_5", ValueError, shape, templates, affine[None])
    yield case("affine_square", ValueError, shape, templates, torch.zeros(2, 3, 2, 2))
    yield case("affine_homogeneous", ValueError, shape, templates, torch.zeros(2, 3, 3, 3))
    yield case("affine_turned", ValueError, shape, templates, affine.mT)
    yield case("affine_flat", ValueError, shape, templates, affine.flatten(2))
    yield case("affine_one_map", ValueError, maps, templates, affine[:, :1])
    yield case("affine_more_maps", ValueError, maps, templates, affine.repeat(1, 2, 1, 1))
    yield case("affine_no_maps", ValueError, maps, templates, affine[:, :0])
    least, whole = "size must be at least 1 pixel", "size must be an integer or a pair"
    yield case("size_zero", ValueError, least, templates, affine, 0)
    yield case("size_negative", ValueError, least, templates, affine, -8)
    yield case("size_zero_width", ValueError, least, templates, affine, (8, 0))
    yield case("size_negative_height", ValueError, least, templates, affine, (-8, 8))
    yield case("size_none", TypeError, whole, templates, affine, None)
    yield case("size_float", TypeError, whole, templates, affine, 8.0)
    yield case("size_bool", TypeError, whole, templates, affine, True)
    yield case("size_text", TypeError, whole, templates, affine, "8")
    yield case("size_float_pair", TypeError, whole, templates, affine, (8, 8.5))
    yield case("size_single", TypeError, whole, templates, affine, (8,))
    yield case("size_triple", TypeError, whole, templates, affine, (3, 8, 8))
    yield case("size_tensor", TypeError, whole, templates, affine, torch.tensor([8, 8]))
    yield case("size_huge", ValueError, "fewer than 2^31", templates, affine, (2**20, 2**20))
    yield case("size_beyond_int", ValueError, "fewer than 2^31", templates, affine, 2**40)
    yield case("size_of_all_maps", ValueError, "fewer than 2^31", templates, affine, (2**15, 2**14))
    yield case("dtype_int", TypeError, "dtype must be one of", dtype=torch.int32)
    yield case("dtype_complex", TypeError, "dtype must be one of", dtype=torch.cfloat)
    yield case("dtype_text", TypeError, "dtype must be one of", dtype="float32")
    yield case("out_list", TypeError, "out must be a tensor", out=[])
    yield case("out_dtype", TypeError, "out must be one of", out=out.int())
    yield case("out_rank", ValueError, "out must have shape (2, 3, 8, 8)", out=out[0])
    yield case("out_size", ValueError, "out must have shape (2, 3, 8, 8)", out=out[..., :7])
    yield case("out_channels", ValueError, "out must have shape (2, 3, 8, 8)", out=out[:, :2])
    yield case("out_device", ValueError, "out must be on the device of templates",
               out=out.to("meta"))  # fmt: skip
    yield case("out_expanded", ValueError, "out must not overlap itself",
               out=out[:, :1].expand(2, 3, 8, 8))  # fmt: skip
    yield case("out_and_dtype", TypeError, "give only one of the two", out=out,
               dtype=torch.float64)  # fmt: skip
    yield case("out_leaf", ValueError, "out must not be a leaf", out=out.clone().requires_grad_())
    yield case("backend_unknown", ValueError, "backend must be one of", backend="tpu")
