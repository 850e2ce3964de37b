"""Reference of `feature_distance`: the formula in plain PyTorch, for every device and for tests.

With x, y the features and targets of layer l, N_l numbers each, the layer's mean is

    d_l = 1 / N_l sum w (x - y)^2   or   1 / N_l sum w |x - y|

where w is the mask, averaged down to the layer's size as `adaptive_avg_pool2d` does (w = 1 without
a mask). Each layer has its own running mean m_l, to which this call first adds its share if it is
to `update` it:

    m_l <- momentum m_l + (1 - momentum) d_l,  or d_l at the very first call

and the loss is the mean over the L layers of d_l / (m_l + eps), eps = 1e-8. For the gradient m_l
is a constant (KeypointGAN). With `through_mean` it is not (IMM): with m_l = a + b d_l the
derivative of d_l / (m_l + eps) is (a + eps) / (m_l + eps)^2.

The gradient of x is w (x - y), or w sign(x - y), times a factor of the layer. The forward forms it
while x and y are at hand. If nothing is left that could change the factor it is applied at once and
`scale` is 1; otherwise `scale` is the factor, and the backward applies it. float16 always waits for
that: it could not hold the small numbers that only a large gradient of the loss brings into range.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fastpose.ops.precision import wide_type

L2, L1 = 0, 1
EPS = 1e-8  # added to a running mean


def weight_for(mask: Tensor | None, feature: Tensor) -> Tensor | float:
    """The mask at the size of a layer."""
    if mask is None:
        return 1.0
    return F.adaptive_avg_pool2d(mask, (feature.shape[2], feature.shape[3]))


def forward(
    features: list[Tensor],
    targets: list[Tensor],
    mask: Tensor | None,
    running_mean: Tensor | None,
    started: Tensor | None,
    gradients: list[Tensor],
    norm: int,
    momentum: float,
    update: bool,
    through_mean: bool,
) -> tuple[Tensor, Tensor]:
    """(loss, scale of each layer); fills those `gradients` that are not empty."""
    wide = wide_type(features[0].dtype)
    means, slopes = [], []
    for x, y in zip(features, targets, strict=True):
        difference = x.to(wide) - y.to(wide)
        weight = weight_for(mask, x)
        distance = difference.square() if norm == L2 else difference.abs()
        means.append((distance * weight).sum() / max(x.numel(), 1))
        slopes.append((difference if norm == L2 else difference.sign()) * weight)
    mean = torch.stack(means)
    normaliser, constant = torch.ones_like(mean), torch.ones_like(mean)
    if running_mean is not None:
        moved = torch.lerp(mean, running_mean, momentum)
        before = momentum * running_mean  # as much of the new one is no share of `mean`
        if started is not None:
            moved, before = torch.where(started, moved, mean), torch.where(started, before, 0)
        if update:
            running_mean.copy_(moved)
            if started is not None:
                started.fill_(True)
        normaliser = running_mean + EPS
        if update and through_mean:
            constant = (before + EPS) / normaliser
    counts = mean.new_tensor([len(features) * max(x.numel(), 1) for x in features])
    factor = (2 if norm == L2 else 1) / counts * constant / normaliser
    scale = torch.ones_like(factor)
    for i, (gradient, slope) in enumerate(zip(gradients, slopes, strict=True)):
        if update or gradient.dtype == torch.float16:
            scale[i] = factor[i]
        elif gradient.numel():
            slope = slope * factor[i]
        if gradient.numel():
            gradient.copy_(slope)
    return (mean / normaliser).mean(), scale


def backward(grad_loss: Tensor, scale: Tensor, gradients: list[Tensor]) -> None:
    """Multiply the gradients that the forward has formed by what it could not know."""
    for factor, gradient in zip(grad_loss.to(scale) * scale, gradients, strict=True):
        gradient.copy_(gradient.to(scale) * factor)
