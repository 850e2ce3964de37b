"""Ratios, verdicts and tables, from measurements that are made up."""

from __future__ import annotations

import itertools
import json

import pytest

from benchmarks.ops import report as reports
from benchmarks.ops.declare import COMPILED, EAGER, LIBRARY
from tests.benchmarks.ops.made_up import BAD, CASE, GOOD, declared, goal, made_up, row


def test_the_allocator_that_is_better_for_the_peer_counts():
    rows = {r["contender"]: r for r in reports.summary(made_up())}
    assert (rows["split"]["times_wall"], rows["split"]["times_cpu"]) == (20, 20)
    assert rows["split"]["wall_ms"] == 20 and rows["fastpose"]["wall_ms"] == 1
    assert rows["split, compiled"]["times_wall"] == 10
    assert rows["split, compiled"]["times_cpu"] == 15
    assert rows["split"]["peak_bytes"] == 3_000_000 and rows["memset"]["peak_bytes"] is None


@pytest.mark.parametrize(
    ("must", "stretch", "verdict"),
    [(9, 10, "stretch"), (10, 11, "reached"), (10, None, "reached"), (11, 12, "missed")],
)
def test_verdicts_ask_for_both_measures(must, stretch, verdict):
    found = reports.finish(made_up(), declared(goal(COMPILED, must, stretch)))["goals"][0]
    assert (found["wall"], found["cpu"], found["verdict"]) == (10, 15, verdict)


@pytest.mark.parametrize(
    ("must", "stretch", "verdict"),
    [(3, 2, "stretch"), (2, 1, "reached"), (2, None, "reached"), (1.9, 1, "missed")],
)
def test_goals_of_at_most(must, stretch, verdict):
    wanted = goal("fastpose", must, stretch, ours="memset", at_most=True)
    changed = made_up()
    for entry in changed["results"]:
        if entry["contender"] == "memset":
            entry["cpu_ms"]["median"] = 1.0
    found = reports.finish(changed, declared(wanted))["goals"][0]
    assert (found["wall"], found["cpu"], found["verdict"]) == (2, 2, verdict)


def test_who_is_wrong_is_no_rival():
    changed = made_up(errors=BAD)
    changed["cases"][str(CASE)]["errors"]["fast, compiled"] = GOOD
    for allocator, threads in itertools.product(("default", "without mmap"), (1, 2)):
        right = row("fast, compiled", COMPILED, threads, allocator, 60.0 / threads, 70.0)
        changed["results"].append(right)
    (found,) = reports.finish(changed, declared(goal(COMPILED, 1, 2)))["goals"]
    assert (found["wall_rival"], found["wall"], found["cpu"]) == ("fast, compiled", 30, 35)
    assert any("split, compiled" in x and "WRONG RESULT" in x for x in reports.table(changed))


def test_where_all_are_wrong_it_is_said():
    finished = reports.finish(made_up(errors=BAD), declared(goal(COMPILED, 1, 2)))
    assert (finished["goals"][0]["wall_rival"], finished["goals"][0]["wall"]) == (
        "split, compiled", 10,
    )  # fmt: skip
    lines = reports.goal_table([finished])
    assert "stretch (against split, compiled, whose result is wrong)" in lines[-2]


def test_a_goal_without_rivals_is_not_measured():
    finished = reports.finish(made_up(), declared(goal(LIBRARY, 1, 2), goal(EAGER, 99, None)))
    assert [g["verdict"] for g in finished["goals"]] == ["not measured", "missed"]
    *_, first, second, last = reports.goal_table([finished])
    assert first.split()[2:] == ["-", "-", ">=1", ">=2", "not", "measured"]
    assert "MISSED (against split)" in second
    assert last == "goals: 0 reached, 1 missed, 1 not measured"


def test_another_function_counts_only_by_name():
    changed = made_up(errors=BAD, differs={"split, compiled": "samples a picture"})
    goals = (goal(COMPILED, 1, 2), goal("split, compiled", 1, 2))
    finished = reports.finish(changed, declared(*goals))
    verdicts = [(g["against"], g["verdict"]) for g in finished["goals"]]
    assert verdicts == [(COMPILED, "not measured"), ("split, compiled", "stretch")]
    assert any("(samples a picture)" in line for line in reports.table(finished))


def test_tables_show_figures_and_verdicts():
    finished = reports.finish(made_up(), declared(goal(COMPILED, 11, 12), goal(EAGER, 5, 6)))
    line = next(x for x in reports.table(finished) if x.startswith("split  "))
    assert line.split()[1:] == ["20.000", "20.00", "20.00", "0.30", "3.0"]
    text = reports.goal_table([finished])
    assert "MISSED (against split, compiled)" in text[-3] and "stretch (against" in text[-2]


def test_json_is_whole_and_by_lines(tmp_path):
    finished = reports.finish(made_up(), declared(goal(EAGER, 1, 2)))
    path = reports.write(finished, tmp_path / "deep")
    assert path.name == "render_skeleton_cpu.json"
    assert json.loads(path.read_text()) == finished
    assert len(path.read_text().splitlines()) > len(finished["results"])
