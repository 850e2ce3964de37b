"""The least-squares adversarial loss over all scales of a discriminator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import check_is_number, check_like, check_numel, check_tensor
from fastpose.ops.pose_losses import reference
from fastpose.ops.precision import wide_type

MOST_SCORES = 16


def _fake(scores: list[Tensor], target: float) -> Tensor:
    return scores[0].new_empty((), dtype=wide_type(scores[0].dtype))


def _fake_backward(grad_output: Tensor, scores: list[Tensor], target: float) -> list[Tensor]:
    return [s.new_empty(s.shape) for s in scores]


def _differentiate(
    run_forward: Callable[..., Any], run_backward: Callable[..., Any]
) -> Callable[[tuple[Any, ...]], Any]:
    """The operator with autograd, of which every tensor of the list is an argument."""

    def forward(ctx: Any, args: tuple[Any, ...], *scores: Tensor) -> Tensor:
        ctx.save_for_backward(*scores)
        ctx.target = args[1]
        with torch._C._AutoDispatchBelowAutograd():
            return run_forward(*args)

    def backward(ctx: Any, grad_output: Tensor) -> Any:
        scores = list(ctx.saved_tensors)
        with torch._C._AutoDispatchBelowAutograd(), torch.no_grad():
            gradients = run_backward(grad_output, scores, ctx.target)
        if torch.is_grad_enabled():
            # Scores count: they may be what the loss is differentiated by a second time.
            tracked = grad_output + sum(s.sum() for s in scores)
            gradients = registry.differentiable_once("least_squares_gan", tracked, gradients)
        wanted = ctx.needs_input_grad[1:]
        return None, *[g if w else None for g, w in zip(gradients, wanted, strict=True)]

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function = type("least_squares_gan", (torch.autograd.Function,), members)
    apply = registry.apply_of(function)
    return lambda args: apply(args, *args[0])


OPERATOR = registry.register(
    "least_squares_gan",
    room="pose_losses",
    forward=registry.Kernel(
        "(Tensor[] scores, float target) -> Tensor", reference.least_squares_forward, _fake
    ),
    backward=registry.Kernel(
        "(Tensor grad_output, Tensor[] scores, float target) -> Tensor[] grad_scores",
        reference.least_squares_backward,
        _fake_backward,
    ),
    differentiate=_differentiate,
)


def least_squares_gan(
    scores: Sequence[Tensor], target: float, *, backend: str | None = None
) -> Tensor:
    """Mean over scales of the mean squared distance of a discriminator's scores to `target`.

    With D's scores of generated pictures and the target of real ones it is the generator's loss;
    the sum of those of real and of generated pictures with a target each is the discriminator's.
    Differentiable once, in all scores; results and gradients are the same bytes on every call and
    for any number of threads.

    Source: Mao, Li, Xie, Lau, Wang, Smolley, "Least Squares Generative Adversarial Networks", ICCV
    2017, equation 9 without its factor 1/2; the mean over scales as in Wang, Liu, Zhu, Tao, Kautz,
    Catanzaro, "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs",
    CVPR 2018.

    Args:
        scores: 1 to 16 tensors of any shapes, (B, 1, h, w) say, one for each scale; all float32,
            float64, bfloat16 or float16. Computed in float32, or float64 for float64; scores that
            are not finite make the loss so.
        target: what the scores should be: usually 1 for real and 0 for generated pictures.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        () float32, or float64 for float64 scores, >= 0; a scale without scores counts as 0.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    _check_call(scores, target)
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    return run(list(scores), float(target))


def _check_call(scores: Any, target: Any) -> None:
    if not isinstance(scores, (list, tuple)):
        raise TypeError(f"scores must be a list or tuple, got {type(scores).__name__}")
    if not 1 <= len(scores) <= MOST_SCORES:
        raise ValueError(f"scores must be 1 to {MOST_SCORES} tensors, got {len(scores)}")
    for i, each in enumerate(scores):
        check_tensor(f"scores[{i}]", each, None, narrow=True)
        check_like(f"scores[{i}]", each, "scores[0]", scores[0])
        check_numel(f"scores[{i}]", tuple(each.shape))
    check_is_number("target", target)
    if not math.isfinite(target):
        raise ValueError(f"target must be finite, got {target}")
