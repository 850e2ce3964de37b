"""A protocol's table with ours beneath the papers' rows, as text, as JSON, and as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from fastpose.evaluation.cases import Cases, with_mean_label, with_sides_forgiven
from fastpose.evaluation.measure import curve_of, further_values, joint_values, table_row
from fastpose.evaluation.metrics.distances import frame_means, joint_means
from fastpose.evaluation.metrics.sides import SIDES_GATE, FlipRate, flip_rates
from fastpose.evaluation.protocols.declare import Measure, Protocol

OURS, FORGIVEN, CONSTANT = "ours", "ours, sides forgiven", "mean of the labels, always"


@dataclass(frozen=True)
class Row:
    """A row of the table: values by heading, None where there is none."""

    method: str
    needs: str
    values: Mapping[str, float | None]
    source: str


@dataclass(frozen=True)
class ProtocolReport:
    """What a protocol found.

    Args:
        protocol: what was measured.
        ours: our rows: as predicted, with sides forgiven where the protocol says so, and the mean
            of the labels predicted for every frame.
        further: by method, what is measured besides the table.
        flips: flip rates of joints in pictures; None elsewhere.
        joint_errors: by method, the headline measure of each joint.
        curves: by method, percent of joints within each threshold of the protocol's curve.
        frames: by activity, the frames that count; by "all" where there are no activities.
        joints: names of the joints that were scored.
        notes: what keeps the numbers from being comparable, and the protocol's own notes.
        model: what predicted.
        labels: where the labels come from.
        errors: (N,) of the frames, that the sheet's frames are picked by.
        error_unit: of these.
    """

    protocol: Protocol
    ours: tuple[Row, ...]
    further: Mapping[str, Mapping[str, float | None]]
    flips: Mapping[str, FlipRate] | None
    joint_errors: Mapping[str, Mapping[str, float | None]]
    curves: Mapping[str, list[float]]
    frames: Mapping[str, int]
    joints: tuple[str, ...]
    notes: tuple[str, ...]
    model: str
    labels: str
    errors: np.ndarray = field(repr=False)
    error_unit: str

    @property
    def rows(self) -> tuple[Row, ...]:
        """The papers' rows and then ours."""
        papers = (Row(p.method, p.needs, p.values, p.source) for p in self.protocol.published)
        return (*papers, *self.ours)

    def value(self, heading: str, method: str = OURS) -> float | None:
        """One number of our rows."""
        return next(row.values[heading] for row in self.ours if row.method == method)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy; an infinite number is the text "inf"."""
        protocol = self.protocol
        return {
            "protocol": protocol.name,
            "title": protocol.title,
            "source": protocol.source,
            "train": protocol.train,
            "test": protocol.test,
            "model": self.model,
            "labels": self.labels,
            "columns": [
                {"heading": c.heading, "measure": c.measure.name, "unit": c.measure.unit}
                for c in protocol.columns
            ],
            "ours": {row.method: _numbers(row.values) for row in self.ours},
            "published": [
                {
                    "method": row.method,
                    "needs": row.needs,
                    "values": dict(row.values),
                    "source": row.source,
                }
                for row in protocol.published
            ],
            "further": {method: _numbers(values) for method, values in self.further.items()},
            "flips": None
            if self.flips is None
            else {
                "gate_of_side": SIDES_GATE,
                **{part: _numbers(asdict(rate)) for part, rate in self.flips.items()},
            },
            "joint_errors": {m: _numbers(values) for m, values in self.joint_errors.items()},
            "curve": None
            if protocol.curve is None
            else {
                "of": protocol.curve.label,
                "thresholds": list(protocol.curve.thresholds),
                "percent": {m: [_number(v) for v in c] for m, c in self.curves.items()},
            },
            "frames": dict(self.frames),
            "joints": list(self.joints),
            "notes": list(self.notes),
        }

    def tables(self) -> Group:
        """For the terminal: the table, what is measured besides, sources and notes."""
        parts: list[Any] = [self._table()]
        if self.further and self.protocol.further:
            parts.append(self._further())
        if self.flips is not None:
            parts.append(self._flips())
        parts += [Text(f"[{at}] {source}") for at, source in enumerate(self._sources(), 1)]
        parts += [Text(f"note: {note}") for note in self.notes]
        return Group(*parts)

    def _sources(self) -> list[str]:
        return list(dict.fromkeys(row.source for row in self.rows if row.source))

    def _table(self) -> Table:
        table = Table(title=self.protocol.title)
        table.add_column("method")
        table.add_column("given besides pictures")
        for column in self.protocol.columns:
            table.add_column(column.heading, justify="right")
        table.add_column("from")
        sources = self._sources()
        for at, row in enumerate(self.rows, 1):
            table.add_row(
                row.method,
                row.needs,
                *(
                    _written(row.values.get(column.heading), column.measure)
                    for column in self.protocol.columns
                ),
                f"[{sources.index(row.source) + 1}]" if row.source else "",
                style="bold" if row.method in (OURS, FORGIVEN) else None,
                end_section=at == len(self.protocol.published),
            )
        return table

    def _further(self) -> Table:
        table = Table(title="besides, over all frames and joints")
        table.add_column("method")
        for measure in self.protocol.further:
            table.add_column(f"{measure.name} ({measure.unit})", justify="right")
        for method, values in self.further.items():
            table.add_row(
                method, *(_written(values[m.name], m, places=3) for m in self.protocol.further)
            )
        return table

    def _flips(self) -> Table:
        table = Table(title="left taken for right, % of frames")
        for heading in ("part", "where sides can be told", "all frames"):
            table.add_column(heading, justify="left" if heading == "part" else "right")
        for part, rate in (self.flips or {}).items():
            table.add_row(
                part,
                _share(rate.gated, rate.gated_frames),
                _share(rate.ungated, rate.frames),
            )
        return table


def make_report(cases: Cases, protocol: Protocol, *, model: str, labels: str) -> ProtocolReport:
    """Measure ``cases`` as ``protocol`` says.

    Args:
        cases: predictions and labels, see ``evaluation.cases``.
        protocol: with the columns of these cases' activities (``Protocol.for_activities``).
        model: what predicted, for the report.
        labels: where the labels come from, for the report.
    """
    variants = {OURS: cases}
    if protocol.forgive_sides:
        variants[FORGIVEN] = with_sides_forgiven(cases)
    variants[CONSTANT] = with_mean_label(cases, protocol.root)
    needs = {OURS: model, FORGIVEN: model, CONSTANT: "the labels"}
    shown = _distance_of(protocol.headline)
    measures = {shown, *protocol.further, *(column.measure for column in protocol.columns)}
    values = {
        method: {m: joint_values(variant, m, protocol.root) for m in measures}
        for method, variant in variants.items()
    }
    per_frame = frame_means(values[FORGIVEN if protocol.forgive_sides else OURS][shown])
    if protocol.headline.kind == "signal_to_noise":
        per_frame = 255.0 * 10.0 ** (-per_frame / 20.0)
    joints = () if cases.skeleton is None else cases.skeleton.joints
    sided = protocol.inputs == "points2d" and "side" in cases.sizes and cases.skeleton is not None
    curve = protocol.curve
    return ProtocolReport(
        protocol=protocol,
        ours=tuple(
            Row(m, needs[m], table_row(c, protocol, values[m]), "") for m, c in variants.items()
        ),
        further={m: further_values(protocol, values[m]) for m in variants},
        flips=flip_rates(
            cases.predicted, cases.truth, cases.sizes["side"], cases.skeleton, cases.visible
        )
        if sided and cases.skeleton is not None
        else None,
        joint_errors={m: _by_joint(joints, values[m][shown]) for m in variants if joints},
        curves={
            m: [float(v) for v in curve_of(c, curve, protocol.root)] for m, c in variants.items()
        }
        if curve is not None
        else {},
        frames=_counts(cases, protocol),
        joints=tuple(joints),
        notes=(*cases.notes, *protocol.notes),
        model=model,
        labels=labels,
        errors=per_frame,
        error_unit="grey levels" if protocol.headline.kind == "signal_to_noise" else shown.unit,
    )


def _distance_of(measure: Measure) -> Measure:
    """What joints and frames are compared by where the headline counts correct joints."""
    if not measure.pooled:
        return measure
    factor, unit = (1000.0, "mm") if measure.size == "one" else (100.0, f"% of {measure.size}")
    return replace(
        measure, name="distance", unit=unit, kind="distance", factor=factor, thresholds=()
    )


def _by_joint(joints: tuple[str, ...], values: np.ndarray) -> dict[str, float | None]:
    means = joint_means(values)
    return {
        joint: None if math.isnan(mean) else float(mean)
        for joint, mean in zip(joints, means, strict=True)
    }


def _counts(cases: Cases, protocol: Protocol) -> dict[str, int]:
    counted = cases.visible.any(axis=1)
    by_activity = {
        a.name: int((counted & (cases.activity == a.name)).sum()) for a in protocol.activities
    }
    return {"all": int(counted.sum()), **by_activity}


def _written(value: float | None, measure: Measure, places: int = 2) -> str:
    if value is None:
        return "-"
    if math.isinf(value):
        return "inf"
    return f"{value:.{1 if measure.unit == 'mm' else places}f}"


def _share(share: float | None, frames: int) -> str:
    return "-" if share is None else f"{100 * share:.1f} of {frames}"


def _number(value: float | int | None) -> float | int | str | None:
    if value is None or isinstance(value, int):
        return value
    return None if math.isnan(value) else "inf" if math.isinf(value) else round(value, 6)


def _numbers(values: Mapping[str, Any]) -> dict[str, float | int | str | None]:
    return {key: _number(value) for key, value in values.items()}
