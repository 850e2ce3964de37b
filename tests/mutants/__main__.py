"""`make mutants`: does the suite notice seeded bugs?

Every mutant is a bug in a kernel or in what calls it. The tests of its suite must pass without it
and one of them must fail with it. A mutant that survives is a hole in the tests.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from tests.mutants.mutant import Mutant
from tests.mutants.run import Copies, check_suite, in_parallel, try_mutant
from tests.mutants.table import MUTANTS
from tests.working_copy import ROOT


def parse(arguments: Sequence[str] | None) -> tuple[list[Mutant], argparse.Namespace]:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument(
        "--only", metavar="TEXT", nargs="+", help="those with this in their name, file or suite"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    options = parser.parse_args(arguments)
    chosen = [m for m in MUTANTS if _is_meant(m, options.only)]
    if not chosen:
        parser.error(f"no mutant has {' or '.join(options.only)} in its name, file or suite")
    return chosen, options


def _is_meant(mutant: Mutant, texts: list[str] | None) -> bool:
    named = (mutant.name, mutant.file, mutant.suite.title)
    return not texts or any(text in name for text in texts for name in named)


def main(arguments: Sequence[str] | None = None) -> int:
    mutants, options = parse(arguments)
    if options.list:
        for m in mutants:
            print(f"{m.name:36} {m.file:48} {m.suite.title:28} {m.kind}")
        return 0
    started = time.monotonic()
    copies = Copies(options.jobs)
    for mutant in mutants:  # a text that has changed is said before anything is run
        mutant.applied((ROOT / mutant.file).read_text())

    sound = True
    suites = list(dict.fromkeys(m.suite for m in mutants))
    for suite, found in in_parallel(options.jobs, lambda s: check_suite(copies, s), suites):
        print(
            f"without a mutant  {suite.title:28} {found.what} ({found.seconds:.0f} s)", flush=True
        )
        sound = sound and found.passed
    if not sound:
        print("mutants: a suite fails without any mutant, or runs no test")
        return 1

    caught = 0
    for m, found in in_parallel(options.jobs, lambda m: try_mutant(copies, m), mutants):
        verdict = "caught by" if found.failed else "SURVIVES:" if found.passed else "NO VERDICT:"
        print(f"{m.name:36} {m.kind}\n{'':36} {verdict} {found.what} ({found.seconds:.0f} s)")
        sys.stdout.flush()
        caught += found.failed
    print(f"mutants: {caught} of {len(mutants)} caught, {time.monotonic() - started:.0f} s")
    return 0 if caught == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
