"""The table of a fitted prior on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.pose_bank import build_bank
from fastpose.data.prior_table import FittedTable
from fastpose.errors import UserError
from tests.data.bodies import waving


def table() -> FittedTable:
    bank = build_bank([waving()], thinning=0.0)
    return FittedTable(
        bank,
        weight=np.array([0.5, 0.25, 0.25]),
        pose=np.array([20, 3, 20]),
        yaw=np.array([0.0, 90.0, -30.0]),
        mirrored=np.array([False, True, False]),
        height=np.array([0.8, 0.9, 1.0]),
        ground=np.array([0.9, 1.1, 1.2]),
        centre=np.array([0.5, 0.4, 0.6]),
    )


def test_it_comes_back_with_its_poses(tmp_path: Path) -> None:
    first = table()
    first.save(tmp_path / "deep/fit.npz", {"clips": 3})
    again = FittedTable.load(tmp_path / "deep/fit.npz")
    assert len(again.bank) == 2 and [p.name for p in (tmp_path / "deep").iterdir()] == ["fit.npz"]
    np.testing.assert_array_equal(again.bank.bones[again.pose], first.bank.bones[first.pose])
    for column in ("weight", "yaw", "mirrored", "height", "ground", "centre"):
        np.testing.assert_allclose(getattr(again, column), getattr(first, column), rtol=1e-6)


def test_rows_are_drawn_by_weight() -> None:
    rows = table().draw(20000, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(rows) / 20000, [0.5, 0.25, 0.25], atol=0.02)


def test_places_spread_around_the_rows() -> None:
    rows = np.zeros(20000, int)
    exact = table().place(rows[:2], 0.0, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.array(exact)[:, 0], [0.8, 0.9, 0.5])
    height, ground, centre = table().place(rows, 0.1, 0.02, np.random.default_rng(0))
    assert height.std() == pytest.approx(0.08, rel=0.05) and centre.std() == pytest.approx(
        0.02, rel=0.05
    )
    # Growing moves the feet down much and the head up little.
    top = ground - height
    assert np.corrcoef(ground, height)[0, 1] > 0.8 and top.std() < ground.std()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"format": np.array("else")}, "is no fitted prior"),
        ({"bones": None}, "is no fitted prior"),
        ({"weight": np.zeros(3)}, "do not fit together"),
        ({"weight": np.array([np.nan, 1, 1])}, "do not fit together"),
        ({"pose": np.array([0, 1, 7])}, "do not fit together"),
        ({"yaw": np.zeros(5)}, "do not fit together"),
        ({"height": np.array([np.nan, 1, 1])}, "do not fit together"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    path = tmp_path / "fit.npz"
    table().save(path, {})
    data = dict(np.load(path)) | changes
    np.savez(path, **{k: v for k, v in data.items() if v is not None})
    with pytest.raises(UserError, match=f"fit.npz.*{named}"):
        FittedTable.load(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.npz: no such file"):
        FittedTable.load(tmp_path / "none.npz")
