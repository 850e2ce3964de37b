"""Linear maps: what each protocol can express, against normal equations and known flips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.evaluation.metrics.regression import (
    LINEAR_PROTOCOLS,
    fit_linear,
    get_linear_protocol,
)
from fastpose.skeletons import get_skeleton

SIDE, MIDDLE = 129.0, 64.0
MIRROR = (0, 2, 1)
PLAIN = get_linear_protocol("imm")


def _landmarks(frames: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, SIDE, (frames, 4, 2))


def _fit(landmarks, truth, protocol, **options):
    return fit_linear(landmarks, truth, SIDE, protocol, mirror=MIRROR, **options)


def _mapped(landmarks: np.ndarray, about: float, shift: float = 0.0) -> np.ndarray:
    """Joints that are exactly a linear map of the landmarks about one origin, plus a shift."""
    weights = np.random.default_rng(9).normal(size=(8, 6)) / 4
    flat = (landmarks - about).reshape(len(landmarks), -1)
    return (flat @ weights).reshape(-1, 3, 2) + about + shift


@pytest.mark.parametrize(
    ("about", "shift", "exact"),
    [
        (0.0, 0.0, {"corner"}),
        (MIDDLE, 0.0, {"centre"}),
        (0.0, 11.0, set()),
    ],
)
def test_what_an_origin_can_express(about, shift, exact) -> None:
    landmarks, test = _landmarks(), _landmarks(seed=1)
    truth, expected = _mapped(landmarks, about, shift), _mapped(test, about, shift)
    for origin in ("corner", "centre"):
        protocol = replace(PLAIN, origin=origin)
        error = np.abs(_fit(landmarks, truth, protocol)(test) - expected).max()
        assert (error < 1e-8) == (origin in exact), (origin, error)


def test_against_the_normal_equations() -> None:
    landmarks = _landmarks()
    truth = np.random.default_rng(3).uniform(0, SIDE, (60, 3, 2))
    for origin, at in (("corner", 0.0), ("centre", MIDDLE)):
        fitted = _fit(landmarks, truth, replace(PLAIN, origin=origin))
        x, y = (landmarks - at).reshape(60, -1), (truth - at).reshape(60, -1)
        weights = np.linalg.inv(x.T @ x) @ x.T @ y
        assert fitted.weights == pytest.approx(weights, rel=1e-7)
        assert fitted(landmarks) == pytest.approx((x @ weights).reshape(60, 3, 2) + at)
        assert fitted.kept.all() and not fitted.exchanged.any()


def test_each_joint_is_fitted_where_it_is_seen() -> None:
    landmarks = _landmarks()
    truth = _mapped(landmarks, 0.0)
    visible = np.random.default_rng(5).random((60, 3)) < 0.6
    spoilt = np.where(visible[..., None], truth, np.nan)
    fitted = _fit(landmarks, spoilt, PLAIN, visible=visible)
    assert np.abs(fitted(landmarks) - truth).max() < 1e-8
    with pytest.raises(ValueError, match="visible must hold in a training frame for each joint"):
        _fit(landmarks, truth, PLAIN, visible=np.array([[True, False, True]] * 60))


def test_landmarks_that_do_not_determine_the_map() -> None:
    twice = np.repeat(_landmarks()[:, :1], 4, axis=1)
    truth = 2 * twice[:, :3]
    assert np.abs(_fit(twice, truth, PLAIN)(twice) - truth).max() < 1e-8


def test_sides_are_relabelled_until_they_agree() -> None:
    landmarks = _landmarks(200)
    landmarks[:, 0] = 40.0  # never moves, so that the map can place each side
    truth = _mapped(landmarks, 0.0) + np.array([[0, 0], [40, 0], [-40, 0]])
    flipped = np.random.default_rng(6).random(200) < 0.44  # takes several rounds
    labels = np.where(flipped[:, None, None], truth[:, list(MIRROR)], truth)
    protocol = replace(get_linear_protocol("autolink"), outliers=None)
    fitted = _fit(landmarks, labels, protocol)
    assert np.array_equal(fitted.exchanged, flipped)
    assert np.abs(fitted(landmarks) - truth).max() < 1e-8
    kept_as_it_is = _fit(landmarks, labels, replace(protocol, relabel_sides=False))
    assert np.abs(kept_as_it_is(landmarks) - truth).max() > 5


def test_outliers_leave_the_last_fit() -> None:
    landmarks = _landmarks(200)
    truth = _mapped(landmarks, 0.0)
    labels = truth.copy()
    labels[7] += 500
    fitted = _fit(landmarks, labels, replace(PLAIN, outliers=3.0))
    assert np.flatnonzero(~fitted.kept).tolist() == [7]
    assert np.abs(fitted(landmarks) - truth).max() < 1e-8
    assert np.abs(_fit(landmarks, labels, PLAIN)(landmarks) - truth).max() > 1


def test_the_published_ones() -> None:
    settings = {n: (p.origin, p.relabel_sides) for n, p in LINEAR_PROTOCOLS.items()}
    assert settings == {
        "thewlis-zhang": ("centre", False),
        "imm": ("corner", False),
        "bkind": ("centre", False),
        "autolink": ("corner", True),
    }
    joints = get_linear_protocol("bkind").joints
    assert joints is not None and len(joints) == 16 and "root" not in joints
    assert set(joints) <= set(get_skeleton("h36m32").joints)
    with pytest.raises(UserError, match=r"no linear protocol 'bkin' \(known: .*\); did you mean"):
        get_linear_protocol("bkin")


def test_what_does_not_fit_is_named() -> None:
    landmarks = _landmarks()
    truth = _mapped(landmarks, 0.0)
    with pytest.raises(ValueError, match="landmarks must be of the 60 frames of truth, got 59"):
        _fit(landmarks[1:], truth, PLAIN)
    with pytest.raises(ValueError, match=r"landmarks must be \(N,L,2\) and finite"):
        _fit(landmarks * np.nan, truth, PLAIN)
    with pytest.raises(ValueError, match="side must be positive"):
        fit_linear(landmarks, truth, 0, PLAIN, mirror=MIRROR)
    with pytest.raises(ValueError, match=r"landmarks must be \(M,4,2\), got \(60, 3, 2\)"):
        _fit(landmarks, truth, PLAIN)(landmarks[:, :3])
