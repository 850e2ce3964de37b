"""Cameras around a synthetic actor, and the square window that its frames are cut from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CameraConfig:
    """Which cameras look at the actors.

    Args:
        frontal: share of the clips seen from the front, within ``yaw_spread``.
        side: share of the clips seen from the left or right, within ``yaw_spread``. The rest has
            any yaw of the full turn.
        yaw_spread: standard deviation in degrees about the frontal and side views.
        pitch_std: standard deviation of the camera's elevation in degrees.
        roll_std: standard deviation of the camera's roll in degrees.
        fov: range of the camera's vertical field of view in degrees.
        person_in_view: range of the person's height as a share of the camera's whole view, from
            which the square window is cut. Assumed.
        person_in_window: range of the standing person's height as a share of the square window,
            kept where the motion fits.
        shift: how far the window may be off the motion's middle, 0 (centred) to 1 (to the edge).
    """

    frontal: float = 0.0
    side: float = 0.0
    yaw_spread: float = 15.0
    pitch_std: float = 10.0
    roll_std: float = 3.0
    fov: tuple[float, float] = (35.0, 65.0)
    person_in_view: tuple[float, float] = (0.35, 0.6)
    person_in_window: tuple[float, float] = (0.55, 0.9)
    shift: float = 0.5


@dataclass(frozen=True)
class Camera:
    """A pinhole camera whose picture is the square window of a clip.

    Args:
        rotation: (3,3) from world axes to camera axes (x right, y down, z forward).
        centre: (3,) position in the world, metres.
        focal: focal length in pixels of the window.
        principal: (2,) where the optical axis meets the window, pixels (may be outside).
        yaw: degrees from the person's front, towards the person's left.
    """

    rotation: np.ndarray
    centre: np.ndarray
    focal: float
    principal: np.ndarray
    yaw: float

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in camera space, metres."""
        return np.einsum("...j,ij->...i", points - self.centre, self.rotation)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-space points (..., 3) to pixels (..., 2)."""
        return self.focal * points[..., :2] / points[..., 2:] + self.principal


def _draw_yaw(rng: np.random.Generator, config: CameraConfig) -> float:
    kind, spread = rng.uniform(), rng.normal(0, config.yaw_spread)
    turn, sign = rng.uniform(-180, 180), rng.choice([-1.0, 1.0])
    if kind < config.frontal:
        return float(spread)
    if kind < config.frontal + config.side:
        return float(sign * 90 + spread)
    return float(turn)


def _look(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """World-to-camera rotation of a camera that looks at the person from ``yaw``, ``pitch`` up."""
    yaw, pitch, roll = np.deg2rad([yaw, pitch, roll])
    forward = -np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.sqrt((right**2).sum())
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * right + s * down, c * down - s * right, forward])


def random_camera(
    rng: np.random.Generator,
    config: CameraConfig,
    *,
    size: int,
    height: float,
    points: np.ndarray,
    radii: np.ndarray,
) -> Camera:
    """A camera, and a window of ``size`` pixels that holds all ``points`` in every frame.

    Args:
        rng: source of randomness.
        config: ranges.
        size: side of the window in pixels.
        height: the person's standing height in metres.
        points: (T,N,3) centres of spheres on the body, world space.
        radii: (N,) their radii in metres.
    """
    yaw = _draw_yaw(rng, config)
    pitch = float(np.clip(rng.normal(0, config.pitch_std), -25, 50))
    roll = float(rng.normal(0, config.roll_std))
    view = 2 * np.tan(np.deg2rad(rng.uniform(*config.fov)) / 2)  # of the view at one metre
    distance = height / (view * rng.uniform(*config.person_in_view))
    share, slack = (
        rng.uniform(*config.person_in_window),
        0.5 + 0.5 * config.shift * rng.uniform(-1, 1, 2),
    )
    middle = points.reshape(-1, 3)
    middle = 0.5 * (middle.min(axis=0) + middle.max(axis=0))
    nearest = np.sqrt(((points - middle) ** 2).sum(-1)).max() + radii.max()
    distance = max(distance, nearest + 0.3)
    # Stay at least a hand above the ground.
    pitch = max(pitch, float(np.rad2deg(np.arcsin(np.clip((0.1 - middle[1]) / distance, -1, 0)))))
    rotation = _look(yaw, pitch, roll)
    centre = middle - distance * rotation[2]
    unit = Camera(rotation, centre, 1.0, np.zeros(2), yaw)
    seen = unit.to_camera(points)
    flat, margin = seen[..., :2] / seen[..., 2:], (radii / (seen[..., 2] - radii))[..., None]
    low, high = (flat - margin).min(axis=(0, 1)), (flat + margin).max(axis=(0, 1))
    border = 0.02
    side = max(height / (distance * share), float((high - low).max()) / (1 - 2 * border))
    inset = border * side
    left_top = low - inset - slack * (side - 2 * inset - (high - low))
    focal = size / side
    return Camera(rotation, centre, float(focal), -left_top * focal - 0.5, yaw)
