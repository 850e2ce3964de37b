"""No pose of the prior may be the label of a frame that the clips show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.datasets.pack import PackConfig, pack, pack_poses
from fastpose.data.disjoint import require_disjoint
from fastpose.data.motion_capture import Motion
from fastpose.data.pose_prior import PosePrior
from fastpose.data.synthetic import RecordedMotion, SyntheticConfig, SyntheticPeople, write_clips
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
    prior = poses(tmp_path / "p.npz", "penn-action", ["a"], [1])
    assert require_disjoint(clips(tmp_path / "c", "mini-rgbd"), prior) == []
    (note,) = require_disjoint(clips(tmp_path / "d", None), prior)
    assert "does not say which data set it shows" in note and "of penn-action" in note


def nameless(path: Path, count: int, seed: int = 1) -> Path:
    points = np.random.default_rng(seed).uniform(0, 100, (count, 13, 2)).astype(np.float32)
    np.savez(path, keypoints=points, joint_names=np.array(get_skeleton("body13").joints))
    return path


def test_a_file_without_origins_hides_no_other_file(tmp_path: Path) -> None:
    store = clips(tmp_path / "c", "penn-action")
    poses(tmp_path / "p.npz", "penn-action", ["z", "a"], [0, 2])
    poses(tmp_path / "q.npz", "mini-rgbd", ["a"], [2])
    other = nameless(tmp_path / "r.npz", 3)
    paths = [tmp_path / "p.npz", tmp_path / "q.npz", other]
    for order in (paths, paths[::-1]):
        with pytest.raises(UserError, match=r"shows 1 of .* 6 poses .*such as frame 2 of a\)"):
            require_disjoint(store, PosePrior.from_path(order, SKELETON))
    (note,) = require_disjoint(store, PosePrior.from_path(paths[1:], SKELETON))
    assert note.startswith("3 of the prior's 4 poses do not say which frames they are of")


@pytest.mark.parametrize(
    "dataset, source",
    [
        ("human36m", "S1/Videos/Directions 1.54138969.mp4"),
        ("human36m-frames", "S1/Directions-1/imageSequence/54138969"),
        ("simplified-human36m", "S1/WithBackground/Directions 1.54138969"),
        ("human36m-raster", "S1/Videos/Directions.54138969.mp4"),
    ],
)
def test_data_sets_of_the_same_films(tmp_path: Path, dataset: str, source: str) -> None:
    for shown, film, expected in (
        ("simplified-human36m-background", "S1/WithBackground/Directions.54138969", 1),
        ("simplified-human36m-background", "S1/WithBackground/Directions.55011271", 0),
        ("human36m-frames", "S1/Directions-2/imageSequence/54138969", 1),
        ("human36m-frames", "S1/Walking-2/imageSequence/54138969", 0),
        ("human36m", "S5/Videos/Directions.54138969.mp4", 0),
        ("human36m", "S1/Videos/Directions.54138969.mp4", 1),
    ):
        folder = tmp_path / f"{shown}{film}".replace("/", "_")
        with ClipWriter(folder, 8, info={"dataset": {"dataset": shown}}) as writer:
            images = np.zeros((1, 8, 8, 3), np.uint8)
            writer.add("c", images, fps=1.0, source=film, source_frames=[7])
        prior = poses(tmp_path / "p.npz", dataset, [source, "S9/Videos/Eating.1.mp4"], [8, 8])
        notes = require_disjoint(ClipStore.open(folder), prior)
        counted = [
            name.removesuffix("-raster").removesuffix("-background") for name in (dataset, shown)
        ]
        if counted[0] == counted[1] or not expected:
            assert notes == []
        else:
            assert len(notes) == 1 and "S1 directions 54138969" in notes[0]
            assert notes[0].startswith(f"1 poses of {dataset} are of films")


def test_the_clips_own_labels_are_known_by_their_values(tmp_path: Path) -> None:
    body = get_skeleton("body13")
    labels = np.random.default_rng(0).uniform(0, 8, (4, 13, 2)).astype(np.float32)
    labels[3, 0] = np.nan
    with ClipWriter(tmp_path / "c", 8, skeleton=body) as writer:
        seen = np.asarray(np.isfinite(labels).all(axis=-1))
        images = np.zeros((4, 8, 8, 3), np.uint8)
        writer.add("c", images, fps=1.0, keypoints=labels, visible=seen)
    store = ClipStore.open(tmp_path / "c")
    for name, factor in (("same", 1.0), ("larger", 3.0)):
        taken = np.concatenate([labels[1:3] * factor + 5, labels[:1, ::-1]])
        np.savez(tmp_path / name, keypoints=taken, joint_names=np.array(body.joints))
        with pytest.raises(UserError, match=r"c: carries 2 of the prior's 3 poses as labels"):
            require_disjoint(store, PosePrior.from_path(tmp_path / f"{name}.npz", SKELETON))
    prior = PosePrior.from_path(nameless(tmp_path / "o.npz", 3), SKELETON)
    (note,) = require_disjoint(store, prior)
    assert note.startswith("3 of the prior's 3 poses")


def test_recordings_that_move_the_people_of_the_clips_are_noticed(tmp_path: Path) -> None:
    from tests.data.test_bodies import people

    positions = people(20).astype(np.float32)
    motions = [Motion(positions, 30.0, name, action) for name, action in (("a", "jig"), ("b", ""))]
    shown = SyntheticPeople(16, 4, seed=0, motion=RecordedMotion(motions))
    store = ClipStore.open(write_clips(tmp_path / "recorded", 8, shown, threads=1))
    (note,) = require_disjoint(store, PosePrior.from_motions(motions, SKELETON))
    assert "are called as some of the prior's are (b, jig)" in note
    other = PosePrior.from_motions([Motion(positions, 30.0, "c", "walk")], SKELETON)
    assert require_disjoint(store, other) == []
    generated = SyntheticPeople(16, 4, seed=0, config=SyntheticConfig(activities=("walk",)))
    store = ClipStore.open(write_clips(tmp_path / "generated", 1, generated, threads=1))
    assert require_disjoint(store, other) == []


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
