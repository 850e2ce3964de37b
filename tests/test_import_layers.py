"""Holds the layers of the package apart, by reading the imports of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fastpose"

# What each part of the package may import of the others. Every part may import itself.
LOW = {"errors", "files", "skeletons", "poses"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "skeletons": {"errors"},
    "poses": {"errors", "skeletons"},
    "structures": {"errors"},
    "templates": {"errors", "files", "skeletons", "structures"},
    "_native": set(),
    "ops": {"errors", "_native"},
    "environment": {"_native", "ops"},
    "media": LOW | {"templates"},
    "nn": LOW | {"ops", "templates"},
    "models": LOW | {"nn", "ops", "templates"},
    "data": LOW | {"media", "ops"},
    "recipes": LOW | {"models", "data", "structures", "templates", "training.phases"},
    "training": LOW | {"models", "data", "nn", "ops", "media", "recipes", "environment"},
    "evaluation": LOW | {"models", "data", "ops", "media", "recipes", "training", "inference"},
    "export": LOW | {"models", "data", "media", "recipes", "training", "inference"},
    # People are found and framed by the code that made the clips for training; it is torch-free.
    "inference": LOW | {"media", "data.prepare"},
    "cli": {"*"},
    "__init__": {"inference"},
    "__main__": {"cli"},
}
# Single files that may do more, and what: each import sits inside the function that needs it.
EXCEPTIONS: dict[str, set[str]] = {
    # Opens a training run instead of an exported file: the one way from inference to torch.
    "inference/runtimes/torch.py": {"training.checkpoint"},
}
TORCH_FREE = {"errors", "files", "skeletons", "poses", "media", "inference"}
TORCH_FREE_OF_DATA = ("data/__init__.py", "data/clips/", "data/datasets/", "data/prepare/")


def source_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The part of the package a file belongs to: its folder or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST, path: Path) -> Iterator[str]:
    """Absolute dotted names of everything that is imported anywhere in the file."""
    package = ["fastpose", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def top_level_imports(tree: ast.Module, path: Path) -> Iterator[str]:
    """As `imported`, but only what runs when the module is imported."""
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from imported(node, path)


def violations(path: Path, tree: ast.Module) -> list[str]:
    """Imports of the file that its layer does not allow."""
    part = part_of(path)
    allowed = ALLOWED[part] | EXCEPTIONS.get(str(path.relative_to(PACKAGE)), set())
    found = []
    for name in imported(tree, path):
        if not name.startswith("fastpose."):
            continue
        target = name.removeprefix("fastpose.")
        first = target.split(".")[0]
        known = first in ALLOWED  # otherwise a name of fastpose/__init__.py, like __version__
        if not known or first == part or "*" in allowed or first in allowed:
            continue
        if not any(target == rule or target.startswith(f"{rule}.") for rule in allowed):
            found.append(name)
    return found


@pytest.mark.parametrize("path", source_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_stay_inside_their_layer(path: Path) -> None:
    assert part_of(path) in ALLOWED, "a new part of the package needs a row in ALLOWED"
    assert violations(path, ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in source_files()
        if part_of(p) in TORCH_FREE
        or p.relative_to(PACKAGE).as_posix().startswith(TORCH_FREE_OF_DATA)
    ],
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_torch_free_parts_do_not_import_torch(path: Path) -> None:
    tree = ast.parse(path.read_text())
    relative = str(path.relative_to(PACKAGE))
    names = top_level_imports(tree, path) if relative in EXCEPTIONS else imported(tree, path)
    assert [name for name in names if name.split(".")[0] == "torch"] == []


def test_cli_computes_nothing() -> None:
    """A verb imports neither torch nor numpy: what needs them belongs into the library."""
    for path in sorted((PACKAGE / "cli").glob("*.py")):
        roots = {name.split(".")[0] for name in imported(ast.parse(path.read_text()), path)}
        assert not roots & {"torch", "numpy"}, path.name


@pytest.mark.parametrize(
    ("part", "source", "caught"),
    [
        ("ops/x.py", "from fastpose.models import keypoint_gan", "fastpose.models.keypoint_gan"),
        ("nn/x.py", "def f():\n    import fastpose.training.loop", "fastpose.training.loop"),
        ("skeletons.py", "from . import data", "fastpose.data"),
        ("data/sub/x.py", "from ...nn import blocks", "fastpose.nn.blocks"),
        ("recipes/x.py", "from fastpose.training import loop", "fastpose.training.loop"),
        ("inference/x.py", "from fastpose.training import checkpoint", None),
    ],
)
def test_the_check_itself_catches(part: str, source: str, caught: str | None) -> None:
    found = violations(PACKAGE / part, ast.parse(source))
    assert found == [caught or "fastpose.training.checkpoint"]


def test_the_check_itself_allows() -> None:
    source = "from fastpose.training.phases import Stage\nfrom fastpose.training import phases"
    assert violations(PACKAGE / "recipes/x.py", ast.parse(source)) == []
    source = "from fastpose import __version__, ops"
    assert violations(PACKAGE / "models/x.py", ast.parse(source)) == []
