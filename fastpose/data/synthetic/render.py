"""From a body's parts to what every sample of a frame sees: which part, where, and how lit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.data.synthetic.camera import Camera
from fastpose.data.synthetic.parts import PlacedParts
from fastpose.ops.cast_capsules import Capsules, cast_capsules


@dataclass(frozen=True)
class Surface:
    """What the samples of T frames see; N samples are on the body.

    Args:
        depth: (T,H,W) float32 camera z in metres, infinite off the body.
        index: (N,) flat indices into (T,H,W) of the samples on the body.
        texel: (N,) int32 flat indices into a (P,V,U) texture: V along a part, from its bottom
            to its top; U around it, 0 at the front, towards its x axis.
        light: (N,) float32 cosine of light and surface normal, -1 to 1.
    """

    depth: np.ndarray
    index: np.ndarray
    texel: np.ndarray
    light: np.ndarray


def hide_behind(surface: Surface, depth: np.ndarray) -> Surface:
    """The surface without the samples that lie behind something at ``depth`` (W,W), camera z.

    The depth of the result is that of whatever is nearest, the something included.
    """
    nearest = depth.ravel()[surface.index % depth.size]
    seen = surface.depth.reshape(-1)[surface.index] < nearest
    return Surface(
        np.minimum(surface.depth, depth),
        surface.index[seen],
        surface.texel[seen],
        surface.light[seen],
    )


def cast(
    parts: PlacedParts,
    camera: Camera,
    size: int,
    supersample: int,
    light: np.ndarray,
    texture: tuple[int, int],
    backend: str | None = None,
) -> Surface:
    """Cast rays at all parts of T frames, ``supersample`` x ``supersample`` a pixel.

    Args:
        parts: the body, T frames.
        camera: the window's camera.
        size: side of the window in pixels.
        supersample: samples along a pixel's side.
        light: (3,) unit vector towards the light, world space.
        texture: (V, U) texels of one part.
        backend: who casts them, see ``cast_capsules``; no byte depends on it.
    """
    # Sample s lies at pixel (s + 0.5) / n - 0.5; its ray has z = 1.
    step = 1 / (supersample * camera.focal)
    first = (0.5 / supersample - 0.5 - camera.principal) / camera.focal
    pair = np.stack([camera.to_camera(end) for end in parts.ends()], axis=2)  # (T,P,2,3)
    far, reach = pair[..., 2], parts.reach()[:, None]
    stretch = np.stack([np.ones_like(parts.depth), np.ones_like(parts.depth), 1 / parts.depth], -1)
    # Camera space to part space: rotate, then undo the stretch.
    to_part = (parts.axes @ camera.rotation.T) * stretch[..., None]  # (T,P,3,3)
    capsules = Capsules(
        ends=(pair[..., :2] / far[..., None] - first) / step,
        # A sphere's picture is an ellipse a little larger than radius over depth.
        radius=1.06 * reach / (far - reach) / step + 0.5,
        start=(to_part @ -pair[:, :, 0, :, None])[..., 0],
        to_part=to_part,
        near=far.mean(axis=-1),  # rays start near the part: small numbers, exact roots
        length=parts.length,
        r0=parts.r0,
        r1=parts.r1,
        stretch=parts.depth,
        shine=parts.axes @ light,
    )
    depth, texel, lit = cast_capsules(
        capsules,
        size * supersample,
        first=(float(first[0]), float(first[1])),
        step=float(step),
        texels=texture,
        backend=backend,
    )
    index = np.flatnonzero(np.isfinite(depth))
    return Surface(depth, index, texel.reshape(-1)[index], lit.reshape(-1)[index])
