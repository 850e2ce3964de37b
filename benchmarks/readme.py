"""The README's tables of timings, made from the committed results so that they cannot drift.

``python -m benchmarks.readme`` rewrites what stands between their marks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ops.declare import BOTH, COMPILED, EAGER, LIBRARY, OURS, PAPER
from benchmarks.ops.report import goals_by_verdict

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"
OPERATORS, STEP = "operator timings", "timings of a training step"  # the tables
FIRST = ("render_skeleton", "render_gaussians", "warp_templates", "soft_argmax")
WRONG = "†"
COLUMNS = {
    "as the paper wrote it": (PAPER,),
    "library": (LIBRARY,),
    "rewritten by an expert": (EAGER,),
    "best `torch.compile`": (COMPILED,),
}


def begin(name: str) -> str:
    """The mark above a table."""
    return f"<!-- {name}, from benchmarks/results: python -m benchmarks.readme -->"


def end(name: str) -> str:
    return f"<!-- end of {name} -->"


def committed(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The reports of `fastpose benchmark` in a folder: what draws and reads poses first."""
    reports = [json.loads(path.read_text()) for path in sorted(folder.glob("*_cpu.json"))]
    reports = [report for report in reports if "summary" in report]
    order = {operator: i for i, operator in enumerate(FIRST)}
    return sorted(reports, key=lambda report: order.get(report["operator"], len(order)))


def committed_ladder(folder: Path = RESULTS) -> dict[str, Any] | None:
    """The report of `benchmarks.training.ladder` in a folder, if there is one."""
    path = folder / "ladder_cpu.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _ratio(rows: Sequence[dict[str, Any]], groups: Sequence[str]) -> str:
    """Of the fastest in those groups: by wall time, by CPU time. Wrong ones, which get a mark, only
    where there is no other."""
    same = [r for r in rows if r["group"] in groups and not r["differs"]]
    right = [r for r in same if r["right"]]
    if not same:
        return ""
    wall, cpu = (min(r[times] for r in right or same) for times in ("times_wall", "times_cpu"))
    return f"{wall:.3g} / {cpu:.3g}" + ("" if right else f" {WRONG}")


def _where(report: dict[str, Any]) -> str:
    """Machine and command of a report."""
    machine = report["machine"]
    isa = f"{report['instruction_set'].upper()}, " if "instruction_set" in report else ""
    return (
        f"{machine['cpu']}, {isa}torch {machine['torch']}, commit {machine['commit']}, "
        f"{machine['date']}: `{report['command']}`"
    )


def table(reports: Sequence[dict[str, Any]]) -> str:
    """Markdown, ending in a line break; nothing where there is no report."""
    if not reports:
        return ""
    lines = [
        "| forward and backward | fastpose, ms | " + " | ".join(COLUMNS) + " |",
        "|---|---:|" + "---:|" * len(COLUMNS),
    ]
    for report in reports:
        for case in dict.fromkeys(r["case"] for r in report["summary"]):
            rows = [r for r in report["summary"] if (r["case"], r["what"]) == (case, BOTH)]
            ours = next(r["wall_ms"] for r in rows if r["contender"] == OURS)
            cells = [f"`{report['operator']}`, {case}", f"{ours:.3g}"]
            cells += [_ratio(rows, groups) for groups in COLUMNS.values()]
            lines.append("| " + " | ".join(cells) + " |")
    loads = [report["machine"]["load"] for report in reports]
    threads = max(row["threads"] for report in reports for row in report["results"])
    said = (
        "How many times longer than fastpose the fastest of each kind takes: by wall time on "
        f"{threads} threads / by CPU time on one."
    )
    if WRONG in "".join(lines):
        said += f" {WRONG}: all of that kind fail the correctness gate."
    runs: dict[str, list[str]] = {}
    for report in reports:
        runs.setdefault(_where(report), []).append(f"`{report['operator']}`")
    each = [w + ("" if len(runs) == 1 else f" ({', '.join(o)})") for w, o in runs.items()]
    said += f" {'; '.join(each)}; load before: {min(loads):g} to {max(loads):g}."
    return "\n".join([*lines, "", said, "", _goals(reports)]) + "\n"


def _goals(reports: Sequence[dict[str, Any]]) -> str:
    """How many goals were reached, and the others by name."""
    met, missed, unknown = goals_by_verdict(reports)
    said = f"{len(met)} of our {len(met + missed + unknown)} goals are reached"
    lines = [f"{said}; the others:", ""] if missed or unknown else [f"{said}."]
    for goal in missed:
        least = "at most" if goal["at_most"] else "at least"
        wanted = f"{least} {goal['must']:g} wanted"
        lines.append(f"- {goal['row']}: {goal['wall']:.3g} / {goal['cpu']:.3g}, {wanted}")
    lines += [f"- {goal['row']}: not measured" for goal in unknown]
    return "\n".join(lines)


def ladder_table(report: dict[str, Any] | None) -> str:
    """Markdown, ending in a line break; nothing where there is no report."""
    if report is None:
        return ""
    size, losses = report["image_size"], report["losses"]
    first = report["rungs"][0]["rung"]
    lines = [
        "A whole training step, from plain PyTorch to ours:",
        "",
        f"| a step of `{report['recipe']}`, {report['batch']} pictures of {size}x{size} | ms | "
        f"pictures a second | times faster than {first} |",
        "|---|---:|---:|---:|",
    ]
    for rung in report["rungs"]:
        wall, cpu = (rung["times_faster"][m]["of_minima"] for m in ("wall", "cpu"))
        lines.append(
            f"| {rung['rung']} | {rung['wall_ms']['min']:.0f} | {rung['images_per_s']:.1f} | "
            f"{wall:.2f} / {cpu:.2f} |"
        )
    said = (
        f"By wall time / by CPU time, on {report['threads']} threads, interleaved, fastest of "
        f"{report['rungs'][0]['rounds']}. The losses of {losses['steps']} steps in float64 at a "
        "tenth of the learning rate differ by at most "
        f"{losses['largest_difference_at_a_tenth_of_the_rate']:.1e} between {first} and fastpose. "
        f"{_where(report)}; load before: {report['machine']['load']:g}."
    )
    return "\n".join([*lines, "", said]) + "\n"


def filled(text: str, name: str, made: str) -> str:
    """The text with a table between its marks.

    Raises:
        ValueError: it has not each mark once, in order.
    """
    first, last = begin(name), end(name)
    before, found, rest = text.partition(first)
    _, also_found, after = rest.partition(last)
    if not found or not also_found or first in after or last in after:
        raise ValueError(f"expected the marks {first} and {last} once each, in this order")
    return f"{before}{first}\n{made}{last}{after}"


def up_to_date(text: str) -> str:
    """The README with all tables made anew."""
    text = filled(text, OPERATORS, table(committed()))
    return filled(text, STEP, ladder_table(committed_ladder()))


def main() -> int:
    path = ROOT / "README.md"
    path.write_text(up_to_date(path.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
