"""PNG pictures of a protocol's report: curves, error of each joint, and the worst frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.evaluation.cases import Cases
from fastpose.evaluation.metrics.positions3d import align
from fastpose.evaluation.protocol_report import FORGIVEN, OURS, ProtocolReport
from fastpose.evaluation.sheet import SIDE, Pair, drawn_over, write_sheet
from fastpose.media.charts import bar_chart, line_chart
from fastpose.media.drawing import draw_skeleton
from fastpose.media.images import resize, write_image

CURVE, JOINTS, FRAMES = "curve.png", "joints.png", "frames.png"


def write_plots(folder: Path, cases: Cases, report: ProtocolReport) -> list[str]:
    """Write the pictures that the protocol has; returns their names."""
    protocol, written = report.protocol, []
    if protocol.curve is not None and not all(np.isnan(c).all() for c in report.curves.values()):
        chart = line_chart(
            {name: (protocol.curve.thresholds, shares) for name, shares in report.curves.items()},
            title=f"{protocol.name}: joints within a distance",
            x_label=protocol.curve.label,
            y_label="% of joints",
            y_top=100.0,
        )
        write_image(folder / CURVE, chart)
        written.append(CURVE)
    if report.joints:
        bars = {
            method: [np.nan if v is None else v for v in values.values()]
            for method, values in report.joint_errors.items()
        }
        chart = bar_chart(
            report.joints,
            bars,
            title=f"{protocol.name}: mean distance of each joint",
            unit=report.error_unit,
        )
        write_image(folder / JOINTS, chart)
        written.append(JOINTS)
    heading = protocol.columns[0].heading
    parts = [f"{row.method}: {_rounded(row.values[heading])}" for row in report.ours]
    has_forgiven = any(row.method == FORGIVEN for row in report.ours)
    write_sheet(
        folder / FRAMES,
        _pair(cases, report),
        report.errors,
        title=f"{protocol.name}, {heading}: {'; '.join(parts)}",
        what="error with sides forgiven" if has_forgiven else f"error of {OURS}",
        unit=report.error_unit,
    )
    return [*written, FRAMES]


def _rounded(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _pair(cases: Cases, report: ProtocolReport) -> Pair:
    skeleton = cases.skeleton
    if skeleton is None:
        return lambda i: (
            resize(cases.predicted[i], (SIDE, SIDE)),
            resize(cases.truth[i], (SIDE, SIDE)),
        )
    predicted, truth = cases.predicted, cases.truth
    if report.protocol.root is not None:
        root = skeleton.index(report.protocol.root)
        predicted, truth = align(predicted, truth, "root", root=root, visible=cases.visible)

    def pair(i: int) -> tuple[np.ndarray, np.ndarray]:
        shown = np.where(cases.visible[i][:, None], truth[i], np.nan)
        if cases.picture is not None:
            frame = cases.picture(i)
            return (
                drawn_over(frame, predicted[i], skeleton),
                drawn_over(frame, truth[i], skeleton, cases.visible[i]),
            )
        seen = shown[cases.visible[i]][:, :2]
        both = np.concatenate((predicted[i][:, :2], seen))
        low, high = both.min(axis=0), both.max(axis=0)
        scale = 0.8 * SIDE / max(float((high - low).max()), 1e-9)
        blank = np.full((SIDE, SIDE, 3), 70, np.uint8)
        middle = (low + high) / 2
        return (
            draw_skeleton(blank, (predicted[i][:, :2] - middle) * scale + SIDE / 2, skeleton),
            draw_skeleton(blank, (shown[:, :2] - middle) * scale + SIDE / 2, skeleton),
        )

    return pair
