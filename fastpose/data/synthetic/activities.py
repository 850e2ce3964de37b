"""What synthetic actors do: each activity turns time into joint angles.

An activity is a function ``(rng, t (T,) seconds) -> {angle: degrees (T,)}``. It names only the
angles it moves; :mod:`~fastpose.data.synthetic.motion` adds a resting posture, small movements
and limits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Curves = dict[str, np.ndarray]
Activity = Callable[[np.random.Generator, np.ndarray], Curves]

ACTIVITIES: dict[str, Activity] = {}


def activity(function: Activity) -> Activity:
    """Register an activity under its function's name."""
    ACTIVITIES[function.__name__] = function  # type: ignore[attr-defined]
    return function


def wave_form(t: np.ndarray, frequency: float, phase: float) -> np.ndarray:
    """cos of a cycle; phase in turns."""
    return np.cos(2 * np.pi * (frequency * t + phase))


def pulse(cycle: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A smooth bump of height 1 around ``centre`` of a cycle measured in turns."""
    return np.exp((np.cos(2 * np.pi * (cycle - centre)) - 1) / (2 * np.pi * width) ** 2)


def ease(x: np.ndarray) -> np.ndarray:
    """Minimum-jerk ramp from 0 to 1 as x goes from 0 to 1."""
    x = np.clip(x, 0, 1)
    return x * x * x * (10 + x * (6 * x - 15))


def effort(rng: np.random.Generator, t: np.ndarray, seconds: tuple[float, float]) -> np.ndarray:
    """Repetitions: 0 to 1 and back, each of a length within ``seconds``, from a random moment."""
    period = rng.uniform(*seconds)
    return 0.5 - 0.5 * wave_form(t, 1 / period, rng.uniform())


# Arm postures: flexion, abduction, twist of the shoulder and flexion of the elbow, in degrees.
_ARMS = {
    "hang": (2, 9, 0, 15),
    "side": (0, 85, 10, 12),
    "front": (85, 8, 0, 12),
    "up": (160, 10, 0, 15),
    "out_up": (20, 135, 20, 20),
    "goalpost": (10, 82, 80, 85),
    "akimbo": (-12, 48, -52, 92),
    "belly": (18, 12, -48, 85),
    "ear": (55, 50, 0, 128),
    "offer": (35, 20, 10, 70),
    "back": (-35, 18, -10, 25),
    "point": (60, 45, 10, 8),
}
_ARM_ANGLES = ("shoulder_flex", "shoulder_abduct", "shoulder_twist", "elbow_flex")


def arm_posture(rng: np.random.Generator, names: tuple[str, ...] = ()) -> np.ndarray:
    """One of the named arm postures (all of them by default), with some freedom: (4,) degrees."""
    name = rng.choice(list(names or _ARMS))
    return np.array(_ARMS[str(name)], float) + rng.normal(0, (9, 7, 8, 9))


def move_arm(
    rng: np.random.Generator,
    t: np.ndarray,
    side: str,
    names: tuple[str, ...] = (),
    pause: tuple[float, float] = (0.3, 0.9),
) -> Curves:
    """An arm that goes from posture to posture, resting a little in each."""
    values = np.tile(arm_posture(rng, names), (len(t), 1))
    moment = rng.uniform(-0.5, 0.2)
    while moment < t[-1]:
        target, duration = arm_posture(rng, names), rng.uniform(0.5, 0.9)
        share = ease((t - moment) / duration)[:, None]
        values = values + share * (target - values)
        moment += duration + rng.uniform(*pause)
    return {f"{side}_{name}": values[:, i] for i, name in enumerate(_ARM_ANGLES)}


def _still_arm(rng: np.random.Generator, t: np.ndarray, side: str, *names: str) -> Curves:
    posture = arm_posture(rng, names)
    return {f"{side}_{n}": np.full(len(t), posture[i]) for i, n in enumerate(_ARM_ANGLES)}


def _leg_swing(cycle: np.ndarray, stance: float) -> np.ndarray:
    """1 at heel strike, -1 as the foot leaves the ground after the share ``stance`` of a cycle.

    Near a triangle: a foot on the ground goes back at a steady speed.
    """
    c = cycle % 1
    x = 2 * np.pi * np.where(c < stance, 0.5 * c / stance, 0.5 + 0.5 * (c - stance) / (1 - stance))
    return (np.cos(x) + np.cos(3 * x) / 9) / (1 + 1 / 9)


def _stride(
    rng: np.random.Generator,
    t: np.ndarray,
    *,
    rate: float,
    hip: float,
    knee: float,
    arm: float,
    stance: float,
) -> tuple[Curves, np.ndarray]:
    """Legs and arms of a gait; also the cycle of the left leg (0 = its heel strikes)."""
    cycle = rate * t + rng.uniform()
    curves: Curves = {}
    for side, shift in (("l", 0.0), ("r", 0.5)):
        c = cycle + shift
        swing = np.cos(2 * np.pi * c)
        curves[f"{side}_hip_flex"] = 0.22 * hip + hip * _leg_swing(c, stance)
        curves[f"{side}_knee_flex"] = 6 + 0.25 * knee * pulse(c, 0.13, 0.07)
        curves[f"{side}_knee_flex"] += knee * pulse(c, 0.73, 0.11)
        curves[f"{side}_shoulder_flex"] = -arm * swing
        curves[f"{side}_shoulder_abduct"] = np.full(len(t), rng.uniform(5, 14))
        curves[f"{side}_elbow_flex"] = 18 - 0.4 * arm * swing
    curves["spine_turn"] = 0.3 * hip * np.cos(2 * np.pi * cycle)
    return curves, cycle


@activity
def walk(rng: np.random.Generator, t: np.ndarray) -> Curves:
    curves, _ = _stride(
        rng,
        t,
        rate=rng.uniform(0.75, 1.05),
        hip=rng.uniform(19, 28),
        knee=rng.uniform(48, 64),
        arm=rng.uniform(12, 34),
        stance=0.6,
    )
    curves["pitch"] = np.full(len(t), rng.uniform(0, 5))
    return curves


@activity
def run(rng: np.random.Generator, t: np.ndarray) -> Curves:
    rate = rng.uniform(1.2, 1.5)
    curves, cycle = _stride(
        rng,
        t,
        rate=rate,
        hip=rng.uniform(28, 40),
        knee=rng.uniform(75, 105),
        arm=rng.uniform(25, 42),
        stance=0.45,
    )
    for side in "lr":
        curves[f"{side}_elbow_flex"] = curves[f"{side}_elbow_flex"] + rng.uniform(55, 75)
    curves["pitch"] = np.full(len(t), rng.uniform(5, 13))
    curves["jump"] = 0.05 * (0.5 - 0.5 * np.cos(4 * np.pi * (cycle - 0.15)))
    return curves


@activity
def march(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Stepping in place with knees up."""
    cycle = rng.uniform(0.7, 1.1) * t + rng.uniform()
    lift, arm = rng.uniform(35, 95), rng.uniform(10, 50)
    curves: Curves = {}
    for side, shift in (("l", 0.0), ("r", 0.5)):
        up = pulse(cycle + shift, 0.5, 0.13)
        curves[f"{side}_hip_flex"] = lift * up
        curves[f"{side}_knee_flex"] = 4 + (lift * 1.05 + 12) * up
        curves[f"{side}_shoulder_flex"] = arm * np.cos(2 * np.pi * (cycle + shift))
        curves[f"{side}_elbow_flex"] = np.full(len(t), rng.uniform(25, 80))
    return curves


@activity
def wave(rng: np.random.Generator, t: np.ndarray) -> Curves:
    curves: Curves = {}
    both = rng.uniform() < 0.2
    first = str(rng.choice(["l", "r"]))
    for side in "lr":
        if side == first or both:
            raised = ease((t - rng.uniform(-1.0, 0.6)) / rng.uniform(0.5, 0.8))
            beat = wave_form(t, rng.uniform(1.0, 1.8), rng.uniform())
            height = rng.uniform(60, 125)
            curves[f"{side}_shoulder_abduct"] = 10 + (height - 10) * raised
            curves[f"{side}_shoulder_flex"] = rng.uniform(-5, 30) * raised
            curves[f"{side}_shoulder_twist"] = (75 + 8 * beat) * raised
            curves[f"{side}_elbow_flex"] = 15 + (rng.uniform(35, 65) + 24 * beat) * raised
        else:
            curves |= _still_arm(rng, t, side, "hang", "hang", "akimbo", "belly")
    return curves


@activity
def gesture(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Talking with both hands."""
    return move_arm(rng, t, "l", pause=(0.0, 0.5)) | move_arm(rng, t, "r", pause=(0.0, 0.5))


@activity
def reach(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Reaching out and back with the trunk following, forward, up or down."""
    side = str(rng.choice(["l", "r"]))
    other = "r" if side == "l" else "l"
    sign = 1.0 if side == "l" else -1.0
    out = effort(rng, t, (1.6, 3.0))
    flex, abduct = rng.uniform(20, 160), rng.uniform(0, 60)
    down = max(0.0, (75 - flex) / 55)
    curves = _still_arm(rng, t, other, "hang", "hang", "offer", "akimbo")
    curves[f"{side}_shoulder_flex"] = flex * out
    curves[f"{side}_shoulder_abduct"] = 9 + (abduct - 9) * out
    curves[f"{side}_elbow_flex"] = 15 + 45 * out * (1 - out) * 4
    curves["spine_turn"] = -sign * rng.uniform(5, 22) * out
    curves["spine_bend"] = (8 + 22 * down) * out
    curves["pitch"] = (4 + 25 * down) * out
    curves |= _legs(curves["pitch"], rng.uniform(0, 40) * down * out)
    curves["neck_bend"] = (15 * down - 8) * out
    return curves


def _legs(pitch: np.ndarray, thigh: np.ndarray, shin: float = 0.25) -> Curves:
    """Both legs, feet flat: thighs ``thigh`` degrees forward, shins a share of that back."""
    back = shin * thigh
    return {
        f"{side}_{name}": value
        for side in "lr"
        for name, value in (("hip_flex", thigh + pitch), ("knee_flex", 3 + thigh + back))
    }


@activity
def bend(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Bending forward to the feet, or to one side."""
    s = effort(rng, t, (1.8, 3.2))
    if rng.uniform() < 0.35:
        sign = float(rng.choice([-1, 1]))
        side = sign * rng.uniform(20, 29) * s
        curves = {"spine_side": side, "roll": 0.3 * side, "neck_side": 0.4 * side}
        up = "r" if sign > 0 else "l"
        curves |= _still_arm(rng, t, "l" if sign > 0 else "r", "hang", "akimbo")
        curves[f"{up}_shoulder_abduct"] = 9 + rng.uniform(120, 155) * s
        curves[f"{up}_elbow_flex"] = 15 + 20 * s
        return curves
    pitch, spine = rng.uniform(25, 65) * s, rng.uniform(20, 55) * s
    curves = {"pitch": pitch, "spine_bend": spine, "neck_bend": rng.uniform(-15, 20) * s}
    curves |= _legs(pitch, rng.uniform(2, 30) * s)
    hang = rng.uniform(0.75, 1.1)
    for side_name in "lr":
        curves[f"{side_name}_shoulder_flex"] = hang * (pitch + spine)
        curves[f"{side_name}_elbow_flex"] = np.full(len(t), rng.uniform(5, 25))
    return curves


@activity
def squat(rng: np.random.Generator, t: np.ndarray) -> Curves:
    s = effort(rng, t, (1.4, 2.6))
    depth = rng.uniform(0.55, 1.0)
    pitch = 34 * depth * s
    curves = {"pitch": pitch, "spine_bend": 8 * depth * s}
    curves |= _legs(pitch, 84 * depth * s)
    wide, arms = rng.uniform(8, 22), str(rng.choice(["front", "side", "up", "belly"]))
    goal = {side: arm_posture(rng, (arms,)) for side in "lr"}
    for side in "lr":
        curves[f"{side}_hip_abduct"] = np.full(len(t), wide)
        curves[f"{side}_hip_twist"] = np.full(len(t), 0.8 * wide)
        for i, name in enumerate(_ARM_ANGLES):
            rest = _ARMS["hang"][i]
            curves[f"{side}_{name}"] = rest + (goal[side][i] - rest) * s
    return curves


@activity
def lunge(rng: np.random.Generator, t: np.ndarray) -> Curves:
    s = effort(rng, t, (1.8, 2.8))
    front, back = ("l", "r") if rng.uniform() < 0.5 else ("r", "l")
    depth, start = rng.uniform(0.6, 1.0), rng.uniform(0.25, 0.6)
    s = start + (1 - start) * s
    curves = {
        f"{front}_hip_flex": 70 * depth * s,
        f"{front}_knee_flex": 5 + 75 * depth * s,
        f"{back}_hip_flex": -22 * s,
        f"{back}_knee_flex": 5 + 50 * depth * s,
        "spine_bend": np.full(len(t), rng.uniform(-3, 6)),
    }
    names = ("akimbo", "front", "hang", "belly", "up")
    pose = str(rng.choice(names))
    return curves | move_arm(rng, t, "l", (pose,)) | move_arm(rng, t, "r", (pose,))


@activity
def turn(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Turning on the spot with small steps, the head first."""
    sign, angle = float(rng.choice([-1, 1])), rng.uniform(80, 220)
    begin, seconds = rng.uniform(-0.3, 0.4), rng.uniform(1.3, 2.0)
    share = ease((t - begin) / seconds)
    moving = pulse(share / 2, 0.25, 0.14)  # half-way through the turn the steps are highest
    cycle = 1.6 * t + rng.uniform()
    curves = {
        "yaw": sign * angle * share,
        "neck_turn": sign * 35 * moving,
        "spine_turn": sign * 12 * moving,
    }
    for side, shift in (("l", 0.0), ("r", 0.5)):
        up = pulse(cycle + shift, 0.5, 0.13) * moving
        curves[f"{side}_hip_flex"] = 24 * up
        curves[f"{side}_knee_flex"] = 4 + 46 * up
        curves |= move_arm(rng, t, side, ("hang", "hang", "offer", "belly", "akimbo"))
    return curves


@activity
def jumping_jack(rng: np.random.Generator, t: np.ndarray) -> Curves:
    rate, phase = rng.uniform(0.7, 1.1), rng.uniform()
    s = 0.5 - 0.5 * wave_form(t, rate, phase)
    top, legs = rng.uniform(110, 158), rng.uniform(14, 28)
    flight = np.sin(2 * np.pi * (rate * t + phase)) ** 2
    curves = {"jump": rng.uniform(0.03, 0.1) * flight}
    for side in "lr":
        curves[f"{side}_shoulder_abduct"] = 8 + (top - 8) * s
        curves[f"{side}_shoulder_twist"] = 20 * s
        curves[f"{side}_elbow_flex"] = 10 + 15 * s
        curves[f"{side}_hip_abduct"] = 2 + legs * s
        curves[f"{side}_knee_flex"] = 8 + 16 * (1 - flight)
        curves[f"{side}_hip_flex"] = 4 + 9 * (1 - flight)
    return curves


@activity
def kick(rng: np.random.Generator, t: np.ndarray) -> Curves:
    s = effort(rng, t, (1.3, 2.2))
    side = str(rng.choice(["l", "r"]))
    high = rng.uniform(45, 92)
    curves = {
        f"{side}_hip_flex": -14 + (high + 14) * s,
        f"{side}_knee_flex": 4 + 70 * pulse(s / 2, 0.22, 0.1) + 10 * (1 - s),
        "pitch": -8 * s,
    }
    pose = str(rng.choice(["offer", "side", "belly", "hang"]))
    return curves | move_arm(rng, t, "l", (pose,)) | move_arm(rng, t, "r", (pose,))


@activity
def box(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Punching with alternating fists from a guard."""
    cycle = rng.uniform(0.8, 1.3) * t + rng.uniform()
    target, guard = rng.uniform(65, 95), rng.uniform(20, 45)
    curves: Curves = {}
    for side, shift in (("l", 0.0), ("r", 0.5)):
        out = pulse(cycle + shift, 0.5, 0.12)
        curves[f"{side}_shoulder_flex"] = guard + (target - guard) * out
        curves[f"{side}_shoulder_abduct"] = 18 - 8 * out
        curves[f"{side}_shoulder_twist"] = -12 + 0 * out
        curves[f"{side}_elbow_flex"] = 118 - 108 * out
    curves["spine_turn"] = 18 * np.cos(2 * np.pi * cycle)
    curves |= _legs(np.zeros(len(t)), np.full(len(t), rng.uniform(5, 25)))
    return curves


@activity
def stretch(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Both arms through wide arcs."""
    s = effort(rng, t, (1.8, 3.2))
    if rng.uniform() < 0.5:
        return {
            f"{side}_{name}": value
            for side in "lr"
            for name, value in (("shoulder_abduct", 12 + 150 * s), ("elbow_flex", 10 + 15 * s))
        }
    lag = effort(rng, t, (1.8, 3.2))
    return {
        f"{side}_{name}": value
        for side, share in (("l", s), ("r", lag))
        for name, value in (("shoulder_flex", -10 + 170 * share), ("elbow_flex", 12 + 10 * share))
    }


@activity
def stand(rng: np.random.Generator, t: np.ndarray) -> Curves:
    curves = {"neck_turn": 45 * (2 * effort(rng, t, (2.5, 5)) - 1) * rng.uniform()}
    for side in "lr":
        curves |= _still_arm(rng, t, side, "hang", "hang", "akimbo", "belly", "ear", "offer")
    return curves
