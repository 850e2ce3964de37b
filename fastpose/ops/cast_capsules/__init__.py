"""Rays at tapered capsules, for pictures of bodies made of them: numpy arrays, no gradient.

Not an operator on tensors: the pictures are drawn before any model sees them, in threads of their
own. The kernels and the reference give the same bytes, whatever the instruction set or device.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from dataclasses import dataclass, fields

import numpy as np
import torch

from fastpose import _native
from fastpose.ops.cast_capsules.reference import cast_reference

BACKENDS = ("reference", "cpu", "cuda", "triton")
GPU_BACKENDS = ("cuda", "triton")
_MOST_SAMPLES = 2**31


@dataclass(frozen=True)
class Capsules:
    """P capsules in T frames, as a camera with W x W samples sees them; all arrays float64.

    A capsule's own space has its axis along y, from a sphere of radius ``r0`` at the origin to one
    of radius ``r1`` at (0, length, 0); z is its front, along which it may be stretched.

    Args:
        ends: (T,P,2,2) the centres of both spheres in samples, x before y.
        radius: (T,P,2) the largest radius of either in samples: nothing is looked for beyond.
        start: (T,P,3) the camera's centre in capsule space, metres, stretch undone.
        to_part: (T,P,3,3) from camera space (x right, y down, z forward) to capsule space.
        near: (T,P) camera z in metres at which rays start; next to the capsule for exact roots.
        length: (T,P) metres; more than the radii differ by, else nothing of it may be seen.
        r0, r1: (P,) metres.
        stretch: (P,) of capsule space along z.
        shine: (T,P,3) unit vector towards the light in the capsule's axes.
    """

    ends: np.ndarray
    radius: np.ndarray
    start: np.ndarray
    to_part: np.ndarray
    near: np.ndarray
    length: np.ndarray
    r0: np.ndarray
    r1: np.ndarray
    stretch: np.ndarray
    shine: np.ndarray


_SHAPES: dict[str, tuple[int, ...]] = {
    "ends": (2, 2),
    "radius": (2,),
    "start": (3,),
    "to_part": (3, 3),
    "near": (),
    "length": (),
    "shine": (3,),
}


class CapsuleRays(ctypes.Structure):
    """As in csrc/cast_capsules/cast_capsules.h."""

    _fields_ = [
        *((n, ctypes.c_int64) for n in ("frames", "parts", "wide", "along", "around")),
        *((n, ctypes.c_double) for n in ("left", "top", "step")),
        *((f.name, ctypes.c_void_p) for f in fields(Capsules)),
        *((n, ctypes.c_void_p) for n in ("depth", "texel", "light")),
    ]


def cast_capsules(
    capsules: Capsules,
    wide: int,
    *,
    first: tuple[float, float],
    step: float,
    texels: tuple[int, int],
    backend: str | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each sample of T frames sees of the nearest capsule.

    Args:
        capsules: the shapes.
        wide: samples W along a frame's side, at least 1.
        first: x / z and y / z of the first sample's ray.
        step: of x / z and y / z from sample to sample, positive.
        texels: (V, U) of one capsule's texture: V along it from bottom to top, U around it, 0 at
            the front, towards its x axis.
        backend: "cpu" or "reference", by default the first that is there; or "cuda" or "triton",
            which draw on torch's current GPU.

    Returns:
        Camera z (T,W,W) float32 in metres, infinite where nothing is seen; there the others are 0:
        flat indices (T,W,W) int32 into a texture (P,V,U), and the cosine (T,W,W) float32 of light
        and surface normal, -1 to 1.

    Raises:
        TypeError, ValueError: an array of another shape or type, or a number out of range.
    """
    _check(capsules, wide, step, texels)
    kernel = _native.entry_point("fastpose_cast_capsules") if backend in (None, "cpu") else None
    if backend is None:
        backend = "reference" if kernel is None else "cpu"
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)} or None, got {backend!r}")
    if backend in GPU_BACKENDS:
        return _cast_on_gpu(capsules, wide, first, step, texels, backend)
    frames, parts = capsules.near.shape
    shape = (frames, wide, wide)
    depth = np.full(shape, np.inf, np.float32)
    texel, light = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    out = depth, texel, light
    if backend == "reference":
        cast_reference(capsules, first, step, texels, *out)
        return out
    if kernel is None:
        raise ValueError("backend='cpu': the native library is not loaded; see `fastpose info`")
    addresses = [array.ctypes.data for array in (*dense(capsules).values(), *out)]
    kernel(ctypes.byref(CapsuleRays(frames, parts, wide, *texels, *first, step, *addresses)))
    return out


