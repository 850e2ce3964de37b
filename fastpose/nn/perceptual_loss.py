"""Distances of features, each layer divided by its own running mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from fastpose import ops
from fastpose.nn.across import ALONE, Across
from fastpose.nn.feature_network import FeatureNetwork


class PerceptualLoss(nn.Module):
    """Mean over layers of distance / running mean of that distance, so its value hovers around 1.

    By default as KeypointGAN has it. IMM's loss is a multiple of the one with `through_mean` and
    `initial` (see :func:`fastpose.ops.feature_distance`). The running means are buffers: a
    checkpoint holds them. The frozen network is not part of the module tree, because its weights
    belong to the user's file and not to every checkpoint.

    Args:
        network: the frozen feature network.
        norm: "l2", squared distances, or "l1", absolute ones.
        momentum: share of the running mean that is kept at each step.
        initial: running means to start from, one for the input and one for each tap. None: the
            first step's distances.
        through_mean: let the gradient flow through the running mean too.
    """

    across: Across = ALONE
    running_mean: torch.Tensor
    started: torch.Tensor

    def __init__(
        self,
        network: FeatureNetwork,
        *,
        norm: Literal["l2", "l1"] = "l2",
        momentum: float = 0.99,
        initial: Sequence[float] | None = None,
        through_mean: bool = False,
    ) -> None:
        super().__init__()
        layers = len(network.taps) + 1
        if initial is not None and len(initial) != layers:
            raise ValueError(
                f"initial: expected {layers} running means for the input and the taps of "
                f"{network.name}, got {len(initial)}"
            )
        self._network = (network,)
        self.norm: Literal["l2", "l1"] = norm
        self.momentum, self.through_mean = momentum, through_mean
        mean = torch.ones(layers) if initial is None else torch.tensor(initial, dtype=torch.float32)
        self.register_buffer("running_mean", mean)
        self.register_buffer("started", torch.tensor(initial is not None))

    def forward(
        self, image: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Scalar distance of ``image`` to ``target``, both (B, 3, S, S) in [-1, 1].

        Args:
            weight: (B, 1, S, S), how much each pixel counts, in any units: it is divided by its
                mean over the batch (at least 1e-8). None: all alike. Weights that are all zero
                give 0 and move no running mean.
        """
        features, targets = self._network[0].compare(image, target)
        if weight is None:
            return self._updating_distance(features, targets, None)
        with torch.no_grad():
            mean = self.across.mean(weight.mean())
            weight = weight / mean.clamp_min(1e-8)
            state = (self.running_mean, self.started)
            before = [tensor.clone() for tensor in state]
        loss = self._updating_distance(features, targets, weight)
        with torch.no_grad():
            for tensor, old in zip(state, before, strict=True):
                tensor.copy_(torch.where(mean == 0, old, tensor))
        return loss

    def _updating_distance(
        self,
        features: list[torch.Tensor],
        targets: list[torch.Tensor],
        weight: torch.Tensor | None,
    ) -> torch.Tensor:
        update = self.training
        if update and self.across.processes > 1:
            self._update_together(features, targets, weight)
            update = False
        return self._distance(features, targets, weight, update)

    def _update_together(
        self,
        features: list[torch.Tensor],
        targets: list[torch.Tensor],
        weight: torch.Tensor | None,
    ) -> None:
        """Move the running means by the distances of the whole batch.

        A running mean is linear in the distance: that of the whole batch is the mean of those that
        the processes find for their parts.
        """
        if self.through_mean:
            raise ValueError("through_mean: only for a single process")
        with torch.no_grad():
            self._distance(features, targets, weight, True)
            self.running_mean.copy_(self.across.mean(self.running_mean))

    def _distance(
        self,
        features: list[torch.Tensor],
        targets: list[torch.Tensor],
        weight: torch.Tensor | None,
        update: bool,
    ) -> torch.Tensor:
        return ops.feature_distance(
            features,
            targets,
            norm=self.norm,
            mask=weight,
            running_mean=self.running_mean,
            started=self.started,
            momentum=self.momentum,
            update=update,
            through_mean=self.through_mean,
        )
