"""Presets: each shows what it says, and its bytes depend on the seed alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.synthetic import (
    PRESETS,
    SyntheticClip,
    SyntheticConfig,
    SyntheticPeople,
    get_preset,
    write_clips,
)
from fastpose.data.synthetic.body import JOINT, SKELETON
from fastpose.errors import UserError
from fastpose.skeletons import conversion_matrix, get_skeleton


def people(name: str, size: int = 48, frames: int = 3, seed: int = 1) -> SyntheticPeople:
    preset = get_preset(name)
    return SyntheticPeople(size, frames, preset.fps, seed, config=preset.config)


def clips(name: str, count: int = 12) -> list[SyntheticClip]:
    return list(people(name).render_clips(range(count)))


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_seed_gives_the_same_bytes_on_any_number_of_workers(
    name: str, tmp_path: Path
) -> None:
    made = [write_clips(tmp_path / str(n), 5, people(name), threads=n) for n in (1, 2, 5)]
    files = sorted(p.relative_to(made[0]) for p in made[0].rglob("*") if p.is_file())
    assert Path("cameras.json") in files
    for other in made[1:]:
        assert files == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
        for file in files:
            assert (made[0] / file).read_bytes() == (other / file).read_bytes(), file


@pytest.mark.parametrize("name", PRESETS)
def test_a_clip_does_not_depend_on_the_others(name: str) -> None:
    alone, among = people(name).clip(7), clips(name, 8)[7]
    assert np.array_equal(alone.frames, among.frames) and alone.name == among.name
    assert not np.array_equal(alone.frames, people(name, seed=2).clip(7).frames)


@pytest.mark.parametrize("name", PRESETS)
def test_the_whole_person_is_inside(name: str) -> None:
    for clip in clips(name):
        assert (clip.keypoints > -0.5).all() and (clip.keypoints < 47.5).all()
        assert clip.mask[:, [0, -1]].max() == 0 and clip.mask[:, :, [0, -1]].max() == 0
        assert np.ptp(clip.keypoints.reshape(-1, 2), axis=0).max() > 0.35 * 48


@pytest.mark.parametrize("name", PRESETS)
def test_the_joints_serve_the_protocols(name: str) -> None:
    """Human3.6M's 17 joints, the 18 that models learn, and the 12 of the infants' protocol."""
    assert people(name).skeleton == SKELETON
    for target in ("h36m17", "body18", "limbs12"):
        assert np.isfinite(conversion_matrix(SKELETON, get_skeleton(target))).all()


def test_the_default_is_the_default_configuration() -> None:
    everyday = get_preset("everyday")
    assert everyday.config == SyntheticConfig()
    assert (everyday.size, everyday.frames, everyday.fps) == (64, 32, 15.0)


def test_human36m_like_has_four_cameras_in_one_room() -> None:
    made = clips("human36m-like", 24)
    by_view: dict[str | None, list[SyntheticClip]] = {}
    for clip in made:
        by_view.setdefault(clip.view, []).append(clip)
    assert sorted(map(str, by_view)) == ["camera0", "camera1", "camera2", "camera3"]
    for same in by_view.values():
        for clip in same:
            assert np.array_equal(clip.camera.rotation, same[0].camera.rotation)
            assert np.array_equal(clip.camera.centre, same[0].camera.centre)
    assert len({clip.activity for clip in made}) > 6
    assert {clip.activity for clip in made} <= set(get_preset("human36m-like").config.activities)
    assert all(clip.activity[0].isupper() for clip in made)  # the data set's own names
    assert len({clip.group for clip in made}) == len(made)


def upright(clip: SyntheticClip) -> np.ndarray:
    """(T,) cosine between the trunk and the world's vertical axis."""
    world = clip.keypoints3d.astype(float) @ clip.camera.rotation
    trunk = world[:, JOINT["thorax"]] - world[:, JOINT["pelvis"]]
    return trunk[:, 1] / np.linalg.norm(trunk, axis=-1)


def test_human36m_like_people_stand_and_face_all_ways() -> None:
    headings = []
    for clip in clips("human36m-like", 24):
        assert upright(clip).min() > 0.6
        hips = clip.keypoints3d[0, JOINT["l_hip"]] - clip.keypoints3d[0, JOINT["r_hip"]]
        headings.append(np.sign(hips[0]))
    assert {-1.0, 1.0} == set(headings)


