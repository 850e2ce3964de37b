"""Drawing a shape template: its Gaussians, anchors, joints and limbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastpose.errors import UserError
from fastpose.media.drawing import (
    INK,
    MIDDLE,
    PAPER,
    Image,
    draw_line,
    draw_skeleton,
    draw_text,
    grid,
    side_colour,
)
from fastpose.media.images import write_image
from fastpose.templates import Template, load_template, save_template
from fastpose.templates.make import place_template
from fastpose.templates.published import read_published

_SIDE = 512


def draw_template(template: Template, *, side: int = _SIDE) -> Image:
    """Two pictures beside each other, uint8 (side, 2 side + gap, 3): parts, and joints.

    Left: every Gaussian in the colour of its side, anchors as dark dots, landmarks as light ones,
    and the parts' names. Right: the joints and limbs that are read out.
    """
    scale = side / template.size
    parts = _draw_parts(template, side)
    marks = len(template.anchors)
    for index, place in enumerate((template.points + 0.5) * scale - 0.5):
        draw_line(parts, place, place, INK, side / 70)
        draw_line(parts, place, place, MIDDLE if index < marks else PAPER, side / 110)
    for part, place in zip(template.parts, (template.centers + 0.5) * scale - 0.5, strict=True):
        x, y = int(place[0]) - 4 * len(part.name), int(place[1]) - 8
        parts = draw_text(parts, part.name, (max(2, min(x, side - 90)), max(0, y)), size=11)
    blank = np.full((side, side, 3), 255, dtype=np.uint8)
    joints = (template.joint_weights @ template.points + 0.5) * scale - 0.5
    figure = draw_skeleton(blank, joints, template.skeleton)
    for name, (x, y) in zip(template.joints, joints, strict=True):
        figure = draw_text(figure, name, (min(int(x) + 8, side - 80), max(0, int(y) - 7)), size=11)
    return grid([parts, figure], 2, gap=6)


def view_template(
    names: Sequence[str],
    out: str,
    *,
    span: tuple[float, float] | None = None,
    save: str | None = None,
) -> list[str]:
    """Read, draw and perhaps convert a template; what was done, line by line.

    Args:
        names: one name or file, or the published format's two files.
        out: the PNG to write.
        span: place it so that its joints reach from the one to the other share of the side.
        save: template file to write.

    Raises:
        UserError: more names than that, or what is wrong with the template or a path.
    """
    if len(names) == 1:
        template = load_template(names[0])
    elif len(names) == 2:
        template = read_published(names[0], names[1], name=Path(save or names[0]).stem)
    else:
        raise UserError(f"template: expected one name or file, or two files, got {len(names)}")
    if span is not None:
        name = Path(save).stem if save else template.name
        template = replace(place_template(template, top=span[0], bottom=span[1]), name=name)
    write_image(out, draw_template(template))
    done = [
        f"{template.name}: {len(template.parts)} parts, {len(template.anchors)} anchors, "
        f"{len(template.pairs)} pairs, {len(template.joints)} joints",
        f"picture: {out}",
    ]
    if save is not None:
        save_template(template, save)
        done.append(f"template: {save}")
    return done


def _draw_parts(template: Template, side: int) -> Image:
    """The Gaussians, each blended over the ones before it."""
    axis = (np.arange(side) + 0.5) * template.size / side - 0.5
    pixels = np.stack(np.meshgrid(axis, axis), axis=-1)
    picture = np.full((side, side, 3), 255.0)
    for part, covariance in zip(template.parts, template.covariances, strict=True):
        d = pixels - np.array(part.center)
        q = np.einsum("yxi,ij,yxj->yx", d, np.linalg.inv(covariance), d)
        alpha = 0.8 * np.exp(-0.5 * q)[..., None]
        picture += alpha * (np.array(side_colour(part.name)) - picture)
    return np.rint(picture).astype(np.uint8)
