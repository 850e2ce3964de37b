"""A chain of frozen layers for two batches, of which one gets a gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fastpose.nn.frozen import Convolution, MaxPool, Rectifier, SideBySide, run

DOUBLE, CPU = torch.float64, torch.device("cpu")
TAPS = (0, 2, 3)


@pytest.fixture
def parts() -> tuple[nn.Conv2d, nn.MaxPool2d, nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    first, narrow = nn.Conv2d(2, 3, 3, 2, 1), nn.Conv2d(3, 2, 1)
    wide = nn.Conv2d(3, 4, 3, padding=1)
    return first.double(), nn.MaxPool2d(2, ceil_mode=True), narrow.double(), wide.double()


def chain(parts: tuple) -> list:
    first, pool, narrow, wide = parts
    both = SideBySide(Convolution(narrow, DOUBLE, CPU), Convolution(wide, DOUBLE, CPU))
    return [Convolution(first, DOUBLE, CPU), MaxPool(pool), both, Rectifier(inplace=False)]


def plain(parts: tuple, x: Tensor) -> list[Tensor]:
    first, pool, narrow, wide = parts
    start = first(x)
    pooled = pool(start)
    end = torch.cat((narrow(pooled), wide(pooled)), dim=1)
    return [start, end, end.relu()]


def batches(rows: int, others: int) -> tuple[Tensor, Tensor]:
    return torch.randn(rows, 2, 9, 7, dtype=DOUBLE), torch.randn(others, 2, 9, 7, dtype=DOUBLE)


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("others", [0, 2])
def test_both_batches_are_as_if_alone(parts: tuple, rows: int, others: int) -> None:
    x, y = batches(rows, others)
    found, of_others = run(chain(parts), TAPS, x, y)
    for a, b in zip([*found, *of_others], [*plain(parts, x), *plain(parts, y)], strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("used", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_gradients_of_any_outputs(parts: tuple, used: tuple[int, ...]) -> None:
    x, y = batches(3, 2)
    x.requires_grad_()
    found, of_others = run(chain(parts), TAPS, x, y)
    assert not any(tensor.requires_grad for tensor in of_others)
    expected = plain(parts, x)
    weights = [torch.randn_like(tensor) for tensor in expected]
    (a,) = torch.autograd.grad([found[i] for i in used], x, [weights[i] for i in used])
    (b,) = torch.autograd.grad([expected[i] for i in used], x, [weights[i] for i in used])
    torch.testing.assert_close(a, b)


def test_backward_twice_gives_the_same(parts: tuple) -> None:
    x, y = batches(2, 1)
    found, _ = run(chain(parts), TAPS, x.requires_grad_(), y)
    total = sum(tensor.square().sum() for tensor in found)
    assert isinstance(total, Tensor)
    (a,) = torch.autograd.grad(total, x, retain_graph=True)
    (b,) = torch.autograd.grad(total, x)
    assert torch.equal(a, b)


def test_weights_are_copies(parts: tuple) -> None:
    layers = chain(parts)
    x, y = batches(1, 1)
    before = run(layers, TAPS, x, y)[0][0].clone()
    with torch.no_grad():
        parts[0].weight.zero_()
    assert torch.equal(run(layers, TAPS, x, y)[0][0], before)
