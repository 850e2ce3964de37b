"""Motion of synthetic actors: an activity's angles made into a path of joints on the ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fastpose.data.synthetic.activities import ACTIVITIES, Activity, Curves, move_arm
from fastpose.data.synthetic.activities_indoor import INDOOR
from fastpose.data.synthetic.activities_infant import INFANT
from fastpose.data.synthetic.body import ANKLE_HEIGHT, JOINT, LIMITS, Body, forward_kinematics
from fastpose.errors import lookup

KNOWN: dict[str, Activity] = ACTIVITIES | INDOOR | INFANT
_STEP_RATE = 60.0  # Hz; feet are followed at this rate or above, whatever the frame rate
_FEET = [JOINT[f"{side}_{name}"] for side in "lr" for name in ("ankle", "toe")]
_TOE_HEIGHT = 0.025
_ON_BED = np.array([joint in ("pelvis", "spine", "thorax") for joint in JOINT])
_BED = 0.105  # from the back's skin to the spine, metres at scale 1
# Slow random movement of a standing person, degrees.
_FIDGET = {
    "yaw": 2.5,
    "pitch": 1.0,
    "roll": 0.8,
    "spine_bend": 2.0,
    "spine_side": 1.5,
    "spine_turn": 2.0,
    "neck_bend": 4.0,
    "neck_side": 2.5,
    "neck_turn": 7.0,
    "shoulder_flex": 3.0,
    "shoulder_abduct": 2.5,
    "shoulder_twist": 3.0,
    "elbow_flex": 4.0,
    "hip_flex": 1.0,
    "knee_flex": 1.0,
}


@dataclass(frozen=True)
class BodyMotion:
    """Joints of one person over T frames, in world space (metres, y up, ground at y = 0).

    Args:
        positions: (T,19,3) joints of the ``mocap19`` skeleton.
        face: (T,3) unit direction of the face.
        activity: what the person does.
        scale: size of the body relative to 1.69 m.
        height: standing height in metres.
        lying: whether the person lies on the back, head towards -z, instead of standing.
    """

    positions: np.ndarray
    face: np.ndarray
    activity: str
    scale: float
    height: float
    lying: bool = False


def check_activities(names: tuple[str, ...]) -> tuple[str, ...]:
    """The named activities, the everyday ones for an empty tuple; UserError for an unknown one."""
    for name in names:
        lookup("activity", name, KNOWN)
    return names or tuple(ACTIVITIES)


def soft_limit(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep ``values`` strictly inside the limits: smooth, and changed in the outer 8 % only."""
    if not np.isfinite(low):
        return values
    margin = 0.08 * (high - low)
    over, under = np.maximum(values - (high - margin), 0), np.maximum(low + margin - values, 0)
    return (
        values - over + margin * np.tanh(over / margin) + under - margin * np.tanh(under / margin)
    )


