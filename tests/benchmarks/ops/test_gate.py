"""The gate lets nothing wrong pass."""

from __future__ import annotations

import pytest
import torch

from benchmarks.ops.bench_render_skeleton import BENCHMARK, EPS, LIMBS, SHARPNESS, Skeleton
from benchmarks.ops.compare import drawers
from benchmarks.ops.gate import difference, gate, poisoned_memory, right
from benchmarks.ops.render_skeleton_peers import split

SMALL = Skeleton(2, 24)
NAME = BENCHMARK.operator


def another(change):
    """The skeleton with one constant changed."""
    limbs = torch.tensor(LIMBS)
    return lambda points: split(points, limbs, SMALL.size, SHARPNESS + change, EPS)


def test_ours_must_be_right():
    problem = BENCHMARK.problem(SMALL, 1)
    assert right(gate(NAME, SMALL, problem, {"fastpose": another(0)}, [1])["fastpose"], False, True)
    with pytest.raises(ValueError, match="fastpose: wrong on B=2 24x24 E=16"):
        gate(NAME, SMALL, problem, {"fastpose": another(0.1)}, [1])


def test_a_wrong_gradient_alone_is_found():
    class Tilted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, image):
            return image.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * torch.linspace(0.9, 1.1, grad.shape[-1])

    problem = BENCHMARK.problem(SMALL, 1)
    wrong = {"fastpose": lambda points: Tilted.apply(another(0)(points))}
    with pytest.raises(ValueError, match="gradient"):
        gate(NAME, SMALL, problem, wrong, [1])


def test_peers_are_only_marked():
    problem = BENCHMARK.problem(SMALL, 1)
    nothing = lambda points: another(0)(points) * torch.nan  # noqa: E731
    errors = gate(NAME, SMALL, problem, {"wrong": another(2.0), "nan": nothing}, [1])
    assert not right(errors["wrong"], False, False) and not right(errors["nan"], False, False)


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    gate(NAME, SMALL, BENCHMARK.problem(SMALL, 1), {"split": another(0)}, [1, 2])
    assert torch.get_num_threads() == before


def test_difference():
    exact = torch.tensor([3.0, -4.0])
    assert difference(exact, exact) == dict(l2=0, l1=0, one_minus_cosine=0, bias=0)
    found = difference(exact + torch.tensor([0.5, 0.0]), exact)
    assert found["l2"] == pytest.approx(0.1) and found["bias"] == pytest.approx(0.5 / 7)
    assert difference(-exact, exact)["one_minus_cosine"] == pytest.approx(2)


def test_ours_gets_poisoned_memory():
    with poisoned_memory():
        assert torch.empty(100).isnan().all()
    found, _ = drawers(NAME, SMALL, BENCHMARK.problem(SMALL, 0), compile_peers=False)
    assert not torch.are_deterministic_algorithms_enabled() and "fastpose, out=" in found
