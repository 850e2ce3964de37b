"""The README's table of operator timings, made from the committed results so that it cannot drift.

``python -m benchmarks.readme`` rewrites what stands between the two marks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ops.declare import BOTH, COMPILED, EAGER, LIBRARY, OURS, PAPER

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"
BEGIN = "<!-- operator timings, from benchmarks/results: python -m benchmarks.readme -->"
END = "<!-- end of operator timings -->"
COLUMNS = {
    "as the paper wrote it": (PAPER,),
    "library": (LIBRARY,),
    "rewritten by an expert": (EAGER,),
    "best `torch.compile`": (COMPILED,),
}


def committed(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The reports of `fastpose benchmark` in a folder."""
    reports = [json.loads(path.read_text()) for path in sorted(folder.glob("*_cpu.json"))]
    return [report for report in reports if "summary" in report]


def _ratio(rows: Sequence[dict[str, Any]], groups: Sequence[str]) -> str:
    """Of the fastest in those groups: by wall time, by CPU time."""
    same = [r for r in rows if r["group"] in groups and r["right"] and not r["differs"]]
    if not same:
        return ""
    return f"{min(r['times_wall'] for r in same):.3g} / {min(r['times_cpu'] for r in same):.3g}"


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
    machine, first = reports[0]["machine"], reports[0]
    threads = {result["threads"] for report in reports for result in report["results"]}
    fewest = "one" if 1 in threads else "the same"
    lines += [
        "",
        "How many times longer than fastpose the fastest of each kind takes: by wall time on "
        f"{machine['cores']} threads / by CPU time on {fewest}. {machine['cpu']}, "
        f"{first['instruction_set'].upper()}, torch {machine['torch']}, commit "
        f"{machine['commit']}, {machine['date']}, load {machine['load']}: `{first['command']}`.",
    ]
    return "\n".join(lines) + "\n"


def filled(text: str, reports: Sequence[dict[str, Any]]) -> str:
    """The text with the table between its marks.

    Raises:
        ValueError: it has not each mark once, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"expected the marks {BEGIN} and {END} once each, in this order")
    return f"{before}{BEGIN}\n{table(reports)}{END}{after}"


def main() -> int:
    path = ROOT / "README.md"
    path.write_text(filled(path.read_text(), committed()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
