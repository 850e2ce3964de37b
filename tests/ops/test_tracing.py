"""Schemas, fake kernels, autograd registration and torch.compile of every operator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fastpose import ops
from fastpose.ops.registry import NAMESPACE
from fastpose.ops.samples import samples_of

ROOT = Path(__file__).resolve().parents[2]


class Recorder(TorchDispatchMode):
    """The operator calls that a public function ends in."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == NAMESPACE:
            self.calls.append((func, args))
        return func(*args, **(kwargs or {}))


def _calls(operator, sample, **more):
    leaves = sample.with_tensors(lambda t: t.clone().requires_grad_())
    with Recorder() as recorder:
        output = leaves.call(getattr(ops, operator), **more)
        output.sum().backward()
    return recorder.calls


def _some_samples(operator):
    return list(samples_of(operator).samples(torch.float32))[::3]


def test_opcheck(operator):
    samples = _some_samples(operator)
    assert len(samples) >= 4
    for sample in samples:
        calls = _calls(operator, sample)
        assert [c[0]._opname for c in calls] == [operator, f"{operator}_backward"]
        for function, args in calls:
            leaf = function._opname == operator
            torch.library.opcheck(function, tuple(_detached(a, leaf) for a in args))


def _detached(value, leaf):
    if isinstance(value, list):
        return [_detached(v, leaf) for v in value]
    if not isinstance(value, torch.Tensor):
        return value
    return value.detach().requires_grad_(leaf and value.requires_grad)


@pytest.mark.usefixtures("needs_out")
def test_opcheck_of_the_form_that_writes(operator):
    sample = _some_samples(operator)[0]
    out = torch.empty_like(sample.call(getattr(ops, operator)))
    (function, args), _ = _calls(operator, sample, out=out)
    torch.library.opcheck(function, tuple(_detached(a, False) for a in args))


def test_fake_tensors_have_the_right_shape(operator, sample):
    from torch._subclasses.fake_tensor import FakeTensorMode

    real = sample.call(getattr(ops, operator))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = sample.with_tensors(mode.from_tensor).call(getattr(ops, operator))
    assert (fake.shape, fake.dtype, fake.stride()) == (real.shape, real.dtype, real.stride())
    # and none of them stays behind in a cache
    assert torch.equal(sample.call(getattr(ops, operator)), real)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_to_one_graph(operator, backend):
    torch._dynamo.reset()
    sample = samples_of(operator).random_problem(4, torch.float32)

    def step(*tensors):
        given = iter(tensors)
        output = sample.with_tensors(lambda _: next(given)).call(getattr(ops, operator))
        return (output * output).sum()

    compiled = torch.compile(step, fullgraph=True, backend=backend)
    results = []
    for run in (step, compiled, compiled):
        leaves = [t.clone().requires_grad_() for t in sample.tensors()]
        value = run(*leaves)
        results.append((value.detach(), *torch.autograd.grad(value, leaves)))
    for result in results[1:]:
        for got, want in zip(result, results[0], strict=True):
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("needs_out")
def test_compiles_where_it_writes_into_a_buffer(operator):
    """And the gradient still flows."""
    torch._dynamo.reset()
    sample = samples_of(operator).random_problem(4, torch.float32)
    batch, channels, *size = sample.call(getattr(ops, operator)).shape

    def step(*tensors):
        given = iter(tensors)
        buffer = torch.ones(batch, 1 + channels, *size)
        problem = sample.with_tensors(lambda _: next(given))
        problem.call(getattr(ops, operator), out=buffer[:, 1:])
        return buffer.square().sum()

    results = []
    for run in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        leaves = [t.clone().requires_grad_() for t in sample.tensors()]
        value = run(*leaves)
        results.append((value.detach(), *torch.autograd.grad(value, leaves)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_works_under_inference_mode_first(operator):
    """What is cached in inference mode must serve training later."""
    sample = samples_of(operator).random_problem(977, torch.float32)
    with torch.inference_mode():
        expected = sample.call(getattr(ops, operator))
    leaves = sample.with_tensors(lambda t: t.clone().requires_grad_())
    output = leaves.call(getattr(ops, operator))
    output.sum().backward()
    assert torch.equal(output.detach(), expected)


@pytest.mark.timeout(240)
def test_without_native_libraries_the_reference_serves():
    """In a fresh process whose native libraries are hidden: same results, opcheck passes."""
    script = """
import torch
from fastpose import _native
_native.load = lambda: ()
from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.samples import samples_of
from tests.ops.test_tracing import test_opcheck
for name, operator in OPERATORS.items():
    assert operator.owner("cpu") == "reference", operator.owner("cpu")
    for sample in samples_of(name).samples(torch.float32):
        plain = sample.call(getattr(ops, name))
        assert torch.equal(plain, sample.call(getattr(ops, name), backend="reference"))
    test_opcheck(name)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
