"""No pose of the prior may be the label of a frame that the clips show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.datasets.pack import PackConfig, pack, pack_poses
from fastpose.data.disjoint import require_disjoint
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton
from tests.data.datasets import trees

SKELETON = get_skeleton("limbs12")


def poses(path: Path, dataset: str, sources: list[str], frames: list[int]) -> PosePrior:
    joints = get_skeleton("body13").joints
    points = np.random.default_rng(0).uniform(0, 100, (len(sources), 13, 2))
    np.savez(
        path,
        keypoints=points.astype(np.float32),
        joint_names=np.array(joints),
        dataset=np.array(dataset),
        source=np.array(sources),
        source_frame=np.array(frames),
    )
    return PosePrior.from_path(path, SKELETON)


def clips(path: Path, dataset: str | None) -> ClipStore:
    info = {} if dataset is None else {"dataset": {"dataset": dataset}}
    with ClipWriter(path, 8, info=info) as writer:
        for source, frames in (("a", [0, 1, 2]), ("b", [5, 6]), ("a", [8])):
            images = np.zeros((len(frames), 8, 8, 3), np.uint8)
            writer.add("c", images, fps=1.0, source=source, source_frames=frames)
    return ClipStore.open(path)


def test_other_frames_are_fine(tmp_path: Path) -> None:
    store = clips(tmp_path / "c", "penn-action")
    require_disjoint(store, poses(tmp_path / "p.npz", "penn-action", ["a", "b", "c"], [3, 4, 5]))


@pytest.mark.parametrize("source, frame", [("a", 2), ("b", 5), ("a", 8)])
def test_shared_frames_are_refused(tmp_path: Path, source: str, frame: int) -> None:
    store = clips(tmp_path / "c", "penn-action")
    prior = poses(tmp_path / "p.npz", "penn-action", ["z", source], [0, frame])
    message = rf"shows 1 of the frames .* 2 poses .*such as frame {frame} of {source}"
    with pytest.raises(UserError, match=message):
        require_disjoint(store, prior)


def test_variants_of_a_data_set_show_the_same_frames(tmp_path: Path) -> None:
    store = clips(tmp_path / "c", "simplified-human36m")
    prior = poses(tmp_path / "p.npz", "simplified-human36m-background", ["a"], [1])
    with pytest.raises(UserError, match="such as frame 1 of a"):
        require_disjoint(store, prior)


def test_other_data_sets_share_nothing(tmp_path: Path) -> None:
    for i, (shown, labelled) in enumerate((("mini-rgbd", "penn-action"), (None, "penn-action"))):
        store = clips(tmp_path / f"c{i}", shown)
        require_disjoint(store, poses(tmp_path / f"p{i}.npz", labelled, ["a"], [1]))


def test_what_prepare_writes_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "penn"
    made = trees.penn_action(root, {"0001": 6, "0002": 8})
    for name, points in made.items():
        trees.write_penn_labels(root, name, points, visibility=np.ones((len(points), 13), np.uint8))
    trees.complete(monkeypatch, "penn-action", {"train": 2})
    pack("penn-action", root, tmp_path / "c", PackConfig(half="first"))
    store = ClipStore.open(tmp_path / "c")
    for half, fits in (("second", True), ("first", False), ("all", False)):
        file = tmp_path / f"{half}.npz"
        pack_poses("penn-action", root, file, PackConfig(half=half))  # type: ignore[arg-type]
        prior = PosePrior.from_path(file, SKELETON)
        if fits:
            require_disjoint(store, prior)
            continue
        with pytest.raises(UserError, match="prepare the poses from the other --half"):
            require_disjoint(store, prior)
