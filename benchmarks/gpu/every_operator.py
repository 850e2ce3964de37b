"""One forward and backward of every sample of every operator, with every owner on the GPU.

``python -m benchmarks.gpu.every_operator [device]``: what compute-sanitizer watches.
"""

from __future__ import annotations

import sys

import torch

from fastpose import ops
from fastpose.ops.registry import OPERATORS, has_triton
from fastpose.ops.samples import samples_of


def main(device: str = "cuda") -> int:
    calls = 0
    for name, operator in OPERATORS.items():
        owners = (
            ["cuda", *(["triton"] if has_triton(name) else [])] if device == "cuda" else ["cpu"]
        )
        assert device != "cuda" or operator.owner("cuda") == "cuda", "the CUDA library is missing"
        for sample in samples_of(name).samples(torch.float32, device):
            for owner in owners:
                leaves = sample.with_tensors(lambda t: t.clone().requires_grad_())
                output = leaves.call(getattr(ops, name), backend=owner)
                output.square().sum().backward()
                calls += 1
    if device == "cuda":
        torch.cuda.synchronize()
    print(f"{calls} calls")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
