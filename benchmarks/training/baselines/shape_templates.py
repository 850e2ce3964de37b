"""A step of shape templates in plain PyTorch, as the paper and its published code describe it.

The template repeated for every picture, warped by ``affine_grid`` and ``grid_sample`` of the
inverted matrices (what kornia's ``warp_affine`` does), joined to the frame by a concatenation;
anchors and pairs one by one; the target's features with gradients enabled; one Adam as it comes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fastpose.models.shape_templates import ShapeTemplates
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.nn.widen import widen
from fastpose.training.phases import Stage


class Baseline:
    """Trains the networks of a model, which it changes.

    Args:
        model: whose detector's numbers and translator are used; an affine map in one step, about
            the corner.
        stage: the recipe's only stage.
        features: the network of the reconstruction loss, not shared.
        autocast: bfloat16 arithmetic of the networks.
    """

    def __init__(
        self,
        model: ShapeTemplates,
        stage: Stage,
        features: FeatureNetwork,
        *,
        autocast: bool = False,
    ) -> None:
        self.model, self.features, self.autocast = model.train(), features, autocast
        (self.phase,) = stage.phases
        self.template = model.config.template
        self.pictures = model.pictures()  # (K, S, S)
        self.size = model.image_size
        parameters = [p for m in self.phase.modules for p in model.get_submodule(m).parameters()]
        for parameter in (*parameters, *features.parameters()):
            parameter.requires_grad_(True)
        adam = self.phase.optimizer
        self.optimizer = torch.optim.Adam(parameters, lr=adam.lr, betas=adam.betas)
        self.anchors = torch.from_numpy(self.template.anchors).to(self.pictures)

    def warp(self, theta: Tensor) -> Tensor:
        """(B, K, S, S) from maps (B, K, 2, 3) in canvas pixels."""
        batch, parts, size = len(theta), theta.shape[1], self.size
        scale = (size - 1) / (self.template.size - 1)
        pixels = torch.cat([theta[..., :2], theta[..., 2:] * scale], dim=-1).flatten(0, 1)
        last = torch.tensor([0.0, 0.0, 1.0]).to(theta).expand(len(pixels), 1, 3)
        forward = torch.cat([pixels, last], dim=1)
        half = (size - 1) / 2.0
        to_pixels = torch.tensor([[half, 0.0, half], [0.0, half, half], [0.0, 0.0, 1.0]]).to(theta)
        back = torch.linalg.inv(to_pixels) @ torch.linalg.inv(forward) @ to_pixels
        grid = F.affine_grid(back[:, :2], [len(pixels), 1, size, size], align_corners=True)
        source = self.pictures[None].repeat(batch, 1, 1, 1).view(-1, 1, size, size)
        return F.grid_sample(source, grid, align_corners=True).view(batch, parts, size, size)

    def geometry(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Anchor and boundary loss, pair by pair and anchor by anchor."""
        size, places = self.template.size, []
        for anchor, part in zip(self.anchors, self.template.point_parts, strict=False):
            places.append(theta[:, part, :, :2] @ anchor + theta[:, part, :, 2])
        anchor_loss = torch.zeros((), dtype=theta.dtype)
        for a, b in self.template.pair_indices:
            difference = (places[a] - places[b]) / size
            anchor_loss = anchor_loss + (difference**2).sum() / (3 * len(theta))
        boundary = torch.zeros((), dtype=theta.dtype)
        for place in places:
            z = (2 * place / size - 1).abs()
            outside = torch.where(z > 1, z, torch.zeros_like(z))
            boundary = boundary + outside.sum() / (3 * len(theta))
        return anchor_loss, boundary

    def losses(self, batch: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, and the losses by name."""
        target, other = batch["target"], batch["other"]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            numbers = self.model.detector.regressor(target)
            theta = numbers.view(len(target), -1, 2, 3) + torch.eye(2, 3)
            shift = theta[..., 2:] * self.template.size
            theta = torch.cat([theta[..., :2], shift], dim=-1)
            image = self.model.translator(torch.cat([other, self.warp(theta)], dim=1))
            found, wanted = self.features(image)[-1], self.features(target)[-1]
            anchor, boundary = self.geometry(theta)
            losses = {
                "features": (widen(found) - widen(wanted)).abs().mean(),
                "anchor": anchor,
                "boundary": boundary,
            }
            total = torch.stack([self.phase.weights[k] * v for k, v in losses.items()]).sum()
        return total, losses

    def step(self, batch: dict[str, Any]) -> dict[str, float]:
        """One step; the losses by name."""
        total, losses = self.losses(batch)
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        return {f"main/{name}": value.item() for name, value in losses.items()}
