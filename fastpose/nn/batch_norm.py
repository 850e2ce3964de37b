"""Batch normalisation over a batch that several processes share."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from fastpose.nn.across import ALONE, Across
from fastpose.nn.widen import widen


class BatchNorm2d(nn.BatchNorm2d):
    """torch's; where :attr:`across` is several processes, with the statistics of all of them.

    torch's own synchronised kind runs on GPUs alone. This one is the same everywhere: torch's
    kernels normalise, given the mean and variance of the whole batch.
    """

    across: Across = ALONE

    def forward(self, input: Tensor) -> Tensor:
        """Normalised (B, C, H, W)."""
        if not self.training or self.across.processes == 1:
            return super().forward(input)
        assert self.momentum is not None and self.num_batches_tracked is not None
        assert self.running_mean is not None and self.running_var is not None
        with torch.no_grad():
            mean, variance = whole_batch_statistics(input, self.across)
            count = input.numel() // input.shape[1] * self.across.processes
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return _Normalise.apply(  # type: ignore[no-any-return]
            input, self.weight, self.bias, mean, variance, self.eps, self.across
        )


class BatchNorm1d(BatchNorm2d):
    """The same of vectors, taken for pictures of one pixel: so what is done for layers of the one
    kind is done for this one too."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalised (B, C)."""
        return super().forward(input[:, :, None, None])[:, :, 0, 0]


def whole_batch_statistics(x: Tensor, across: Across) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of (B, C, H, W) over the whole batch, at least float32."""
    variance, mean = torch.var_mean(widen(x), dim=(0, 2, 3), correction=0)
    parts = across.gather(torch.stack([mean, variance])[None])  # (processes, 2, C)
    mean = parts[:, 0].mean(dim=0)
    # The spread within the parts and that of their means: nothing large cancels.
    return mean, (parts[:, 1] + (parts[:, 0] - mean) ** 2).mean(dim=0)


class _Normalise(torch.autograd.Function):
    """Batch normalisation with given statistics, which the gradient takes for functions of x."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        eps: float,
        across: Across,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.across = eps, across
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        # With the statistics constant: the two sums over the batch are the affine gradients.
        direct, grad_weight, grad_bias = torch.ops.aten.native_batch_norm_backward(
            grad, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        count = x.numel() // x.shape[1]
        means = ctx.across.mean(torch.stack([grad_bias, grad_weight]) / count)
        scale = torch.rsqrt(variance + ctx.eps)
        slope = weight * scale**2 * means[1]
        offset = weight * scale * means[0] - slope * mean
        wide = direct - (offset[:, None, None] + slope[:, None, None] * x)
        return wide.to(x.dtype), grad_weight, grad_bias, None, None, None, None
