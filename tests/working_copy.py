"""A copy of the working tree, built with other options or broken on purpose, apart from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_MADE_THERE = {"build", "__pycache__", ".pytest_cache", ".hypothesis", ".ruff_cache"}


class WorkingCopy:
    """The tracked and the new files of the checkout in `folder`, with a build of their own.

    Args:
        folder: kept from one run to the next, so that only what changed is compiled.
        compile_flags: of C++; they take the place of the optimization that CMake would choose.
        without: folders that are left out, such as ``csrc/<operator>``, which is then not built.
    """

    def __init__(self, folder: Path, compile_flags: str, without: Sequence[str] = ()) -> None:
        self.folder = folder
        self._without = tuple(f"{name}/" for name in without)
        self.environment = os.environ | {
            "CXXFLAGS": compile_flags,
            "CMAKE_BUILD_TYPE": "None",
            "FASTPOSE_CUDA": "off",
            "FASTPOSE_REQUIRE_NATIVE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # files may change twice within a second
        }

    def refresh(self) -> None:
        """Make its files those of the checkout; those that are equal keep their time."""
        command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names = {n for n in listed.stdout.split("\0") if n and (ROOT / n).is_file()}
        names = {n for n in names if not n.startswith(self._without)}
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder)
            made_there = _MADE_THERE.intersection(name.parts) or path.suffix == ".so"
            if path.is_file() and not made_there and name.as_posix() not in names:
                path.unlink()
        for name in names:
            self.write(name, (ROOT / name).read_bytes())

    def write(self, name: str, content: bytes) -> None:
        """Give one file that content, if it has another one."""
        path = self.folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def build(self) -> subprocess.CompletedProcess[str]:
        """Compile what changed."""
        flags = self.folder / "build/flags"  # CMake keeps those of the first time
        if not flags.is_file() or flags.read_text() != self.environment["CXXFLAGS"]:
            shutil.rmtree(self.folder / "build", ignore_errors=True)
            flags.parent.mkdir(parents=True)
            flags.write_text(self.environment["CXXFLAGS"])
        return self.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"])

    def run(
        self,
        command: Sequence[str],
        *,
        quiet: bool = True,
        timeout: float | None = None,
        **more: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there, with `more` in its environment; its output is kept, or shown."""
        inherited = {k: v for k, v in self.environment.items() if not k.startswith("PYTEST_")}
        return subprocess.run(
            command,
            cwd=self.folder,
            env=inherited | more,
            text=True,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )
