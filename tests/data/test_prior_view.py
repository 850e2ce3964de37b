"""The sheet and the figures that compare a prior with clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.data.prior_view import (
    framing_statistics,
    occupancy_agreement,
    open_prior,
    prior_silhouettes,
    view_prior,
)
from fastpose.data.silhouette_match import GRID
from fastpose.skeletons import get_skeleton
from tests.data.bodies import waving, write_clips, write_npz
from tests.data.test_prior_table import table

SKELETON = get_skeleton("body18")


def test_statistics_of_known_boxes() -> None:
    masks = np.zeros((2, GRID, GRID), np.float32)
    masks[0, 8:, 8:16] = 1.0
    masks[1, 16:24, 16:24] = 1.0
    found = framing_statistics(masks)
    assert found.values["top"] == (0.375, 0.125) and found.values["bottom"][0] == 0.875
    assert found.values["width"] == (0.25, 0.0) and found.values["centre"] == (0.5, 0.125)
    assert found.values["height"][0] == 0.5 and found.cut == 0.5
    assert found.values["area"][0] == pytest.approx((24 * 8 + 64) / 2 / GRID**2)
    assert occupancy_agreement(found, found) == 1.0
    with pytest.raises(ValueError, match="no silhouette"):
        framing_statistics(np.zeros((3, GRID, GRID)))


def test_bodies_of_the_prior_stand_where_its_config_says() -> None:
    config = PriorConfig(height=0.6, top=0.2, height_sd=0.0, top_sd=0.0)
    prior = PosePrior.from_motions([waving()], SKELETON, config)
    bodies = prior_silhouettes(prior, 200, np.random.default_rng(0))
    assert bodies is not None and bodies.shape == (200, GRID, GRID)
    found = framing_statistics(bodies)
    assert found.values["bottom"][0] == pytest.approx(0.8, abs=0.05) and found.cut == 0.0
    flat = PosePrior.from_points2d(np.random.default_rng(0).uniform(size=(5, 18, 2)), SKELETON)
    assert prior_silhouettes(flat, 4, np.random.default_rng(0)) is None


def test_the_sheet_and_the_table(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "c", [waving()], height=0.8, top=0.15)
    near = PosePrior.from_motions([waving()], SKELETON, PriorConfig(height=0.8, top=0.15))
    far = PosePrior.from_motions([waving()], SKELETON, PriorConfig(height=0.4, top=0.5))
    good, bad = (view_prior(p, store, columns=4, rows=2) for p in (near, far))
    assert good.sheet.dtype == np.uint8 and good.sheet.shape[1] > 4 * 128
    assert good.clips is not None and good.prior is not None and bad.prior is not None
    agreement = [occupancy_agreement(good.clips, v.prior) for v in (good, bad) if v.prior]
    assert agreement[0] > agreement[1] + 0.1
    console = Console(record=True, width=120)
    console.print(good.table())
    text = console.export_text()
    assert "mean silhouettes agree" in text and "cut below" in text and "centre" in text
    again = view_prior(near, store, columns=4, rows=2)
    np.testing.assert_array_equal(again.sheet, good.sheet)


def test_2d_priors_have_no_silhouette(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "c", [waving(8)])
    flat = PosePrior.from_points2d(np.random.default_rng(0).uniform(size=(5, 18, 2)), SKELETON)
    view = view_prior(flat, store, columns=3, rows=1)
    assert view.prior is None and view.clips is not None
    assert view.table().row_count > 5


def test_opening_with_a_table(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "c", [waving(8)])
    path = write_npz(tmp_path / "m.npz", [waving()])
    table().save(tmp_path / "fit.npz", {})
    plain, fitted = (
        open_prior([path], SKELETON, PriorConfig(), store, fit=False, table=t)
        for t in (None, tmp_path / "fit.npz")
    )
    assert plain.config.framing == "standing" and fitted.config.framing == "fitted"
