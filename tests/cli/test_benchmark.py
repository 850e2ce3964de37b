"""`fastpose benchmark`: finds the benchmarks, passes its options on, refuses what is not there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from fastpose.cli import benchmark, main


def test_options_reach_the_benchmark(monkeypatch, tmp_path):
    calls, failed = [], []
    stand_in = SimpleNamespace(run=lambda *a, **k: calls.append((a, k)) or failed)
    monkeypatch.setitem(sys.modules, "benchmarks.ops.run", stand_in)
    assert main(["benchmark", "--out", str(tmp_path), "--grid", "--rounds", "7"]) == 0
    (operators, out), options = calls.pop()
    assert len(operators) > 9 and "render_skeleton" in operators and out == tmp_path
    command = "fastpose benchmark ops --rounds 7 --grid"
    assert options == dict(rounds=7, grid=True, quick=False, command=command)
    failed.append("soft_argmax")
    assert main(["benchmark", "ops", "render_skeleton", "soft_argmax", "--quick"]) == 1
    (operators, out), options = calls.pop()
    assert (operators, out) == (["render_skeleton", "soft_argmax"], None)
    command = "fastpose benchmark ops render_skeleton soft_argmax --rounds 30 --quick"
    assert options == dict(rounds=30, grid=False, quick=True, command=command)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["render_skeletn"], "did you mean 'render_skeleton'?"),
        (["--rounds", "0"], "rounds: expected at least 1, got 0"),
    ],
)
def test_errors(arguments, message, capsys):
    assert main(["benchmark", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_outside_of_a_checkout(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark, "__file__", str(tmp_path / "fastpose/cli/benchmark.py"))
    assert main(["benchmark"]) == 2
    assert "run them in a checkout" in capsys.readouterr().err
