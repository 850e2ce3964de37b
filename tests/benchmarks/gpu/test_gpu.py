"""The GPU benchmark's program, rehearsed on the CPU: that it runs, reports and says what failed."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import cases, clock, stages
from benchmarks.gpu.__main__ import STAGES, failures, main, reached, table

COMMON = {"right": True, "differs": "", "launches": None, "host_us": 1.0}


@pytest.mark.timeout(300)
def test_a_rehearsal_writes_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    only = ["ceilings", "grid", "reductions", "sanitizer"]
    assert main(["--out", str(tmp_path), "--rehearse", "--minutes", "0.05", "--only", *only]) == 0
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["rehearsal"] is True and report["machine"]["gpu"] is None
    assert set(only) <= set(report)
    assert report["ceilings"]["copy_gb_per_s"] > 0
    for case in report["grid"]["cases"]:
        rows = {(r["contender"], r["what"]): r for r in case["rows"]}
        ours = rows["fastpose", "forward"]
        assert ours["right"] and ours["cold_us"]["median"] > 0 and ours["bytes"] > 0
        peers = [r for r in case["rows"] if r["group"] != "fastpose"]
        assert peers and all(r["times_fastpose"]["of_medians"] > 0 for r in peers)
    assert all(report["grid"]["same_bytes"].values())
    shown = capsys.readouterr().out
    assert "render_skeleton" in shown and "WRONG" not in shown


def test_without_a_gpu_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit) as stopped:
        main(["--out", str(tmp_path)])
    assert stopped.value.code == 2
    assert "torch sees no CUDA device" in capsys.readouterr().err


def test_the_stages_fill_the_time() -> None:
    assert sum(STAGES.values()) == pytest.approx(1)
    assert min(STAGES.values()) > 0


@pytest.mark.parametrize("operator", cases.CASES)
def test_the_cases_are_those_of_a_benchmark(operator: str) -> None:
    benchmark = importlib.import_module(f"benchmarks.ops.bench_{operator}").BENCHMARK
    for case in cases.REHEARSED[operator]:
        assert benchmark.problem(case, 0, "cpu").peers
    assert len(set(cases.CASES[operator])) == len(cases.CASES[operator])


def test_a_command_that_fails_leaves_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('about to end'); raise SystemExit(3)"]
    record = stages.run(command, tmp_path / "log", 20)
    assert record["status"] == 3 and record["tail"] == ["about to end"]


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    record = stages.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", 1)
    assert record["status"] is None and record["seconds"] < 30


def test_counts_of_a_junit_report(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(
        "<testsuites><testsuite><testcase classname='a' name='b'/>"
        "<testcase classname='a' name='c'><failure>no</failure></testcase>"
        "<testcase classname='a' name='d'><skipped/></testcase></testsuite></testsuites>"
    )
    found = stages.counts(report)
    assert found == {"passed": 1, "failed": 1, "skipped": 1, "failures": ["a::c"]}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tests": {"status": 1, "passed": 3, "failed": 1, "skipped": 0}}, "tests: exit status 1"),
        ({"build": {"status": None}}, "build: exit status None"),
        ({"grid": {"error": "ValueError: wrong"}}, "grid: ValueError: wrong"),
        ({"sanitizer": {"memcheck": {"status": 9, "errors": 2}}}, "memcheck: 2 errors"),
        ({"grid": {"cases": [], "same_bytes": {"op": False}}}, "op: other bytes"),
    ],
)
def test_what_failed_is_said(values: dict, words: str) -> None:
    assert any(words in text for text in failures(values))
    assert words in table(values)


def test_a_wrong_peer_is_no_opponent() -> None:
    ours = {**COMMON, "contender": "fastpose", "what": "forward", "cold_us": {"median": 2.0}}
    fast = {**ours, "contender": "quick", "right": False, "cold_us": {"median": 1.0}}
    slow = {**ours, "contender": "slow", "cold_us": {"median": 9.0}}
    slow["times_fastpose"] = {"of_medians": 4.5}
    case = {"operator": "op", "case": "B=1", "rows": [ours, fast, slow]}
    assert "4.5x slow" in table({"grid": {"cases": [case]}})
    fast |= {"right": True, "differs": "draws something else"}
    assert "4.5x slow" in table({"grid": {"cases": [case]}})


def test_another_function_counts_only_where_a_goal_names_it() -> None:
    by_group, by_name = (
        cases.Goal("goal", cases.PARTS, cases.BOTH, against, 2)
        for against in (cases.COMPILED, "warp, compiled")
    )
    shape = {**COMMON, "what": cases.BOTH, "cold_us": {"median": 1.0}}
    other = {**shape, "contender": "warp, compiled", "group": cases.COMPILED, "right": False}
    other |= {"differs": "samples", "times_fastpose": {"of_medians": 3.0}}
    case = {"operator": "op", "case": str(cases.PARTS), "rows": [other]}
    found = reached({"grid": {"cases": [case]}}, (by_group, by_name))
    assert [goal["reached"] for goal in found] == [None, True]


def test_goals_are_held_against_the_best_right_peer() -> None:
    goal = cases.GOALS[0]
    ours = {**COMMON, "contender": "fastpose", "group": "fastpose", "what": goal.what}
    ours["cold_us"] = {"median": 2.0}
    rows = [ours]
    for name, times, right in (("a", 500.0, True), ("b", 90.0, True), ("c", 3.0, False)):
        row = {**ours, "contender": name, "group": goal.against, "right": right}
        rows.append(
            {**row, "cold_us": {"median": 2 * times}, "times_fastpose": {"of_medians": times}}
        )
    values = {"grid": {"cases": [{"operator": "op", "case": str(goal.case), "rows": rows}]}}
    found = reached(values, cases.GOALS)
    assert found[0]["times"] == 90.0 and found[0]["reached"] is (goal.must <= 90.0)
    assert found[-1]["reached"] is None
    assert "90.0x" in table({**values, "goals": found})


def test_a_contender_that_cannot_run_keeps_the_reason() -> None:
    def build() -> clock.Call:
        raise RuntimeError("no such kernel\nand more")

    contender = clock.Contender("broken", build, 1)
    clock.prepare(contender, torch.device("cpu"))
    assert contender.note == "RuntimeError: no such kernel" and not contender.graphs
