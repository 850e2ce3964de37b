"""The command: ``python -m benchmarks.gpu --out DIR``; see the package's docstring."""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Shares of the time, in the order of use: what is wrong need not be timed.
STAGES = {"build": 0.16, "tests": 0.26, "ceilings": 0.03, "grid": 0.36, "reductions": 0.04}
STAGES["sanitizer"] = 1 - sum(STAGES.values())
TESTS = ("tests/ops", "-m", "gpu", "-n", "4")
REHEARSED_TESTS = ("tests/ops/test_registry.py",)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu.json and logs")
    parser.add_argument("--minutes", type=float, default=9.5, help="for everything together")
    parser.add_argument("--only", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, at tiny sizes")
    chosen = parser.parse_args(arguments)
    if chosen.minutes <= 0:
        parser.error(f"--minutes: expected more than 0, got {chosen.minutes}")
    import torch

    if not chosen.rehearse and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device here; --rehearse runs on the CPU")
    chosen.out.mkdir(parents=True, exist_ok=True)
    report = Report(chosen.out / "gpu.json", rehearsal=chosen.rehearse)
    seconds = 60 * chosen.minutes
    ends = time.monotonic() + seconds
    for name in chosen.only:
        left = ends - time.monotonic()
        share = max(min(seconds * STAGES[name], left), 1)
        print(f"{name}: up to {share:.0f} s", flush=True)
        began = time.monotonic()
        try:
            report.values[name] = _run(name, chosen.out, share, chosen.rehearse)
        except Exception as error:  # the other stages are worth having all the same
            report.values[name] = {"error": f"{type(error).__name__}: {str(error)[:2000]}"}
        report.values[name]["stage_seconds"] = round(time.monotonic() - began, 1)
        report.write()
    if "grid" in chosen.only:
        from benchmarks.gpu.cases import GOALS

        report.values["goals"] = reached(report.values, GOALS)
        report.write()
    print(table(report.values))
    print(f"wrote {report.path}")
    return 1 if failures(report.values) else 0


class Report:
    """What is known so far, on disk after every stage."""

    def __init__(self, path: Path, *, rehearsal: bool) -> None:
        from benchmarks.harness import machine

        self.path = path
        self.values: dict[str, Any] = {"machine": {**machine(), **_device()}}
        self.values["rehearsal"] = rehearsal
        self.values["command"] = "python -m benchmarks.gpu " + " ".join(sys.argv[1:])

    def write(self) -> None:
        self.path.write_text(json.dumps(self.values, indent=1) + "\n")


def _device() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"gpu": None}
    properties = torch.cuda.get_device_properties(0)
    return {
        "gpu": properties.name,
        "capability": list(torch.cuda.get_device_capability()),
        "multiprocessors": properties.multi_processor_count,
        "l2_bytes": properties.L2_cache_size,
        "cuda": torch.version.cuda,
        "driver_and_clocks": _ask_driver("driver_version,clocks.sm,clocks.max.sm,clocks.mem"),
        "triton": _version("triton"),
    }


