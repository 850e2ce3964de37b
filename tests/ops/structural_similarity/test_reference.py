"""The reference against a computation in NumPy, against scikit-image, and known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fastpose import ops
from fastpose.ops.structural_similarity import reference
from fastpose.ops.structural_similarity.samples import pictures


def window_by_window(x, y, kind, data_range, sample_covariance):
    """(C,): the definition, with the moments of each window taken about its own mean."""
    side = 11 if kind == "gaussian" else 7
    if kind == "gaussian":
        offset = np.arange(side) - side // 2
        row = np.exp(-(offset**2) / (2 * 1.5**2))
        weights = np.outer(row, row) / row.sum() ** 2
    else:
        weights = np.full((side, side), 1 / side**2)
    norm = side**2 / (side**2 - 1) if sample_covariance else 1.0
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    means = []
    for plane_x, plane_y in zip(x, y, strict=True):
        values = []
        for i in range(plane_x.shape[0] - side + 1):
            for j in range(plane_x.shape[1] - side + 1):
                a = plane_x[i : i + side, j : j + side]
                b = plane_y[i : i + side, j : j + side]
                mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
                variance_a = norm * (weights * (a - mean_a) ** 2).sum()
                variance_b = norm * (weights * (b - mean_b) ** 2).sum()
                covariance = norm * (weights * (a - mean_a) * (b - mean_b)).sum()
                values.append(
                    (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
                    / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
                )  # fmt: skip
        means.append(np.mean(values))
    return np.array(means)


def some_pictures(seed=0, shape=(2, 3, 19, 16), data_range=1.0, likeness=0.4):
    return pictures(torch.Generator().manual_seed(seed), shape, likeness, data_range)


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
@pytest.mark.parametrize("sample_covariance", [False, True])
@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0])
def test_is_the_definition(window, sample_covariance, data_range):
    x, y = some_pictures(data_range=data_range)
    if data_range == 255.0:
        x, y = x.round(), y.round()
    found = ops.structural_similarity(
        x, y, window=window, data_range=data_range, use_sample_covariance=sample_covariance,
        backend="reference",
    )  # fmt: skip
    for item, a, b in zip(found, x.numpy(), y.numpy(), strict=True):
        want = window_by_window(a, b, window, data_range, sample_covariance).mean()
        assert float(item) == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_each_window_takes_its_usual_covariance():
    x, y = some_pictures()
    for window, usual in (("gaussian", False), ("uniform", True)):
        plain = ops.structural_similarity(x, y, window=window)
        given = ops.structural_similarity(x, y, window=window, use_sample_covariance=usual)
        other = ops.structural_similarity(x, y, window=window, use_sample_covariance=not usual)
        assert torch.equal(plain, given) and not torch.equal(plain, other)


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_is_what_scikit_image_says(window, data_range):
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    x, y = some_pictures(shape=(2, 3, 40, 33), data_range=data_range)
    options = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    found = ops.structural_similarity(x, y, window=window, data_range=data_range)
    for item, a, b in zip(found, x.numpy(), y.numpy(), strict=True):
        want = metrics.structural_similarity(
            a, b, data_range=data_range, channel_axis=0, **options if window == "gaussian" else {}
        )
        assert float(item) == pytest.approx(want, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("window", reference.SIDE)
def test_window_adds_up_to_one(window):
    taps = reference.taps_of(window)
    assert len(taps) == reference.SIDE[window] and taps == taps[::-1]
    assert sum(taps) == pytest.approx(1, abs=1e-15)


def test_gaussian_taps():
    taps = reference.taps_of(reference.GAUSSIAN)
    for distance in range(6):
        assert taps[5 + distance] / taps[5] == pytest.approx(math.exp(-(distance**2) / 4.5))


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_gradient_is_that_of_the_formula(window, data_range):
    """By autograd, from the windows one by one."""
    x, y = some_pictures(1, (2, 2, 14, 15), data_range)
    side = 11 if window == "gaussian" else 7
    taps = torch.tensor(reference.taps_of(0 if window == "gaussian" else 1), dtype=torch.float64)
    weights = torch.outer(taps, taps)

    def plain(x, y):
        a = x.unfold(2, side, 1).unfold(3, side, 1)
        b = y.unfold(2, side, 1).unfold(3, side, 1)
        mean = [(weights * t).sum((-2, -1)) for t in (a, b, a * a, b * b, a * b)]
        norm = side**2 / (side**2 - 1) if window == "uniform" else 1
        c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
        variances = norm * (mean[2] - mean[0] ** 2 + mean[3] - mean[1] ** 2)
        top = (2 * mean[0] * mean[1] + c1) * (2 * norm * (mean[4] - mean[0] * mean[1]) + c2)
        return (top / ((mean[0] ** 2 + mean[1] ** 2 + c1) * (variances + c2))).mean((1, 2, 3))

    found = []
    for run in (
        plain,
        lambda x, y: ops.structural_similarity(
            x, y, window=window, data_range=data_range, backend="reference"
        ),
    ):
        leaves = [t.clone().requires_grad_() for t in (x, y)]
        value = run(*leaves)
        share = torch.tensor([1.0, -2.0], dtype=torch.float64)
        found.append((value.detach(), *torch.autograd.grad(value, leaves, share)))
    for got, want in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)
