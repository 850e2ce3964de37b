from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.data.datasets import trees


def test_clips_with_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trees.penn_action(
        tmp_path / "penn", {"0001": 6, "0007": 4, "0009": 3}, train={"0009": -1}
    )
    trees.complete(monkeypatch, "penn-action", {"train": 2, "test": 1})
    report = pack("penn-action", tmp_path / "penn", tmp_path / "out")
    assert report.problems == [] and report.clips == [("0001", 6), ("0007", 4)]
    store = ClipStore.open(tmp_path / "out")
    assert store.size == 128 and store.skeleton is not None
    assert store.skeleton.joints[:3] == ("head", "l_shoulder", "r_shoulder")
    first, second = store.clips
    assert (first.source, first.source_frames) == ("frames/0001", tuple(range(6)))
    assert (first.activity, first.split, first.fps) == ("tennis_serve", "train", 30.0)
    assert first.visible is not None and not first.visible[:, 4].any()
    for clip in (first, second):
        for frame in range(len(clip)):
            assert trees.check_dots(clip, frame) == 12
    assert first.window is not None and first.keypoints is not None
    x, y, side = first.window
    back = (first.keypoints + 0.5) * side / 128 + np.array([x, y])
    np.testing.assert_allclose(back, made["0001"], atol=1e-3)
    pack("penn-action", tmp_path / "penn", tmp_path / "test", PackConfig(split="test"))
    assert [clip.name for clip in ClipStore.open(tmp_path / "test").clips] == ["0009"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: shutil.rmtree(r / "frames/0001"), "frames/0001: no such folder"),
        (
            lambda r: (r / "frames/0001/000002.jpg").unlink(),
            r"000002.jpg: 0001.mat labels it, and it is missing \(5 pictures, 6 labels\)",
        ),
        (
            lambda r: (r / "frames/0001/000003.jpg").rename(r / "frames/0001/000009.jpg"),
            r"000003.jpg: 0001.mat labels it, and it is missing \(6 pictures, 6 labels\)",
        ),
        (
            lambda r: shutil.copy(r / "frames/0001/000003.jpg", r / "frames/0001/000009.jpg"),
            "000009.jpg: 0001.mat labels no such picture",
        ),
        (
            lambda r: trees.write_penn_labels(r, "0001", np.zeros((6, 13, 2)), nframes="six"),
            "0001.mat: is no table of joints",
        ),
        (
            lambda r: trees.write_penn_labels(r, "0001", np.zeros((6, 13, 2)), x=np.zeros((5, 13))),
            "0001.mat: is no table of joints",
        ),
        (
            lambda r: (r / "frames/0001/000003.jpg").write_bytes(b"JFIF"),
            "000003.jpg: is not a picture",
        ),
        (lambda r: (r / "labels/0001.mat").write_bytes(b"nothing at all"), "0001.mat: cannot be"),
        (
            lambda r: trees.write_penn_labels(r, "0001", np.zeros((6, 13, 2)), nframes=9),
            "says 9 frames of 13 joints but holds",
        ),
        (
            lambda r: trees.write_penn_labels(r, "0001", np.full((6, 13, 2), 900.0)),
            r"is at \(900, 900\), far outside its 200 x 160 pixels",
        ),
        (
            lambda r: write_image(r / "frames/0001/000004.jpg", np.zeros((50, 50, 3), np.uint8)),
            "000004.jpg: is 50 x 50 pixels, those before it are 200 x 160",
        ),
    ],
)
def test_what_is_damaged_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: object, message: str
) -> None:
    trees.penn_action(tmp_path / "penn", {"0001": 6, "0007": 4})
    trees.complete(monkeypatch, "penn-action", {"train": 2})
    damage(tmp_path / "penn")  # type: ignore[operator]
    with pytest.raises(UserError, match=message):
        pack("penn-action", tmp_path / "penn", tmp_path / "out")
    report = pack("penn-action", tmp_path / "penn", tmp_path / "out", keep_going=True)
    assert len(report.problems) == 1 and report.clips == [("0007", 4)]
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert trees.check_dots(clip) == 12


def test_what_a_mac_leaves_is_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.penn_action(tmp_path / "penn", {"0001": 4})
    trees.complete(monkeypatch, "penn-action", {"train": 1})
    for left in ("labels/._0001.mat", "frames/0001/._000001.jpg", "frames/.DS_Store"):
        (tmp_path / "penn" / left).write_bytes(b"Mac OS X")
    report = pack("penn-action", tmp_path / "penn", tmp_path / "out")
    assert report.clips == [("0001", 4)]


def test_missing_boxes_are_made_from_the_joints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trees.penn_action(tmp_path / "penn", {"0001": 4})
    trees.write_penn_labels(tmp_path / "penn", "0001", made["0001"], bbox=np.zeros((3, 4)))
    trees.complete(monkeypatch, "penn-action", {"train": 1})
    pack("penn-action", tmp_path / "penn", tmp_path / "out")
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert trees.check_dots(clip, 3) == 12


def test_real_label_files(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data set's own .mat files, with pictures that show their joints as dots."""
    labels = sorted((shared_data / "penn_action" / "labels").glob("*.mat"))
    if not labels:
        pytest.skip("no Penn Action labels among the shared data")
    root = tmp_path / "penn"
    (root / "labels").mkdir(parents=True)
    for path in (labels[0], labels[-1]):
        shutil.copy(path, root / "labels")
        data = loadmat(path)
        height, width, count = (int(v) for v in data["dimensions"].ravel())
        points = np.stack([data["x"], data["y"]], axis=-1) - 1
        (root / "frames" / path.stem).mkdir(parents=True)
        for i in range(count):
            shown = points[i][data["visibility"][i] != 0]
            name = root / "frames" / path.stem / f"{i + 1:06d}.jpg"
            write_image(name, trees.dotted((width, height), shown))
    trees.complete(monkeypatch, "penn-action", {"train": 2})
    report = pack("penn-action", root, tmp_path / "out")
    assert report.problems == []
    store = ClipStore.open(tmp_path / "out")
    assert {clip.activity for clip in store.clips} == {"baseball_pitch"}
    assert all(trees.check_dots(clip, len(clip) // 2) >= 4 for clip in store.clips)
    for summary in report.sources:
        assert summary.used + sum(summary.dropped.values()) == summary.frames
        assert summary.used > 0.9 * summary.frames
