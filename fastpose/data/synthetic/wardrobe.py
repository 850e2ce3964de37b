"""Outfits with patterns: shirts, sleeves and trousers of any length, dresses of infants, faces.

Finer paint than :mod:`~fastpose.data.synthetic.appearance`, whose plain clothes suit small frames.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastpose.data.synthetic.appearance import (
    Appearance,
    Canvas,
    draw_apart,
    random_skin_and_hair,
)
from fastpose.data.synthetic.noise import random_color, smooth_noise

TEXELS = (32, 64)
_WHITE = np.array([0.92, 0.92, 0.9])
# From the shoulder to the wrist and from the hip to the ankle: how far cloth may reach.
_SLEEVES, _TROUSERS = (0.12, 0.3, 0.5, 0.75, 0.97), (0.3, 0.5, 0.75, 0.93, 0.97)
_TRUNK = ("abdomen", "chest", "shoulders")

Pattern = Callable[[Canvas], np.ndarray]


def random_outfit(rng: np.random.Generator) -> Appearance:
    """Draw an adult's skin, hair, face and clothes."""
    skin, hair = random_skin_and_hair(rng)
    top = draw_apart(rng, lambda: random_color(rng, (0.1, 0.9), (0.25, 0.95)), skin[None], 0.3)
    legs = draw_apart(
        rng, lambda: random_color(rng, (0.05, 0.7), (0.1, 0.8)), np.stack([top, skin]), 0.3
    )
    back = draw_apart(
        rng, lambda: random_color(rng, (0.1, 0.9), (0.15, 0.9)), np.stack([top, skin]), 0.3
    )
    second = draw_apart(rng, lambda: random_color(rng, (0.0, 0.8), (0.1, 0.95)), top[None], 0.35)
    canvas = Canvas(TEXELS)
    pattern = random_pattern(rng)
    for part in _TRUNK:
        canvas(part, top)
        canvas(part, second, pattern(canvas))
        # The back of a jersey or rucksack, or else a yoke: front and back are told apart.
        canvas(part, back, canvas.aside > 1.0)
    _front(canvas, rng, top, second)
    sleeve, leg = rng.choice(_SLEEVES), rng.choice(_TROUSERS)
    on_sleeves = rng.uniform() < 0.6
    denim = random_pattern(rng) if rng.uniform() < 0.25 else _nowhere
    canvas("abdomen", legs, canvas.v < 0.3)
    canvas("abdomen", 0.4 * legs, (canvas.v > 0.27) & (canvas.v < 0.34))  # belt
    canvas("hips", legs)
    canvas("hips", 0.75 * legs, canvas.aside > 1.3)
    shoes = draw_apart(rng, lambda: random_color(rng, (0.0, 0.8), (0.1, 0.95)), legs[None], 0.3)
    socks = _WHITE if rng.uniform() < 0.5 else 0.5 * legs
    for side in "lr":
        for part, first in (("upper_arm", 0.0), ("forearm", 0.5)):
            down = first + 0.5 * (1 - canvas.v)
            canvas(f"{side}_{part}", skin)
            canvas(f"{side}_{part}", top, down < sleeve)
            if on_sleeves:
                canvas(f"{side}_{part}", second, (down < sleeve) & pattern(canvas))
            canvas(f"{side}_{part}", 0.6 * top, (down < sleeve) & (down > sleeve - 0.035))  # cuff
        _hand(canvas, side, skin)
        for part, first in (("thigh", 0.0), ("shin", 0.5)):
            down = first + 0.5 * (1 - canvas.v)
            canvas(f"{side}_{part}", skin)
            canvas(f"{side}_{part}", socks, down > 0.87)
            canvas(f"{side}_{part}", legs, down < leg)
            canvas(f"{side}_{part}", 1.25 * legs, (down < leg) & denim(canvas))
            canvas(f"{side}_{part}", 0.78 * legs, (down < leg) & (canvas.aside > 1.1))
            canvas(f"{side}_{part}", 0.6 * legs, (down < leg) & (np.abs(canvas.aside - 1) < 0.07))
        _shoe(canvas, side, shoes)
    shape = _head(canvas, rng, skin, hair)
    return Appearance(_worn(canvas, rng), np.stack([top, back, legs, second, skin]), shape)


