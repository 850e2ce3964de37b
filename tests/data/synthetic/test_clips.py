"""Synthetic people written as a clips folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.scene_pairs import ScenePairs
from fastpose.data.synthetic import SyntheticConfig, SyntheticPeople, get_preset, write_clips
from fastpose.data.synthetic.clips import sheet_row
from fastpose.data.synthetic.parts import PART_NAMES
from fastpose.errors import UserError
from fastpose.media.images import read_image
from fastpose.media.video import VideoReader

PEOPLE = SyntheticPeople(32, 4, seed=2, config=SyntheticConfig(actors=3))


def test_what_is_written_is_what_was_rendered(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = write_clips(
        tmp_path / "clips", 3, PEOPLE, first=5, threads=2, progress=lambda *now: seen.append(now)
    )
    store = ClipStore.open(folder)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert store.skeleton == PEOPLE.skeleton and store.size == 32
    assert store.info["parts"] == list(PART_NAMES)
    assert store.info["seed"] == 2 and store.info["config"]["actors"] == 3
    for i, stored in enumerate(store.clips):
        clip = PEOPLE.clip(5 + i)
        assert (stored.name, stored.activity, stored.actor) == (
            clip.name,
            clip.activity,
            clip.actor,
        )
        for name in (
            "frames",
            "keypoints",
            "keypoints3d",
            "visible",
            "mask",
            "parts",
            "background",
        ):
            assert np.array_equal(getattr(stored, name), getattr(clip, name)), name
    sheet = read_image(folder / "sheet.png")
    assert sheet.shape[0] > 3 * 128 and sheet.shape[1] > 8 * 128


@pytest.mark.parametrize("preset", ["human36m-like", "infants", "everyday"])
def test_clips_of_a_fixed_window_share_scenes(preset: str, tmp_path: Path) -> None:
    config = get_preset(preset).config
    camera = replace(config.camera, window=0.85 if preset == "infants" else 2.6)
    config = replace(config, actors=2, camera=camera)
    folder = write_clips(tmp_path / "clips", 8, SyntheticPeople(32, 3, config=config))
    store = ClipStore.open(folder)
    pairs = ScenePairs(store)
    scenes = {(clip.actor, clip.view) for clip in store.clips}
    assert len(pairs.scenes) == len(scenes) < 8
    assert len(scenes) == 2 or preset == "human36m-like"
    for scene in pairs.scenes:
        plates = np.array([store.clips[i].background for i in scene], float)
        assert np.abs(plates - plates[0]).mean() < 2  # as sharp as each clip's lens
    with pytest.raises(UserError, match="does not say where it was cut"):
        ScenePairs(ClipStore.open(write_clips(tmp_path / "other", 2, PEOPLE)))


def test_calibration_is_written(tmp_path: Path) -> None:
    folder = write_clips(tmp_path / "clips", 2, PEOPLE)
    cameras = json.loads((folder / "cameras.json").read_text())
    assert cameras["size"] == 32
    for stored in ClipStore.open(folder).clips:
        camera = cameras["clips"][stored.name]
        assert (camera["group"], camera["view"]) == (stored.group, stored.view)
        assert stored.keypoints3d is not None and stored.rotation is not None
        flat = stored.keypoints3d @ np.array(camera["intrinsics"]).T
        assert np.abs(flat[..., :2] / flat[..., 2:] - stored.keypoints).max() < 1e-3
        rotation = np.array(camera["rotation"])
        world = stored.keypoints3d @ rotation + np.array(camera["centre"])
        assert abs(world[..., 1].min()) < 0.2  # feet near the ground
        # The camera of ``rotation`` looks at the window's middle.
        assert stored.rotation.shape == (4, 3, 3)
        middle = np.linalg.solve(np.array(camera["intrinsics"]), [15.5, 15.5, 1.0])
        turned = stored.rotation[0] @ rotation.T @ middle
        assert np.abs(turned[:2]).max() < 1e-5 and turned[2] > 0.9


@pytest.mark.parametrize("size", [32, 33])
def test_videos_show_the_clips_and_their_truth(tmp_path: Path, size: int) -> None:
    config = SyntheticConfig(activities=("jumping_jack",), noise=0.0)
    people = SyntheticPeople(size, 5, 12.5, seed=2, config=config)
    folder = write_clips(tmp_path / "clips", 2, people, videos=True)
    for stored in ClipStore.open(folder).clips:
        video = VideoReader(folder / "videos" / f"{stored.name}.mp4")
        frames = np.stack([frame.image for frame in video])[:, :size, :size]
        assert video.info.fps == 12.5 and len(frames) == 5
        error = np.abs(frames.astype(int) - stored.frames)
        assert error.mean() < 6  # lossy, but the same frames in the same order
        assert error.mean() < 0.8 * np.abs(frames[::-1].astype(int) - stored.frames).mean()
        truth = np.load(folder / "videos" / f"{stored.name}.npz")
        assert tuple(truth["joints"]) == people.skeleton.joints
        for name in ("keypoints", "keypoints3d", "visible"):
            assert np.array_equal(truth[name], getattr(stored, name)), name
        assert (str(truth["activity"]), str(truth["actor"])) == (stored.activity, stored.actor)
        flat = truth["keypoints3d"] @ truth["intrinsics"].T
        assert np.abs(flat[..., :2] / flat[..., 2:] - truth["keypoints"]).max() < 1e-3


def test_index_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    a, b = (write_clips(tmp_path / str(n), 3, PEOPLE, threads=n, videos=True) for n in (1, 3))
    files = sorted(p.relative_to(a) for p in a.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(b) for p in b.rglob("*") if p.is_file())
    for file in files:
        if file.suffix == ".mp4":  # encoded alike, but not to the byte
            ours, theirs = (
                np.stack([frame.image for frame in VideoReader(folder / file)]).astype(int)
                for folder in (a, b)
            )
            assert ours.shape == theirs.shape and np.abs(ours - theirs).mean() < 3
        else:
            assert (a / file).read_bytes() == (b / file).read_bytes()


def test_sheet_row_shows_frames_skeleton_and_mask() -> None:
    clip = PEOPLE.clip(0)
    caption, pictures = sheet_row(clip)
    assert clip.activity in caption and clip.actor in caption
    assert {p.shape for p in pictures} == {(128, 128, 3)} and len(pictures) == 8
    assert not np.array_equal(pictures[-2], pictures[-3])  # the skeleton is drawn
    assert pictures[-1].max() == 255


def test_refusals_leave_nothing(tmp_path: Path) -> None:
    for arguments in ({"n_clips": 0}, {"n_clips": 1, "threads": 0}, {"n_clips": 1, "first": -1}):
        with pytest.raises(UserError):
            write_clips(tmp_path / "clips", people=PEOPLE, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_replaced_only_if_asked(tmp_path: Path) -> None:
    folder = write_clips(tmp_path / "clips", 1, PEOPLE)
    with pytest.raises(UserError, match="--overwrite"):
        write_clips(folder, 2, PEOPLE)
    assert len(ClipStore.open(folder).clips) == 1
    write_clips(folder, 2, PEOPLE, overwrite=True)
    assert len(ClipStore.open(folder).clips) == 2


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_clips(tmp_path / "clips", 4, PEOPLE, threads=2, progress=stop)
    assert list(tmp_path.iterdir()) == []
