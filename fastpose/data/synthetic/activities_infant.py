"""What infants do on their backs: kicking, arm movements, reaching, wriggling, resting.

Angles are those of a standing body; the whole body is then laid down. Ranges are assumed: chosen
to look like infants of about three months.
"""

from __future__ import annotations

import numpy as np

from fastpose.data.synthetic.activities import Activity, Curves, ease, effort, pulse, wave_form


def _curled(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """The posture of a lying infant: knees drawn up and apart, hands beside the head or chest."""
    still = np.ones(len(t))
    curves: Curves = {
        "spine_bend": rng.uniform(0, 10) * still,
        "spine_side": rng.uniform(-8, 8) * still,
        "neck_turn": rng.uniform(-40, 40) * still,
        "neck_bend": rng.uniform(0, 8) * still,
    }
    for side in "lr":
        thigh = rng.uniform(60, 100)
        curves[f"{side}_hip_flex"] = thigh * still
        curves[f"{side}_hip_abduct"] = rng.uniform(15, 40) * still
        curves[f"{side}_hip_twist"] = rng.uniform(10, 35) * still
        # The foot stays above the bed: the shin goes down no steeper than the thigh goes up.
        curves[f"{side}_knee_flex"] = thigh * rng.uniform(1.2, 1.4) * still
        beside_head = rng.uniform() < 0.6
        curves[f"{side}_shoulder_flex"] = rng.uniform(5, 20) * still
        curves[f"{side}_shoulder_abduct"] = (
            rng.uniform(70, 110) if beside_head else rng.uniform(25, 60)
        ) * still
        curves[f"{side}_shoulder_twist"] = (
            rng.uniform(20, 75) if beside_head else rng.uniform(-40, 0)
        ) * still
        curves[f"{side}_elbow_flex"] = rng.uniform(45, 100) * still
    return curves


def _kick(rng: np.random.Generator, curves: Curves, t: np.ndarray, vigour: float) -> None:
    """Both legs are stretched and drawn up again, in turn or together."""
    rate, phase = rng.uniform(0.5, 1.1) * (0.5 + 0.5 * vigour), rng.uniform()
    shift = 0.5 if rng.uniform() < 0.7 else 0.0
    for side, lag in (("l", 0.0), ("r", shift)):
        out = vigour * pulse(rate * t + phase + lag, 0.5, 0.16) * rng.uniform(0.8, 1.0)
        curves[f"{side}_hip_flex"] = curves[f"{side}_hip_flex"] * (1 - 0.8 * out)
        curves[f"{side}_knee_flex"] = curves[f"{side}_knee_flex"] * (1 - 0.93 * out)
        curves[f"{side}_hip_abduct"] = curves[f"{side}_hip_abduct"] * (1 - 0.4 * out)


def _wave_arms(rng: np.random.Generator, curves: Curves, t: np.ndarray, vigour: float) -> None:
    """Arms sweep from the chest to beside the head and stretch on the way."""
    for side in "lr":
        swing = wave_form(t, rng.uniform(0.4, 0.9) * (0.4 + 0.6 * vigour), rng.uniform())
        other = wave_form(t, rng.uniform(0.5, 1.0), rng.uniform())
        curves[f"{side}_shoulder_abduct"] = curves[f"{side}_shoulder_abduct"] + 28 * vigour * swing
        lift = 22 * vigour * (1 + other)
        curves[f"{side}_shoulder_flex"] = curves[f"{side}_shoulder_flex"] + lift
        curves[f"{side}_elbow_flex"] = curves[f"{side}_elbow_flex"] + 25 * vigour * other


def kick_legs(rng: np.random.Generator, t: np.ndarray) -> Curves:
    curves = _curled(rng, t)
    _kick(rng, curves, t, 1.0)
    _wave_arms(rng, curves, t, 0.35)
    return curves


def wave_arms(rng: np.random.Generator, t: np.ndarray) -> Curves:
    curves = _curled(rng, t)
    _kick(rng, curves, t, 0.3)
    _wave_arms(rng, curves, t, 1.0)
    return curves


def reach_up(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Both hands, or one, go up over the chest as if to a toy."""
    curves = _curled(rng, t)
    _kick(rng, curves, t, 0.4)
    up = effort(rng, t, (1.6, 3.0))
    for side in "lr" if rng.uniform() < 0.6 else str(rng.choice(["l", "r"])):
        for name, goal in (("flex", 75.0), ("abduct", 20.0), ("twist", 0.0)):
            start = curves[f"{side}_shoulder_{name}"]
            curves[f"{side}_shoulder_{name}"] = start + up * (goal + rng.normal(0, 8) - start)
        start = curves[f"{side}_elbow_flex"]
        curves[f"{side}_elbow_flex"] = start + up * (rng.uniform(15, 60) - start)
    return curves


def wriggle(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """The whole body bends from side to side and rolls a little; the head turns over."""
    curves = _curled(rng, t)
    _kick(rng, curves, t, 0.7)
    _wave_arms(rng, curves, t, 0.7)
    bend = wave_form(t, rng.uniform(0.2, 0.5), rng.uniform())
    curves["spine_side"] = curves["spine_side"] + 14 * bend
    curves["spine_turn"] = 12 * wave_form(t, rng.uniform(0.2, 0.5), rng.uniform())
    curves["yaw"] = rng.uniform(5, 14) * wave_form(t, rng.uniform(0.2, 0.4), rng.uniform())
    over = ease((t - rng.uniform(-0.5, 1.0)) / rng.uniform(0.8, 1.6))
    curves["neck_turn"] = curves["neck_turn"] * (1 - 2 * over)
    return curves


def rest(rng: np.random.Generator, t: np.ndarray) -> Curves:
    curves = _curled(rng, t)
    _kick(rng, curves, t, 0.12)
    _wave_arms(rng, curves, t, 0.1)
    return curves


INFANT: dict[str, Activity] = {
    "kick_legs": kick_legs,
    "wave_arms": wave_arms,
    "reach_up": reach_up,
    "wriggle": wriggle,
    "rest": rest,
}
