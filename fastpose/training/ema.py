"""An exponential moving average of a model: what is evaluated and exported."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def _running_statistics(model: nn.Module) -> set[str]:
    """Names of the buffers in which normalisation layers keep means and variances."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._NormBase)
        for name in ("running_mean", "running_var")
    }


class Ema(Generic[M]):
    """A copy of ``model`` whose parameters follow it as a moving average.

    The decay of update t (from 0) of a stage is ``min(decay, (1 + t) / (10 + t))``, so that an
    average of a short stage is not made of its first weights. Running statistics of normalisation
    layers are averaged like the weights that they belong to; other buffers are copied when the
    average is used (:meth:`module`). ``decay=0`` makes the average equal to the model.

    Args:
        model: the model that is trained.
        decay: in [0, 1).

    Attributes:
        statistics: the averages of running statistics.
    """

    def __init__(self, model: M, decay: float) -> None:
        self.decay = decay
        self._source = model
        self._copy = copy.deepcopy(model).requires_grad_(False).eval()
        pairs = list(zip(self._copy.parameters(), model.parameters(), strict=True))
        copied: list[tuple[Tensor, Tensor]] = []
        statistics = _running_statistics(model)
        buffers = zip(self._copy.named_buffers(), model.named_buffers(), strict=True)
        for (name, mine), (_, theirs) in buffers:
            averaged = pairs if name in statistics else copied
            averaged.append((mine, theirs))  # type: ignore[arg-type]
        self.statistics = [mine for mine, _ in pairs[len(list(model.parameters())) :]]
        self._averaged = [mine.detach() for mine, _ in pairs]
        self._followed = [theirs.detach() for _, theirs in pairs]
        self._copied = copied

    def weight(self, stage_step: int) -> float:
        """How far to move after step ``stage_step`` (from 0) of a stage."""
        return 1.0 - min(self.decay, (1 + stage_step) / (10 + stage_step))

    def update(self, weight: Tensor) -> None:
        """Move towards the model by ``weight``, () in [0, 1] on its device; exact at both ends."""
        weight = weight.to(self._averaged[0].dtype)
        torch._foreach_mul_(self._averaged, 1.0 - weight)
        torch._foreach_add_(self._averaged, torch._foreach_mul(self._followed, weight))

    def module(self) -> M:
        """The averaged model in eval mode, its copied buffers brought up to date."""
        with torch.no_grad():
            for mine, theirs in self._copied:
                mine.copy_(theirs)
        return self._copy
