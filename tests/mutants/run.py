"""Plants every mutant in a copy of the tree and runs the tests that must notice it."""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from tests import sanitize
from tests.mutants.mutant import PLAIN, Mutant, Suite
from tests.working_copy import ROOT, WorkingCopy

SECONDS_PER_TEST = 60
SECONDS_PER_SUITE = 600

Task = TypeVar("Task", Mutant, Suite)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant, or of a suite without any.

    Attributes:
        passed: all tests passed, and there were some.
        failed: a test failed, crashed or hung.
        what: the first such test, or why neither can be said.
        seconds: with building.
    """

    passed: bool
    failed: bool
    what: str
    seconds: float = 0.0


def outcome_of(returncode: int, output: str) -> Outcome:
    """From what pytest left behind; `output` is that of its option -v."""
    ran = re.findall(r"^(tests/\S+\.py::.*?)(?: (PASSED|FAILED|ERROR|SKIPPED)\b.*)?$", output, re.M)
    if returncode == 0:
        passed = any(how == "PASSED" for _, how in ran)
        return Outcome(passed, False, "all pass" if passed else "no test ran")
    if returncode in (2, 3, 4, 5):  # no verdict: interrupted, internal error, usage, nothing to run
        return Outcome(False, False, f"pytest ended with {returncode}: {output[-500:]}")
    failed = [test for test, how in ran if how in ("FAILED", "ERROR")]
    if failed:
        return Outcome(False, True, failed[0])
    died = [test for test, how in ran if not how]
    if not died:
        return Outcome(False, False, f"pytest ended with {returncode}: {output[-500:]}")
    report = re.search(r"(AddressSanitizer: [\w-]+|runtime error: .*)", output)
    test = re.split(" *=+", died[-1])[0].strip()  # a line that the sanitizer has written on
    return Outcome(False, True, f"{test} ({report[1] if report else 'died'})")


class Copies:
    """Copies of the tree in which one operator is built; each is used by one job at a time."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._free: dict[tuple[str, bool], queue.Queue[WorkingCopy]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def one(self, suite: Suite) -> Iterator[WorkingCopy]:
        """A copy for that suite which nobody else uses, with the files of the checkout."""
        free = self._of(suite)
        copy = free.get()
        try:
            copy.refresh()
            yield copy
        finally:
            free.put(copy)

    def _of(self, suite: Suite) -> queue.Queue[WorkingCopy]:
        key = suite.operator, suite.sanitized
        with self._lock:
            if key not in self._free:
                self._free[key] = queue.Queue()
                jobs = 1 if suite.sanitized else self._jobs  # few suites, and slow to compile
                for job in range(jobs):
                    self._free[key].put(self._new(*key, job))
            return self._free[key]

    @staticmethod
    def _new(operator: str, sanitized: bool, job: int) -> WorkingCopy:
        operators = {path.parent.name for path in ROOT.glob("csrc/*/cpu.cpp")}
        others = [f"csrc/{name}" for name in operators - {operator}]
        kind = "sanitized" if sanitized else f"plain_{job}"
        flags = sanitize.FLAGS if sanitized else PLAIN
        return WorkingCopy(ROOT / f"build/mutants/{operator}/{kind}", flags, without=others)


def run_suite(copy: WorkingCopy, suite: Suite) -> Outcome:
    """Build what the suite needs and run it until the first failure."""
    started = time.monotonic()
    if suite.native:
        built = copy.build()
        if built.returncode != 0:
            return Outcome(False, False, f"does not compile: {built.stdout[-2000:]}")
    more = dict(suite.environment) | {"OMP_NUM_THREADS": "1"}
    if suite.sanitized:
        more |= sanitize.environment()
    if not suite.native:
        more["FASTPOSE_REQUIRE_NATIVE"] = "0"
    command = [sys.executable, "-m", "pytest", "-v", "-x", "--tb=no", "--color=no", "--capture=sys"]
    # A kernel that does not return can only be ended with its process: "thread" does that.
    command += ["--timeout", str(SECONDS_PER_TEST), "-o", "timeout_method=thread"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", *suite.arguments]
    try:
        ran = copy.run(command, timeout=SECONDS_PER_SUITE, **more)
    except subprocess.TimeoutExpired:
        return Outcome(False, False, f"took more than {SECONDS_PER_SUITE} s")
    found = outcome_of(ran.returncode, ran.stdout)
    return Outcome(found.passed, found.failed, found.what, time.monotonic() - started)


def check_suite(copies: Copies, suite: Suite) -> Outcome:
    """Run a suite on the tree as it is."""
    with copies.one(suite) as copy:
        return run_suite(copy, suite)


def try_mutant(copies: Copies, mutant: Mutant) -> Outcome:
    """Plant the mutant in a copy and run its suite."""
    with copies.one(mutant.suite) as copy:
        mutated = mutant.applied((ROOT / mutant.file).read_text())
        copy.write(mutant.file, mutated.encode())
        return run_suite(copy, mutant.suite)


def in_parallel(
    jobs: int, function: Callable[[Task], Outcome], tasks: Sequence[Task]
) -> Iterable[tuple[Task, Outcome]]:
    """Every task with its outcome, as they end."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(function, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()
