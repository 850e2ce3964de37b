"""Build, tests and compute-sanitizer: each a command in a process of its own with a time limit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
LAST_LINES = 15  # of a command that failed, kept in the record
_ERRORS = re.compile(r"ERROR SUMMARY: (\d+) error|RACECHECK SUMMARY: (\d+) hazard")


def run(
    command: Sequence[str], log: Path, seconds: float, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a command, its output in `log`: exit status (None: out of time), seconds, the end."""
    began = time.monotonic()
    with log.open("wb") as output:
        try:
            status: int | None = subprocess.run(
                command,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                timeout=max(seconds, 1),
            ).returncode
        except subprocess.TimeoutExpired:
            status = None
    record: dict[str, Any] = {"status": status, "seconds": round(time.monotonic() - began, 1)}
    if status != 0:
        record["tail"] = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
    return record


def build(out: Path, seconds: float, capability: tuple[int, int] | None) -> dict[str, Any]:
    """The native libraries, for the GPU that is there alone; without one only for the CPU."""
    cuda = {"FASTPOSE_CUDA": "off"}
    if capability is not None:
        cuda = {"FASTPOSE_CUDA": "on", "FASTPOSE_CUDA_ARCHS": "".join(map(str, capability))}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    return run(command, out / "build.log", seconds, cuda)


def tests(out: Path, seconds: float, selected: Sequence[str]) -> dict[str, Any]:
    """pytest on `selected`; counts of passed, failed and skipped tests, and who failed."""
    report = out / "tests.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *selected]
    record = run([*command, f"--junitxml={report}"], out / "tests.log", seconds)
    return {**record, **counts(report)} if report.is_file() else record


def counts(report: Path) -> dict[str, Any]:
    """Of a JUnit report."""
    cases = ElementTree.parse(report).getroot().iter("testcase")
    found: dict[str, Any] = {"passed": 0, "failed": 0, "skipped": 0, "failures": []}
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            found["failed"] += 1
            found["failures"].append(f"{case.get('classname')}::{case.get('name')}")
        else:
            found["skipped" if "skipped" in kinds else "passed"] += 1
    return found


def find_sanitizer() -> str | None:
    """Path of compute-sanitizer: PATH, then the CUDA toolkit's folder."""
    homes = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    places = [shutil.which("compute-sanitizer")]
    places += [f"{home}/bin/compute-sanitizer" for home in homes if home]
    return next((p for p in places if p and os.access(p, os.X_OK)), None)


def sanitize(out: Path, seconds: float) -> dict[str, Any]:
    """Every tool of compute-sanitizer over one call of each operator; first a probe, because some
    virtual machines do not let it reach the device."""
    tool = find_sanitizer()
    if tool is None:
        return {"skipped": "compute-sanitizer is not installed; it comes with the CUDA toolkit"}
    # Both of torch's allocators hide errors or make them up.
    environment = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    probe = [sys.executable, "-c", "import torch; torch.ones(1, device='cuda').sum().item()"]
    found: dict[str, Any] = {
        "probe": run([tool, "--error-exitcode", "9", *probe], out / "probe.log", 60, environment)
    }
    if found["probe"]["status"] != 0:
        return found
    ends = time.monotonic() + seconds
    for name in TOOLS:
        log = out / f"{name}.log"
        options = [tool, "--tool", name, "--error-exitcode", "9"]
        command = [*options, sys.executable, "-m", "benchmarks.gpu.every_operator"]
        left = ends - time.monotonic()
        if left < 5:
            found[name] = {"skipped": "out of time"}
            continue
        found[name] = run(command, log, left, environment)
        summary = _ERRORS.findall(log.read_text(errors="replace"))
        found[name]["errors"] = sum(int(a or b) for a, b in summary) if summary else None
    return found
