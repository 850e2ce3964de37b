"""What people do in Human3.6M-like clips: twelve of its activities, those done standing or walking.

The names are the data set's own (Ionescu et al., PAMI 2014); the motion is made of the package's
own activities and postures, and resembles the recordings in kind only.
"""

from __future__ import annotations

import numpy as np

from fastpose.data.synthetic import activities as basic
from fastpose.data.synthetic.activities import Activity, Curves, ease, effort, move_arm, wave_form

_POINTING = ("point", "front", "side", "out_up", "offer")


def _sway(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Weight that goes from leg to leg, and a look around."""
    sway = wave_form(t, rng.uniform(0.1, 0.3), rng.uniform())
    bent = rng.uniform(4, 16)
    return {
        "roll": 2.5 * sway,
        "spine_side": -3.0 * sway,
        "l_knee_flex": 5 + bent * np.maximum(sway, 0) ** 2,
        "r_knee_flex": 5 + bent * np.maximum(-sway, 0) ** 2,
        "l_hip_flex": 2 + 0.5 * bent * np.maximum(sway, 0) ** 2,
        "r_hip_flex": 2 + 0.5 * bent * np.maximum(-sway, 0) ** 2,
        "neck_turn": rng.uniform(10, 35) * wave_form(t, rng.uniform(0.1, 0.25), rng.uniform()),
    }


def _sides(rng: np.random.Generator) -> tuple[str, str]:
    return ("l", "r") if rng.uniform() < 0.35 else ("r", "l")  # most people are right-handed


def _one_handed(
    rng: np.random.Generator, t: np.ndarray, postures: tuple[str, ...], rest: tuple[float, float]
) -> Curves:
    """One hand goes through ``postures``; the other rests."""
    busy, idle = _sides(rng)
    curves = _sway(rng, t) | move_arm(rng, t, busy, postures, rest)
    return curves | move_arm(rng, t, idle, ("hang", "hang", "belly"), (0.5, 2.0))


def directions(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Showing the way: an arm points here and there and the trunk turns with it."""
    curves = _one_handed(rng, t, (*_POINTING, "hang"), (0.3, 1.0))
    curves["spine_turn"] = rng.uniform(5, 20) * wave_form(t, rng.uniform(0.1, 0.3), rng.uniform())
    return curves


def discussion(rng: np.random.Generator, t: np.ndarray) -> Curves:
    return _sway(rng, t) | basic.gesture(rng, t)


def greeting(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Waving, or a bow with an offered hand."""
    if rng.uniform() < 0.6:
        return _sway(rng, t) | basic.wave(rng, t)
    curves = _one_handed(rng, t, ("offer", "front", "hang"), (0.3, 0.8))
    bow = effort(rng, t, (2.0, 3.5))
    return curves | {"spine_bend": 18 * bow, "neck_bend": 20 * bow}


def phoning(rng: np.random.Generator, t: np.ndarray) -> Curves:
    return _one_handed(rng, t, ("ear",), (0.8, 2.0))


def photo(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Both hands hold a camera before the face."""
    up = ease((t - rng.uniform(-1.2, 0.4)) / rng.uniform(0.5, 0.9))
    curves = _sway(rng, t) | {"neck_bend": 8 * up, "spine_bend": rng.uniform(-4, 10) * up}
    for side in "lr":
        curves[f"{side}_shoulder_flex"] = 5 + rng.uniform(50, 65) * up
        curves[f"{side}_shoulder_abduct"] = 9 + rng.uniform(5, 15) * up
        curves[f"{side}_shoulder_twist"] = -25 * up
        curves[f"{side}_elbow_flex"] = 15 + rng.uniform(85, 105) * up
    return curves


def posing(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Posture after posture, each held for a while."""
    curves = _sway(rng, t)
    for side in "lr":
        curves |= move_arm(rng, t, side, pause=(0.8, 2.0))
        curves[f"{side}_hip_abduct"] = np.full(len(t), rng.uniform(0, 14))
    curves["spine_turn"] = rng.uniform(5, 25) * wave_form(t, 0.2, rng.uniform())
    return curves


def purchases(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Reaching for things at any height, or carrying them."""
    if rng.uniform() < 0.6:
        return basic.reach(rng, t)
    return _walk_with(rng, t, "offer")


def smoking(rng: np.random.Generator, t: np.ndarray) -> Curves:
    return _one_handed(rng, t, ("ear", "hang", "belly", "offer"), (0.5, 1.2))


def waiting(rng: np.random.Generator, t: np.ndarray) -> Curves:
    return basic.stand(rng, t) | _sway(rng, t)


def _walk_with(rng: np.random.Generator, t: np.ndarray, posture: str) -> Curves:
    busy, _ = _sides(rng)
    return basic.walk(rng, t) | move_arm(rng, t, busy, (posture,), (0.5, 1.5))


def walk_dog(rng: np.random.Generator, t: np.ndarray) -> Curves:
    return _walk_with(rng, t, "offer")


def walk_together(rng: np.random.Generator, t: np.ndarray) -> Curves:
    """Walking with the head turned to somebody beside."""
    curves = basic.walk(rng, t)
    curves["neck_turn"] = float(rng.choice([-1, 1])) * rng.uniform(15, 50) * effort(rng, t, (2, 4))
    return curves


INDOOR: dict[str, Activity] = {
    "Directions": directions,
    "Discussion": discussion,
    "Greeting": greeting,
    "Phoning": phoning,
    "Photo": photo,
    "Posing": posing,
    "Purchases": purchases,
    "Smoking": smoking,
    "Waiting": waiting,
    "WalkDog": walk_dog,
    "Walking": basic.walk,
    "WalkTogether": walk_together,
}
