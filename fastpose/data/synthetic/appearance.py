"""Clothes, hair and skin of a synthetic actor, painted so that front and back can be told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastpose.data.synthetic.noise import color_distance, random_color, smooth_noise
from fastpose.data.synthetic.parts import PART, PARTS

TEXELS = (16, 32)  # V along a part from its bottom to its top, U around it from the front
_SKIN_LIGHT, _SKIN_DARK = np.array([0.95, 0.78, 0.67]), np.array([0.36, 0.22, 0.15])
_HAIR = np.array(
    [[0.08, 0.06, 0.05], [0.25, 0.15, 0.08], [0.75, 0.58, 0.32], [0.45, 0.2, 0.1], [0.6, 0.6, 0.6]]
)


@dataclass(frozen=True)
class Appearance:
    """How an actor looks.

    Args:
        texture: (P,V,U,3) colours in [0, 1] of all parts.
        colors: main colours (N,3) that a background should keep clear of.
        hair: overrides of the hair's shape (see ``place_parts``).
    """

    texture: np.ndarray
    colors: np.ndarray
    hair: dict[str, float]


class Canvas:
    """A texture (P,V,U,3) in the making.

    Attributes:
        texels: (V, U).
        v: (V,1) in [0, 1], from a part's bottom to its top.
        turn: (1,U) in [-2, 2), around a part: 0 in front, 2 at the back.
        aside: (1,U) its size.
        texture: what is painted so far.
    """

    def __init__(self, texels: tuple[int, int]) -> None:
        self.texels = texels
        self.v = ((np.arange(texels[0]) + 0.5) / texels[0])[:, None]
        self.turn = (((np.arange(texels[1]) + 0.5) / (texels[1] / 4) + 2) % 4 - 2)[None, :]
        self.aside = np.abs(self.turn)
        self.texture = np.zeros((len(PARTS), *texels, 3))

    def __call__(self, part: str, color: np.ndarray, where: np.ndarray | bool = True) -> None:
        canvas = self.texture[PART[part]]
        canvas[np.broadcast_to(where, self.texels)] = np.clip(color, 0, 1)


def draw_apart(
    rng: np.random.Generator, draw: Callable[[], np.ndarray], others: np.ndarray, least: float
) -> np.ndarray:
    """A drawn colour at least ``least`` away from all others, or the best of a dozen."""
    best, best_distance = draw(), -1.0
    for _ in range(12):
        color = draw()
        distance = float(color_distance(others, color).min())
        if distance > best_distance:
            best, best_distance = color, distance
        if distance >= least:
            break
    return best


def random_skin_and_hair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours (3,) of an actor's skin and hair."""
    tone = rng.uniform()
    skin = (1 - tone) * _SKIN_LIGHT + tone * _SKIN_DARK
    hair = np.clip(_HAIR[rng.integers(len(_HAIR))] + rng.normal(0, 0.03, 3), 0.02, 0.9)
    return skin, hair


def random_appearance(rng: np.random.Generator) -> Appearance:
    """Draw an actor's skin, hair and plain clothes."""
    skin, hair = random_skin_and_hair(rng)
    # Arms should stand out from the trunk, legs from it, and the back from the front.
    front = draw_apart(rng, lambda: random_color(rng, (0.3, 0.9), (0.3, 0.95)), skin[None], 0.3)
    back = draw_apart(
        rng, lambda: random_color(rng, (0.2, 0.8), (0.15, 0.9)), np.stack([front, skin]), 0.3
    )
    legs = draw_apart(
        rng, lambda: random_color(rng, (0.05, 0.7), (0.12, 0.8)), np.stack([front, back]), 0.3
    )
    sleeves = back if rng.uniform() < 0.5 else np.clip(0.75 * front, 0, 1)
    shoes = draw_apart(rng, lambda: random_color(rng, (0.0, 0.8), (0.1, 0.95)), legs[None], 0.3)
    paint = _Paint(rng)
    paint.trunk(front, back, legs)
    paint.head(skin, hair)
    long_sleeves, long_trousers = rng.uniform() < 0.55, rng.uniform() < 0.7
    for side in "lr":
        paint.arm(side, skin, sleeves, long_sleeves)
        paint.leg(side, skin, legs, long_trousers, shoes)
    style = rng.uniform()
    shape = {"start": 0.62, "shift": -0.018}
    if style < 0.35:
        shape = {"start": float(rng.uniform(-0.25, 0.25)), "shift": -0.034}  # long hair
    colors = np.stack([front, back, legs, sleeves, skin])
    return Appearance(paint.finish(), colors, shape)