def random_baby_clothes(rng: np.random.Generator) -> Appearance:
    """Draw an infant: a romper, a bodysuit with bare limbs, or a nappy alone."""
    skin, hair = random_skin_and_hair(rng)
    hair = 0.5 * hair + 0.5 * skin  # thin
    cloth = draw_apart(rng, lambda: random_color(rng, (0.1, 0.7), (0.45, 0.98)), skin[None], 0.35)
    second = draw_apart(rng, lambda: random_color(rng, (0.0, 0.7), (0.3, 0.95)), cloth[None], 0.25)
    canvas = Canvas(TEXELS)
    kind = rng.choice(["romper", "bodysuit", "nappy"], p=[0.5, 0.35, 0.15])
    pattern = random_pattern(rng)
    bare = kind == "nappy"
    for part in _TRUNK:
        canvas(part, skin if bare else cloth)
        if not bare:
            canvas(part, second, pattern(canvas))
            canvas(part, 0.7 * cloth, canvas.aside < 0.06)  # buttons
    canvas("hips", _WHITE if bare else cloth)
    canvas("abdomen", _WHITE if bare else cloth, canvas.v < 0.35)
    sleeve = 0.0 if bare else float(rng.choice([0.3, 0.55, 0.95]))
    leg = 0.95 if kind == "romper" else 0.0
    bare_feet = kind != "romper" or rng.uniform() < 0.3
    for side in "lr":
        for part, first, reach in (
            ("upper_arm", 0.0, sleeve),
            ("forearm", 0.5, sleeve),
            ("thigh", 0.0, leg),
            ("shin", 0.5, leg),
        ):
            down = first + 0.5 * (1 - canvas.v)
            canvas(f"{side}_{part}", skin)
            canvas(f"{side}_{part}", cloth, down < reach)
            canvas(f"{side}_{part}", second, (down < reach) & pattern(canvas))
            canvas(f"{side}_{part}", second, (down < reach) & (down > reach - 0.05))
        _hand(canvas, side, skin)
        canvas(f"{side}_foot", skin if bare_feet else 0.85 * cloth)
    _face(canvas, rng, skin, hair)
    colors = np.stack([skin if bare else cloth, second, skin, cloth, hair])
    return Appearance(_worn(canvas, rng), colors, {"start": 0.62, "shift": -0.022})


def _nowhere(canvas: Canvas) -> np.ndarray:
    return np.zeros(canvas.texels, bool)


def random_pattern(rng: np.random.Generator) -> Pattern:
    """Plain in a third of all draws; else stripes across or along, checks, or dots."""
    across, along = rng.uniform(1.5, 5.0), rng.uniform(0.8, 2.2)
    width, style = (
        rng.uniform(-0.4, 0.6),
        rng.choice(["plain", "across", "along", "checks", "dots"], p=[0.35, 0.25, 0.1, 0.15, 0.15]),
    )

    def pattern(canvas: Canvas) -> np.ndarray:
        rows = np.sin(2 * np.pi * across * canvas.v)
        columns = np.sin(2 * np.pi * along * canvas.turn)
        if style == "plain":
            return _nowhere(canvas)
        if style == "across":
            return rows > width
        if style == "along":
            return columns > width
        if style == "checks":
            return (rows > 0) ^ (columns > 0)
        return rows + columns > 1.1

    return pattern


def _front(canvas: Canvas, rng: np.random.Generator, top: np.ndarray, second: np.ndarray) -> None:
    """What only a front has: a zip, buttons, a print or a neckline."""
    style = rng.integers(4)
    if style == 0:
        for part in ("abdomen", "chest"):
            canvas(part, 0.35 * top, canvas.aside < 0.07)
    elif style == 1:
        canvas("chest", second, (canvas.aside < 0.5) & (canvas.v > 0.35) & (canvas.v < 0.7))
    elif style == 2:  # an open jacket
        for part in ("abdomen", "chest"):
            canvas(part, second, canvas.aside < 0.28)
    canvas("chest", 0.6 * top, canvas.aside < 0.8 * (canvas.v - 0.72))


