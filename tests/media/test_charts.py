"""Curves and bars land where their values say."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.media.charts import COLOURS, bar_chart, line_chart, nice_ticks


def _pixels(chart: np.ndarray, colour: int) -> np.ndarray:
    """(M,2) x and y of the pixels that are exactly of a series' colour."""
    return np.argwhere((chart == COLOURS[colour]).all(axis=-1))[:, ::-1]


def test_a_rising_and_a_falling_curve() -> None:
    x = [0.0, 0.5, 1.0]
    chart = line_chart(
        {"up": (x, [0, 50, 100]), "down": (x, [100, 50, 0])},
        title="two curves",
        x_label="x",
        y_label="y",
    )
    assert chart.shape == (480, 720, 3) and chart.dtype == np.uint8
    plot = chart[96:]  # below the legend
    up, down = _pixels(plot, 0), _pixels(plot, 1)
    assert np.corrcoef(up.T)[0, 1] < -0.99 and np.corrcoef(down.T)[0, 1] > 0.99
    assert up[:, 0].min() < 70 and up[:, 0].max() > 690


def test_equal_curves_both_show_and_the_axis_may_end_higher() -> None:
    curve = ([0.0, 1.0], [40.0, 40.0])
    chart = line_chart({"a": curve, "b": curve}, title="", x_label="", y_label="", y_top=100)
    below, above = _pixels(chart[96:], 0), _pixels(chart[96:], 1)
    assert len(below) > 500 and len(above) > 500
    assert below[:, 1].min() < above[:, 1].min()
    height = 480 - 48 - 96  # of the axis
    assert np.median(above[:, 1]) == pytest.approx(0.6 * height, abs=2)


def test_a_gap_where_nothing_is_known() -> None:
    x, y = [0.0, 1.0, 2.0, 3.0], [1.0, 1.0, np.nan, 1.0]
    chart = line_chart({"a": (x, y)}, title="", x_label="", y_label="")
    columns = _pixels(chart[60:], 0)[:, 0]
    assert columns.min() < 70 and columns.max() > 690  # a dot at the end
    assert not ((columns > 300) & (columns < 680)).any()


def test_bars_are_as_long_as_their_values() -> None:
    chart = bar_chart(
        ["hip", "knee", "ankle"],
        {"a": [10.0, 20.0, 40.0], "b": [40.0, np.nan, 0.0]},
        title="bars",
        unit="%",
    )
    rows = chart[80:]
    lengths = [np.bincount(_pixels(rows, c)[:, 1], minlength=len(rows)) for c in (0, 1)]
    a = sorted({int(n) for n in lengths[0] if n})
    assert a[0] == pytest.approx(a[2] / 4, abs=1) and a[1] == pytest.approx(a[2] / 2, abs=1)
    assert {int(n) for n in lengths[1] if n} == {a[2]}  # neither NaN nor 0 has a bar


def test_values_that_are_all_nought_or_unknown() -> None:
    assert bar_chart(["a"], {"b": [0.0]}, title="", unit="").shape[1] == 720
    assert bar_chart(["a"], {"b": [np.nan]}, title="", unit="").shape[1] == 720
    assert line_chart({"a": ([0, 1], [0, 0])}, title="", x_label="", y_label="").ndim == 3
    assert line_chart({"a": ([1], [1])}, title="", x_label="", y_label="").ndim == 3


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0, 0.2, [0, 0.05, 0.1, 0.15, 0.2]),
        (0.13, 0.31, [0.15, 0.2, 0.25, 0.3]),
        (-3, 3, [-3, -2, -1, 0, 1, 2, 3]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low, high, ticks) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(
        ValueError, match=r"series 'a' must have as many x as y, got \(2,\) and \(1"
    ):
        line_chart({"a": ([0, 1], [1])}, title="", x_label="", y_label="")
    with pytest.raises(ValueError, match="at least one finite point"):
        line_chart({"a": ([0.0], [np.nan])}, title="", x_label="", y_label="")
    with pytest.raises(ValueError, match="names and series must not be empty"):
        bar_chart([], {"a": []}, title="", unit="")
    with pytest.raises(ValueError, match=r"series 'a' must have 2 values, got \(1,\)"):
        bar_chart(["x", "y"], {"a": [1.0]}, title="", unit="")
