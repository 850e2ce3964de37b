"""Cameras around a synthetic actor, and the square window that its frames are cut from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class CameraConfig:
    """Which cameras look at the actors.

    Args:
        frontal: share of the clips seen from the front, within ``yaw_spread``.
        side: share of the clips seen from the left or right, within ``yaw_spread``. The rest has
            any yaw of the full turn.
        yaw_spread: standard deviation in degrees about the frontal and side views.
        elevation: mean of the camera's elevation in degrees; 90 looks straight down.
        pitch_std: standard deviation of the camera's elevation in degrees.
        roll_std: standard deviation of the camera's roll in degrees.
        fov: range of the camera's vertical field of view in degrees.
        person_in_view: range of the person's height as a share of the camera's whole view, from
            which the square window is cut. Assumed.
        person_in_window: range of the standing person's height as a share of the square window,
            kept where the motion fits.
        shift: how far the window may be off the motion's middle, 0 (centred) to 1 (to the edge).
        directions: where fixed cameras stand, degrees from the world's z axis towards its x axis.
            Without any, every clip has a camera of its own, as said above; with some, they have
            the same place in all clips of a seed, look at the world's origin at half their
            height, and only ``person_in_window`` and ``shift`` still count.
        window: side in metres of what a camera films about the world's origin in all clips of a
            person, so that these share their background; without ``directions`` every person has
            one camera. 0: a window around each motion.
        distance: of the fixed cameras from the vertical axis through the origin, metres.
        eye: height of the fixed cameras above the ground, metres.
    """

    frontal: float = 0.0
    side: float = 0.0
    yaw_spread: float = 15.0
    elevation: float = 0.0
    pitch_std: float = 10.0
    roll_std: float = 3.0
    fov: tuple[float, float] = (35.0, 65.0)
    person_in_view: tuple[float, float] = (0.35, 0.6)
    person_in_window: tuple[float, float] = (0.55, 0.9)
    shift: float = 0.5
    directions: tuple[float, ...] = ()
    window: float = 0.0
    distance: float = 4.5
    eye: float = 1.6


@dataclass(frozen=True)
class Camera:
    """A pinhole camera whose picture is the square window of a clip.

    Args:
        rotation: (3,3) from world axes to camera axes (x right, y down, z forward).
        centre: (3,) position in the world, metres.
        focal: focal length in pixels of the window.
        principal: (2,) where the optical axis meets the window, pixels (may be outside).
        yaw: degrees from the world's z axis, which a person faces at first, towards its x axis,
            the person's left.
    """

    rotation: np.ndarray
    centre: np.ndarray
    focal: float
    principal: np.ndarray
    yaw: float

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) in camera space, metres."""
        return np.einsum("...j,ij->...i", points - self.centre, self.rotation)

    def turn(self, directions: np.ndarray) -> np.ndarray:
        """World directions (..., 3) in camera space."""
        return np.einsum("...j,ij->...i", directions, self.rotation)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-space points (..., 3) to pixels (..., 2)."""
        return self.focal * points[..., :2] / points[..., 2:] + self.principal

    def intrinsics(self) -> np.ndarray:
        """(3,3) matrix that takes camera space to homogeneous pixels."""
        x, y = self.principal
        return np.array([[self.focal, 0.0, x], [0.0, self.focal, y], [0.0, 0.0, 1.0]])

    def rays(self, size: int, samples: int = 1) -> np.ndarray:
        """(nS,nS,3) directions in camera space, z = 1, of a window of ``size`` S pixels.

        ``samples`` n lie along each side of a pixel.
        """
        at = (np.arange(size * samples) + 0.5) / samples - 0.5
        x, y = ((at - middle) / self.focal for middle in self.principal)
        u, v = np.meshgrid(x, y)
        return np.stack([u, v, np.ones_like(u)], axis=-1)


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
    view: int | None = None,
    middle: np.ndarray | None = None,
) -> Camera:
    """A camera, and a window of ``size`` pixels that holds all ``points`` in every frame.

    A window that is the same in all clips (``config.window``) holds what it holds.

    Args:
        rng: source of randomness.
        config: ranges.
        size: side of the window in pixels.
        height: the person's standing height in metres.
        points: (T,N,3) centres of spheres on the body, world space.
        radii: (N,) their radii in metres.
        view: number of the fixed camera, where there are any.
        middle: (3,) what the camera looks at, from wherever it stands; by default the middle of
            ``points``, from farther away where it would be too near to them.
    """
    if view is not None:
        pose = fixed_pose(config, view)
        if config.window:
            return _look_at_window(pose, size, config.distance / config.window)
        far = float(pose.to_camera(points)[..., 2].mean())
        share, slack = _draw_window(rng, config)
        return _cut_window(pose, size, height / (far * share), points, radii, slack)
    yaw = _draw_yaw(rng, config)
    steepest = max(50.0, min(config.elevation + 25, 90.0))
    pitch = float(np.clip(config.elevation + rng.normal(0, config.pitch_std), -25, steepest))
    roll = float(rng.normal(0, config.roll_std))
    across = 2 * np.tan(np.deg2rad(rng.uniform(*config.fov)) / 2)  # of the view at one metre
    distance = height / (across * rng.uniform(*config.person_in_view))
    share, slack = _draw_window(rng, config)
    if middle is not None:
        aim = middle
    else:
        aim = 0.5 * (points.min(axis=(0, 1)) + points.max(axis=(0, 1)))
        nearest = np.sqrt(((points - aim) ** 2).sum(-1)).max() + radii.max()
        distance = max(distance, nearest + 0.3)
    # Stay at least a hand above the ground.
    pitch = max(pitch, float(np.rad2deg(np.arcsin(np.clip((0.1 - aim[1]) / distance, -1, 0)))))
    rotation = _look(yaw, pitch, roll)
    centre = aim - distance * rotation[2]
    unit = Camera(rotation, centre, 1.0, np.zeros(2), yaw)
    if config.window:
        return _look_at_window(unit, size, distance / config.window)
    return _cut_window(unit, size, height / (distance * share), points, radii, slack)


def fixed_pose(config: CameraConfig, view: int) -> Camera:
    """Place and direction of the fixed camera ``view``; its focal length is 1."""
    yaw = config.directions[view]
    pitch = float(np.rad2deg(np.arctan2(0.5 * config.eye, config.distance)))
    rotation = _look(yaw, pitch, 0.0)
    around = np.deg2rad(yaw)
    x, z = config.distance * np.sin(around), config.distance * np.cos(around)
    return Camera(rotation, np.array([x, config.eye, z]), 1.0, np.zeros(2), yaw)


def _draw_window(rng: np.random.Generator, config: CameraConfig) -> tuple[float, np.ndarray]:
    """The person's share of the window, and the share (2,) of its slack left of and above them."""
    share = rng.uniform(*config.person_in_window)
    return share, 0.5 + 0.5 * config.shift * rng.uniform(-1, 1, 2)


def _look_at_window(unit: Camera, size: int, away: float) -> Camera:
    """A camera of focal length 1 with a window about its axis, ``away`` of its own sides away."""
    return replace(unit, focal=float(size * away), principal=np.full(2, 0.5 * size - 0.5))


def _cut_window(
    unit: Camera,
    size: int,
    side: float,
    points: np.ndarray,
    radii: np.ndarray,
    slack: np.ndarray,
) -> Camera:
    """A window of a camera of focal length 1, ``side`` wide at one metre if that holds all."""
    seen = unit.to_camera(points)
    flat, margin = seen[..., :2] / seen[..., 2:], (radii / (seen[..., 2] - radii))[..., None]
    low, high = (flat - margin).min(axis=(0, 1)), (flat + margin).max(axis=(0, 1))
    border = 0.02
    side = max(side, float((high - low).max()) / (1 - 2 * border))
    inset = border * side
    left_top = low - inset - slack * (side - 2 * inset - (high - low))
    focal = size / side
    return replace(unit, focal=float(focal), principal=-left_top * focal - 0.5)
