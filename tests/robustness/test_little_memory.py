"""Where a thread gets no memory for its part of the work, the call raises."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastpose.ops.registry import OPERATORS

# A template that occupies four bytes; a thread wants 6 GB for its copy with a margin.
PROGRAM = """
import resource
import torch
from fastpose import ops

torch.set_num_threads(2)
template = torch.zeros(1, 1, 1).expand(1, 40000, 40000)
affine = torch.eye(2, 3).expand(4, 1, 2, 3)
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 2**30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    ops.warp_templates(template, affine, 300, backend="cpu")
except RuntimeError as error:
    print(error)
image = ops.warp_templates(torch.ones(1, 4, 4), affine, 4, backend="cpu")
print(int(image.sum()))
"""


@pytest.mark.skipif(
    OPERATORS["warp_templates"].owner("cpu") != "cpu", reason="needs the CPU library"
)
def test_warp_templates() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    message, rest = run.stdout.splitlines()[0], run.stdout.splitlines()[-1]
    assert "not enough memory: 64" in message and rest == str(4 * 16)
