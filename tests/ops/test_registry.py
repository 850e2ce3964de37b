"""One call registers an operator; here with toys: one with two inputs and two gradients, one that
writes too, one with several results of which not all are differentiable."""

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


def test_transforms_of_functions_say_that_they_cannot_differentiate_it(toy):
    x, scale, bias, power = arguments()
    with pytest.raises(RuntimeError, match="functorch transforms"):
        torch.func.grad(lambda x: toy(x, scale, bias, power).sum())(x.detach())


def test_what_is_left_of_a_transform_is_a_tensor_like_any_other(toy):
    left = []
    torch.func.grad(lambda x: left.append(x) or x.sum())(torch.tensor([1.0, 2.0, 3.0]))
    scale = torch.tensor([0.5, 2.0, 4.0], requires_grad=True)
    output = toy(left[0], scale, None, 3.0)
    assert output.tolist() == [0.5, 16.0, 108.0]
    output.sum().backward()
    assert scale.grad.tolist() == [1.0, 8.0, 27.0]
    assert not toy(left[0], scale.detach(), None, 3.0).requires_grad


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


# --- several results ------------------------------------------------------------------------------


class Both:
    """low = weight * x and high = x^power, and x for backward unless power is 1 (x is not needed
    then); remembers what backward was called with."""

    def __init__(self):
        self.calls = []

    def forward(self, x, weight, power):
        return weight * x, x**power, x.clone()

    def backward(self, grad_high, grad_low, needs_weight, kept, weight, power, x):
        self.calls.append(dict(high=grad_high, low=grad_low, needs_weight=needs_weight, x=x))
        grad_x = torch.zeros_like(weight)
        grad_weight = torch.zeros_like(weight) if needs_weight else weight.new_empty(0)
        if grad_low is not None:
            grad_x += weight * grad_low
            if needs_weight:
                grad_weight += kept * grad_low
        if grad_high is not None:
            grad_x += grad_high if x is None else grad_high * power * x ** (power - 1)
        return grad_x, grad_weight


@pytest.fixture(scope="module")
def both():
    toy = Both()
    operator = registry.register(
        "toy_both",
        forward=Kernel(
            "(Tensor x, Tensor weight, float power) -> (Tensor low, Tensor high, Tensor kept)",
            toy.forward,
            lambda x, *_: (torch.empty_like(x), torch.empty_like(x), torch.empty_like(x)),
        ),
        # Another order than that of the results and arguments; no gradient of `kept`.
        backward=Kernel(
            "(Tensor? grad_high, Tensor? grad_low, bool needs_weight, Tensor kept, Tensor weight,"
            " float power, Tensor? x) -> (Tensor grad_x, Tensor grad_weight)",
            toy.backward,
            lambda high, low, needs, kept, weight, *_: (
                torch.empty_like(kept),
                torch.empty_like(weight) if needs else weight.new_empty(0),
            ),
        ),
        unsaved=lambda x, weight, power: ("x",) if power == 1 else (),
    )
    yield operator, toy
    del registry.OPERATORS["toy_both"]


