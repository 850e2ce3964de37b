"""Squared feature distances, each layer divided by its own running mean (spec 4.6)."""

from __future__ import annotations

import torch
from torch import nn

from fastpose.nn.across import ALONE, Across
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.nn.widen import widen


class PerceptualLoss(nn.Module):
    """Mean over layers of mse / running mean of that mse, so its value hovers around 1.

    The running means are buffers: a checkpoint holds them. The frozen network is not part of the
    module tree, because its weights belong to the user's file and not to every checkpoint.

    Args:
        network: the frozen feature network.
        momentum: share of the running mean that is kept at each step.
    """

    across: Across = ALONE
    running_mean: torch.Tensor
    started: torch.Tensor

    def __init__(self, network: FeatureNetwork, *, momentum: float = 0.99) -> None:
        super().__init__()
        self._network = (network,)
        self.momentum = momentum
        self.register_buffer("running_mean", torch.ones(len(network.taps) + 1))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def forward(
        self, image: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Scalar distance of ``image`` to ``target``, both (B, 3, S, S) in [-1, 1].

        Args:
            weight: (B, 1, S, S), how much each pixel counts; averaged down to each layer's size
                and divided by its mean. None: all alike.
        """
        network = self._network[0].to(image.device)
        with torch.no_grad():
            targets = network(target)
        losses = []
        for feature, wanted in zip(network(image), targets, strict=True):
            # Under autocast features are bfloat16, and so would their differences be.
            square = (widen(feature) - widen(wanted)) ** 2
            if weight is not None:
                height, width = square.shape[-2:]
                small = torch.nn.functional.adaptive_avg_pool2d(weight, (height, width))
                square = square * (small / self.across.mean(small.mean()).clamp_min(1e-8))
            losses.append(square.mean())
        stacked = torch.stack(losses)
        if self.training:
            with torch.no_grad():
                whole = self.across.mean(stacked)
                mixed = torch.lerp(whole, self.running_mean, self.momentum)
                self.running_mean.copy_(torch.where(self.started, mixed, whole))
                self.started.fill_(True)
        return (stacked / (self.running_mean + 1e-8)).mean()
