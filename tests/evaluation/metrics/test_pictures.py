"""PSNR and SSIM against values worked out by hand and the formula written as loops."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.evaluation.metrics.pictures import signal_to_noise, structural_similarity


def _flat(value: int, size: int = 9) -> np.ndarray:
    return np.full((1, size, size, 3), value, np.uint8)


def _random(count: int = 2, size: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (count, size, size, 3))
    noise = rng.integers(-30, 31, truth.shape)
    return np.clip(truth + noise, 0, 255).astype(np.uint8), truth.astype(np.uint8)


def test_decibels_by_hand() -> None:
    assert signal_to_noise(_flat(7), _flat(7)).tolist() == [np.inf]
    assert signal_to_noise(_flat(0), _flat(255)).tolist() == [0]
    # an even error of 25.5 is a tenth of the range: 20 dB; of 1, 48.13 dB
    assert signal_to_noise(_flat(1), _flat(0))[0] == pytest.approx(48.1308, abs=1e-4)
    half = _flat(0)
    half[:, :, :3] = 51  # a fifth of the range on a third of the picture
    assert signal_to_noise(half, _flat(0))[0] == pytest.approx(10 * np.log10(25 * 3))


def test_similarity_of_flat_pictures_by_hand() -> None:
    """No variance: only the means count, (2ab + c1) / (a^2 + b^2 + c1), c1 = 2.55^2."""
    c1 = (0.01 * 255) ** 2
    assert structural_similarity(_flat(9), _flat(9)).tolist() == [1]
    got = structural_similarity(_flat(50), _flat(100))
    assert got[0] == pytest.approx((2 * 50 * 100 + c1) / (50**2 + 100**2 + c1), rel=1e-9)
    assert structural_similarity(_flat(0), _flat(255))[0] == pytest.approx(
        c1 / (255**2 + c1), rel=1e-9
    )


def test_similarity_against_loops() -> None:
    predicted, truth = _random()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    for a, b, got in zip(predicted, truth, structural_similarity(predicted, truth), strict=True):
        values = []
        for channel in range(3):
            for y in range(12 - 6):
                for x in range(12 - 6):
                    p = a[y : y + 7, x : x + 7, channel].astype(float).ravel()
                    t = b[y : y + 7, x : x + 7, channel].astype(float).ravel()
                    (pp, pt), (_, tt) = np.cov(p, t)  # over N - 1
                    m, n = p.mean(), t.mean()
                    values.append(
                        (2 * m * n + c1) * (2 * pt + c2) / ((m * m + n * n + c1) * (pp + tt + c2))
                    )
        assert got == pytest.approx(np.mean(values), rel=1e-6)


def test_pictures_are_scored_one_by_one() -> None:
    predicted, truth = _random(70)
    for score in (signal_to_noise, structural_similarity):
        every = score(predicted, truth)
        assert every.shape == (70,)
        alone = np.concatenate([score(predicted[i : i + 1], truth[i : i + 1]) for i in (0, 66)])
        assert every[[0, 66]] == pytest.approx(alone, rel=1e-12)
        assert score(predicted[:0], truth[:0]).shape == (0,)


@pytest.mark.parametrize("score", [signal_to_noise, structural_similarity])
def test_what_does_not_fit_is_named(score) -> None:
    predicted, truth = _random()
    with pytest.raises(ValueError, match=r"truth must be uint8 \(B,H,W,C\), got float64"):
        score(predicted, truth / 255.0)
    with pytest.raises(ValueError, match=r"predicted must be uint8 \(2, 12, 12, 3\)"):
        score(predicted[:1], truth)
    with pytest.raises(ValueError, match="truth must be at least 7 pixels"):
        structural_similarity(truth[:, :6], truth[:, :6])
