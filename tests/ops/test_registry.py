"""One call registers an operator; here with a toy that has two inputs and two gradients."""

from __future__ import annotations

import warnings

import pytest
import torch

from fastpose import _native
from fastpose.ops import registry
from fastpose.ops.registry import Kernel


def forward(x, scale, bias, power):
    return scale * x**power + (0 if bias is None else bias)


def backward(grad_output, power, scale, x):
    return grad_output * scale * power * x ** (power - 1), grad_output * x**power


@pytest.fixture(scope="module")
def toy():
    operator = registry.register(
        "toy_power",
        forward=Kernel(
            "(Tensor x, Tensor scale, Tensor? bias, float power) -> Tensor",
            forward,
            lambda x, *_: torch.empty_like(x),
        ),
        # Another order of arguments than in the forward: names decide.
        backward=Kernel(
            "(Tensor grad_output, float power, Tensor scale, Tensor x)"
            " -> (Tensor grad_x, Tensor grad_scale)",
            backward,
            lambda grad_output, power, scale, x: (torch.empty_like(x), torch.empty_like(x)),
        ),
    )
    yield operator
    del registry.OPERATORS["toy_power"]


def arguments():
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([0.5, 2.0, 4.0], dtype=torch.float64, requires_grad=True)
    return x, scale, None, 3.0


def test_registers_schemas_by_name(toy):
    assert str(torch.ops.fastpose.toy_power.default._schema).startswith("fastpose::toy_power(")
    returns = torch.ops.fastpose.toy_power_backward.default._schema.returns
    assert [r.name for r in returns] == ["grad_x", "grad_scale"]
    assert toy.into is None and registry.OPERATORS["toy_power"] is toy


@pytest.mark.parametrize("how", ["operator", "dispatcher", "reference"])
def test_wires_gradients_by_name(toy, how):
    run = {
        "operator": toy,
        "dispatcher": torch.ops.fastpose.toy_power,
        "reference": toy.using("reference"),
    }[how]
    x, scale, bias, power = arguments()
    output = run(x, scale, bias, power)
    assert output.tolist() == [0.5, 16.0, 108.0]
    output.sum().backward()
    assert x.grad.tolist() == [1.5, 24.0, 108.0]
    assert scale.grad.tolist() == [1.0, 8.0, 27.0]


def test_gradient_of_one_input_only(toy):
    x, scale, bias, power = arguments()
    toy(x.detach(), scale, bias, power).sum().backward()
    assert x.grad is None and scale.grad is not None


def test_passes_opcheck(toy):
    torch.library.opcheck(torch.ops.fastpose.toy_power.default, arguments())


def test_second_derivative_raises(toy):
    x, scale, bias, power = arguments()
    (first,) = torch.autograd.grad(toy(x, scale, bias, power).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"ops\.toy_power can be differentiated once"):
        first.sum().backward()


def test_compiles(toy):
    compiled = torch.compile(lambda *a: toy(*a) * 2, fullgraph=True, backend="aot_eager")
    x, scale, bias, power = arguments()
    compiled(x, scale, bias, power).sum().backward()
    assert x.grad.tolist() == [3.0, 48.0, 216.0]


def test_without_a_native_kernel_the_reference_owns_it(toy):
    assert toy.owner("cpu") == "reference"
    assert toy.owner("cuda") == "reference"
    assert not registry.has_triton("toy_power")
    for backend in ("cpu", "cuda"):
        with pytest.raises(ValueError, match="native library is not loaded"):
            toy.using(backend)
    with pytest.raises(ValueError, match="Triton is not installed or has no such kernel"):
        toy.using("triton")
    with pytest.raises(ValueError, match="backend must be one of reference, cpu, cuda, triton"):
        toy.using("gpu")


def test_the_native_library_owns_what_it_has():
    operator = registry.OPERATORS["render_skeleton"]
    loaded = {library.name: library.loaded for library in _native.load()}
    assert operator.owner("cpu") == ("cpu" if loaded["cpu"] else "reference")
    assert operator.owner("meta") == "reference"


def test_a_slow_owner_on_a_gpu_warns_once():
    registry._warn_slow.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            registry._warn_slow("toy_power")
    assert len(caught) == 1
    assert "slow reference runs on the GPU" in str(caught[0].message)