def leaves():
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    return x, torch.tensor([0.5, 2.0, 4.0], dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("how", ["operator", "dispatcher", "reference"])
def test_several_results_and_their_gradients(both, how):
    operator, toy = both
    run = {
        "operator": operator,
        "dispatcher": torch.ops.fastpose.toy_both,
        "reference": operator.using("reference"),
    }[how]
    x, weight = leaves()
    low, high, _ = run(x, weight, 3.0)
    assert low.tolist() == [0.5, 4.0, 12.0] and high.tolist() == [1.0, 8.0, 27.0]
    (2 * low.sum() + 3 * high.sum()).backward()
    assert x.grad.tolist() == [10.0, 40.0, 89.0]
    assert weight.grad.tolist() == [2.0, 4.0, 6.0]
    assert toy.calls[-1]["needs_weight"] is True


def test_a_result_without_a_gradient_of_its_own_is_not_differentiable(both):
    operator, _ = both
    low, high, kept = operator(*leaves(), 3.0)
    assert low.requires_grad and high.requires_grad and not kept.requires_grad
    assert not operator(*(t.detach() for t in leaves()), 3.0)[0].requires_grad


@pytest.mark.parametrize("which", [0, 1])
def test_gradients_that_do_not_arrive_are_none(both, which):
    operator, toy = both
    x, weight = leaves()
    operator(x, weight, 3.0)[which].sum().backward()
    call = toy.calls[-1]
    assert (call["low"] is None, call["high"] is None) == (which == 1, which == 0)
    assert x.grad.tolist() == ([0.5, 2.0, 4.0] if which == 0 else [3.0, 12.0, 27.0])


def test_backward_is_told_which_gradients_are_wanted(both):
    operator, toy = both
    x, weight = leaves()
    operator(x, weight.detach(), 3.0)[0].sum().backward()
    assert toy.calls[-1]["needs_weight"] is False
    assert x.grad.tolist() == [0.5, 2.0, 4.0]
    operator(x.detach(), weight, 3.0)[0].sum().backward()
    assert toy.calls[-1]["needs_weight"] is True
    assert weight.grad.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_arguments_that_backward_does_without_are_not_kept(both, power):
    operator, toy = both
    x, weight = leaves()
    low, high, _ = operator(x, weight, power)
    saved = [t for t in low.grad_fn.saved_tensors if t is not None]
    assert sum(t.data_ptr() == x.data_ptr() for t in saved) == (power != 1)
    (low.sum() + high.sum()).backward()
    assert (toy.calls[-1]["x"] is None) == (power == 1)
    assert x.grad.tolist() == ([1.5, 3.0, 5.0] if power == 1 else [3.5, 14.0, 31.0])


def test_several_results_pass_opcheck_and_compile(both):
    operator, _ = both
    torch.library.opcheck(torch.ops.fastpose.toy_both.default, (*leaves(), 3.0))

    def step(x, weight):
        low, high, _ = operator(x, weight, 3.0)
        return (low * high).sum()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    found = [torch.autograd.grad(run(*given), given) for run in (step, compiled)
             for given in [leaves()]]  # fmt: skip
    for got, want in zip(*found, strict=True):
        assert torch.equal(got, want)


def test_several_results_are_differentiated_once(both):
    operator, _ = both
    x, weight = leaves()
    (first,) = torch.autograd.grad(operator(x, weight, 3.0)[1].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"ops\.toy_both can be differentiated once"):
        first.sum().backward()


# --- writing into a given tensor ------------------------------------------------------------------


@pytest.fixture(scope="module")
def writer():
    def write(x, out):  # what only the forward needs, `size`, is not among its arguments
        out.copy_(x[:, None].expand(-1, out.shape[1]) ** 2)

    def draw(x, size):
        return x[:, None].expand(-1, size) ** 2

    operator = registry.register(
        "toy_write",
        forward=Kernel(
            "(Tensor x, SymInt size) -> Tensor", draw, lambda x, size: x.new_empty(len(x), size)
        ),
        backward=Kernel(
            "(Tensor grad_output, Tensor x) -> Tensor grad_x",
            lambda grad_output, x: 2 * x * grad_output.sum(1),
            lambda grad_output, x: torch.empty_like(x),
        ),
        into=Kernel("(Tensor x, Tensor(a!) out) -> ()", write),
    )
    yield operator
    del registry.OPERATORS["toy_write"]


@pytest.mark.parametrize("backend", [None, "reference"])
def test_writes_into_a_part_and_gradients_flow_through_it(writer, backend):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    before = torch.full((2, 5), 7.0, requires_grad=True)
    buffer = before * 1
    out = writer.write(buffer[:, 1:4], x, 3, backend=backend)
    assert buffer.tolist() == [[7, 1, 1, 1, 7], [7, 4, 4, 4, 7]]
    assert out.tolist() == [[1, 1, 1], [4, 4, 4]]
    (buffer * torch.arange(5)).sum().backward()
    assert x.grad.tolist() == [12.0, 24.0]
    # What was overwritten has no gradient, what lies beside it keeps its own.
    assert before.grad.tolist() == [[0, 0, 0, 0, 4]] * 2


def test_writes_without_a_gradient(writer):
    x = torch.tensor([3.0])
    out = torch.zeros(1, 2)
    assert writer.write(out, x, 2) is out
    assert out.tolist() == [[9, 9]] and not out.requires_grad


def test_autograd_notices_that_a_saved_tensor_was_overwritten(writer):
    x = torch.tensor([3.0], requires_grad=True)
    out = torch.zeros(1, 2)
    product = x * out
    writer.write(out[:, :1], torch.ones(1), 1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


def test_writes_in_inference_mode(writer):
    with torch.inference_mode():
        out = writer.write(torch.zeros(1, 2), torch.tensor([3.0]), 2)
    assert out.tolist() == [[9, 9]]


def test_the_part_that_is_written_may_come_from_nothing_that_requires_a_gradient(writer):
    x = torch.tensor([3.0], requires_grad=True)
    out = torch.zeros(1, 2)
    writer.write(out, x, 2)
    assert out.requires_grad
    out.sum().backward()
    assert x.grad.tolist() == [12.0]


def test_refuses_to_write_with_an_owner_that_is_not_there(writer):
    with pytest.raises(ValueError, match="backend='cpu': the native library is not loaded"):
        writer.write(torch.zeros(1, 2), torch.zeros(1), 2, backend="cpu")


def test_compiles_where_it_writes(writer):
    def step(x):
        buffer = torch.ones(2, 5)
        writer.write(buffer[:, :3], x, 3)
        return buffer.square().sum()

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (want,) = torch.autograd.grad(step(x), x)
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    assert torch.equal(torch.autograd.grad(compiled(x), x)[0], want)


# --- gradients formed in the forward --------------------------------------------------------------


def square_forward(x, slope_of_x):
    return (x * x).sum(1), 2 * x if slope_of_x else x.new_empty(0)


def square_backward(grad_output, slope_x):
    return grad_output[:, None] * slope_x


@pytest.fixture(scope="module")
def sloped():
    """A toy whose gradient is formed in the forward."""
    operator = registry.register(
        "toy_square",
        forward=Kernel(
            "(Tensor x, bool slope_of_x) -> (Tensor output, Tensor slope_x)",
            square_forward,
            lambda x, slope_of_x: (
                x.new_empty(x.shape[0]),
                torch.empty_like(x) if slope_of_x else x.new_empty(0),
            ),
        ),
        backward=Kernel(
            "(Tensor grad_output, Tensor slope_x) -> Tensor grad_x",
            square_backward,
            lambda grad_output, slope_x: torch.empty_like(slope_x),
        ),
    )
    yield operator
    del registry.OPERATORS["toy_square"]


def test_slopes_are_kept_for_the_backward_alone(sloped):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        output, slope = sloped(x, True)
    assert [t.shape for t in kept] == [slope.shape]
    (2 * output.sum()).backward()
    assert torch.equal(x.grad, 4 * x.detach())
    torch.library.opcheck(torch.ops.fastpose.toy_square.default, (x, True))
    torch.autograd.gradcheck(lambda x: sloped(x, True)[0], (x,))


def test_slopes_can_be_differentiated_once(sloped):
    """Although the gradient itself does not depend on the input any more."""
    x = torch.ones(2, 3, requires_grad=True)
    (first,) = torch.autograd.grad(sloped(x, True)[0].sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"ops\.toy_square can be differentiated once"):
        first.sum().backward()
