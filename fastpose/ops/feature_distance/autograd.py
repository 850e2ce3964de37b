"""Autograd of `feature_distance`, whose forward forms the gradients already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.registry import apply_of, differentiable_once

FEATURES, GRADIENTS = 0, 5  # among the operator's arguments

# Whether the backward that runs was asked to keep the graph for another one.
_graph_is_kept = torch._C._autograd._get_current_graph_task_keep_graph  # type: ignore[attr-defined]


def differentiate(
    run_forward: Callable[..., Any], run_backward: Callable[..., Any]
) -> Callable[[tuple[Any, ...]], Any]:
    """The operator with autograd, from its arguments; the two functions are an owner's."""

    def forward(ctx: Any, args: tuple[Any, ...], *_: Any) -> tuple[Tensor, Tensor]:
        with torch._C._AutoDispatchBelowAutograd():
            loss, scale = run_forward(*args)
        ctx.save_for_backward(scale, *args[GRADIENTS])
        ctx.set_materialize_grads(False)
        return loss, scale

    def backward(ctx: Any, grad_loss: Tensor | None, _: Any) -> Any:
        scale, *gradients = ctx.saved_tensors
        if grad_loss is None:
            return None, *[None] * len(gradients)
        with torch._C._AutoDispatchBelowAutograd(), torch.no_grad():
            # They are finished where they lie, unless another backward may ask for them again.
            if _graph_is_kept():
                gradients = [g.clone() for g in gradients]
            run_backward(grad_loss, scale, gradients)
        if torch.is_grad_enabled():
            gradients = differentiable_once("feature_distance", scale, gradients)
        wanted = ctx.needs_input_grad[1:]
        return None, *[g if w else None for g, w in zip(gradients, wanted, strict=True)]

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function = type("feature_distance", (torch.autograd.Function,), members)
    # All arguments travel as one, and next to them only those that get gradients: torch spends time
    # on every argument of a function.
    apply = apply_of(function)
    return lambda args: apply(args, *args[FEATURES])
