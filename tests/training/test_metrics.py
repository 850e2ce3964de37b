"""Sums of figures between two lines of the log."""

from __future__ import annotations

import json

import pytest

from fastpose.errors import UserError
from fastpose.training.metrics import MetricSums


def test_means_are_over_the_steps_that_had_the_figure() -> None:
    sums = MetricSums()
    assert not sums
    sums.add({"a": 1.0, "b": 4.0})
    sums.add({"a": 2.0})
    assert sums and sums.means() == {"a": 1.5, "b": 4.0}
    sums.clear()
    assert not sums and sums.means() == {}


def test_saving_as_json_loses_no_bit_and_no_order() -> None:
    sums, copy = MetricSums(), MetricSums()
    for i in range(1, 50):
        sums.add({"z": 1 / i, "a": 0.1 * i})
    copy.load(json.loads(json.dumps(sums.to_list())))
    for both in (sums, copy):
        both.add({"z": 1 / 3})
    assert copy.means() == sums.means() and list(copy.means()) == ["z", "a"]


@pytest.mark.parametrize(
    "rows",
    [1, [1], [["a"]], [["a", float("nan"), 1]], [["a", 1.0, 0]], [[2, 1.0, 1]], [["a", "b", 1]]],
)
def test_rows_that_are_none_are_refused(rows: object) -> None:
    with pytest.raises(UserError, match="metric sums"):
        MetricSums().load(rows)