def _hand(canvas: Canvas, side: str, skin: np.ndarray) -> None:
    canvas(f"{side}_hand", skin)
    fingers = (np.abs(np.sin(2 * np.pi * canvas.turn)) < 0.25) & (canvas.v < 0.55)
    canvas(f"{side}_hand", 0.8 * skin, fingers)


def _shoe(canvas: Canvas, side: str, color: np.ndarray) -> None:
    part = f"{side}_foot"
    canvas(part, color)
    canvas(part, 0.5 * color + 0.5, canvas.v > 0.74)  # toe cap
    canvas(part, _WHITE, (canvas.aside < 0.2) & (canvas.v > 0.3) & (canvas.v < 0.7))  # laces
    canvas(part, 0.9 * _WHITE, canvas.aside > 1.45)  # sole


def _face(canvas: Canvas, rng: np.random.Generator, skin: np.ndarray, hair: np.ndarray) -> None:
    v, aside = canvas.v, canvas.aside
    canvas("neck", skin)
    canvas("nose", np.clip(1.06 * skin, 0, 1))
    canvas("hair", hair)
    canvas("head", hair)
    canvas("head", skin, (aside < 0.95) & (v < 0.74) | (v < 0.2))
    canvas("head", 0.88 * skin, (np.abs(aside - 1.0) < 0.12) & (v > 0.38) & (v < 0.6))  # ears
    eyes = (aside > 0.2) & (aside < 0.46)
    canvas("head", _WHITE, eyes & (v > 0.49) & (v < 0.57))
    iris = random_color(rng, (0.2, 0.7), (0.1, 0.4))
    canvas("head", iris, (aside > 0.27) & (aside < 0.39) & (v > 0.48) & (v < 0.58))
    canvas("head", 0.6 * hair, (aside > 0.16) & (aside < 0.5) & (v > 0.6) & (v < 0.645))
    canvas("head", skin * [0.75, 0.42, 0.42], (aside < 0.26) & (v > 0.22) & (v < 0.285))


def _head(
    canvas: Canvas, rng: np.random.Generator, skin: np.ndarray, hair: np.ndarray
) -> dict[str, float]:
    """Face, beard, fringe or cap; returns the hair's shape."""
    v, aside = canvas.v, canvas.aside
    _face(canvas, rng, skin, hair)
    style = rng.uniform()
    if style < 0.12:
        canvas("head", 0.85 * hair, (aside < 0.9) & (v < 0.34))
        canvas("head", skin * [0.75, 0.42, 0.42], (aside < 0.22) & (v > 0.22) & (v < 0.27))
    elif style < 0.25:  # a cap
        color = random_color(rng, (0.3, 0.9), (0.2, 0.9))
        canvas("hair", color)
        canvas("head", color, v > 0.7)
    elif style < 0.5:
        canvas("head", hair, (aside < 0.95) & (v > 0.66))  # fringe
    if rng.uniform() < 0.15:  # glasses
        rim = (np.abs(aside - 0.33) < 0.17) & (v > 0.46) & (v < 0.6)
        inner = (np.abs(aside - 0.33) < 0.12) & (v > 0.485) & (v < 0.575)
        canvas("head", np.full(3, 0.08), rim & ~inner)
    canvas("hair", 0.8 * hair, np.sin(18 * canvas.turn + 5 * v) > 0.6)  # strands
    if rng.uniform() < 0.4:
        return {"start": float(rng.uniform(-0.35, 0.3)), "shift": -0.034}
    return {"start": 0.62, "shift": -0.018}


def _worn(canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """The texture (P,V,U,3) float32 with folds, coarse and fine."""
    for part in canvas.texture:
        part *= 1 + 0.05 * smooth_noise(rng, *TEXELS, 4) + 0.035 * smooth_noise(rng, *TEXELS, 11)
    return np.clip(canvas.texture, 0, 1).astype(np.float32)
