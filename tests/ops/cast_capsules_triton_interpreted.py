"""Tests of the Triton kernel of cast_capsules in Triton's interpreter;
`test_cast_capsules_triton.py` runs them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastpose.ops.cast_capsules import cast_capsules, dense, triton
from tests.ops.cast_capsules.problems import Problem, assert_bytes, problems


@pytest.mark.parametrize("given", problems(9, (1, 2, 17, 33)))
def test_the_bytes_of_the_reference(given: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton, "BLOCK", 16)  # so that some rows are of several blocks
    capsules, options = given
    expected = cast_capsules(capsules, **options, backend="reference")
    arrays = {name: torch.from_numpy(array) for name, array in dense(capsules).items()}
    depth, texel, light = (torch.from_numpy(np.full_like(e, 7)) for e in expected)
    triton.cast(arrays, *options.values(), depth, texel, light)
    assert_bytes((depth.numpy(), texel.numpy(), light.numpy()), expected)
