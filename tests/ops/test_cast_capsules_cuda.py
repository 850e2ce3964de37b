"""cast_capsules on a GPU. Not yet run on one."""

from __future__ import annotations

import pytest
import torch

from fastpose.ops.cast_capsules import GPU_BACKENDS, cast_capsules
from tests.ops.cast_capsules.problems import Problem, assert_bytes, problem, problems

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("backend", GPU_BACKENDS)
@pytest.mark.parametrize("given", problems())
def test_the_bytes_of_the_reference(backend: str, given: Problem) -> None:
    capsules, options = given
    expected = cast_capsules(capsules, **options, backend="reference")
    assert_bytes(cast_capsules(capsules, **options, backend=backend), expected)


@pytest.mark.parametrize("backend", GPU_BACKENDS)
def test_on_a_stream_of_its_own(backend: str) -> None:
    capsules, options = problem(1)
    expected = cast_capsules(capsules, **options, backend="reference")
    with torch.cuda.stream(torch.cuda.Stream()):
        assert_bytes(cast_capsules(capsules, **options, backend=backend), expected)