class _Paint(Canvas):
    """Plain clothes in the making."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(TEXELS)
        self._rng = rng

    def trunk(self, front: np.ndarray, back: np.ndarray, legs: np.ndarray) -> None:
        style, accent = self._rng.integers(3), random_color(self._rng, (0, 0.5), (0.6, 1.0))
        for part in ("abdomen", "chest", "shoulders"):
            self(part, back)
            self(part, front, self.aside < 1)
        if style == 0:  # an open jacket over a shirt
            for part in ("abdomen", "chest"):
                self(part, accent, self.aside < 0.3)
        elif style == 1:  # a print on the chest
            self("chest", accent, (self.aside < 0.5) & (self.v > 0.35) & (self.v < 0.7))
        else:  # a number on the back
            self("chest", accent, (self.aside > 1.55) & (self.v > 0.3) & (self.v < 0.75))
        self("abdomen", legs, self.v < 0.34)  # below the waistband
        self("hips", legs)
        self("hips", 0.7 * legs, self.aside > 1.3)

    def head(self, skin: np.ndarray, hair: np.ndarray) -> None:
        self("neck", skin)
        self("nose", np.clip(skin * 1.05, 0, 1))
        self("hair", hair)
        self("head", hair)
        self("head", skin, (self.aside < 0.95) & (self.v < 0.74) | (self.v < 0.2))
        self(
            "head",
            0.35 * skin,
            (self.aside > 0.2) & (self.aside < 0.45) & (self.v > 0.47) & (self.v < 0.58),
        )
        self(
            "head", skin * [0.75, 0.45, 0.45], (self.aside < 0.3) & (self.v > 0.2) & (self.v < 0.3)
        )

    def arm(self, side: str, skin: np.ndarray, cloth: np.ndarray, long: bool) -> None:
        self(f"{side}_hand", skin)
        self(f"{side}_forearm", cloth if long else skin)
        self(f"{side}_forearm", skin, self.v < 0.1)
        self(f"{side}_upper_arm", skin)
        self(f"{side}_upper_arm", cloth, True if long else self.v > 0.35)

    def leg(
        self, side: str, skin: np.ndarray, cloth: np.ndarray, long: bool, shoes: np.ndarray
    ) -> None:
        for part, bare in ((f"{side}_shin", 0.12), (f"{side}_thigh", 0.0)):
            self(part, cloth)
            self(part, 0.8 * cloth, self.aside > 1)
            self(part, skin, bare > self.v)
        if not long:
            self(f"{side}_shin", skin, self.v > 0.25)
            self(f"{side}_shin", np.array([0.9, 0.9, 0.9]), self.v <= 0.25)  # socks
            self(f"{side}_thigh", skin, self.v < 0.4)
        self(f"{side}_foot", shoes)
        self(f"{side}_foot", 0.5 * shoes + 0.5, self.v > 0.72)  # toe caps point forward
        self(f"{side}_foot", np.array([0.85, 0.85, 0.85]), self.aside > 1.4)  # soles

    def finish(self) -> np.ndarray:
        """The texture with folds and dirt, float32."""
        for canvas in self.texture:
            canvas *= 1 + 0.05 * smooth_noise(self._rng, *TEXELS, 5)
        return np.clip(self.texture, 0, 1).astype(np.float32)
