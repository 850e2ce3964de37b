"""Runs every generic test of this folder for each operator, each of its samples and each owner."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from fastpose import _native, ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.samples import Sample, samples_of


@dataclass(frozen=True)
class Owner:
    """One implementation: a backend on a device and, on the CPU, with one instruction set."""

    name: str
    backend: str
    device: str = "cpu"
    isa: str | None = None

    def __call__(self, operator: str, sample: Sample, **more: Any) -> Tensor:
        here = sample.with_tensors(lambda t: t.to(self.device))
        return here.call(getattr(ops, operator), backend=self.backend, **more)


OWNERS = (
    Owner("reference", "reference"),
    *(Owner(f"cpu_{isa}", "cpu", isa=isa) for isa in _native.CPU_ISAS),
    Owner("cuda", "cuda", "cuda"),
    Owner("triton", "triton", "cuda"),
)
NATIVE = OWNERS[1:]


def _parameter(owner: Owner) -> Any:
    return pytest.param(
        owner, id=owner.name, marks=pytest.mark.gpu if owner.device == "cuda" else ()
    )


@pytest.fixture(params=("cuda", "triton"))
def backend(request: pytest.FixtureRequest) -> str:
    """Each owner on a GPU, for the tests of one operator there."""
    return request.param


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = metafunc.fixturenames
    if "owner" in wanted:
        metafunc.parametrize("owner", [_parameter(o) for o in OWNERS], indirect=True)
    if "kernel" in wanted:  # an owner that is not the reference itself
        metafunc.parametrize("kernel", [_parameter(o) for o in NATIVE], indirect=True)
    if "sample" in wanted:
        metafunc.parametrize(
            "operator, sample",
            [
                pytest.param(name, sample, id=f"{name}-{sample.name}")
                for name in OPERATORS
                for sample in samples_of(name).samples(torch.float64)
            ],
        )
    elif "operator" in wanted:
        metafunc.parametrize("operator", list(OPERATORS))


def _ready(owner: Owner) -> Iterator[Owner]:
    if owner.isa is None:
        yield owner
        return
    if not _native.load()[0].loaded:
        pytest.skip("the native cpu library is not built")
    _native.limit_cpu_isa(owner.isa)
    try:
        if _native.cpu_isa() != owner.isa:
            pytest.skip(f"this processor has no {owner.isa}")
        yield owner
    finally:
        _native.limit_cpu_isa(_native.CPU_ISAS[-1])


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> Iterator[Owner]:
    yield from _ready(request.param)


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Iterator[Owner]:
    yield from _ready(request.param)


@pytest.fixture
def gradients() -> Any:
    """gradients(owner, operator, sample, weights) -> (output, gradients), on the CPU."""

    def run(
        owner: Owner, operator: str, sample: Sample, weights: Tensor | None = None, **more: Any
    ) -> tuple[Tensor, list[Tensor]]:
        leaves = sample.with_tensors(lambda t: t.detach().clone().requires_grad_())
        output = owner(operator, leaves, **more)
        if weights is None:
            weights = torch.cos(1 + torch.arange(output.numel(), dtype=torch.float64))
        output.backward(weights.reshape(output.shape).to(output))
        found = [t.grad for t in leaves.tensors()]
        assert all(g is not None for g in found)
        return output.detach().cpu(), [g for g in found if g is not None]

    return run


def takes(operator: str, keyword: str) -> bool:
    """Whether the public function has that argument."""
    return keyword in inspect.signature(getattr(ops, operator)).parameters


@pytest.fixture
def needs_out(operator: str) -> None:
    if not takes(operator, "out"):
        pytest.skip("does not write into tensors that are given")


@pytest.fixture
def needs_dtype(operator: str) -> None:
    if not takes(operator, "dtype"):
        pytest.skip("results are of one type only")


@pytest.fixture
def reference() -> Owner:
    return OWNERS[0]
