"""A chain of frozen layers for two batches at once: one gets a gradient, the other does not.

Autograd follows a tensor whole or not at all. Here both batches pass through each layer together,
and the backward pass goes through the rows of the first alone; weights get no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

aten = torch.ops.aten


class Layer(Protocol):
    """One step of a chain."""

    def forward(self, x: Tensor, rows: int, kept: list[Tensor]) -> Tensor:
        """What follows from ``x``; adds to ``kept`` what ``backward`` needs of the first rows."""
        ...

    def backward(self, grad: Tensor, kept: list[Tensor]) -> Tensor:
        """The gradient of the first rows of ``x``; takes from ``kept`` what was added."""
        ...


class Convolution:
    """``conv`` in another type, as channels-last as its input may be."""

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype, device: torch.device) -> None:
        assert conv.bias is not None and conv.groups == 1 and conv.dilation == (1, 1)
        self.weight = conv.weight.detach().to(
            device, dtype, copy=True, memory_format=torch.channels_last
        )
        self.bias = conv.bias.detach().to(device, dtype, copy=True)
        self.stride, self.padding = conv.stride, conv.padding

    def forward(self, x: Tensor, rows: int, kept: list[Tensor]) -> Tensor:
        kept.append(x[:rows])
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)  # type: ignore[arg-type]

    def backward(self, grad: Tensor, kept: list[Tensor]) -> Tensor:
        return aten.convolution_backward(
            grad, kept.pop(), self.weight, None, self.stride, self.padding, (1, 1), False, (0, 0),
            1, (True, False, False),
        )[0]  # fmt: skip


class Rectifier:
    """ReLU; in place where nothing else looks at its input."""

    def __init__(self, *, inplace: bool) -> None:
        self.inplace = inplace

    def forward(self, x: Tensor, rows: int, kept: list[Tensor]) -> Tensor:
        x = F.relu(x, inplace=self.inplace)
        kept.append(x[:rows])
        return x

    def backward(self, grad: Tensor, kept: list[Tensor]) -> Tensor:
        return aten.threshold_backward(grad, kept.pop(), 0)


class MaxPool:
    """Square maximum pooling without padding."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        # size, stride, padding, dilation, ceil_mode
        self.options = (pool.kernel_size,) * 2, (pool.stride,) * 2, (0, 0), (1, 1), pool.ceil_mode

    def forward(self, x: Tensor, rows: int, kept: list[Tensor]) -> Tensor:
        y, places = aten.max_pool2d_with_indices(x, *self.options)
        kept += [x[:rows], places[:rows]]
        return y

    def backward(self, grad: Tensor, kept: list[Tensor]) -> Tensor:
        places, x = kept.pop(), kept.pop()
        return aten.max_pool2d_with_indices_backward(grad, x, *self.options, places)


class SideBySide:
    """Two convolutions of the same input, their channels one after the other."""

    def __init__(self, first: Convolution, second: Convolution) -> None:
        self.first, self.second = first, second

    def forward(self, x: Tensor, rows: int, kept: list[Tensor]) -> Tensor:
        return torch.cat(
            (self.first.forward(x, rows, kept), self.second.forward(x, rows, kept)), dim=1
        )

    def backward(self, grad: Tensor, kept: list[Tensor]) -> Tensor:
        share = len(self.first.bias)
        second = self.second.backward(_dense(grad[:, share:]), kept)
        return self.first.backward(_dense(grad[:, :share]), kept) + second


def _dense(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def run(
    layers: Sequence[Layer], taps: Sequence[int], x: Tensor, others: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of the layers numbered ``taps``, for ``x`` and, without a gradient, for ``others``.

    Args:
        layers: of the chain.
        taps: ascending.
        x, others: (N, C, H, W) and (M, C, H, W); either may be empty.

    Returns:
        Views of tensors that both lists share; they are not to be written to.
    """
    found = _Chain.apply(x, others, layers, taps)
    return list(found[: len(taps)]), list(found[len(taps) :])


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, others: Tensor, layers: Sequence[Layer], taps: Sequence[int]
    ) -> tuple[Tensor, ...]:
        rows, kept, counts = len(x), [], []
        y = torch.cat((x, others))
        outputs = []
        for index, layer in enumerate(layers):
            y = layer.forward(y, rows, kept)
            counts.append(len(kept))
            if index in taps:
                outputs.append(y)
        ctx.save_for_backward(*kept)
        ctx.layers, ctx.taps, ctx.counts = layers, taps, counts
        targets = [y[rows:] for y in outputs]
        ctx.mark_non_differentiable(*targets)
        ctx.set_materialize_grads(False)
        return (*[y[:rows] for y in outputs], *targets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        kept = list(ctx.saved_tensors)
        of_tap = dict(zip(ctx.taps, grads, strict=False))
        grad = None
        for index in reversed(range(len(ctx.layers))):
            here = of_tap.get(index)
            if here is not None:
                grad = here if grad is None else grad + here
            if grad is None:
                del kept[ctx.counts[index - 1] if index else 0 :]
            else:
                grad = ctx.layers[index].backward(grad, kept)
        return grad, None, None, None
