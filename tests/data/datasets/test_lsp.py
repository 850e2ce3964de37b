from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from tests.data.datasets import trees


def names(path: Path) -> list[str]:
    return [clip.name for clip in ClipStore.open(path).clips]


def test_halves_are_for_training_and_testing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.lsp(tmp_path / "lsp", 6, extended=False)
    trees.complete(monkeypatch, "lsp", {"train": 3, "test": 3})
    pack("lsp", tmp_path / "lsp", tmp_path / "train")
    pack("lsp", tmp_path / "lsp", tmp_path / "test", PackConfig(split="test"))
    assert names(tmp_path / "train") == ["im0001", "im0002", "im0003"]
    assert names(tmp_path / "test") == ["im0004", "im0005", "im0006"]
    store = ClipStore.open(tmp_path / "train")
    # An occluded joint has a position here, and counts.
    assert [trees.check_dots(clip) for clip in store.clips] == [14, 14, 14]
    assert store.skeleton is not None and store.skeleton.name == "lsp14"
    assert store.clips[0].source == "images/im0001.jpg"


def test_the_extended_set_flags_joints_without_a_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.lsp(tmp_path / "lspet", 3, extended=True)
    trees.complete(monkeypatch, "lsp-extended", {"train": 3})
    pack("lsp-extended", tmp_path / "lspet", tmp_path / "out")
    for clip in ClipStore.open(tmp_path / "out").clips:
        assert trees.check_dots(clip) == 13
        assert clip.keypoints is not None and np.isnan(clip.keypoints[0, 3]).all()


@pytest.mark.parametrize("extended", [False, True])
def test_what_does_not_fit_is_named(tmp_path: Path, extended: bool) -> None:
    name, root = ("lsp-extended", "lsp")[not extended], tmp_path / "lsp"
    trees.lsp(root, 4, extended=extended)
    with pytest.raises(UserError, match="finish copying or unpacking"):
        pack(name, root, tmp_path / "out")
    third = sorted((root / "images").iterdir())[2]
    third.rename(third.with_name("im99999.jpg"))
    with pytest.raises(UserError, match=rf"{third.name}: joints\.mat labels it, and it is missing"):
        pack(name, root, tmp_path / "out")
    savemat(root / "joints.mat", {"joints": np.zeros((4, 4, 4))})
    with pytest.raises(UserError, match="joints must be"):
        pack(name, root, tmp_path / "out")
    (root / "joints.mat").unlink()
    with pytest.raises(UserError, match=r"has no file joints\.mat"):
        pack(name, root, tmp_path / "out")


def test_real_pictures(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real pictures and labels; the shared copy keeps the labels as CSV, so joints.mat is made.

    It has some of the pictures only, which are numbered anew.
    """
    folder = shared_data / "lsp_extended"
    if not (folder / "joints.csv").is_file():
        pytest.skip("no LSP pictures among the shared data")
    with (folder / "joints.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:41]
    (tmp_path / "lspet" / "images").mkdir(parents=True)
    for number, row in enumerate(rows, start=1):
        picture = tmp_path / "lspet" / "images" / f"im{number:05d}.jpg"
        picture.symlink_to(folder / "images" / row[0])
    points = np.array([[float(v) for v in row[1:]] for row in rows]).reshape(-1, 14, 2)
    flags = (points != 0).any(axis=-1, keepdims=True)
    raw = np.concatenate([points, flags], axis=-1).transpose(1, 2, 0)
    savemat(tmp_path / "lspet" / "joints.mat", {"joints": raw})
    trees.complete(monkeypatch, "lsp-extended", {"train": 40})
    report = pack("lsp-extended", tmp_path / "lspet", tmp_path / "out")
    assert report.problems == []
    store = ClipStore.open(tmp_path / "out")
    assert len(store.clips) >= 38
    for clip in store.clips:
        assert clip.keypoints is not None and clip.visible is not None
        shown = clip.keypoints[clip.visible]
        # The person fills the square: about 78 % of its height or 94 % of its width.
        assert (shown > -1).all() and (shown < 128).all()
        assert np.ptp(shown, axis=0).max() > 60
