"""Every operator's benchmark: its cases make sense and all that is compared passes the gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.ops.compare import drawers
from benchmarks.ops.declare import COMPILED, MEMSET, OURS, Case
from benchmarks.ops.gate import gate, right
from benchmarks.ops.measure import known_operators, load

OPERATORS = known_operators()


def kinds() -> list[tuple[str, Case]]:
    """A small case of every function that an operator's headline has."""
    found = {
        (operator, case.kind): replace(case, batch=2, size=24)
        for operator in OPERATORS
        for case in load(operator).cases
    }
    return [(operator, case) for (operator, _), case in found.items()]


@pytest.mark.parametrize(("operator", "case"), kinds(), ids=str)
def test_all_pass_the_gate(operator, case):
    declared = load(operator)
    found, groups = drawers(operator, case, declared.problem(case, 0), compile_peers=False)
    fresh = declared.problem(case, 1)
    errors = gate(operator, case, fresh, found, [1])
    assert set(errors) == set(found) == set(groups)
    differs = {name for name, peer in fresh.peers.items() if peer.differs}
    wrong = {n for n, e in errors.items() if not right(e, rounded=False, ours=n.startswith(OURS))}
    assert wrong <= differs


@pytest.mark.parametrize("operator", OPERATORS)
def test_goals_name_what_is_there(operator):
    declared = load(operator)
    for goal in declared.goals:
        assert goal.case in declared.cases, goal
        peers = declared.problem(goal.case, 0).peers
        groups = {peer.group for peer in peers.values()}
        modes = {mode for peer in peers.values() for mode in peer.modes}
        known = {*peers, *groups, f"{OURS}, avx2", f"{OURS}, out=", *([COMPILED] if modes else [])}
        assert goal.against in known, goal
        assert goal.ours in (OURS, MEMSET), goal
        if goal.stretch is not None:
            assert goal.must > goal.stretch if goal.at_most else goal.must < goal.stretch, goal


@pytest.mark.parametrize("operator", OPERATORS)
def test_grid_is_without_repetition_and_varies_everything(operator):
    grid = load(operator).grid
    assert len(set(grid)) == len(grid)
    assert load(operator).compiled <= set(grid)
    varied = ["batch", "count", "dtype"]
    leaf = load(operator).problem(load(operator).cases[0], 0).leaves(gradients=False)[0]
    if leaf.ndim == 4:
        varied += ["size", "channels_last"] if leaf.shape[1] > 1 else ["size"]
    for what in varied:
        assert len({getattr(case, what) for case in grid}) > 1, what


@pytest.mark.parametrize(("operator", "case"), kinds(), ids=str)
@pytest.mark.parametrize("change", [{"dtype": "bfloat16"}, {"channels_last": True}], ids=str)
def test_other_types_and_formats_pass_too(operator, case, change):
    declared, case = load(operator), replace(case, **change)
    problem = declared.problem(case, 0)
    found, _ = drawers(operator, case, problem, compile_peers=False)
    gate(operator, case, declared.problem(case, 1), found, [1])
    result = found[OURS](*problem.leaves(gradients=False))
    if problem.image:
        assert result.dtype == case.torch_dtype
        assert result.is_contiguous(memory_format=case.format)
    else:
        leaf = problem.leaves(gradients=False)[0]
        assert leaf.dtype == case.torch_dtype
        assert leaf.ndim != 4 or leaf.is_contiguous(memory_format=case.format)
