from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from fastpose.data.datasets.matlab import load_mat, scalar
from fastpose.errors import UserError


def test_variables_and_single_values(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"x": np.arange(3.0), "name": "walk", "none": np.zeros((0, 0))})
    data = load_mat(tmp_path / "a.mat", "x", "name", "none")
    assert data["x"].shape == (1, 3) and scalar(data["x"]) == 0.0
    assert scalar(data["name"]) == "walk" and scalar(data["none"]) is None


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.mat: no such file"):
        load_mat(tmp_path / "a.mat")
    savemat(tmp_path / "a.mat", {"x": 1}, do_compression=True)
    with pytest.raises(UserError, match=r"has no variable y, only x"):
        load_mat(tmp_path / "a.mat", "x", "y")
    content = (tmp_path / "a.mat").read_bytes()
    for damaged in (b"", content[:100], content[:-4], content[:140] + b"\0" * 40):
        (tmp_path / "b.mat").write_bytes(damaged)
        with pytest.raises(UserError, match=r"b\.mat: .*copy it again"):
            load_mat(tmp_path / "b.mat", "x")


def test_without_scipy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UserError, match=r"pip install 'fastpose\[datasets\]'"):
        load_mat(tmp_path / "a.mat")
