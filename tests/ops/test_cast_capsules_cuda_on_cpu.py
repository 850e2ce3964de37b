"""The CUDA kernel of cast_capsules, run on the CPU, against the reference
(`tests/cuda_on_cpu`).

What only a GPU can show is in `test_cast_capsules_cuda.py`.
"""

from __future__ import annotations

import pytest

from fastpose.ops.cast_capsules import cast_capsules
from tests.cuda_on_cpu.cast_capsules import CudaOnCpu
from tests.ops.cast_capsules.problems import Pictures, Problem, assert_bytes, problem, problems


@pytest.mark.parametrize("given", problems())
def test_the_bytes_of_the_reference(given: Problem) -> None:
    capsules, options = given
    expected = cast_capsules(capsules, **options, backend="reference")
    assert_bytes(CudaOnCpu()(capsules, **options), expected)


def crowd(**how: object) -> Pictures:
    """More parts than a block takes at once, each of which hides others."""
    capsules, options = problem(5, frames=1, parts=70, wide=24, spread=0.2)
    return CudaOnCpu(**how)(capsules, **options)  # type: ignore[arg-type]


def test_every_schedule_gives_the_same_bytes() -> None:
    first = crowd(seed=1)
    for seed in (2, 3):
        assert_bytes(crowd(seed=seed), first)


def test_every_barrier_matters() -> None:
    """Without any one of them some byte changes."""
    want = crowd()
    barriers = CudaOnCpu().barriers()
    assert len(barriers) == 2
    for barrier in barriers:
        try:
            got = crowd(removed_barrier=barrier)
        except RuntimeError:
            continue
        with pytest.raises(AssertionError):
            assert_bytes(got, want)