def dense(capsules: Capsules) -> dict[str, np.ndarray]:
    """The arrays by name, without gaps."""
    return {f.name: np.ascontiguousarray(getattr(capsules, f.name)) for f in fields(Capsules)}


def _cast_on_gpu(
    capsules: Capsules,
    wide: int,
    first: tuple[float, float],
    step: float,
    texels: tuple[int, int],
    backend: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not torch.cuda.is_available():
        raise ValueError(f"backend={backend!r} needs a GPU, and torch sees none")
    arrays = {name: torch.from_numpy(array).cuda() for name, array in dense(capsules).items()}
    frames, parts = capsules.near.shape
    depth = arrays["near"].new_empty((frames, wide, wide), dtype=torch.float32)
    out = depth, torch.empty_like(depth, dtype=torch.int32), torch.empty_like(depth)
    if backend == "triton":
        if importlib.util.find_spec("triton") is None:
            raise ValueError("backend='triton': Triton is not installed")
        triton = importlib.import_module("fastpose.ops.cast_capsules.triton")
        triton.cast(arrays, wide, first, step, texels, *out)
    else:
        kernel = _native.entry_point("fastpose_cast_capsules_cuda", "cuda")
        if kernel is None:
            raise ValueError(
                "backend='cuda': the native library is not loaded; see `fastpose info`"
            )
        addresses = [tensor.data_ptr() for tensor in (*arrays.values(), *out)]
        rays = CapsuleRays(frames, parts, wide, *texels, *first, step, *addresses)
        refused = kernel(ctypes.byref(rays), torch.cuda.current_stream().cuda_stream)
        if refused is not None:
            raise RuntimeError(f"cast_capsules did not launch: {refused.decode()}")
    depth, texel, light = (tensor.cpu().numpy() for tensor in out)
    return depth, texel, light


def _check(capsules: Capsules, wide: int, step: float, texels: tuple[int, int]) -> None:
    if not (isinstance(capsules.near, np.ndarray) and capsules.near.ndim == 2):
        raise ValueError(f"near must be an array (T, P), got {_described(capsules.near)}")
    frames, parts = capsules.near.shape
    for field in fields(capsules):
        array = getattr(capsules, field.name)
        expected = (frames, parts, *_SHAPES[field.name]) if field.name in _SHAPES else (parts,)
        if not isinstance(array, np.ndarray) or array.shape != expected:
            raise ValueError(f"{field.name} must be an array {expected}, got {_described(array)}")
        if array.dtype != np.float64:
            raise TypeError(f"{field.name} must be float64, got {array.dtype}")
        if not np.isfinite(array).all():
            raise ValueError(f"{field.name} must be finite, got {array[~np.isfinite(array)][0]}")
        if field.name in ("r0", "r1", "stretch") and not (array > 0).all():
            raise ValueError(f"{field.name} must be positive, got {array.min()}")
    if wide < 1 or frames * wide * wide >= _MOST_SAMPLES:
        raise ValueError(f"wide must be 1 to what gives less than 2**31 samples, got {wide}")
    if not step > 0:
        raise ValueError(f"step must be positive, got {step}")
    if min(texels) < 1 or parts * texels[0] * texels[1] >= _MOST_SAMPLES:
        raise ValueError(f"texels must be positive and less than 2**31 in all, got {texels}")


def _described(value: object) -> str:
    return str(value.shape) if isinstance(value, np.ndarray) else type(value).__name__
