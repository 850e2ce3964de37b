"""Templates from a stick figure, and templates brought to where people are in clips."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from fastpose.errors import UserError, nearest
from fastpose.templates import Part, Template

_LEAST_SPAN = 0.05  # of the side that a placed template is high
_ALONG = 0.35  # standard deviation of a bone's Gaussian, as a share of its length


def make_template(
    name: str,
    joints: Mapping[str, tuple[float, float]],
    bones: Mapping[str, tuple[str, str, float]],
    *,
    size: int = 256,
    tips: Collection[str] = (),
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> Template:
    """One Gaussian for each bone, an anchor at each of its ends.

    Args:
        name: of the template.
        joints: name to place, canvas pixels, (x, y).
        bones: part name to its two joints and its thickness, the standard deviation across. A bone
            that hangs on another one comes after it.
        size: side of the canvas in pixels.
        tips: joints at the end of one bone that are read out, but not held on the image: a part
            whose other end is a tip is free to turn about the first.
        groups: see :class:`Template`.

    Raises:
        UserError: a bone names an unknown joint or has no length, a tip is shared, or a joint
            belongs to no bone.
    """
    parts = []
    for bone, (a, b, thickness) in bones.items():
        for end in (a, b):
            if end not in joints:
                raise UserError(f"bone '{bone}': '{end}' is no joint{nearest(end, joints)}")
        ends = np.array([joints[a], joints[b]], dtype=np.float64)
        along = ends[1] - ends[0]
        length = float(np.hypot(*along))
        if length == 0.0:
            raise UserError(f"bone '{bone}': its joints '{a}' and '{b}' lie at the same place")
        center = ends.mean(axis=0)
        points = {end: (float(joints[end][0]), float(joints[end][1])) for end in (a, b)}
        parts.append(
            Part(
                bone,
                (float(center[0]), float(center[1])),
                (round(_ALONG * length, 3), thickness),
                round(float(np.arctan2(along[1], along[0])), 6),
                {end: place for end, place in points.items() if end not in tips},
                {end: place for end, place in points.items() if end in tips},
            )
        )
    uses = {joint: [bone for bone, ends in bones.items() if joint in ends[:2]] for joint in joints}
    for joint, users in uses.items():
        if not users:
            raise UserError(f"joint '{joint}': no bone ends there")
        if joint in tips and len(users) > 1:
            raise UserError(f"tip '{joint}': the bones {users[0]} and {users[1]} share it")
    return Template(
        name=name,
        size=size,
        parts=tuple(parts),
        pairs=hang_together(tuple(parts)),
        joints={joint: tuple(f"{bone}.{joint}" for bone in users) for joint, users in uses.items()},
        limbs=tuple(ends[:2] for ends in bones.values()),
        groups=groups or {},
    )


def place_template(
    template: Template, *, top: float, bottom: float, middle: float = 0.5
) -> Template:
    """The template in another size and place of its canvas.

    Training begins with the template as it is, and what it learns keeps its place on the body: one
    that lies 4 % too low at first is about 4 % too low at last.

    Args:
        template: what is moved and scaled.
        top, bottom: where its highest and lowest joints come to lie, shares of the side in [0, 1].
        middle: where the middle between its outermost joints comes to lie.

    Raises:
        UserError: it has no height, ``bottom`` is not below ``top``, or some of it leaves the
            canvas there.
    """
    joints = template.joint_weights @ template.points
    low, high = joints.min(axis=0), joints.max(axis=0)
    where = f"template '{template.name}', from {top:g} to {bottom:g} of the side"
    if not (top >= 0.0 and top + _LEAST_SPAN <= bottom <= 1.0 and high[1] > low[1]):
        raise UserError(
            f"{where}: the top is 0 or more, the bottom 1 or less, {_LEAST_SPAN:g} apart at least"
        )
    side = template.size
    scale = float((bottom - top) * side / (high[1] - low[1]))
    to = np.array([middle * side, top * side]) - 0.5
    origin = np.array([(low[0] + high[0]) / 2.0, low[1]])

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = to + scale * (np.array(point) - origin)
        return round(float(x), 3), round(float(y), 3)

    parts = tuple(
        replace(
            part,
            center=place(part.center),
            sigma=(round(scale * part.sigma[0], 3), round(scale * part.sigma[1], 3)),
            anchors={name: place(point) for name, point in part.anchors.items()},
            landmarks={name: place(point) for name, point in part.landmarks.items()},
        )
        for part in template.parts
    )
    try:
        return replace(template, parts=parts)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def hang_together(parts: tuple[Part, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of anchors: each part with the first earlier one that has an anchor at its place."""
    pairs = []
    for index, part in enumerate(parts):
        shared = (
            (f"{earlier.name}.{theirs}", f"{part.name}.{mine}")
            for mine, place in part.anchors.items()
            for earlier in parts[:index]
            for theirs, there in earlier.anchors.items()
            if there == place
        )
        first = next(shared, None)
        if first is not None:
            pairs.append(first)
    return tuple(pairs)
