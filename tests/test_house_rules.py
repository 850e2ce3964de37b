"""Rules that hold for every file of the repository."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE = 600
TEST_LINES_PER_SOURCE_LINE = 0.7
SOURCE_SUFFIXES = {".py", ".h", ".cpp", ".cu", ".cuh"}

# Calls that run data as code, with the files that may make them all the same, and why.
ALLOWED_CALLS: dict[tuple[str, str], str] = {}


def tracked_files() -> list[Path]:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = filter(None, listed.stdout.decode().split("\0"))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def source_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix in SOURCE_SUFFIXES]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def line_count(path: Path) -> int:
    return len(path.read_text().splitlines())


def text_files() -> Iterator[tuple[Path, str]]:
    for path in tracked_files():
        if path == Path(__file__).resolve():
            continue  # holds the patterns
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


def test_no_file_is_too_long() -> None:
    long = {relative(p): n for p in source_files() if (n := line_count(p)) > LONGEST_FILE}
    assert long == {}


def test_the_median_file_is_short() -> None:
    lengths = sorted(line_count(path) for path in source_files())
    assert lengths[len(lengths) // 2] <= 150


def test_there_are_enough_tests() -> None:
    files = [path for path in source_files() if path.suffix == ".py"]
    source = sum(line_count(p) for p in files if relative(p).startswith("fastpose/"))
    tests = sum(line_count(p) for p in files if relative(p).startswith("tests/"))
    assert tests >= TEST_LINES_PER_SOURCE_LINE * source


def test_no_path_of_one_machine_and_no_registry_host() -> None:
    pattern = re.compile(
        # Spelt in parts, so that this file does not name what it forbids.
        r"(?<![\w.~*])/(?:home|root|wor"
        r"k|Users)/\w|pypi"
        r"\.org|python"
        r"hosted|registry"
        r"\.npmjs"
    )
    found = [
        f"{relative(path)}:{number}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def dangerous_calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(what, line) of everything that could run code found in data."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in {"pickle", "dill", "cloudpickle", "marshal"}:
                    yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module in {"pickle", "marshal"}:
            yield node.module, node.lineno
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            always = called in {"eval", "exec", "os.system", "os.popen", "yaml.load"}
            if always or (called == "torch.load" and given.get("weights_only") != "True"):
                yield called, node.lineno
            elif called in {"np.load", "numpy.load"} and given.get("allow_pickle") == "True":
                yield "allow_pickle", node.lineno
            elif given.get("shell") == "True":
                yield "shell=True", node.lineno


def test_data_is_never_run_as_code() -> None:
    found = []
    for path in source_files():
        if path.suffix != ".py":
            continue
        for what, line in dangerous_calls(ast.parse(path.read_text())):
            if (relative(path), what) not in ALLOWED_CALLS:
                found.append(f"{relative(path)}:{line}: {what}")
    assert found == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("eval('1')", "eval"),
        ("torch.load(path)", "torch.load"),
        ("torch.load(path, weights_only=False)", "torch.load"),
        ("yaml.load(text)", "yaml.load"),
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("subprocess.run('ls', shell=True)", "shell=True"),
    ],
)
def test_the_check_itself_catches(source: str, what: str) -> None:
    assert [name for name, _ in dangerous_calls(ast.parse(source))] == [what]


def test_the_check_itself_allows() -> None:
    source = "model.eval()\ntorch.load(path, weights_only=True)\nnp.load(path)\nrun(['ls'])"
    assert list(dangerous_calls(ast.parse(source))) == []


def test_no_large_file() -> None:
    large = [relative(p) for p in tracked_files() if p.stat().st_size > 2 * 2**20]
    assert large == []


def test_extras_and_pins_agree() -> None:
    """Every pinned direct dependency satisfies what pyproject.toml asks for."""
    tomllib = pytest.importorskip("tomllib")
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins: dict[str, str] = {}
    for name in ("run.txt", "dev.txt"):
        for line in (ROOT / "requirements" / name).read_text().splitlines():
            match = re.match(r"([\w-]+)==([\w.+]+)", line)
            if match:
                pins[canonicalize_name(match[1])] = match[2]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["onnx"] + extras["bench"] + extras["dev"]
    wanted += extras["datasets"]
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not pinned in requirements/"
        assert requirement.specifier.contains(pins[name]), f"{name}: {pins[name]}"
