"""Fitting a prior to clips without labels: the known framing and motion come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.data.prior_fit import FitOptions, PriorFit, fit_prior, likely_yaws
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton
from tests.data.bodies import J, bowing, waving, write_clips

SKELETON = get_skeleton("mocap19")
QUICK = FitOptions(
    poses=200,
    recombination=0.0,
    yaw_step=30.0,
    frames_per_clip=12,
    keep=4,
    heights=(0.6, 1.4),
    tops=(0.05, 0.4),
)


def fit(folder: Path, store: ClipStore, options: FitOptions = QUICK) -> tuple[PosePrior, PriorFit]:
    prior = PosePrior.from_motions([waving(48), bowing(32)], SKELETON, PriorConfig())
    return prior, fit_prior(prior, store, folder / "fit.npz", options=options)


@pytest.mark.parametrize(("height", "top"), [(0.85, 0.1), (1.15, 0.25)])
def test_the_framing_is_found(tmp_path: Path, height: float, top: float) -> None:
    store = write_clips(
        tmp_path / "c", [waving(), waving(20, name="again")], height=height, top=top
    )
    _, found = fit(tmp_path, store)
    assert found.config.height == pytest.approx(height, rel=0.12)
    assert found.config.top == pytest.approx(top, abs=0.06)
    ground = found.table.weight @ found.table.ground
    assert ground == pytest.approx(height + top, abs=0.1)
    assert found.report["clips_used"] == 2 and found.report["clips"] == 2
    assert found.report["cut_share"] == 1.0 or height + top < 1.05


def test_draws_show_what_the_clips_show(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "c", [waving()], height=0.8, top=0.15)
    prior, found = fit(tmp_path, store)
    fitted = PosePrior(SKELETON, found.config, prior.bank)
    drawn = fitted.sample(2000, np.random.default_rng(0))
    plain = prior.sample(2000, np.random.default_rng(0))
    # Only waving is seen, so poses with lifted wrists become more frequent and bows rare.
    lifted = [(p[:, J["l_wrist"], 1] < p[:, J["thorax"], 1]).mean() for p in (drawn, plain)]
    assert lifted[0] > lifted[1]
    low = [(p[:, J["head"], 1] > p[:, J["pelvis"], 1] - 0.3).mean() for p in (drawn, plain)]
    assert low[0] < 0.5 * low[1]
    sole = drawn[:, [J["l_ankle"], J["r_ankle"]], 1].mean()
    assert sole == pytest.approx(2 * 0.95 - 1, abs=0.15)


def test_sides_are_told_from_the_front(tmp_path: Path) -> None:
    front = write_clips(tmp_path / "front", [waving()], yaw=0.0)
    side = write_clips(tmp_path / "side", [bowing()], yaw=90.0)
    (tmp_path / "a").mkdir()
    _, seen_front = fit(tmp_path / "a", front)
    _, seen_side = fit(tmp_path, side)
    assert seen_front.config.frontal_share > 0.6
    assert seen_side.config.side_share > 0.6
    # The body bows to the right of the picture.
    table = seen_side.table
    facing_right = (np.sin(np.radians(table.yaw)) > 0) @ table.weight
    assert facing_right > 0.6


def test_the_same_seed_gives_the_same_table(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "c", [waving(12)])
    (tmp_path / "other").mkdir()
    fit(tmp_path, store)
    fit(tmp_path / "other", store)
    assert (tmp_path / "fit.npz").read_bytes() == (tmp_path / "other/fit.npz").read_bytes()


def test_labels_are_not_looked_at(tmp_path: Path) -> None:
    motion = waving(12)
    store = write_clips(tmp_path / "c", [motion])
    frames = np.asarray(store.clips[0].frames)
    with ClipWriter(tmp_path / "labelled", store.size, skeleton=SKELETON) as writer:
        wrong = np.random.default_rng(0).uniform(0, 48, (12, 19, 2)).astype(np.float32)
        writer.add("wave", frames, fps=15.0, keypoints=wrong)
    (tmp_path / "other").mkdir()
    fit(tmp_path, store)
    fit(tmp_path / "other", ClipStore.open(tmp_path / "labelled"))
    a, b = (dict(np.load(f / "fit.npz")) for f in (tmp_path, tmp_path / "other"))
    assert all((a[k] == b[k]).all() for k in a)


def test_stored_masks_serve_where_none_are_found(tmp_path: Path) -> None:
    grey = np.full((12, 48, 48, 3), 128, np.uint8)
    known = write_clips(tmp_path / "c", [waving(12)])
    dark = np.asarray(known.clips[0].frames)[..., 0].astype(int) < 110
    with ClipWriter(tmp_path / "masked", 48) as writer:
        writer.add("a", grey, fps=15.0, mask=(255 * dark).astype(np.uint8))
    _, found = fit(tmp_path, ClipStore.open(tmp_path / "masked"))
    assert found.report["clips_used"] == 1 and float(str(found.report["overlap"])) > 0.5


def test_clips_without_people_are_refused(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "c", 32) as writer:
        writer.add("empty", np.full((6, 32, 32, 3), 128, np.uint8), fps=15.0)
    with pytest.raises(UserError, match="no clip shows a person"):
        fit(tmp_path, ClipStore.open(tmp_path / "c"))
    assert not (tmp_path / "fit.npz").exists()


def test_2d_priors_are_refused(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "c", [waving(6)])
    points = np.random.default_rng(0).uniform(size=(9, 19, 2))
    flat = PosePrior.from_points2d(points, SKELETON)
    with pytest.raises(UserError, match="needs a prior of 3D poses"):
        fit_prior(flat, store, tmp_path / "fit.npz")


def test_likely_yaws_follow_the_config() -> None:
    yaws, density = likely_yaws(PriorConfig(frontal_share=0.6, side_share=0.4), 15.0)
    assert density.sum() == pytest.approx(1.0) and np.abs(yaws).max() < 135.0
    front = density[np.abs(yaws) < 45].sum()
    assert front == pytest.approx(0.6, abs=0.02)
    everywhere, _ = likely_yaws(PriorConfig(frontal_share=0.0, side_share=0.0), 30.0)
    assert len(everywhere) == 12
