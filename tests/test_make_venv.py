"""The script behind `make`: which Python it takes, and what it does after an interruption."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
Calls = list[list[str]]


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_venv", ROOT / ".ci/make_venv.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, script: ModuleType) -> Calls:
    """Records what would be run; `python -m venv` makes the folder, everything succeeds."""
    record: Calls = []
    monkeypatch.setattr(script.subprocess, "run", recorder(record, {}))
    return record


def recorder(record: Calls, codes: dict[str, int]) -> Callable[..., object]:
    """A stand-in for subprocess.run: exit code by a word of the command."""

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        record.append(command)
        if command[1:3] == ["-m", "venv"]:
            Path(command[3]).mkdir()
        code = next((code for word, code in codes.items() if word in " ".join(command)), 0)
        return subprocess.CompletedProcess(command, code)

    return run


def installs(calls: Calls) -> int:
    return sum("install" in command for command in calls)


def makes(calls: Calls) -> int:
    return sum(command[1:3] == ["-m", "venv"] for command in calls)


def test_makes_and_installs(script: ModuleType, calls: Calls, tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    folder.mkdir()
    (folder / ".installing").touch()  # killed in the middle
    (folder / "half-a-package").touch()
    script.make(str(folder), "dev.txt")
    assert makes(calls) == 1 and installs(calls) == 1
    assert [path.name for path in folder.iterdir()] == [".ready"]


def test_a_whole_environment_is_kept(script: ModuleType, calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "something-installed").touch()
    script.make(str(tmp_path), "dev.txt")
    assert makes(calls) == 0 and installs(calls) == 1
    assert (tmp_path / "something-installed").exists()


def test_a_failed_installation_is_not_ready(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(script.subprocess, "run", recorder([], {"pip install": 1}))
    (tmp_path / ".ready").touch()
    with pytest.raises(SystemExit, match="pip could not install"):
        script.make(str(tmp_path), "dev.txt")
    assert not (tmp_path / ".ready").exists()
    assert (tmp_path / ".installing").exists()


def test_without_the_venv_module(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(script.subprocess, "run", recorder([], {"import pip": 1, "ensurepip": 1}))
    with pytest.raises(SystemExit, match="lacks the venv module: apt-get install") as stopped:
        script.make(str(tmp_path / "venv"), "dev.txt")
    assert "\n" not in str(stopped.value)


def test_supported_python_is_taken(script: ModuleType) -> None:
    assert script.find_python() == sys.executable


def test_another_python_is_found(
    script: ModuleType, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script.sys, "version_info", (3, 14, 0))
    assert script.find_python() == "python3.13"


def test_no_supported_python(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script.sys, "version_info", (3, 9, 0))
    monkeypatch.setattr(script.subprocess, "run", recorder([], {"import venv": 1}))
    with pytest.raises(SystemExit, match=r"python3 is 3\.9, outside of 3\.10 to 3\.13") as stopped:
        script.find_python()
    assert "\n" not in str(stopped.value)


def test_supported_range_is_that_of_the_package(script: ModuleType) -> None:
    from packaging.specifiers import SpecifierSet

    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    allowed = SpecifierSet(project["requires-python"])
    minors = [minor for minor in range(30) if allowed.contains(f"3.{minor}")]
    assert sorted(script.SUPPORTED) == [(3, minor) for minor in minors]
