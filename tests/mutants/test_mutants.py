"""The table of mutants fits the sources, and a survivor is noticed. `make mutants` runs them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants import __main__ as command
from tests.mutants.mutant import Mutant, Suite, python_suite
from tests.mutants.run import Outcome, outcome_of
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_can_be_planted(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    mutated = mutant.applied(text)
    assert mutated != text
    if mutant.file.endswith(".py"):
        assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(text))
    for argument in mutant.suite.arguments:
        assert not argument.startswith("tests/") or (ROOT / argument).exists()


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 24
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)
    changes = {(m.file, m.applied((ROOT / m.file).read_text())) for m in MUTANTS}
    assert len(changes) == len(MUTANTS)


# --- planting ------------------------------------------------------------------------------------
def mutant(before: str, after: str, **more: int) -> Mutant:
    return Mutant("name", "kind", "file.h", before, after, python_suite("suite", "tests"), **more)


def test_the_place_that_is_meant_is_changed() -> None:
    text = "a = b; a = c; a = d;"
    assert mutant("a", "x", which=0, places=3).applied(text) == "x = b; a = c; a = d;"
    assert mutant("a", "x", which=1, places=3).applied(text) == "a = b; x = c; a = d;"
    assert mutant("a", "x", which=2, places=3).applied(text) == "a = b; a = c; x = d;"
    assert mutant("b; ", "").applied(text) == "a = a = c; a = d;"


@pytest.mark.parametrize("text", ["", "a", "a a a"])
def test_a_text_that_has_changed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"mutant name: file.h has \d times the text 'a'"):
        mutant("a", "x", places=2).applied(text)


# --- verdicts ------------------------------------------------------------------------------------
RAN = "collected 3 items\n\ntests/ops/test_a.py::test_one[x] PASSED   [ 33%]\n"


def test_a_failing_test_catches() -> None:
    found = outcome_of(1, RAN + "tests/ops/test_a.py::test_two[y - z] FAILED   [ 66%]\n")
    assert (found.passed, found.failed) == (False, True)
    assert found.what == "tests/ops/test_a.py::test_two[y - z]"


@pytest.mark.parametrize("returncode", [-11, -6, 134, 139])
def test_a_crash_catches(returncode: int) -> None:
    found = outcome_of(returncode, RAN + "tests/ops/test_a.py::test_two Fatal Python error: Abort")
    assert (found.passed, found.failed) == (False, True)
    assert found.what.startswith("tests/ops/test_a.py::test_two")


def test_a_report_of_a_sanitizer_catches() -> None:
    report = "======\n==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1"
    found = outcome_of(1, RAN + "tests/ops/test_a.py::test_two " + report)
    assert found.failed
    assert found.what == "tests/ops/test_a.py::test_two (AddressSanitizer: heap-buffer-overflow)"


def test_all_passing_is_survival() -> None:
    found = outcome_of(0, RAN)
    assert (found.passed, found.failed) == (True, False)


@pytest.mark.parametrize(
    ("returncode", "output"),
    [
        (0, "tests/ops/test_a.py::test_one SKIPPED (no GPU) [100%]\n"),  # nothing was tested
        (2, "ERROR collecting tests/ops/test_a.py\n"),
        (5, "collected 0 items\n"),
        (1, "ImportError while loading conftest\n"),
        (-9, ""),
    ],
)
def test_no_test_no_verdict(returncode: int, output: str) -> None:
    found = outcome_of(returncode, output)
    assert (found.passed, found.failed) == (False, False)


# --- the command ---------------------------------------------------------------------------------
CAUGHT = Outcome(False, True, "tests/ops/test_a.py::test_two")
SURVIVES = Outcome(True, False, "all pass")
NEITHER = Outcome(False, False, "does not compile")


@pytest.mark.parametrize(
    ("suite", "outcome", "status", "text"),
    [
        (SURVIVES, CAUGHT, 0, "1 of 1 caught"),
        (SURVIVES, SURVIVES, 1, "0 of 1 caught"),
        (SURVIVES, NEITHER, 1, "NO VERDICT: does not compile"),
        (CAUGHT, CAUGHT, 1, "a suite fails without any mutant"),
        (NEITHER, CAUGHT, 1, "a suite fails without any mutant"),
    ],
)
def test_status(
    suite: Outcome,
    outcome: Outcome,
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "check_suite", lambda copies, suite: suite_outcome(suite))
    monkeypatch.setattr(command, "try_mutant", lambda copies, mutant: outcome)

    def suite_outcome(checked: Suite) -> Outcome:
        assert checked == MUTANTS[0].suite
        return suite

    assert command.main(["--only", MUTANTS[0].name]) == status
    assert text in capsys.readouterr().out


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(MUTANTS)


def test_an_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--only", "nothing-of-that-name"])
    assert "no mutant has nothing-of-that-name in its name" in capsys.readouterr().err
