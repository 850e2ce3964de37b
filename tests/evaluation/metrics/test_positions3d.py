"""Alignments against what they undo, closed forms, and a search for a better one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastpose.evaluation.metrics.positions3d import align, mean_position_error

RNG = np.random.default_rng(2)
POSES = RNG.normal(size=(6, 17, 3))
MIRROR = np.diag([-1.0, 1.0, 1.0])


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """A random rotation from a unit quaternion, so not by the decomposition that is tested."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _error(predicted, truth, how, **options) -> float:
    root = 0 if not how.startswith("similarity") else None
    return mean_position_error(predicted, truth, how, root=root, **options)


def test_what_each_alignment_undoes() -> None:
    moved = POSES + RNG.normal(size=(6, 1, 3))
    scaled = 1.7 * moved
    turned = np.stack([0.4 * p @ _rotation(RNG).T + RNG.normal(size=3) for p in POSES])
    mirrored = turned @ MIRROR
    undone = {
        "root": (moved,),
        "scale": (moved, scaled),
        "norm_scale": (moved, scaled),
        "similarity": (moved, scaled, turned),
        "similarity_or_reflection": (moved, scaled, turned, mirrored),
    }
    for how, reached in undone.items():
        for predicted in (moved, scaled, turned, mirrored):
            error = _error(predicted, POSES, how)
            if any(predicted is one for one in reached):
                assert error == pytest.approx(0, abs=1e-12), how
            else:
                assert error > 0.1, how


def test_the_two_scales_by_hand() -> None:
    # One joint at (1,0,0) and one at (0,1,0); the prediction has the second at (0,3,0).
    truth = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    predicted = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 3, 0]]])
    # <p,g>/<p,p> = 4/10: errors 0, 0.6, 0.2; |g|/|p| = sqrt(2/10): 0, 1 - s, 3s - 1
    assert _error(predicted, truth, "scale") == pytest.approx(0.8 / 3)
    s = 0.2**0.5
    assert _error(predicted, truth, "norm_scale") == pytest.approx((1 - s + 3 * s - 1) / 3)
    assert _error(predicted, truth, "root") == pytest.approx(2 / 3)


def test_the_similarity_of_a_mirrored_flat_cross_by_hand() -> None:
    """Points on the axes, x mirrored: the best rotation turns z over, and the scale shrinks.

    With a, b > c > 0 along x, y, z the sums are 2a^2, 2b^2, 2c^2, so the scale is
    (a^2 + b^2 - c^2) / (a^2 + b^2 + c^2).
    """
    a, b, c = 3.0, 2.0, 1.0
    truth = np.array([[[a, 0, 0], [-a, 0, 0], [0, b, 0], [0, -b, 0], [0, 0, c], [0, 0, -c]]])
    s = (a * a + b * b - c * c) / (a * a + b * b + c * c)
    by_hand = ((1 - s) * a + (1 - s) * b + (1 + s) * c) / 3
    assert _error(truth @ MIRROR, truth, "similarity") == pytest.approx(by_hand)
    assert _error(truth @ MIRROR, truth, "similarity_or_reflection") == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("reflect", [False, True])
def test_no_search_finds_a_better_similarity(reflect: bool) -> None:
    """Gradient descent over angle, scale and translation reaches the same sum of squares."""
    rng = np.random.default_rng(4)
    predicted, truth = rng.normal(size=(2, 1, 9, 3))
    how = "similarity_or_reflection" if reflect else "similarity"
    moved, still = align(predicted, truth, how)
    found = float(((moved - still) ** 2).sum())
    p, t = torch.tensor(predicted[0]), torch.tensor(truth[0])
    best = np.inf
    for sign in (1.0, -1.0) if reflect else (1.0,):
        for start in range(8):
            torch.manual_seed(start)
            free = torch.randn(7, dtype=torch.float64, requires_grad=True)
            search = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

            def loss(free=free, sign=sign) -> torch.Tensor:
                zero = free.new_zeros(())
                x, y, z = free[:3]
                skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero)).view(3, 3)
                rotation = torch.linalg.matrix_exp(skew) * sign
                return ((free[6].exp() * p @ rotation.T + free[3:6] - t) ** 2).sum()

            def closure(search=search, loss=loss) -> torch.Tensor:
                search.zero_grad()
                value = loss()
                value.backward()
                return value

            search.step(closure)
            best = min(best, loss().item())
    assert found == pytest.approx(best, rel=1e-6)


def test_hidden_joints_have_no_say() -> None:
    visible = np.ones((6, 17), bool)
    visible[:, 5] = False
    wild = POSES.copy()
    wild[:, 5] += 100
    for how in ("root", "scale", "norm_scale", "similarity", "similarity_or_reflection"):
        assert _error(2 * wild if how != "root" else wild, POSES, how, visible=visible) == (
            pytest.approx(0, abs=1e-12)
        )


def test_a_prediction_of_one_point() -> None:
    spot = np.ones_like(POSES)
    assert _error(spot, POSES, "scale") == pytest.approx(_error(spot, POSES, "root"))
    centred = POSES - POSES.mean(axis=1, keepdims=True)
    assert _error(spot, POSES, "similarity") == pytest.approx(
        np.linalg.norm(centred, axis=-1).mean()
    )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((POSES, POSES, "root"), {}, "root must be a joint index below 17, got None"),
        ((POSES, POSES, "root"), {"root": 17}, "root must be a joint index"),
        ((POSES, POSES, "rigid"), {}, "alignment must be one of root, scale"),
        ((POSES[..., :2], POSES[..., :2], "similarity"), {}, r"truth must be \(N,K,3\)"),
        (
            (POSES, POSES, "scale"),
            {"root": 0, "visible": np.zeros((6, 17), bool)},
            "visible must hold for the root in every frame, not in 6",
        ),
    ],
)
def test_what_does_not_fit_is_named(arguments, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        align(*arguments, **options)
