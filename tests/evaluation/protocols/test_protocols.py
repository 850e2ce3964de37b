"""The declarations agree with themselves, and with what the papers' tables say of themselves."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.evaluation.protocols import PROTOCOLS, get_protocol
from fastpose.evaluation.protocols.declare import (
    PERCENT_OF_SIDE,
    Activity,
    Column,
    Published,
    pck,
    sides,
)


def _published(protocol: str, method: str) -> dict[str, float]:
    rows = [row for row in get_protocol(protocol).published if row.method == method]
    assert len(rows) == 1
    return dict(rows[0].values)


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(UserError) as caught:
        get_protocol("infant")
    message = str(caught.value)
    assert "\n" not in message and "did you mean 'infants" in message
    assert all(name in message for name in PROTOCOLS)
    asked_for = {"simplified-human36m", "human36m", "penn-action", "infants", "weizmann"}
    assert asked_for <= set(PROTOCOLS)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_each_is_whole(protocol) -> None:
    assert PROTOCOLS[protocol.name] is protocol
    assert (protocol.skeleton is None) == (protocol.inputs == "pictures")
    assert (protocol.root is not None) == (protocol.inputs == "points3d")
    assert protocol.source and protocol.train and protocol.test
    if protocol.root is not None:
        protocol.skeleton.index(protocol.root)
    for measure in (*(c.measure for c in protocol.columns), *protocol.further):
        assert bool(measure.thresholds) == (measure.kind in ("correct", "area"))
        assert (measure.alignment is not None) == (protocol.inputs == "points3d")
    for row in protocol.published:
        assert row.values and row.source and row.needs
        assert re.search(r"\d{4}", row.source)
    if not protocol.published:
        assert any("no" in note.split() for note in protocol.notes) or "synthetic" in (
            " ".join(protocol.notes)
        )


@pytest.mark.parametrize("method", ["KeypointGAN", "shape templates"])
def test_all_is_the_mean_of_the_six_activities(method: str) -> None:
    values = _published("simplified-human36m", method)
    assert values.pop("all") == pytest.approx(np.mean(list(values.values())), abs=0.005)


@pytest.mark.parametrize("method", ["Xiao, fine-tuned", "KeypointGAN", "shape templates"])
def test_all_is_the_mean_of_the_five_groups(method: str) -> None:
    values = _published("infants", method)
    assert values.pop("all") == pytest.approx(np.mean(list(values.values())), abs=0.006)


def test_the_other_rows_average_otherwise() -> None:
    """Which the notes say, so that nobody compares them by it."""
    for method in ("Newell", "Thewlis", "Zhang"):
        values = _published("simplified-human36m", method)
        assert abs(values.pop("all") - np.mean(list(values.values()))) > 0.2


def test_columns_for_the_activities_of_the_labels() -> None:
    weizmann = get_protocol("weizmann")
    wide = weizmann.for_activities(("jack", "walk"))
    assert [c.heading for c in wide.columns] == ["all", "jack", "walk"]
    assert [a.name for a in wide.activities] == ["jack", "walk"]
    assert weizmann.for_activities(("jack",)) is weizmann  # one is all
    infants = get_protocol("infants")
    assert infants.for_activities(("jack", "walk")) is infants


def test_measures_and_joints_by_name() -> None:
    assert sides("hip") == ("l_hip", "r_hip")
    assert pck(0.2, "torso", "PDJ").name == "PDJ@0.2" and pck(0.5, "head").pooled
    assert pck(0.5, "head").higher_is_better and not PERCENT_OF_SIDE.higher_is_better


def test_declarations_that_do_not_fit() -> None:
    infants = get_protocol("infants")
    twice = (infants.columns[0], infants.columns[0])
    with pytest.raises(UserError, match="headings must be unique"):
        replace(infants, columns=twice)
    stray = Published("x", {"ears": 1.0}, "nothing", "nobody, 2020")
    with pytest.raises(UserError, match="x has a value for 'ears', which is none of all, hips"):
        replace(infants, published=(stray,))
    with pytest.raises(UserError, match="no joint 'l_ear'"):
        replace(
            infants, columns=(Column("ears", PERCENT_OF_SIDE, joints=("l_ear",)),), published=()
        )
    column = Column("sleeping", PERCENT_OF_SIDE, activity="sleeping")
    with pytest.raises(UserError, match="no activity 'sleeping'"):
        replace(infants, columns=(column,), published=(), activities=(Activity("crying"),))
