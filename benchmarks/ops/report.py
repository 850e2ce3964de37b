"""What the measurements of an operator say: times, ratios, goals, as a table and as JSON.

A ratio is how many times longer than ours something takes. By wall time it is that of the shortest
times on all threads; by CPU time that of the process's median times on one thread, which neighbours
on the machine disturb least. Of the two allocators the one counts that is better for the peer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ops.declare import OURS, Benchmark, Goal
from benchmarks.ops.gate import right

Row = dict[str, Any]
MISSED, NOT_MEASURED = "missed", "not measured"
MEASURES = {"wall": ("wall_ms", "min"), "cpu": ("cpu_ms", "median")}


def times(report: Row, case: str, what: str, measure: str) -> dict[str, dict[str, float]]:
    """Milliseconds by contender and allocator: wall time on the most threads, CPU time on the
    fewest."""
    rows = [row for row in report["results"] if (row["case"], row["what"]) == (case, what)]
    counts, (key, statistic) = {row["threads"] for row in rows}, MEASURES[measure]
    count = max(counts) if measure == "wall" else min(counts)
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["threads"] == count:
            found.setdefault(row["contender"], {})[row["allocator"]] = row[key][statistic]
    return found


def ratio_of(slow: dict[str, float], fast: dict[str, float], worst: Any = min) -> tuple[float, str]:
    """The ratio with the allocator in which it is worst for us, and that allocator."""
    return worst((slow[a] / fast[a], a) for a in slow if a in fast)


def is_right(report: Row, case: str, contender: str) -> bool:
    """Whether it passed the gate; what was not gated (instruction sets, ceilings) counts so."""
    entry = report["cases"][case]
    errors = entry["errors"].get(contender)
    return errors is None or right(errors, entry["rounded"], contender.startswith(OURS))


def summary(report: Row) -> list[Row]:
    """Per case, what, and contender: milliseconds, ratios, memory, and what to know about it."""
    rows = []
    keys = dict.fromkeys((row["case"], row["what"]) for row in report["results"])
    for case, what in keys:
        wall, cpu = (times(report, case, what, measure) for measure in ("wall", "cpu"))
        entry = report["cases"][case]
        for name in wall:
            ratio, allocator = ratio_of(wall[name], wall[OURS])
            rows.append({
                "case": case,
                "what": what,
                "contender": name,
                "group": next(r["group"] for r in report["results"] if r["contender"] == name),
                "wall_ms": min(wall[name].values()) if name == OURS else wall[name][allocator],
                "times_wall": ratio,
                "times_cpu": ratio_of(cpu[name], cpu[OURS])[0],
                "gb_per_s": max(
                    r["gb_per_s"]
                    for r in report["results"]
                    if (r["case"], r["what"], r["contender"]) == (case, what, name)
                ),
                "peak_bytes": entry["memory"].get(name, {}).get("peak"),
                "right": is_right(report, case, name),
                "differs": entry["differs"].get(name, ""),
            })  # fmt: skip
    return rows


def verdict(goal: Goal, wall: float, cpu: float) -> str:
    """ "stretch", "reached" or "missed": by both measures."""
    found = max(wall, cpu) if goal.at_most else min(wall, cpu)
    sign = -1 if goal.at_most else 1
    if sign * found < sign * goal.must:
        return MISSED
    beyond = goal.stretch is not None and sign * found >= sign * goal.stretch
    return "stretch" if beyond else "reached"


def judge(goal: Goal, report: Row) -> Row:
    """What became of a goal: "not measured" where nobody was there to compare with.

    Only where all rivals are wrong do the wrong ones count, and it is said.
    """
    case = str(goal.case)
    rows = [r for r in summary(report) if r["case"] == case and r["what"] == goal.what]
    named = [r for r in rows if goal.against in (r["contender"], r["group"])]
    # Another function counts only where a goal names it, never as the fastest of a group.
    named = [r for r in named if not r["differs"] or goal.against == r["contender"]]
    rivals = [r["contender"] for r in named if r["right"] or r["differs"]]
    found: Row = {"row": goal.row, "case": case, "what": goal.what, "against": goal.against}
    found |= {"at_most": goal.at_most, "must": goal.must, "stretch": goal.stretch}
    if not named:
        return found | {"verdict": NOT_MEASURED}
    found["rivals_right"] = bool(rivals)
    for measure in ("wall", "cpu"):
        by_name = times(report, case, goal.what, measure)
        ours = by_name[goal.ours]
        worst = max if goal.at_most else min
        value, rival = worst(
            (ratio_of(by_name[r], ours, worst)[0], r)
            for r in rivals or [r["contender"] for r in named]
        )
        found[measure], found[f"{measure}_rival"] = round(value, 2), rival
    return found | {"verdict": verdict(goal, found["wall"], found["cpu"])}


def finish(report: Row, benchmark: Benchmark) -> Row:
    """The report with its summary and the goals, which are computed from the rest."""
    report["summary"] = [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        for row in summary(report)
    ]
    report["goals"] = [judge(goal, report) for goal in benchmark.goals]
    return report


def table(report: Row) -> list[str]:
    """Lines for the terminal."""
    lines = []
    previous = None
    for row in report["summary"]:
        if (row["case"], row["what"]) != previous:
            previous = (row["case"], row["what"])
            lines += ["", f"{report['operator']}, {row['case']}, {row['what']}"]
            lines.append(f"{'':44} {'ms':>9} {'x wall':>8} {'x cpu':>8} {'GB/s':>7} {'peak MB':>8}")
        peak = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f}"
        note = row["differs"] and f"  ({row['differs']})"
        if not row["right"] and not note:
            note = "  WRONG RESULT"
        lines.append(
            f"{row['contender']:44} {row['wall_ms']:9.3f} {row['times_wall']:8.2f} "
            f"{row['times_cpu']:8.2f} {row['gb_per_s']:7.2f} {peak:>8}{note}"
        )
    return lines


def goals_by_verdict(reports: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Those that were reached, those that were missed, those that were not measured."""
    goals = [goal for report in reports for goal in report["goals"]]
    missed, unknown = ([g for g in goals if g["verdict"] == v] for v in (MISSED, NOT_MEASURED))
    return [g for g in goals if g["verdict"] not in (MISSED, NOT_MEASURED)], missed, unknown