def test_infants_lie_with_the_head_at_the_top_and_have_their_proportions() -> None:
    def length(clip: SyntheticClip, a: str, b: str) -> float:
        step = clip.keypoints3d[0, JOINT[a]] - clip.keypoints3d[0, JOINT[b]]
        return float(np.linalg.norm(step))

    for clip in clips("infants", 16):
        assert np.abs(upright(clip)).max() < 0.25
        head, hips = clip.keypoints[:, JOINT["head_top"]], clip.keypoints[:, JOINT["pelvis"]]
        assert (hips[:, 1] - head[:, 1] > 0.2 * 48).all()
        left, right = clip.keypoints[:, JOINT["l_hip"], 0], clip.keypoints[:, JOINT["r_hip"], 0]
        assert (left > right).all()  # on the back: the face is seen
        head_share = length(clip, "head", "head_top") / length(clip, "thorax", "pelvis")
        assert head_share > 0.6  # of an adult it is 0.42
        leg = length(clip, "l_hip", "l_knee") + length(clip, "l_knee", "l_ankle")
        assert leg < 1.7 * length(clip, "thorax", "pelvis")  # of an adult 1.9
        assert clip.camera.centre[1] > 0.5 and clip.camera.rotation[2, 1] < -0.85


@pytest.mark.parametrize(("activity", "joint"), [("kick_legs", "ankle"), ("wave_arms", "wrist")])
def test_infants_kick_and_move_their_arms(activity: str, joint: str) -> None:
    config = replace(get_preset("infants").config, activities=(activity,))
    whole = SyntheticPeople(48, 64, 25.0, config=config)
    both = [JOINT[f"{side}_{joint}"] for side in "lr"]
    moved, still = [], []
    for clip in whole.render_clips(range(6)):
        path = np.ptp(clip.keypoints, axis=0).max(axis=-1)
        moved.append(path[both].max())
        still.append(path[JOINT["pelvis"]])
    assert np.median(moved) > 4 and np.max(still) < 3  # of 48 pixels


def test_multiview_shows_one_motion_from_calibrated_cameras() -> None:
    made = clips("multiview", 12)
    assert [c.view for c in made[:6]] == [f"camera{i}" for i in range(6)]
    assert len({c.group for c in made}) == 2 and len({c.name for c in made}) == 12
    for group in (made[:6], made[6:]):
        assert len({(c.group, c.actor, c.activity) for c in group}) == 1
        worlds = [c.keypoints3d.astype(float) @ c.camera.rotation + c.camera.centre for c in group]
        assert np.abs(np.array(worlds) - worlds[0]).max() < 1e-5
        yaws = np.sort([c.camera.yaw % 360 for c in group])
        assert np.allclose(np.diff(yaws), 60)


def test_multiview_keypoints_triangulate_to_the_joints() -> None:
    """Two views and their calibration give the third dimension back, without keypoints3d."""
    first, second = people("multiview").clip(0), people("multiview").clip(1)

    def matrix(clip: SyntheticClip) -> np.ndarray:
        camera = clip.camera
        pose = np.concatenate([camera.rotation, -camera.rotation @ camera.centre[:, None]], 1)
        return camera.intrinsics() @ pose

    a, b = matrix(first), matrix(second)
    for joint in range(len(JOINT)):
        (x, y), (u, v) = (c.keypoints[0, joint].astype(float) for c in (first, second))
        rows = np.stack([x * a[2] - a[0], y * a[2] - a[1], u * b[2] - b[0], v * b[2] - b[1]])
        point = np.linalg.svd(rows)[2][-1]
        world = first.keypoints3d[0, joint] @ first.camera.rotation + first.camera.centre
        assert np.abs(point[:3] / point[3] - world).max() < 1e-3


def test_fashion_is_frontal_with_a_person_in_every_picture() -> None:
    preset = get_preset("fashion")
    assert preset.frames == 1
    made = clips("fashion", 24)
    assert len({c.actor for c in made}) == 24
    frontal = [c.keypoints[0, JOINT["l_hip"], 0] > c.keypoints[0, JOINT["r_hip"], 0] for c in made]
    assert np.mean(frontal) > 0.7
    tall = [np.ptp(np.nonzero(c.mask[0])[0]) for c in made]
    assert np.median(tall) > 0.7 * 48


def test_one_room_is_seen_from_all_sides() -> None:
    """Where two cameras' backgrounds show the floor's same spot, they show the same colour."""
    config = replace(
        get_preset("multiview").config, shadow=0.0, difficulty=0.0, blur=(0.0, 0.0), travel=0.1
    )
    made = [SyntheticPeople(96, 1, seed=3, config=config).clip(i) for i in (0, 1)]
    spots = np.stack(np.meshgrid([-0.8, -0.4, 0.4, 0.8], [0.0], [-0.8, -0.4, 0.4, 0.8]), -1)
    spots = spots.reshape(-1, 3)
    colors = []
    for clip in made:
        pixel = np.rint(clip.camera.project(clip.camera.to_camera(spots))).astype(int)
        inside = ((pixel >= 1) & (pixel < 95)).all(axis=1)
        color = np.full((len(spots), 3), np.nan)
        x, y = pixel[inside].T
        around = [clip.background[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        color[inside] = np.mean(around, axis=0)
        colors.append(color)
    difference = np.abs(colors[0] - colors[1])
    assert np.isfinite(difference).sum() >= 12
    assert np.nanmedian(difference) < 8


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'infants'"):
        get_preset("infant")
