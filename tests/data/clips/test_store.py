"""Clips folders: written whole or not at all, checked when opened."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton

SKELETON = get_skeleton("limbs12")
ENTRY = {"name": "a", "frames": 3, "fps": 1, "shard": "00000", "rows": {"frames": 0}}


def frames(count: int = 3, size: int = 16) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def write(path: Path, **options: object) -> Path:
    with ClipWriter(path, 16, skeleton=SKELETON, info={"made": "here"}, **options) as writer:  # type: ignore[arg-type]
        keypoints = np.ones((3, 12, 2), np.float32)
        facts = {"activity": "walk", "source": "a.mp4", "source_frames": [4, 5, 6]}
        window = (1.0, 2.0, 30.0)
        writer.add("walk", frames(), fps=25.0, window=window, keypoints=keypoints, **facts)
        writer.add("walk", frames(2), fps=25.0, background=frames(1)[0])
    return path


def test_everything_written_is_read_back(tmp_path: Path) -> None:
    store = ClipStore.open(write(tmp_path / "clips"))
    assert (store.size, store.frames_total, store.skeleton) == (16, 5, SKELETON)
    assert store.info == {"made": "here"}
    first, second = store.clips
    assert (first.name, second.name) == ("walk", "walk-2")
    assert (first.frames == frames()).all()
    assert first.keypoints is not None and first.keypoints.shape == (3, 12, 2)
    assert first.source_frames == (4, 5, 6)
    assert first.window == (1.0, 2.0, 30.0)
    assert second.keypoints is None
    assert second.background is not None and (second.background == frames(1)[0]).all()


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ClipWriter(tmp_path / "clips", 16) as writer:
        writer.add("a", frames(), fps=1.0)
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_no_clip_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no clip"), ClipWriter(tmp_path / "clips", 16):
        pass
    assert list(tmp_path.iterdir()) == []


def test_existing_folders_are_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path / "clips")
    with pytest.raises(UserError, match="--overwrite"):
        write(path)
    before = (path / "index.json").stat().st_mtime_ns
    write(path, overwrite=True)
    assert (path / "index.json").stat().st_mtime_ns != before
    assert [p.name for p in tmp_path.iterdir()] == ["clips"]


def test_a_folder_of_other_files_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(UserError, match="other files"):
        ClipWriter(tmp_path, 16, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("array", "extras", "message"),
    [
        (frames().astype(np.float32), {}, "uint8"),
        (frames(size=8), {}, "uint8"),
        (frames()[:0], {}, "N>0"),
        (frames(), {"keypoints": np.ones((3, 11, 2), np.float32)}, "keypoints must be"),
        (frames(), {"visible": np.ones((2, 12), bool)}, "visible must be"),
        (frames(), {"depth": np.ones(3)}, "unknown array"),
    ],
)
def test_wrong_arrays_are_named(
    tmp_path: Path, array: np.ndarray, extras: dict, message: str
) -> None:
    with (
        pytest.raises(UserError, match=message),
        ClipWriter(tmp_path / "c", 16, skeleton=SKELETON) as writer,
    ):
        writer.add("a", array, fps=1.0, **extras)


def test_keypoints_need_a_skeleton(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="skeleton"), ClipWriter(tmp_path / "c", 16) as writer:
        writer.add("a", frames(), fps=1.0, keypoints=np.ones((3, 12, 2), np.float32))


def test_missing_empty_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        ClipStore.open(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is empty"):
        ClipStore.open(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match="no clips folder"):
        ClipStore.open(tmp_path)


def damage_index(path: Path, **change: object) -> None:
    index = json.loads((path / "index.json").read_text())
    (path / "index.json").write_text(json.dumps({**index, **change}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99"),
        ({"format": "zip"}, "zip"),
        ({"clips": []}, "no clip"),
        ({"clips": [{**ENTRY, "name": "../../etc"}]}, "plain name"),
        ({"clips": [{**ENTRY, "shard": "../../etc"}]}, "plain name"),
        ({"clips": [{"name": "walk"}]}, "damaged"),
        ({"clips": [{**ENTRY, "shard": "00007"}]}, "cannot be read"),
        ({"clips": [{**ENTRY, "frames": 6}]}, "5 rows of frames, too few for clip 'a'"),
        ({"clips": [{**ENTRY, "rows": {"frames": -1}}]}, "too few for clip"),
        ({"clips": [{**ENTRY, "rows": {"frames": 0, "background": 1}}]}, "1 rows of background"),
        ({"clips": [{**ENTRY, "rows": {"frames": 0, "depth": 1}}]}, "unknown array 'depth'"),
        ({"size": 32}, "expected rows of uint8"),
        ({"skeleton": {"name": "x"}}, "needs name"),
    ],
)
def test_a_damaged_index_is_named(tmp_path: Path, change: dict, message: str) -> None:
    path = write(tmp_path / "clips")
    damage_index(path, **change)
    with pytest.raises(UserError, match=message):
        ClipStore.open(path)


def test_a_truncated_array_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "clips")
    file = path / "shards" / "00000" / "frames.npy"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match=r"00000/frames\.npy"):
        ClipStore.open(path)


def test_an_index_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "clips")
    (path / "index.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        ClipStore.open(path)


def test_clips_of_one_shard_share_its_files(tmp_path: Path) -> None:
    """A hundred thousand clips must not need a hundred thousand open files."""
    with ClipWriter(tmp_path / "c", 16) as writer:
        for i in range(50):
            writer.add("a", np.full((2, 16, 16, 3), i, np.uint8), fps=1.0)
    store = ClipStore.open(tmp_path / "c")
    assert [int(clip.frames[1, 0, 0, 0]) for clip in store.clips] == list(range(50))
    assert len(list((tmp_path / "c" / "shards").rglob("*.npy"))) == 1
    assert len({id(clip.frames.base) for clip in store.clips}) == 1


def test_a_folder_of_version_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old"
    (path / "clips" / "walk").mkdir(parents=True)
    scene = frames(1)[0]
    np.save(path / "clips" / "walk" / "frames.npy", frames())
    np.save(path / "clips" / "walk" / "background.npy", scene)
    clip = {"name": "walk", "frames": 3, "fps": 25.0, "source": "a.mp4"}
    index = {"format": "fastpose-clips", "version": 1, "size": 16, "skeleton": None}
    (path / "index.json").write_text(json.dumps({**index, "clips": [clip]}))
    (opened,) = ClipStore.open(path).clips
    assert (opened.frames == frames()).all()
    assert opened.background is not None and (opened.background == scene).all()
    assert opened.mask is None and opened.source == "a.mp4"
