"""Drawing on RGB uint8 pictures: skeletons, text, grids and contact sheets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from fastpose.skeletons import End, Skeleton

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

LEFT: Colour = (255, 145, 30)  # the person's own left: orange
RIGHT: Colour = (40, 160, 255)  # the person's own right: blue
MIDDLE: Colour = (150, 230, 90)
INK: Colour = (25, 25, 25)
PAPER: Colour = (255, 255, 255)


def draw_skeleton(
    image: Image,
    points: NDArray[np.floating],
    skeleton: Skeleton,
    *,
    confidence: NDArray[np.floating] | None = None,
    threshold: float = 0.0,
    width: float | None = None,
) -> Image:
    """Draws limbs and joints over a copy of ``image``, antialiased and coloured by side.

    Args:
        image: RGB uint8 (H, W, 3).
        points: (K, 2) pixels of ``image``, x before y; rows that are not finite are left out.
        skeleton: Names the joints and limbs; a limb whose end is a mean needs all joints of it.
        confidence: (K,) in [0, 1]; joints below ``threshold`` and their limbs are left out.
        threshold: See ``confidence``.
        width: Width of the limbs in pixels; by default 1/90 of the longer side, at least 1.5.

    Returns:
        A new picture of the same shape.
    """
    points = np.asarray(points, dtype=np.float64)
    count = len(skeleton.joints)
    if points.shape != (count, 2):
        raise ValueError(f"points: expected ({count}, 2) for '{skeleton.name}', got {points.shape}")
    shown: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
    if confidence is not None:
        shown &= np.asarray(confidence) >= threshold
    out = np.array(image, dtype=np.uint8)
    thick = max(1.5, max(out.shape[:2]) / 90) if width is None else width
    for (first, second), group in zip(skeleton.limbs, skeleton.limb_groups, strict=True):
        if shown[list(_joints(first))].all() and shown[list(_joints(second))].all():
            draw_line(out, _place(points, first), _place(points, second), side_colour(group), thick)
    for joint, point, visible in zip(skeleton.joints, points, shown, strict=True):
        if visible:
            draw_line(out, point, point, PAPER, thick * 1.7)
            draw_line(out, point, point, side_colour(joint), thick * 1.2)
    return out


def draw_line(
    image: Image,
    first: NDArray[np.floating] | Sequence[float],
    second: NDArray[np.floating] | Sequence[float],
    colour: Colour,
    width: float,
) -> None:
    """Draws one antialiased line with round ends INTO ``image``; both ends equal give a disc.

    Parts outside the picture are clipped. Ends are pixels, x before y.
    """
    (ax, ay), (bx, by) = (float(v) for v in first), (float(v) for v in second)
    if abs(bx - ax) > abs(by - ay):  # walk along the longer side, on a transposed view
        image, ax, ay, bx, by = image.transpose(1, 0, 2), ay, ax, by, bx
    reach = width / 2 + 1
    height, columns = image.shape[:2]
    low, high = min(ay, by), max(ay, by)
    y = np.arange(max(0, int(low - reach)), min(height, int(high + reach) + 1))[:, None]
    length = math.hypot(bx - ax, by - ay)
    slope = (bx - ax) / (by - ay) if length > 0 else 0.0  # at most 1
    half = reach * math.hypot(1.0, slope)
    strip = min(int(2 * half) + 2, columns)  # the only columns of a row that the line can touch
    left = (ax - half) + slope * (y.clip(low, high) - ay)
    x = left.clip(0, columns - strip).astype(np.int64) + np.arange(strip)
    dx, dy = x - ax, y - ay
    if length > 0:
        ux, uy = (bx - ax) / length, (by - ay) / length
        t = (dx * ux + dy * uy).clip(0.0, length)
        dx, dy = dx - t * ux, dy - t * uy
    alpha = (width / 2 + 0.5 - np.sqrt(dx * dx + dy * dy)).clip(0.0, 1.0)[..., None]
    patch = image[y, x]
    image[y, x] = np.rint(patch + alpha * (np.array(colour) - patch)).astype(np.uint8)


def draw_box(image: Image, box: Sequence[float], colour: Colour = LEFT, width: float = 1.5) -> None:
    """Draws the rectangle (x0, y0, x1, y1), in pixels, INTO ``image``."""
    x0, y0, x1, y1 = box
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    for corner, following in zip(corners, corners[1:] + corners[:1], strict=True):
        draw_line(image, corner, following, colour, width)


def text_size(text: str, size: int = 12) -> tuple[int, int]:
    """(width, height) in pixels that :func:`draw_text` needs; the height is that of any text."""
    return int(np.ceil(_font(size).getlength(text))), int(np.ceil(size * 1.35))


def draw_text(
    image: Image,
    text: str,
    position: tuple[int, int],
    *,
    size: int = 12,
    colour: Colour = INK,
    background: Colour | None = None,
) -> Image:
    """Writes one line of text with its top left corner at ``position`` (x, y); a new picture.

    ``background`` paints a plate behind the text, so that it can be read on any picture.
    """
    picture = PIL.Image.fromarray(np.ascontiguousarray(image))
    pen = PIL.ImageDraw.Draw(picture)
    if background is not None:
        width, height = text_size(text, size)
        x, y = position
        pen.rectangle((x - 2, y, x + width + 2, y + height), fill=background)
    pen.text(position, text, fill=colour, font=_font(size))
    return np.array(picture, dtype=np.uint8)


def grid(images: Sequence[Image], columns: int, *, gap: int = 2, paper: Colour = PAPER) -> Image:
    """Lays pictures of one size (H, W, 3) out in rows of ``columns``, ``gap`` pixels apart."""
    if not images or columns < 1:
        raise ValueError(f"grid: needs pictures and columns, got {len(images)} and {columns}")
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    sheet = np.empty(shape, dtype=np.uint8)
    sheet[:] = paper
    for i, image in enumerate(images):
        if image.shape != images[0].shape:
            raise ValueError(f"grid: picture {i} is {image.shape}, expected {images[0].shape}")
        y, x = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet


def contact_sheet(
    rows: Sequence[tuple[str, Sequence[Image]]], *, title: str = "", gap: int = 2, text: int = 12
) -> Image:
    """A white sheet with one captioned row of equal pictures each; rows may differ in length.

    Args:
        rows: (caption, pictures) pairs; a row without pictures is a heading.
        title: A larger line at the top.
        gap: Pixels between pictures.
        text: Height of the captions in pixels.
    """
    if not rows:
        raise ValueError("contact_sheet: needs at least one row")
    strips = [grid(images, len(images), gap=gap) if images else None for _, images in rows]
    captions = [text_size(caption, text)[0] for caption, _ in rows]
    widths = [s.shape[1] for s in strips if s is not None]
    width = max([*widths, *captions, text_size(title, text + 4)[0]]) + 2 * gap + 4
    line = text_size("", text)[1] + 2
    head = text_size("", text + 4)[1] + 4 if title else gap
    total = head + sum(line + (0 if s is None else s.shape[0] + gap) for s in strips) + gap
    sheet = np.full((total, width, 3), 255, dtype=np.uint8)
    if title:
        sheet = draw_text(sheet, title, (gap + 2, 2), size=text + 4)
    y = head
    for (caption, _), strip in zip(rows, strips, strict=True):
        sheet = draw_text(sheet, caption, (gap + 2, y), size=text)
        y += line
        if strip is not None:
            sheet[y : y + strip.shape[0], gap : gap + strip.shape[1]] = strip
            y += strip.shape[0] + gap
    return sheet


def side_colour(name: str) -> Colour:
    """Colour of what ``name`` names, by its ``l_`` or ``r_``."""
    return LEFT if name.startswith("l_") else RIGHT if name.startswith("r_") else MIDDLE


def _joints(end: End) -> tuple[int, ...]:
    return end if isinstance(end, tuple) else (end,)


def _place(points: NDArray[np.float64], end: End) -> NDArray[np.float64]:
    return points[list(_joints(end))].mean(axis=0)


@lru_cache(maxsize=16)
def _font(size: int) -> PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont:
    return PIL.ImageFont.load_default(size)
