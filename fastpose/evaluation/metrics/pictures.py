"""How near a picture is to another: PSNR and SSIM, picture by picture."""

from __future__ import annotations

import numpy as np
import torch

from fastpose import ops

_PEAK = 255.0
_SMALLEST = 7  # side of the SSIM's window
_AT_A_TIME = 64  # pictures, so that a test set need not be held as floats


def signal_to_noise(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """PSNR, ``10 log10(255^2 / MSE)`` with the mean over all pixels and channels.

    Args:
        predicted: (B,H,W,C) uint8.
        truth: (B,H,W,C) uint8.

    Returns:
        (B,) float64, decibels; infinite where the pictures are equal, 0 for black against white.
    """
    predicted, truth = _check(predicted, truth)
    squares = np.array(
        [np.square(a.astype(np.float64) - b).mean() for a, b in zip(predicted, truth, strict=True)]
    )
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(_PEAK**2 / squares)


def structural_similarity(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """SSIM as papers on picture synthesis report it: ``ops.structural_similarity``, uniform.

    7 x 7 windows with equal weights, sample covariance, range 255, mean over channels: the defaults
    of scikit-image.

    Source: Wang et al., "Image quality assessment", 2004, equation 13; settings of Ma et al.,
    "Pose guided person image generation", 2017.

    Args:
        predicted: (B,H,W,C) uint8, H and W at least 7.
        truth: (B,H,W,C) uint8.

    Returns:
        (B,) float64, 1 where the pictures are equal.
    """
    predicted, truth = _check(predicted, truth)
    if min(truth.shape[1:3]) < _SMALLEST:
        raise ValueError(
            f"truth must be at least {_SMALLEST} pixels high and wide, got {truth.shape}"
        )
    values = [np.zeros(0)]
    for at in range(0, len(truth), _AT_A_TIME):
        a, b = (
            torch.from_numpy(np.ascontiguousarray(x[at : at + _AT_A_TIME]))
            .permute(0, 3, 1, 2)
            .double()
            for x in (predicted, truth)
        )
        values.append(ops.structural_similarity(a, b, window="uniform", data_range=_PEAK).numpy())
    return np.concatenate(values)


def _check(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    predicted, truth = np.asarray(predicted), np.asarray(truth)
    if truth.dtype != np.uint8 or truth.ndim != 4:
        raise ValueError(f"truth must be uint8 (B,H,W,C), got {truth.dtype} {truth.shape}")
    if predicted.dtype != np.uint8 or predicted.shape != truth.shape:
        raise ValueError(
            f"predicted must be uint8 {truth.shape}, got {predicted.dtype} {predicted.shape}"
        )
    return predicted, truth
