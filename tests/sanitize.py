"""`make sanitize`: the operators' tests with address and undefined-behaviour sanitizer (GCC).

The CPU kernels of every instruction set, and the CUDA kernels on the CPU, in a copy of the tree.
Leaks are not looked for (Python's own would drown them), nor reads of memory that nobody wrote:
there, tests fill it with NaN.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.working_copy import ROOT, WorkingCopy

# Not optimized, because templates that are inlined and watched take minutes to optimize.
FLAGS = (
    "-O0 -g1 -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all "
    "-D_GLIBCXX_ASSERTIONS"
)
# What runs no C++ of ours, or only where there is a GPU; and tests that break a kernel on purpose.
LEFT_OUT = ("test_cuda_machine_code", "test_registry", "test_tracing", "*_cuda", "*_triton")
# Nor what asks for accuracy on many problems rather than for corners.
DESELECTED = (
    "not (reference or thousand or barrier or compiles or test_error_rule[ or test_gradcheck[)"
)
SECONDS_PER_TEST = 600  # code that is watched and not optimized takes many times as long


def preloaded() -> str:
    """The sanitizer's library, and before Python loads it the C++ library that it watches."""
    paths = []
    for name in ("libasan.so", "libstdc++.so"):
        command = ["g++", f"-print-file-name={name}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if not Path(path).is_file():
            raise SystemExit(f"sanitize: no {name}: apt-get install g++")
        paths.append(path)
    return " ".join(paths)


def environment() -> dict[str, str]:
    """What a process needs that loads a library built with FLAGS. Reports go to stderr."""
    return {
        "LD_PRELOAD": preloaded(),
        # Python's fault handler must not catch what the sanitizer reports.
        "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1:handle_segv=2:handle_sigbus=2",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }


def main() -> int:
    copy = WorkingCopy(ROOT / "build/sanitize", FLAGS)
    started = time.monotonic()
    copy.refresh()
    built = copy.build()
    if built.returncode != 0:
        print(built.stdout)
        return 1
    print(f"sanitize: built in {time.monotonic() - started:.0f} s", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "tests/ops"]
    command += ["-p", "no:cacheprovider", "-m", "not gpu", "-k", DESELECTED]
    command += ["--timeout", str(SECONDS_PER_TEST)]
    command += ["--capture=sys"]  # a report is written when it is too late to hand on captured text
    command += [f"--ignore-glob=*/{name}.py" for name in LEFT_OUT]
    tests = copy.run(command, quiet=False, **environment())
    found = "no report" if tests.returncode == 0 else "FAILED"
    print(f"sanitize: {found}, {time.monotonic() - started:.0f} s in all")
    return tests.returncode


if __name__ == "__main__":
    sys.exit(main())
