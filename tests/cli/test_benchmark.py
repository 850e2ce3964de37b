"""`fastpose benchmark`: finds the benchmarks, passes its options on, refuses what is not there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from fastpose.cli import benchmark, main


def test_options_reach_the_benchmark(monkeypatch, tmp_path):
    calls = []
    stand_in = SimpleNamespace(run=lambda *a, **k: calls.append((a, k)))
    monkeypatch.setitem(sys.modules, "benchmarks.ops.run", stand_in)
    assert main(["benchmark", "--out", str(tmp_path), "--grid", "--rounds", "7"]) == 0
    assert main(["benchmark", "render_skeleton", "--quick"]) == 0
    (operators, out), options = calls[0]
    assert "render_skeleton" in operators and out == tmp_path
    command = "fastpose benchmark ops --rounds 7 --grid"
    assert options == dict(rounds=7, grid=True, quick=False, command=command)
    assert calls[1][0] == (["render_skeleton"], None)
    command = "fastpose benchmark render_skeleton --rounds 30 --quick"
    assert calls[1][1] == dict(rounds=3, grid=False, quick=True, command=command)


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