def _resting(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """A relaxed stance, different in every clip."""
    rest: Curves = {name: np.zeros(len(t)) for name in LIMITS}
    stance, toes_out = rng.uniform(1, 8), rng.uniform(0, 14)
    rest["spine_bend"] += rng.uniform(-4, 7)
    rest["neck_bend"] += rng.uniform(-6, 10)
    for side in "lr":
        rest |= move_arm(rng, t, side, ("hang",), pause=(0.5, 1.5))
        rest[f"{side}_hip_abduct"] += stance
        rest[f"{side}_hip_twist"] += toes_out
        rest[f"{side}_knee_flex"] += 3.0
    return rest


def _fidget(rng: np.random.Generator, t: np.ndarray, amount: float) -> np.ndarray:
    waves = [
        np.sin(2 * np.pi * (rng.uniform(0.1, 0.6) * t + rng.uniform())) * rng.uniform(0.3, 0.8)
        for _ in range(2)
    ]
    return amount * (waves[0] + waves[1])


def activity_angles(rng: np.random.Generator, name: str, t: np.ndarray) -> Curves:
    """All joint angles (T,) in degrees, and ``jump`` in metres, of an activity at times ``t``.

    The angles are smooth in time and inside :data:`~fastpose.data.synthetic.body.LIMITS`.
    """
    angles = _resting(rng, t) | KNOWN[name](rng, t)
    for key in LIMITS:
        amount = _FIDGET.get(key.removeprefix("l_").removeprefix("r_"), 0.0)
        angles[key] = angles[key] + _fidget(rng, t, amount)
    for side in "lr":
        # Ankles keep the feet level as far as they can.
        level = angles["pitch"] - angles[f"{side}_hip_flex"] + angles[f"{side}_knee_flex"]
        angles[f"{side}_ankle_flex"] = 0.75 * level
    jump = angles.pop("jump", np.zeros(len(t)))
    limited = {key: soft_limit(angles[key], *LIMITS[key]) for key in LIMITS}
    return limited | {"jump": jump}


def place_on_ground(
    positions: np.ndarray, jump: np.ndarray, scale: float, travel: float, rate: float
) -> np.ndarray:
    """Move joints (T,19,3), given relative to the pelvis, to where they walk on the ground.

    The lowest foot touches y = 0 (raised by ``jump`` metres), and the foot that bears the weight
    stays about where it is. Where the path would leave a circle of diameter ``travel`` metres,
    all of it is shortened: the person then walks as on a treadmill. ``rate`` is in frames per
    second.
    """
    feet = positions[:, _FEET]  # l_ankle, l_toe, r_ankle, r_toe
    height = feet[..., 1] - scale * np.array([ANKLE_HEIGHT, _TOE_HEIGHT] * 2)
    softness = 0.008
    lowest = height.min(axis=1)
    lowest -= softness * np.log(np.exp((lowest[:, None] - height) / softness).sum(axis=1))
    lowest = _smooth(lowest[:, None], 0.045 * rate)[:, 0]  # knees and ankles soften the step
    middle = feet.reshape(-1, 2, 2, 3).mean(axis=2)[..., [0, 2]]  # each foot's (x, z)
    moved = np.diff(middle, axis=0)
    # A foot bears weight if it is low and does not swing to the front.
    hips = positions[1:, JOINT["l_hip"]] - positions[1:, JOINT["r_hip"]]
    front = np.stack([-hips[:, 2], hips[:, 0]], axis=1)
    front /= np.maximum(np.sqrt((front**2).sum(axis=1, keepdims=True)), 1e-9)
    swing = rate * np.maximum((moved * front[:, None]).sum(axis=-1), 0)
    height = height[1:].reshape(-1, 2, 2).min(axis=2)
    cost = height / 0.02 + swing / (0.3 * scale)
    weight = np.exp(cost.min(axis=1, keepdims=True) - cost)
    weight /= weight.sum(axis=1, keepdims=True)
    steps = _smooth(-(weight[..., None] * moved).sum(axis=1), 0.14 * rate)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    path -= path.mean(axis=0)
    reach = 2 * np.sqrt((path**2).sum(axis=1)).max()
    path *= min(1.0, travel / max(reach, 1e-9))
    offset = np.stack([path[:, 0], jump * scale - lowest, path[:, 1]], axis=1)
    return positions + offset[:, None]


def lay_down(positions: np.ndarray, face: np.ndarray, bed: float) -> tuple[np.ndarray, np.ndarray]:
    """Lay a standing body (T,19,3) on its back, head towards -z, its spine ``bed`` metres up.

    A body that rolls or stretches a limb down is raised by as much, so that nothing sinks.
    """

    def turn(v: np.ndarray) -> np.ndarray:
        return np.stack([v[..., 0], v[..., 2], -v[..., 1]], axis=-1)

    laid = turn(positions)
    height = laid[..., 1] - bed * np.where(_ON_BED, 1.0, 0.3)
    softness = 0.05 * bed
    lowest = -softness * np.log(np.exp(-height / softness).sum(axis=1))
    laid[..., 1] -= lowest[:, None]
    return laid, turn(face)


def _smooth(values: np.ndarray, width: float) -> np.ndarray:
    """Gaussian mean of ``values`` (T,D) over time; ``width`` is its deviation in samples."""
    reach = min(int(np.ceil(3 * width)), len(values) - 1)
    if reach < 1:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect")
    total = np.zeros_like(values)
    for i, weight in enumerate(kernel):
        total += weight * padded[i : i + len(values)]
    return total / kernel.sum()


def generate_motion(
    rng: np.random.Generator, body: Body, activity: str, *, frames: int, fps: float, travel: float
) -> BodyMotion:
    """A clip of ``frames`` frames of one activity; see :func:`place_on_ground` for ``travel``."""
    fine = int(np.ceil(_STEP_RATE / fps))
    t = np.arange((frames - 1) * fine + 1) / (fps * fine)
    angles: Mapping[str, np.ndarray] = activity_angles(rng, activity, t)
    positions, face = forward_kinematics(body, angles)
    lying = activity in INFANT
    if lying:
        positions, face = lay_down(positions, face, _BED * body.scale * body.girth["trunk"])
    else:
        positions = place_on_ground(positions, angles["jump"], body.scale, travel, fps * fine)
    return BodyMotion(positions[::fine], face[::fine], activity, body.scale, body.height, lying)
