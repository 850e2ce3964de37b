"""Every wrong argument raises a TypeError or ValueError that names it."""

import pytest
import torch

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.samples import samples_of

CASES = [
    pytest.param(name, case, id=f"{name}-{case.name}")
    for name in OPERATORS
    for case in samples_of(name).error_cases()
]


@pytest.mark.parametrize("name, case", CASES)
def test_error(name, case):
    with pytest.raises(case.error) as caught:
        getattr(ops, name)(*case.args, **case.kwargs)
    assert case.message in str(caught.value)
    assert "\n" not in str(caught.value)
    argument = case.name.split("_")[0]
    assert argument in str(caught.value)


def test_there_are_enough_of_them(operator):
    cases = list(samples_of(operator).error_cases())
    assert len(cases) >= 15
    assert len({c.name for c in cases}) == len(cases)
    assert {c.error for c in cases} <= {TypeError, ValueError}


def test_there_are_many_in_all():
    assert len(CASES) >= 200


def test_an_owner_that_is_not_there_is_refused(operator, monkeypatch):
    sample = samples_of(operator).random_problem(0, torch.float32)
    monkeypatch.setattr(torch._C, "_dispatch_has_kernel_for_dispatch_key", lambda *_: False)
    with pytest.raises(ValueError, match="the native library is not loaded"):
        sample.call(getattr(ops, operator), backend="cpu")
