"""The command line's entry: verbs, exit codes, one-line errors."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from fastpose import cli
from fastpose.errors import UserError, nearest


def install(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    module = ModuleType("fastpose.cli.info", "A verb for this test.")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fastpose.cli.info", module)


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in cli.VERBS)
    assert cli.main([]) == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("fastpose ")


def test_unknown_verb_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    err = capsys.readouterr().err
    assert "did you mean 'train'?" in err
    assert err.count("\n") == 1


def test_flags_reach_the_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def run(size: int = 1) -> int:
        seen["size"] = size
        return 5

    install(monkeypatch, run)
    assert cli.main(["info", "--size", "7"]) == 5
    assert seen == {"size": 7}


def test_user_errors_are_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        raise UserError("x.mp4: no such file")

    install(monkeypatch, run)
    assert cli.main(["info"]) == 2
    assert capsys.readouterr().err == "fastpose: error: x.mp4: no such file\n"


def test_interrupt_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        raise KeyboardInterrupt

    install(monkeypatch, run)
    assert cli.main(["info"]) == 130


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        raise RuntimeError("a bug")

    install(monkeypatch, run)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["info"])


def test_nearest_is_silent_when_nothing_is_close() -> None:
    assert nearest("zzzz", ["train"]) == ""
