"""Distance of features to target features: the perceptual loss over all layers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import (
    check_choice,
    check_device,
    check_is_number,
    check_like,
    check_numel,
    check_same_shape,
    check_tensor,
)
from fastpose.ops.feature_distance import reference
from fastpose.ops.feature_distance.autograd import differentiate
from fastpose.ops.precision import wide_type

NORMS = {"l2": reference.L2, "l1": reference.L1}
MOST_LAYERS = 32


def _fake(features: list[Tensor], *_: Any) -> tuple[Tensor, Tensor]:
    wide = wide_type(features[0].dtype)
    like = features[0]
    return like.new_empty((), dtype=wide), like.new_empty(len(features), dtype=wide)


OPERATOR = registry.register(
    "feature_distance",
    forward=registry.Kernel(
        "(Tensor[] features, Tensor[] targets, Tensor? mask, Tensor(a!)? running_mean,"
        " Tensor(b!)? started, Tensor(c!)[] gradients, int norm, float momentum, bool update,"
        " bool through_mean) -> (Tensor loss, Tensor scale)",
        reference.forward,
        _fake,
    ),
    backward=registry.Kernel(
        "(Tensor grad_loss, Tensor scale, Tensor(a!)[] gradients) -> ()", reference.backward
    ),
    differentiate=differentiate,
)


def feature_distance(
    features: Sequence[Tensor],
    targets: Sequence[Tensor],
    *,
    norm: Literal["l2", "l1"] = "l2",
    mask: Tensor | None = None,
    running_mean: Tensor | None = None,
    started: Tensor | None = None,
    momentum: float = 0.99,
    update: bool = False,
    through_mean: bool = False,
    backend: str | None = None,
) -> Tensor:
    """Mean over layers of the mean distance of `features` to `targets`, the layers brought to one
    scale by their running means.

    With d_l the mean over layer l of ``w * (x - y)^2`` ("l2") or ``w * |x - y|`` ("l1"), the loss
    is the mean over the L layers of ``d_l / (m_l + 1e-8)``; without `running_mean` just of d_l. The
    weights w are the mask, averaged down to each layer's size, or 1. Differentiable once, in
    `features`; results and gradients are the same bytes on every call and for any number of
    threads. The forward forms the gradients of those features that need one, so neither features
    nor targets are kept for the backward. Nothing here waits for the device.

    Source: the perceptual loss of KeypointGAN (Jakab et al., "Self-supervised Learning of
    Interpretable Keypoints from Unlabelled Videos", CVPR 2020) as its published code computes it;
    with ``through_mean=True``, and L times the mean, that of IMM (Jakab et al., "Unsupervised
    Learning of Object Landmarks through Conditional Image Generation", NeurIPS 2018).

    Args:
        features: L tensors (B, C_l, H_l, W_l), 1 <= L <= 32, of any scale; float32, bfloat16 and
            float16, also mixed, or all float64. Contiguous and channels-last tensors are read as
            they are, others are copied first. Gradients have their types and layouts. float16
            gradients overflow where ``w * |x - y|`` does.
        targets: L tensors of the same shapes and types, which get no gradient: compute them under
            `torch.no_grad()`.
        norm: see above. The gradient of "l1" is 0 where the two are equal.
        mask: (B, 1, H, W), by how much each pixel is multiplied; gets no gradient. Means are over
            all pixels, so a mask with a mean of 1 keeps the loss's size, and one of zeros gives 0
            and no gradient.
        running_mean: (L,) float32, or float64 with float64 features, contiguous, on their device:
            m above. Changed in place where `update` says so.
        started: () bool, on the device: whether `running_mean` holds a mean yet. Where it is False
            the first update sets the running mean to d and `started` to True. None: it does.
        momentum: how much of the running mean an update keeps, 0 to 1.
        update: first move the running mean, ``m <- momentum * m + (1 - momentum) * d``, and use the
            new one. An empty batch moves nothing.
        through_mean: let the gradient also flow through the share of d in m; by default m counts as
            a constant.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        () float32, or float64 for float64 features. 0 for an empty batch. A value that is not
        finite makes it NaN or infinite, and the layer's running mean too.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    _check_layers(features, targets)
    wide = wide_type(features[0].dtype)
    _check_options(norm, momentum, update, through_mean)
    _check_mask(mask, features[0])
    _check_state(running_mean, started, update, features, wide)
    tracked = torch.is_grad_enabled()
    xs = [x if _is_dense(x) else x.contiguous() for x in features]
    ys = [_laid_out_like(y, x) for y, x in zip(targets, xs, strict=True)]
    gradients = [torch.empty_like(x) if tracked and x.requires_grad else x.new_empty(0) for x in xs]
    moves = update and features[0].shape[0] > 0
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    loss, _ = run(
        xs, ys, None if mask is None else mask.to(wide).contiguous(), running_mean, started,
        gradients, NORMS[norm], float(momentum), moves, through_mean,
    )  # fmt: skip
    if moves and not torch.compiler.is_compiling():
        _tell_autograd(running_mean)
    return loss


def _tell_autograd(changed: Tensor | None) -> None:
    """That a tensor has other values now, in case it was kept for a backward."""
    if changed is not None and not changed.is_inference():
        torch.autograd.graph.increment_version(changed)


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)


def _laid_out_like(y: Tensor, x: Tensor) -> Tensor:
    return y if y.stride() == x.stride() else torch.empty_like(x).copy_(y)


def _check_layers(features: Any, targets: Any) -> None:
    for name, value in (("features", features), ("targets", targets)):
        if not isinstance(value, (list, tuple)):
            kind = type(value).__name__
            raise TypeError(f"{name} must be a list or tuple of tensors, one per layer, got {kind}")
    if not 1 <= len(features) <= MOST_LAYERS:
        raise ValueError(f"features must be 1 to {MOST_LAYERS} layers, got {len(features)}")
    if len(targets) != len(features):
        raise ValueError(
            f"targets must have as many layers as features ({len(features)}), got {len(targets)}"
        )
    tracked = torch.is_grad_enabled()
    first = features[0]
    for i, (x, y) in enumerate(zip(features, targets, strict=True)):
        name = f"features[{i}]"
        check_tensor(name, x, "(B, C, H, W)", narrow=True)
        if 0 in x.shape[1:]:
            raise ValueError(f"{name} must have channels and pixels, got shape {tuple(x.shape)}")
        check_numel(name, tuple(x.shape))
        check_device(name, x, "features[0]", first.device)
        if x.shape[0] != first.shape[0]:
            raise ValueError(
                f"{name} must have the batch of features[0] ({first.shape[0]}), got {x.shape[0]}"
            )
        if (x.dtype == torch.float64) != (first.dtype == torch.float64):
            raise TypeError(
                f"{name} is {x.dtype} and features[0] {first.dtype}; "
                "expected float64 for all or none"
            )
        check_tensor(f"targets[{i}]", y, "(B, C, H, W)", narrow=True)
        check_same_shape(f"targets[{i}]", y, name, x)
        check_like(f"targets[{i}]", y, name, x)
        if tracked and y.requires_grad:
            raise ValueError(
                f"targets[{i}] requires grad, but targets get none: compute them under no_grad()"
            )


def _check_options(norm: Any, momentum: Any, update: Any, through_mean: Any) -> None:
    check_choice("norm", norm, NORMS)
    check_is_number("momentum", momentum)
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum must be 0 to 1, got {momentum}")
    for name, value in (("update", update), ("through_mean", through_mean)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {type(value).__name__}")


def _check_mask(mask: Any, first: Tensor) -> None:
    if mask is None:
        return
    check_tensor("mask", mask, "(B, 1, H, W)", narrow=True)
    if mask.shape[0] != first.shape[0] or 0 in mask.shape[1:]:
        expected = f"({first.shape[0]}, 1, H, W) with H and W of at least 1"
        raise ValueError(f"mask must have shape {expected}, got {tuple(mask.shape)}")
    check_numel("mask", tuple(mask.shape))
    check_device("mask", mask, "features", first.device)
    if torch.is_grad_enabled() and mask.requires_grad:
        raise ValueError("mask requires grad, but gets none: detach it")


def _check_state(
    running_mean: Any, started: Any, update: bool, features: Sequence[Tensor], wide: torch.dtype
) -> None:
    if running_mean is None:
        if started is not None or update:
            given = "started is given" if started is not None else "update is True"
            raise ValueError(f"{given}, but there is no running_mean")
        return
    device, layers = features[0].device, len(features)
    check_tensor("running_mean", running_mean, "(L)")
    if running_mean.shape != (layers,):
        raise ValueError(
            f"running_mean must have shape ({layers},), one for each layer of features, got "
            f"{tuple(running_mean.shape)}: it belongs to another feature network"
        )
    if running_mean.dtype != wide:
        raise TypeError(
            f"running_mean must be {wide} for {features[0].dtype} features, got "
            f"{running_mean.dtype}"
        )
    for name, value in (("running_mean", running_mean), ("started", started)):
        if value is None:
            continue
        if not isinstance(value, Tensor) or (name == "started" and value.dtype != torch.bool):
            got = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"{name} must be a bool tensor (), got {got}")
        check_device(name, value, "features", device)
        if name == "started" and value.ndim != 0:
            raise ValueError(f"{name} must have shape (), got {tuple(value.shape)}")
    if not running_mean.is_contiguous():
        raise ValueError(f"running_mean must be contiguous, got strides {running_mean.stride()}")
    if running_mean.requires_grad:
        raise ValueError("running_mean must not require grad: it is changed in place")
