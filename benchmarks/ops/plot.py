"""A picture of the ratios: how many times longer than ours each peer takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ops.declare import BOTH, COMPILED, EAGER, LIBRARY, PAPER

# A palette that colour-blind readers tell apart.
COLOURS = {PAPER: "#0072b2", LIBRARY: "#cc79a7", EAGER: "#009e73", COMPILED: "#e69f00"}
LABELS = {
    PAPER: "as the papers wrote it",
    LIBRARY: "libraries",
    EAGER: "rewritten by an expert",
    COMPILED: "torch.compile",
}
BAR, TITLE, LINE = 0.24, 0.62, 0.3  # inches


def panels(reports: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """A title for each case, and its peers that are right, the slowest first."""
    found = []
    for report in reports:
        for case in report["cases"]:
            rows = [r for r in report["summary"] if (r["case"], r["what"]) == (case, BOTH)]
            peers = [r for r in rows if r["group"] in COLOURS and (r["right"] or r["differs"])]
            found.append((f"{report['operator']}: {case}", sorted(peers, key=_ratio)))
    return found


def _ratio(row: dict[str, Any]) -> float:
    return -row["times_wall"]


def plot(reports: Sequence[dict[str, Any]], path: Path) -> Path:
    """Bars on a logarithmic axis, forward and backward; a dot for the ratio of CPU times."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    shown = panels(reports)
    heights = [TITLE + BAR * max(1, len(rows)) for _, rows in shown]
    figure, axes = pyplot.subplots(
        len(shown), figsize=(9, sum(heights) + 1), height_ratios=heights, squeeze=False,
        sharex=True,
    )  # fmt: skip
    for axis, (title, rows) in zip(axes[:, 0], shown, strict=True):
        names = [r["contender"] + (" *" if r["differs"] else "") for r in rows]
        at = range(len(rows), 0, -1)
        colours = [COLOURS[r["group"]] for r in rows]
        axis.barh(at, [r["times_wall"] - 1 for r in rows], 0.72, left=1, color=colours)
        for y, row in zip(at, rows, strict=True):
            text, place = f"{row['times_wall']:.3g}x", axis.get_yaxis_transform()
            axis.text(1.01, y, text, transform=place, fontsize=8, va="center")
        axis.plot([r["times_cpu"] for r in rows], at, "o", color="black", ms=3)
        axis.set_yticks(at, names, fontsize=8)
        axis.set_ylim(0.3, len(rows) + 0.7)
        axis.set_title(title, loc="left", fontsize=9, fontweight="bold")
        axis.axvline(1, color="black", lw=0.8)
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    last = axes[-1, 0]
    last.set_xscale("log")
    last.set_xlabel(
        "times as long as fastpose, forward and backward (bar: wall time, all threads; "
        "dot: CPU time, one thread)", fontsize=8,
    )  # fmt: skip
    used = {row["group"] for _, rows in shown for row in rows}
    handles = [
        pyplot.Rectangle((0, 0), 1, 1, color=colour, label=LABELS[group])
        for group, colour in COLOURS.items()
        if group in used
    ]
    figure.legend(handles=handles, loc="upper left", ncols=4, frameon=False, fontsize=8)
    figure.text(0.005, 0.005, _caption(reports), fontsize=6, color="0.35", va="bottom")
    margin = LINE / figure.get_figheight()
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, margin, 1, 1 - 2 * margin)))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return path


def _caption(reports: Sequence[dict[str, Any]]) -> str:
    machine = reports[0]["machine"]
    differs = any(row["differs"] for report in reports for row in report["summary"])
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {reports[0]['instruction_set']}, "
        f"torch {machine['torch']}, commit {machine['commit']}, {machine['date']}, "
        f"{reports[0]['command']}" + ("   * another function, see the table" if differs else "")
    )
