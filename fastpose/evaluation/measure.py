"""The numbers of a protocol's table: from predictions beside labels to columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastpose.evaluation.cases import Cases
from fastpose.evaluation.metrics.correct_points import correct_on_average, detection_curve
from fastpose.evaluation.metrics.distances import frame_means, joint_distances, mean_over_frames
from fastpose.evaluation.metrics.pictures import signal_to_noise, structural_similarity
from fastpose.evaluation.metrics.positions3d import Alignment, align
from fastpose.evaluation.protocols.declare import Column, Curve, Measure, Protocol

Values = Mapping[Measure, np.ndarray]  # of joints, see :func:`joint_values`


def joint_values(cases: Cases, measure: Measure, root: str | None = None) -> np.ndarray:
    """(N,K) values of a measure, NaN where a label does not count; (N,1) for pictures."""
    if measure.kind == "signal_to_noise":
        return signal_to_noise(cases.predicted, cases.truth)[:, None]
    if measure.kind == "similarity":
        return structural_similarity(cases.predicted, cases.truth)[:, None]
    distances = aligned_distances(cases, measure.alignment, root)
    size = cases.sizes[measure.size]
    if measure.kind == "distance":
        return measure.factor * (distances / size[:, None]) ** measure.power
    return correct_on_average(distances, size, measure.thresholds)


def aligned_distances(
    cases: Cases, alignment: Alignment | None, root: str | None = None
) -> np.ndarray:
    """(N,K) distances after an alignment of poses in space; None leaves poses as they are."""
    predicted, truth = cases.predicted, cases.truth
    if alignment is not None:
        assert cases.skeleton is not None
        at = None if root is None else cases.skeleton.index(root)
        predicted, truth = align(predicted, truth, alignment, root=at, visible=cases.visible)
    return joint_distances(predicted, truth, cases.visible)


def table_row(cases: Cases, protocol: Protocol, values: Values) -> dict[str, float | None]:
    """The value of each column by heading; None where no label of the column is there."""
    return {
        column.heading: _value(cases, protocol, column, values[column.measure])
        for column in protocol.columns
    }


def further_values(protocol: Protocol, values: Values) -> dict[str, float | None]:
    """What the protocol measures besides its table, over all frames and joints, by name."""
    return {m.name: _mean(values[m], m.pooled) for m in protocol.further}


def curve_of(cases: Cases, curve: Curve, root: str | None = None) -> np.ndarray:
    """(T,) percent of the joints within each of the curve's thresholds."""
    distances = aligned_distances(cases, curve.alignment, root)
    return detection_curve(distances, cases.sizes[curve.size], curve.thresholds)


def _value(cases: Cases, protocol: Protocol, column: Column, values: np.ndarray) -> float | None:
    pooled = column.measure.pooled
    if column.mean_of == "activities" and protocol.activities:
        parts = [_mean(values[cases.activity == a.name], pooled) for a in protocol.activities]
        return _unweighted(parts)
    if column.mean_of == "groups":
        groups = [c for c in protocol.columns if c.joints and c.measure == column.measure]
        return _unweighted([_value(cases, protocol, c, values) for c in groups])
    if column.activity is not None:
        values = values[cases.activity == column.activity]
    if column.joints:
        assert cases.skeleton is not None
        known = cases.skeleton.joints
        values = values[:, [known.index(joint) for joint in column.joints if joint in known]]
    return _mean(values, pooled)


def _mean(values: np.ndarray, pooled: bool) -> float | None:
    mean = mean_over_frames(values.ravel() if pooled else frame_means(values))
    return None if np.isnan(mean) else mean


def _unweighted(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return float(np.mean(known)) if known else None
