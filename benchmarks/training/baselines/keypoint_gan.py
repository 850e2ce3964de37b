"""A step of KeypointGAN in plain PyTorch, as its paper and published code describe it.

A picture of every limb and then the maximum; soft-argmax from softmax and grids; a perceptual loss
whose running means live on the host; an image pool in a list; three Adams as they come; losses read
with `item`. Gradients that an optimizer does not use are computed and thrown away, as
`loss.backward()` does. Pieces can be exchanged one by one, which makes the ladder's rungs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fastpose.models.keypoint_gan import KeypointGAN
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.nn.widen import widen
from fastpose.training.phases import Phase, Stage

Draw = Callable[[Tensor], Tensor]  # points (B, K, 2) to skeletons (B, 1, S, S) in [0, 1]
Decode = Callable[[Tensor], tuple[Tensor, Tensor]]  # maps (B, K, h, w) to points and confidence


def every_limb(model: KeypointGAN) -> Draw:
    """exp(-gamma d) of each limb, d the distance of its nearest point; then the maximum."""
    size, sharpness = model.image_size, model.config.sharpness
    shape = (2, len(model.skeleton.limbs), len(model.skeleton.joints))
    mean = torch.zeros(shape, dtype=torch.float64)
    for index, limb in enumerate(model.skeleton.limbs):
        for side, end in enumerate(limb):
            joints = list(end) if isinstance(end, tuple) else [end]
            mean[side, index, joints] = 1 / len(joints)

    def draw(points: Tensor) -> Tensor:
        grid = torch.linspace(-1, 1, size, dtype=points.dtype, device=points.device)
        y, x = torch.meshgrid(grid, grid, indexing="ij")
        pixels = torch.stack((x, y), -1)
        a, b = (mean.to(points) @ points.unsqueeze(1)).unbind(1)
        a, b = a[:, :, None, None], b[:, :, None, None]
        along = ((pixels - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1).clamp_min(1e-6)
        nearest = a + along.clamp(0, 1)[..., None] * (b - a)
        distance = (((pixels - nearest) ** 2).sum(-1) + 1e-6).sqrt()
        return torch.exp(-sharpness * distance).amax(1, keepdim=True)

    return draw


def softmax_of_marginals(model: KeypointGAN) -> Decode:
    """Softmax of the means over rows and columns, expectation on a grid."""
    extent = model.config.keypoint_extent

    def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
        logits = widen(logits)
        like: Any = {"dtype": logits.dtype, "device": logits.device}
        across = logits.mean(2).softmax(-1)
        down = logits.mean(3).softmax(-1)
        x = torch.linspace(-extent, extent, across.shape[-1], **like)
        y = torch.linspace(-extent, extent, down.shape[-1], **like)
        points = torch.stack(((across * x).sum(-1), (down * y).sum(-1)), -1)
        return points, (across.amax(-1) * down.amax(-1)).sqrt()

    return decode


class PlainFeatures(nn.Module):
    """The frozen network layer by layer: the standardised picture, then the features."""

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> list[Tensor]:
        network = self.network
        x = ((x + 1) / 2 - network.mean) / network.std
        found = [x]
        for index, layer in enumerate(network.features):
            x = layer(x)
            if index in network.taps:
                found.append(x)
        return found


class HostPerceptual:
    """Layers' mean squared errors, each divided by a running mean that the host keeps."""

    def __init__(self, network: nn.Module, momentum: float = 0.99) -> None:
        self.network, self.momentum = network, momentum
        self.means: list[float] = []

    def __call__(self, image: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        assert weight is None, "the paper weighs all pixels alike"
        pairs = zip(self.network(image), self.network(target), strict=True)
        losses = [((widen(a) - widen(b)) ** 2).mean() for a, b in pairs]
        if not self.means:
            self.means = [loss.item() for loss in losses]
        else:
            keep = self.momentum
            self.means = [
                keep * mean + (1 - keep) * loss.item()
                for mean, loss in zip(self.means, losses, strict=True)
            ]
        terms = [loss / (mean + 1e-8) for loss, mean in zip(losses, self.means, strict=True)]
        return torch.stack(terms).mean()


class ListPool:
    """CycleGAN's image pool: a Python list, one picture at a time."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.pictures = capacity, []

    def exchange(self, batch: Tensor) -> Tensor:
        swap, slots = torch.rand(len(batch)) < 0.5, torch.randint(self.capacity, (len(batch),))
        out = []
        for picture, exchanged, slot in zip(batch.detach(), swap, slots, strict=True):
            if len(self.pictures) < self.capacity:
                self.pictures.append(picture.clone())
                out.append(picture)
            elif exchanged:
                out.append(self.pictures[slot])
                self.pictures[slot] = picture.clone()
            else:
                out.append(picture)
        return torch.stack(out)


def mean_over_scales(scores: list[Tensor], target: float) -> Tensor:
    """Least-squares GAN."""
    return sum(((widen(s) - target) ** 2).mean() for s in scores) / len(scores)  # type: ignore[return-value]


@dataclass
class Pieces:
    """What the rungs of the ladder exchange."""

    draw: Draw
    decode: Decode
    perceptual: Callable[..., Tensor]
    pool: Any
    least_squares: Callable[[list[Tensor], float], Tensor]
    fused_adam: bool = False
    autocast: bool = False


def plain(model: KeypointGAN, features: FeatureNetwork) -> Pieces:
    """Nothing but what the paper says; `features` is the frozen network of the perceptual loss."""
    return Pieces(
        every_limb(model),
        softmax_of_marginals(model),
        HostPerceptual(PlainFeatures(features)),
        ListPool(model.config.pool_size),
        mean_over_scales,
    )


class Baseline:
    """Trains ``model``'s networks; the model's own losses are not used.

    Args:
        model: whose networks.
        stage: the main stage of its recipe: weights, optimizers, clipping.
        pieces: how the rest is computed.
    """

    def __init__(self, model: KeypointGAN, stage: Stage, pieces: Pieces) -> None:
        self.model, self.pieces = model.train().requires_grad_(True), pieces
        self.phases: dict[str, Phase] = {phase.name: phase for phase in stage.phases}
        self.optimizers = {
            name: torch.optim.Adam(
                self._parameters(phase),
                lr=phase.optimizer.lr,
                betas=phase.optimizer.betas,
                fused=pieces.fused_adam or None,
            )
            for name, phase in self.phases.items()
        }

    def _parameters(self, phase: Phase) -> list[nn.Parameter]:
        return [p for name in phase.modules for p in getattr(self.model, name).parameters()]

    def _points(self, skeleton: Tensor) -> Tensor:
        logits, _ = self.model.regressor.encoder(skeleton)
        return self.pieces.decode(logits)[0]

    def _render(self, points: Tensor) -> Tensor:
        return 2 * self.pieces.draw(points) - 1

    def _optimise(self, name: str, losses: dict[str, Tensor]) -> dict[str, float]:
        phase, optimizer = self.phases[name], self.optimizers[name]
        total = sum(phase.weights[k] * v for k, v in losses.items())
        assert isinstance(total, Tensor)
        self.model.zero_grad()
        total.backward()
        if phase.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters(phase), phase.clip_norm)
        optimizer.step()
        return {f"{name}/{k}": v.item() for k, v in losses.items()}

    def step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One training step; the losses, by phase and name."""
        device = batch["target"].device.type
        model, pieces, found = self.model, self.pieces, {}
        mixed = torch.autocast(device, torch.bfloat16, enabled=pieces.autocast)
        with mixed:
            raw = model.translator(batch["target"])
            image = model.decoder(self._render(self._points(raw)), batch["other"])
            losses = {
                "adversarial": pieces.least_squares(model.discriminator(raw), 1.0),
                "perceptual": pieces.perceptual(image, batch["target"]),
            }
        found |= self._optimise("generator", losses)
        with mixed:
            drawn = self._render(batch["poses"]).detach()
            fake = pieces.pool.exchange(raw)
            losses = {
                "real": pieces.least_squares(model.discriminator(drawn), 1.0),
                "fake": pieces.least_squares(model.discriminator(fake), 0.0),
            }
        found |= self._optimise("discriminator", losses)
        with mixed:
            # The published code goes on with the first graph, whose weights have moved; PyTorch no
            # longer allows that, and the gradient is the same.
            raw = raw.detach()
            seen = self._render(self._points(raw))
            losses = {
                "poses": ((self._points(drawn) - batch["poses"]) ** 2).mean(),
                "images": ((seen - raw) ** 2).mean(),
            }
        return found | self._optimise("regressor", losses)
