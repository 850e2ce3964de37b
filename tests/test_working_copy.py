"""The copies of the tree that `make sanitize` and `make mutants` build and break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import working_copy
from tests.working_copy import WorkingCopy


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "checkout"
    (root / "csrc").mkdir(parents=True)
    (root / "csrc/kernel.cpp").write_text("int answer = 42;\n")
    (root / "setup.py").write_text("print('builds')\n")
    (root / ".gitignore").write_text("/build/\n*.so\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    monkeypatch.setattr(working_copy, "ROOT", root)
    return root


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_copies_what_git_does_not_ignore(checkout: Path, tmp_path: Path) -> None:
    (checkout / "library.so").touch()
    copy = WorkingCopy(tmp_path / "copy", "-O0")
    copy.refresh()
    assert files(copy.folder) == {"csrc/kernel.cpp", "setup.py", ".gitignore"}


def test_folders_can_be_left_out(checkout: Path, tmp_path: Path) -> None:
    (checkout / "csrc/other").mkdir()
    (checkout / "csrc/other/kernel.cpp").touch()
    copy = WorkingCopy(tmp_path / "copy", "-O0", without=["csrc/other"])
    copy.write("csrc/other/kernel.cpp", b"from before")
    copy.refresh()
    assert files(copy.folder) == {"csrc/kernel.cpp", "setup.py", ".gitignore"}


def test_refreshing_undoes_changes_and_touches_nothing_else(checkout: Path, tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path / "copy", "-O0")
    copy.refresh()
    (copy.folder / "csrc/library.so").touch()  # what was built there stays
    same = (copy.folder / "setup.py").stat().st_mtime_ns
    copy.write("csrc/kernel.cpp", b"int answer = 41;\n")
    copy.write("csrc/forgotten.cpp", b"int question;\n")
    copy.refresh()
    assert (copy.folder / "csrc/kernel.cpp").read_text() == "int answer = 42;\n"
    assert (copy.folder / "setup.py").stat().st_mtime_ns == same
    assert not (copy.folder / "csrc/forgotten.cpp").exists()
    assert (copy.folder / "csrc/library.so").exists()
    assert (checkout / "csrc/kernel.cpp").read_text() == "int answer = 42;\n"


def test_other_flags_start_a_new_build(checkout: Path, tmp_path: Path) -> None:
    made = tmp_path / "copy/build/cmake/made"
    for flags, survives in (("-O0", False), ("-O0", True), ("-O1", False)):
        copy = WorkingCopy(tmp_path / "copy", flags)
        copy.refresh()
        assert "builds" in copy.build().stdout
        assert made.exists() == survives
        made.parent.mkdir(exist_ok=True)
        made.touch()


def test_commands_run_there(checkout: Path, tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path / "copy", "-O0")
    copy.refresh()
    script = "import os; print(os.getcwd(), os.environ['CXXFLAGS'], os.environ['MORE'])"
    ran = copy.run([sys.executable, "-c", script], MORE="yes")
    assert ran.stdout.split() == [str(copy.folder), "-O0", "yes"]
