"""Seeded bugs: one small change of a source text each, and the tests that must notice it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

PLAIN = "-O0"  # most mutants are caught at once, so compiling is what takes time


class Suite(NamedTuple):
    """Tests that belong together, as arguments of pytest.

    Attributes:
        operator: whose tests they are; the others are not built.
        name: which of the operator's tests.
        arguments: files in the order in which they run, and a selection.
        environment: what the tests need to be set.
        native: whether they run a library that CMake builds.
        sanitized: whether that is the build of `make sanitize`.
    """

    operator: str
    name: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    native: bool = False
    sanitized: bool = False

    @property
    def title(self) -> str:
        return f"{self.operator}: {self.name}"


@dataclass(frozen=True)
class Mutant:
    """A bug.

    Attributes:
        name: of this mutant alone, in words joined by "-".
        kind: a sentence that says what is wrong.
        file: the source, from the root of the tree.
        before, after: the text that is replaced, and by what.
        suite: the tests of which one must fail.
        which: index of the place, among those where `before` stands.
        places: how often `before` stands in the file.
    """

    name: str
    kind: str
    file: str
    before: str
    after: str
    suite: Suite
    which: int = 0
    places: int = 1

    def applied(self, text: str) -> str:
        """The text of `file` with the bug in it.

        Raises:
            ValueError: the text has changed, so that the bug cannot be planted as described.
        """
        parts = text.split(self.before)
        if len(parts) - 1 != self.places or not 0 <= self.which < self.places:
            raise ValueError(
                f"mutant {self.name}: {self.file} has {len(parts) - 1} times the text "
                f"{self.before!r}, expected {self.places}"
            )
        head = self.before.join(parts[: self.which + 1])
        return head + self.after + self.before.join(parts[self.which + 1 :])


def cpu_suite(operator: str, isa: str = "avx2") -> Suite:
    """The CPU kernels of one instruction set: the tests that are quick first."""
    files = [f"test_{name}.py" for name in ("agreement", "layouts")]
    files += [operator, *(f"test_{name}.py" for name in ("gradients", "precision", "determinism"))]
    return Suite(
        operator,
        isa,
        (
            *(f"tests/ops/{name}" for name in files),
            "-k",
            f"{operator} and (cpu_{isa} or bare_operator) and not thousand",
        ),
        native=True,
    )


def sanitized_suite(operator: str) -> Suite:
    """As `cpu_suite`, with sanitizers: for what reads or writes where it must not."""
    return cpu_suite(operator)._replace(name="sanitized", sanitized=True)


def cuda_suite(operator: str) -> Suite:
    """The CUDA kernels on the CPU."""
    return Suite(operator, "CUDA", (f"tests/ops/test_{operator}_cuda_on_cpu.py",))


def triton_suite(operator: str, file: str) -> Suite:
    """The Triton kernels in the interpreter."""
    return Suite(operator, "Triton", (f"tests/ops/{file}.py",), (("TRITON_INTERPRET", "1"),))


def python_suite(operator: str, *files: str) -> Suite:
    """Python code, next to the native library."""
    return Suite(operator, "Python", (*files, "-k", operator), native=True)
