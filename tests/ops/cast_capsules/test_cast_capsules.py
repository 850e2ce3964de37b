"""The kernel against the reference, byte for byte, on every instruction set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from fastpose import _native
from fastpose.ops.cast_capsules import GPU_BACKENDS, Capsules, cast_capsules
from tests.ops.cast_capsules.problems import assert_bytes, problem


@pytest.fixture(params=_native.CPU_ISAS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    if not _native.load()[0].loaded:
        pytest.skip(_native.load()[0].reason)
    _native.limit_cpu_isa(request.param)
    if _native.cpu_isa() != request.param:
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    _native.limit_cpu_isa(_native.CPU_ISAS[-1])


def assert_same(capsules: Capsules, options: dict[str, Any]) -> np.ndarray:
    """Same bytes from the kernel and the reference; returns the depth."""
    reference = cast_capsules(capsules, **options, backend="reference")
    made = cast_capsules(capsules, **options, backend="cpu")
    assert_bytes(made, reference)
    return made[0]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("seed", range(8))
def test_the_bytes_of_the_reference(seed: int) -> None:
    depth = assert_same(*problem(seed))
    assert 0.02 < np.isfinite(depth).mean() < 0.95


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("wide", [1, 2, 7, 16, 17, 127, 128, 129, 300])
def test_any_width(wide: int) -> None:
    """Rows shorter and longer than a block of the kernel, and not whole vectors."""
    assert_same(*problem(3, frames=1, parts=3, wide=wide, spread=0.2))


@pytest.mark.usefixtures("isa")
def test_capsules_outside_and_across_the_border() -> None:
    for seed in range(6):
        assert_same(*problem(seed, spread=3.0))


@pytest.mark.usefixtures("isa")
def test_degenerate_shapes() -> None:
    capsules, options = problem(1)
    spheres = replace(capsules, length=np.zeros_like(capsules.length))
    cylinders = replace(capsules, r1=capsules.r0.copy())
    within = replace(capsules, r0=capsules.r0 + 2.0)  # one sphere holds the other
    level = replace(capsules, ends=np.repeat(capsules.ends[:, :, :1], 2, axis=2))
    for changed in (spheres, cylinders, within, level):
        assert_same(changed, options)


@pytest.mark.usefixtures("isa")
def test_nothing_to_draw() -> None:
    for frames, parts in ((0, 3), (2, 0)):
        depth = assert_same(*problem(0, frames=frames, parts=parts))
        assert depth.shape == (frames, 96, 96) and not np.isfinite(depth).any()


@pytest.mark.usefixtures("isa")
def test_arrays_with_gaps_and_other_orders() -> None:
    capsules, options = problem(2)
    loose = {
        f.name: np.asfortranarray(np.repeat(getattr(capsules, f.name), 2, axis=0))[::2]
        for f in fields(Capsules)
    }
    spaced = cast_capsules(Capsules(**loose), **options, backend="cpu")
    for a, b in zip(spaced, cast_capsules(capsules, **options, backend="cpu"), strict=True):
        assert np.array_equal(a, b)


def test_one_sphere_is_where_geometry_says() -> None:
    """A sphere of 0.5 m 2 m off: its near point 1.5 m away, lit by a light behind the camera."""
    one = np.ones((1, 1))
    capsules = Capsules(
        ends=np.full((1, 1, 2, 2), 20.0),
        radius=np.full((1, 1, 2), 20.0),
        start=np.array([[[0.0, 0.0, -2.0]]]),
        to_part=np.eye(3)[None, None],
        near=2 * one,
        length=1e-3 * one,
        r0=np.array([0.5]),
        r1=np.array([0.5]),
        stretch=np.array([1.0]),
        shine=np.array([[[0.0, 0.0, -1.0]]]),
    )
    depth, texel, light = cast_capsules(capsules, 41, first=(-0.4, -0.4), step=0.02, texels=(4, 8))
    assert depth[0, 20, 20] == pytest.approx(1.5, abs=1e-4)
    assert light[0, 20, 20] == pytest.approx(1.0, abs=1e-4)
    assert texel[0, 20, 20] in (4 * 8 // 2 + 4, 4 * 8 // 2 - 8 + 4)  # in the middle, at the back
    rows, columns = np.nonzero(np.isfinite(depth[0]))
    # Its outline is seen under asin(0.5 / 2), of tangent 0.2582: 12.9 samples.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 32, 8, 32)
    assert (texel[~np.isfinite(depth)] == 0).all() and (light[~np.isfinite(depth)] == 0).all()


def wrong(name: str) -> list[tuple[Any, type[Exception], str]]:
    """An array that cannot be, the error, and what it says."""
    array = getattr(problem(0)[0], name)
    infinite = array.copy()
    infinite.flat[0] = np.inf
    return [
        (array[..., None], ValueError, "must be an array"),
        (array.astype(np.float32), TypeError, "float64"),
        (array.astype(complex), TypeError, "float64"),
        (infinite, ValueError, "must be finite"),
        (array * np.nan, ValueError, "must be finite"),
        (array.tolist(), ValueError, "must be an array"),
        (None, ValueError, "must be an array"),
    ]


@pytest.mark.parametrize("name", [f.name for f in fields(Capsules)])
def test_errors_of_arrays(name: str) -> None:
    capsules, options = problem(0)
    for value, kind, message in wrong(name):
        with pytest.raises(kind, match=rf"^{name} .*{message}") as caught:
            cast_capsules(replace(capsules, **{name: value}), **options)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wide": 0}, "wide"),
        ({"wide": 2**20}, "wide"),
        ({"step": 0.0}, "step"),
        ({"step": float("nan")}, "step"),
        ({"texels": (0, 8)}, "texels"),
        ({"texels": (2**20, 2**20)}, "texels"),
        ({"backend": "vulkan"}, "backend must be one of"),
    ],
)
def test_errors_of_numbers(changes: dict[str, Any], message: str) -> None:
    capsules, options = problem(0)
    with pytest.raises(ValueError, match=f"^{message}"):
        cast_capsules(capsules, **(options | changes))


@pytest.mark.parametrize("backend", GPU_BACKENDS)
def test_a_gpu_is_asked_for(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    capsules, options = problem(0)
    with pytest.raises(ValueError, match=f"^backend='{backend}' needs a GPU"):
        cast_capsules(capsules, **options, backend=backend)


@pytest.mark.parametrize("name", ["r0", "r1", "stretch"])
def test_sizes_must_be_positive(name: str) -> None:
    capsules, options = problem(0)
    with pytest.raises(ValueError, match=f"^{name} must be positive"):
        cast_capsules(replace(capsules, **{name: 0 * capsules.r0}), **options)


def test_without_the_library_the_reference_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    capsules, options = problem(4)
    expected = cast_capsules(capsules, **options)
    monkeypatch.setattr(_native, "entry_point", lambda _: None)
    for a, b in zip(cast_capsules(capsules, **options), expected, strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="not loaded"):
        cast_capsules(capsules, **options, backend="cpu")
