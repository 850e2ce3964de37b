"""Divergence of a Gaussian posterior from the standard normal prior."""

from __future__ import annotations

from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import (
    check_like,
    check_number,
    check_numel,
    check_same_shape,
    check_tensor,
)
from fastpose.ops.pose_losses import reference
from fastpose.ops.precision import wide_type


def _fake(mean: Tensor, log_variance: Tensor, free_bits: float) -> tuple[Tensor, Tensor]:
    wide = wide_type(mean.dtype)
    coordinates = mean.shape[1] if free_bits > 0 else 0
    return mean.new_empty((), dtype=wide), mean.new_empty(coordinates, dtype=wide)


def _fake_backward(
    grad_output: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    coordinates: Tensor,
    free_bits: float,
    needs_mean: bool,
    needs_log_variance: bool,
) -> tuple[Tensor, Tensor]:
    return (
        mean.new_empty(mean.shape if needs_mean else 0),
        mean.new_empty(mean.shape if needs_log_variance else 0),
    )


OPERATOR = registry.register(
    "gaussian_kl",
    room="pose_losses",
    forward=registry.Kernel(
        "(Tensor mean, Tensor log_variance, float free_bits)"
        " -> (Tensor output, Tensor coordinates)",
        reference.divergence_forward,
        _fake,
    ),
    backward=registry.Kernel(
        "(Tensor grad_output, Tensor mean, Tensor log_variance, Tensor coordinates,"
        " float free_bits, bool needs_mean, bool needs_log_variance)"
        " -> (Tensor grad_mean, Tensor grad_log_variance)",
        reference.divergence_backward,
        _fake_backward,
    ),
)


def gaussian_kl(
    mean: Tensor, log_variance: Tensor, *, free_bits: float = 0.0, backend: str | None = None
) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats: the mean over the batch of the sum over
    coordinates of ``(mean^2 + exp(log_variance) - 1 - log_variance) / 2``.

    With free bits it is the sum over coordinates of ``max(free_bits, mean over the batch)``: a
    coordinate that costs no more on average is not pressed further and gets no gradient, so that it
    is not given up early in training. Differentiable once, in both; results and gradients are the
    same bytes on every call and for any number of threads.

    Source: Kingma, Welling, "Auto-Encoding Variational Bayes", ICLR 2014, appendix B; free bits:
    Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling, "Improving Variational Inference with
    Inverse Autoregressive Flow", NeurIPS 2016, appendix C.8.

    Args:
        mean: (B, D) float32, float64, bfloat16 or float16; computed in float32, or float64 for
            float64. Numbers that are not finite make the loss so.
        log_variance: (B, D) of the same type; above 88 its exponential overflows float32.
        free_bits: nats that each coordinate costs at least, >= 0; 0: no such bound.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        () float32, or float64 for float64 arguments, >= 0; 0 of an empty batch.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    check_tensor("mean", mean, "(B, D)", narrow=True)
    check_tensor("log_variance", log_variance, "(B, D)", narrow=True)
    check_like("log_variance", log_variance, "mean", mean)
    check_same_shape("log_variance", log_variance, "mean", mean)
    check_number("free_bits", free_bits, zero=True)
    check_numel("mean", tuple(mean.shape))
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    return run(mean, log_variance, float(free_bits))[0]