def goal_table(reports: Sequence[Row]) -> list[str]:
    """Which goals were reached, for the terminal."""
    lines = ["", f"{'goal':62} {'x wall':>8} {'x cpu':>8} {'must':>8} {'stretch':>8}"]
    for goal in (goal for report in reports for goal in report["goals"]):
        sign = "<=" if goal["at_most"] else ">="
        must, stretch = (
            "" if goal[what] is None else f"{sign}{goal[what]:g}" for what in ("must", "stretch")
        )
        wall, cpu = (f"{goal[m]:.2f}" if m in goal else "-" for m in ("wall", "cpu"))
        line = f"{goal['row']:62} {wall:>8} {cpu:>8} {must:>8} {stretch:>8}  "
        line += goal["verdict"].upper() if goal["verdict"] == MISSED else goal["verdict"]
        if goal["verdict"] != NOT_MEASURED:
            wrong = "" if goal["rivals_right"] else ", whose result is wrong"
            line += f" (against {goal['wall_rival']}{wrong})"
        lines.append(line)
    met, missed, unknown = map(len, goals_by_verdict(reports))
    lines.append(f"goals: {met} reached, {missed} missed, {unknown} not measured")
    return lines


def dump(report: Row) -> str:
    """JSON with one line for each row, so that it can be read and compared by lines."""
    parts = []
    for key, value in report.items():
        if isinstance(value, list):
            rows = ",\n".join("  " + json.dumps(row) for row in value)
            parts.append(f" {json.dumps(key)}: [\n{rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(report: Row, folder: Path) -> Path:
    """To <operator>_cpu.json in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report['operator']}_cpu.json"
    path.write_text(dump(report))
    return path