def _ask_driver(fields: str) -> str:
    """What nvidia-smi says, or nothing where it is not."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    command = [tool, f"--query-gpu={fields}", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def _version(name: str) -> str | None:
    from fastpose.environment import package_version

    return package_version(name)


def _run(name: str, out: Path, seconds: float, rehearse: bool) -> dict[str, Any]:
    """One stage. What imports fastpose does so only here: `build` comes first."""
    import torch

    from benchmarks.gpu import stages

    device = torch.device("cpu" if rehearse else "cuda")
    capability = None if rehearse else torch.cuda.get_device_capability()
    if name == "build":
        if rehearse:
            return {"skipped": "a rehearsal takes the libraries that are there"}
        return stages.build(out, seconds, capability)
    if name == "tests":
        return stages.tests(out, seconds, REHEARSED_TESTS if rehearse else TESTS)
    if name == "sanitizer":
        return {"skipped": "there is no GPU"} if rehearse else stages.sanitize(out, seconds)
    if name == "ceilings":
        from benchmarks.gpu.ceilings import measure

        return measure(device, megabytes=1 if rehearse else 1024, rounds=5 if rehearse else 20)
    if name == "reductions":
        from benchmarks.gpu import reductions

        if capability is None:
            return {"skipped": "there is no GPU"}
        library = reductions.compiled(out, capability)
        sizes = ((16, 128), (64, 128), (64, 256))
        return {f"{b}x{s}": reductions.measure(library, b, s, rounds=20) for b, s in sizes}
    return _grid(device, seconds, rehearse)


def _grid(device: Any, seconds: float, rehearse: bool) -> dict[str, Any]:
    from benchmarks.gpu.cases import CASES, REHEARSED
    from benchmarks.gpu.grid import ROUNDS, measure, same_on_streams_and_replays

    chosen = REHEARSED if rehearse else CASES
    left = sum(len(cases) for cases in chosen.values())
    ends = time.monotonic() + seconds
    found: dict[str, Any] = {"cases": [], "same_bytes": {}}
    for operator, cases in chosen.items():
        benchmark = importlib.import_module(f"benchmarks.ops.bench_{operator}").BENCHMARK
        for index, case in enumerate(cases):
            share = max(ends - time.monotonic(), 1) / left
            # Compiling takes longer than timing; the first case of an operator stands for all.
            found["cases"].append(
                measure(
                    benchmark,
                    case,
                    device,
                    compile_peers=not rehearse and index < 2,
                    rounds=2 if rehearse else ROUNDS,
                    seconds=share / 2,
                )
            )
            left -= 1
        found["same_bytes"][operator] = same_on_streams_and_replays(benchmark, cases[0], device)
    return found


def failures(values: dict[str, Any]) -> list[str]:
    """What went wrong, in words; empty if nothing did."""
    found = [f"{name}: {v['error']}" for name, v in values.items() if _has(v, "error")]
    for name in ("build", "tests"):
        if _has(values.get(name), "status") and values[name]["status"] != 0:
            found.append(f"{name}: exit status {values[name]['status']}")
    for tool, record in (values.get("sanitizer") or {}).items():
        if _has(record, "errors") and record["errors"]:
            found.append(f"compute-sanitizer {tool}: {record['errors']} errors")
    for operator, same in ((values.get("grid") or {}).get("same_bytes") or {}).items():
        if not same:
            found.append(f"{operator}: other bytes on another stream or in a graph")
    return found


def _has(record: Any, key: str) -> bool:
    return isinstance(record, dict) and key in record


def table(values: dict[str, Any]) -> str:
    """A page to read: ours and the fastest peer that is right, each case in a line."""
    lines = ["", "operator, case, what: ours cold us | launches | host us | against the best peer"]
    for case in (values.get("grid") or {}).get("cases", ()):
        for what in dict.fromkeys(row["what"] for row in case["rows"]):
            lines.append(_line(case, what))
    tests = values.get("tests") or {}
    if "passed" in tests:
        lines.append(
            f"tests: {tests['passed']} passed, {tests['failed']} failed, {tests['skipped']} skipped"
        )
    for goal in values.get("goals", ()):
        verdict = {True: "reached", False: "MISSED", None: "not measured"}[goal["reached"]]
        wanted = f"at least {goal['must']}x {goal['against']}"
        lines.append(f"{goal['row']}, {goal['what']}: {goal['times']}x, {wanted}: {verdict}")
    lines += [f"WRONG: {text}" for text in failures(values)]
    return "\n".join(lines)


def reached(values: dict[str, Any], goals: Sequence[Any]) -> list[dict[str, Any]]:
    """Of each goal what was measured: a ratio, and whether it is enough; None: not measured."""
    found = []
    for goal in goals:
        rows = [
            row
            for case in (values.get("grid") or {}).get("cases", ())
            if case["case"] == str(goal.case)
            for row in case["rows"]
            if row["what"] == goal.what and "cold_us" in row
        ]
        # Another function counts only where a goal names it, never as the fastest of a group.
        against = [
            r
            for r in rows
            if (r["differs"] and goal.against == r["contender"])
            or (_same(r) and goal.against in (r["group"], r["contender"]))
        ]
        best = min(against, key=lambda r: r["cold_us"]["median"], default=None)
        times = best["times_fastpose"]["of_medians"] if best else None
        entry = {"row": goal.row, "what": goal.what, "against": goal.against, "times": times}
        entry["must"] = goal.must
        entry["reached"] = None if times is None else times >= goal.must
        found.append(entry)
    return found


def _same(row: dict[str, Any]) -> bool:
    """Whether a contender computes the same, and rightly."""
    return row["right"] and not row["differs"]


def _line(case: dict[str, Any], what: str) -> str:
    rows = [r for r in case["rows"] if r["what"] == what and "cold_us" in r]
    text = f"{case['operator']}, {case['case']}, {what}: "
    if not rows or rows[0]["contender"] != "fastpose":
        return text + "not timed"
    ours, peers = rows[0], [r for r in rows if not r["contender"].startswith("fastpose")]
    text += f"{ours['cold_us']['median']} | {ours['launches']} | {ours['host_us']}"
    best = min(filter(_same, peers), key=lambda r: r["cold_us"]["median"], default=None)
    if best is None:
        return text + " | no peer is right"
    return text + f" | {best['times_fastpose']['of_medians']}x {best['contender']}"


if __name__ == "__main__":
    sys.exit(main())
