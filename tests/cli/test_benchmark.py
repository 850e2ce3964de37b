"""`fastpose benchmark`: finds the benchmark, passes its options on, refuses what is not there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from fastpose.cli import benchmark, main


def test_options_reach_the_benchmark(monkeypatch, tmp_path):
    calls = []
    stand_in = SimpleNamespace(run=lambda *a, **k: calls.append((a, k)))
    monkeypatch.setitem(sys.modules, "benchmarks.ops.bench_render_skeleton", stand_in)
    out = tmp_path / "figures.json"
    assert main(["benchmark", "--out", str(out), "--grid", "--rounds", "7"]) == 0
    assert main(["benchmark", "render_skeleton", "--quick"]) == 0
    assert calls == [((out, 7, True), {"compiled": True}), ((None, 3, False), {"compiled": False})]


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
