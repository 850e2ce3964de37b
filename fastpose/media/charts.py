"""Charts as RGB uint8 pictures: curves and bars, with axes and a legend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fastpose.media.drawing import INK, Colour, Image, draw_line, draw_text, text_size

# Told apart by people who see no red or green too (Okabe, Ito, "Color universal design", 2008).
COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
)
_GRID: Colour = (225, 225, 225)
_TEXT, _TITLE = 12, 15


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str,
    x_label: str,
    y_label: str,
    y_top: float | None = None,
    size: tuple[int, int] = (720, 480),
) -> Image:
    """Curves of (x, y) points by name; values that are not finite leave a gap.

    Args:
        series: name -> (x, y), each of one length.
        title: above the chart.
        x_label: below it.
        y_label: at its top left.
        y_top: where the axis of y ends; None: at the largest value.
        size: (width, height) in pixels.

    Raises:
        ValueError: no series, lengths that differ, or nothing finite to draw.
    """
    lines = {
        n: (np.asarray(x, np.float64), np.asarray(y, np.float64)) for n, (x, y) in series.items()
    }
    for name, (x, y) in lines.items():
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(
                f"series '{name}' must have as many x as y, got {x.shape} and {y.shape}"
            )
    box = (64, 60 + 18 * len(lines), size[0] - 24, size[1] - 48)
    chart, to_x, to_y = _axes(
        [x for x, _ in lines.values()], [y for _, y in lines.values()], y_top, box, size, title
    )
    chart = _labels(chart, box, x_label, y_label, list(lines))
    for at, ((x, y), colour) in enumerate(zip(lines.values(), _cycle(len(lines)), strict=True)):
        wide = 2.2 + 2.0 * (len(lines) - 1 - at)  # a curve under another one still shows
        shown = np.isfinite(x) & np.isfinite(y)
        places = [(to_x(a), to_y(b)) if s else None for a, b, s in zip(x, y, shown, strict=True)]
        for start, end in zip(places, [*places[1:], None], strict=True):
            if start is not None:  # a point between two gaps is a dot
                draw_line(chart, start, end or start, colour, wide)
    return chart


def bar_chart(
    names: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    unit: str,
    width: int = 720,
) -> Image:
    """Horizontal bars: for each name one of each series, with its value written beside it.

    Args:
        names: of the rows.
        series: name -> a value for each row, at least 0; what is not finite is written as "-".
        title: above the chart.
        unit: of the values, in the legend.
        width: in pixels; the height follows from the rows.

    Raises:
        ValueError: no row or series, or a series with another number of values than rows.
    """
    values = {name: np.asarray(v, np.float64) for name, v in series.items()}
    if not names or not values:
        raise ValueError(f"names and series must not be empty, got {len(names)} and {len(values)}")
    for name, row in values.items():
        if row.shape != (len(names),):
            raise ValueError(f"series '{name}' must have {len(names)} values, got {row.shape}")
    thick = 14
    head = 40 + 18 * len(values)
    step = thick * len(values) + 8
    left = max(text_size(name, _TEXT)[0] for name in names) + 16
    right = width - 70
    known = [row[np.isfinite(row)] for row in values.values()]
    top = max((float(k.max()) for k in known if len(k)), default=0.0) or 1.0
    chart = np.full((head + step * len(names) + 12, width, 3), 255, np.uint8)
    chart = draw_text(chart, title, (10, 6), size=_TITLE)
    chart = _legend(chart, [f"{n} ({unit})" if unit else n for n in values], (10, 32))
    for at, name in enumerate(names):
        y = head + at * step
        text = (left - 8 - text_size(name, _TEXT)[0], y + (step - 8) // 2 - 8)
        chart = draw_text(chart, name, text, size=_TEXT)
        for (row, colour), below in zip(
            zip(values.values(), _cycle(len(values)), strict=True), range(len(values)), strict=True
        ):
            value, place = row[at], y + below * thick
            length = round((right - left) * value / top) if math.isfinite(value) else 0
            chart[place : place + thick - 2, left : left + length] = colour
            written = f"{value:.3g}" if math.isfinite(value) else "-"
            chart = draw_text(chart, written, (left + length + 4, place - 2), size=_TEXT - 1)
    return chart


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from at or above ``low`` to at or below ``high``, at most ``most`` + 1."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * f for f in (1, 2, 2.5, 5, 10) if unit * f >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _axes(
    xs: Sequence[NDArray[np.float64]],
    ys: Sequence[NDArray[np.float64]],
    y_top: float | None,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    title: str,
):
    """A chart with a grid, and the maps from values to its pixels."""
    x, y = (np.concatenate([*values, np.zeros(0)]) for values in (xs, ys))
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not len(x) or not len(y):
        raise ValueError("series must hold at least one finite point")
    left, top, right, bottom = box
    low_x, high_x = float(x.min()), float(x.max()) if x.max() > x.min() else float(x.min()) + 1
    low_y, high_y = min(0.0, float(y.min())), y_top or max(float(y.max()), 1e-9)
    high_y = high_y if high_y > low_y else low_y + 1

    def to_x(value: float) -> float:
        return left + (right - left) * (value - low_x) / (high_x - low_x)

    def to_y(value: float) -> float:
        return bottom - (bottom - top) * (value - low_y) / (high_y - low_y)

    chart = np.full((size[1], size[0], 3), 255, np.uint8)
    chart = draw_text(chart, title, (10, 6), size=_TITLE)
    for tick in nice_ticks(low_x, high_x):
        place = to_x(tick)
        draw_line(chart, (place, top), (place, bottom), _GRID, 1)
        text = f"{tick:.4g}"
        chart = draw_text(
            chart, text, (round(place - text_size(text, _TEXT)[0] / 2), bottom + 4), size=_TEXT
        )
    for tick in nice_ticks(low_y, high_y):
        place = to_y(tick)
        draw_line(chart, (left, place), (right, place), _GRID, 1)
        text = f"{tick:.4g}"
        chart = draw_text(
            chart, text, (left - 6 - text_size(text, _TEXT)[0], round(place - 8)), size=_TEXT
        )
    draw_line(chart, (left, bottom), (right, bottom), INK, 1)
    draw_line(chart, (left, top), (left, bottom), INK, 1)
    return chart, to_x, to_y


def _labels(
    chart: Image, box: tuple[int, int, int, int], x_label: str, y_label: str, names: Sequence[str]
) -> Image:
    left, top, right, bottom = box
    below = ((left + right - text_size(x_label, _TEXT)[0]) // 2, bottom + 22)
    chart = draw_text(chart, x_label, below, size=_TEXT)
    chart = draw_text(chart, y_label, (10, top - 22), size=_TEXT)
    return _legend(chart, names, (10, 32))


def _legend(chart: Image, names: Sequence[str], place: tuple[int, int]) -> Image:
    for at, (name, colour) in enumerate(zip(names, _cycle(len(names)), strict=True)):
        x, y = place[0], place[1] + 18 * at
        chart[y + 3 : y + 13, x : x + 22] = colour
        chart = draw_text(chart, name, (x + 30, y), size=_TEXT)
    return chart


def _cycle(count: int) -> list[Colour]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]
