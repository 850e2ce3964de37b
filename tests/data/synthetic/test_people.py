"""SyntheticPeople: same bytes however they are asked for, and truth that fits the pictures."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from fastpose.data.synthetic import CameraConfig, SyntheticClip, SyntheticConfig, SyntheticPeople
from fastpose.data.synthetic import people as people_module
from fastpose.data.synthetic.body import JOINT
from fastpose.data.synthetic.parts import PART, PARTS
from fastpose.errors import UserError

ARRAYS = (
    *("frames", "mask", "parts", "background", "keypoints", "keypoints3d", "visible"),
    "part_axes",
)


def make(**changes: object) -> SyntheticPeople:
    config = SyntheticConfig(**changes)  # type: ignore[arg-type]
    return SyntheticPeople(48, 8, seed=5, config=config)


def bytes_of(clip: SyntheticClip) -> tuple[object, ...]:
    arrays = tuple(getattr(clip, name).tobytes() for name in ARRAYS)
    return (*arrays, clip.name, clip.actor, clip.activity)


@pytest.fixture(scope="module")
def clips() -> list[SyntheticClip]:
    return list(make().render_clips(range(24)))


def test_shapes_and_types(clips: list[SyntheticClip]) -> None:
    clip = clips[0]
    assert clip.frames.shape == (8, 48, 48, 3) and clip.frames.dtype == np.uint8
    assert clip.mask.shape == (8, 48, 48) and clip.mask.dtype == np.uint8
    assert clip.background.shape == (48, 48, 3) and clip.background.dtype == np.uint8
    assert clip.keypoints.shape == (8, 19, 2) and clip.keypoints.dtype == np.float32
    assert clip.keypoints3d.shape == (8, 19, 3) and clip.keypoints3d.dtype == np.float32
    assert clip.visible.shape == (8, 19) and clip.visible.dtype == bool
    assert clip.parts.shape == (8, 48, 48) and clip.parts.dtype == np.uint8
    assert clip.part_axes.shape == (8, len(PARTS), 3, 3)
    assert clip.part_axes.dtype == np.float32
    assert clip.fps == 15.0
    assert len({c.name for c in clips}) == len(clips)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_bytes_do_not_depend_on_order_batch_or_threads(
    clips: list[SyntheticClip], threads: int
) -> None:
    order = [7, 2, 19, 2, 11]
    again = list(make().render_clips(order, threads=threads))
    assert [bytes_of(c) for c in again] == [bytes_of(clips[i]) for i in order]


def test_bytes_do_not_depend_on_the_block_of_frames(
    clips: list[SyntheticClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_module, "_BLOCK", 3 * 48**2)
    assert bytes_of(make().clip(3)) == bytes_of(clips[3])


def test_seed_and_index_change_everything(clips: list[SyntheticClip]) -> None:
    other = SyntheticPeople(48, 8, seed=6).clip(0)
    assert other.actor != clips[0].actor
    for name in ("frames", "mask", "keypoints"):
        assert not np.array_equal(getattr(other, name), getattr(clips[0], name))
        assert not np.array_equal(getattr(clips[1], name), getattr(clips[0], name))


def test_keypoints_are_the_projection_of_keypoints3d(clips: list[SyntheticClip]) -> None:
    for clip in clips:
        camera, p = clip.camera, clip.keypoints3d.astype(float)
        assert (p[..., 2] > 0.2).all()
        expected = camera.focal * p[..., :2] / p[..., 2:] + camera.principal
        assert np.abs(expected - clip.keypoints).max() < 1e-3


def test_the_mask_holds_the_visible_joints(clips: list[SyntheticClip]) -> None:
    for clip in clips:
        frame, joint = np.nonzero(clip.visible)
        x, y = np.rint(clip.keypoints[frame, joint]).astype(int).T
        assert x.min() >= 0 and y.min() >= 0 and max(x.max(), y.max()) < 48
        # A pixel's cover counts a neighbourhood: thin hands reach half a pixel off the joint.
        near = np.stack(
            [
                clip.mask[frame, np.clip(y + dy, 0, 47), np.clip(x + dx, 0, 47)]
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
            ]
        ).max(axis=0)
        assert (near > 0).mean() > 0.99
        assert (clip.mask[frame, y, x] > 0).mean() > 0.9


def test_part_masks_name_the_limb_at_a_joint(clips: list[SyntheticClip]) -> None:
    """In the middle of a shin or a forearm that is seen, the mask says so."""
    right = []
    for clip in clips:
        assert ((clip.parts > 0) <= (clip.mask > 0)).all()
        assert ((clip.parts > 0) >= (clip.mask == 255)).all()
        for part, ends in (("shin", ("knee", "ankle")), ("forearm", ("elbow", "wrist"))):
            for side in "lr":
                pair = [JOINT[f"{side}_{end}"] for end in ends]
                seen = clip.visible[:, pair].all(axis=1)
                x, y = np.rint(clip.keypoints[seen][:, pair].mean(axis=1)).astype(int).T
                right += list(clip.parts[seen, y, x] == 1 + PART[f"{side}_{part}"])
    assert len(right) > 200 and np.mean(right) > 0.85


def test_part_axes_are_rotations_along_the_limbs(clips: list[SyntheticClip]) -> None:
    for clip in clips:
        axes = clip.part_axes.astype(float)
        assert np.abs(axes @ axes.swapaxes(-1, -2) - np.eye(3)).max() < 1e-5
        shin = clip.keypoints3d[:, JOINT["l_knee"]] - clip.keypoints3d[:, JOINT["l_ankle"]]
        shin /= np.linalg.norm(shin, axis=-1, keepdims=True)
        assert np.abs(axes[:, PART["l_shin"], 1] - shin).max() < 1e-4


def test_jpeg_changes_the_frames_alone(clips: list[SyntheticClip]) -> None:
    coarse = make(jpeg=20).clip(0)
    assert np.abs(coarse.frames.astype(int) - clips[0].frames).mean() > 1
    for name in set(ARRAYS) - {"frames"}:
        assert np.array_equal(getattr(coarse, name), getattr(clips[0], name)), name


def test_the_person_stays_inside_and_fills_the_window(clips: list[SyntheticClip]) -> None:
    for clip in clips:
        assert (clip.keypoints > -0.5).all() and (clip.keypoints < 47.5).all()
        border = np.concatenate([clip.mask[:, 0], clip.mask[:, -1]])
        assert border.max() == 0
        assert clip.mask[:, :, [0, -1]].max() == 0
        tall = np.ptp(np.nonzero(clip.mask.max(axis=(0, 2)))[0]) / 48
        assert 0.35 < tall <= 1.0


def test_the_background_is_what_the_mask_leaves_out(clips: list[SyntheticClip]) -> None:
    config = make(shadow=0.0, difficulty=0.0, blur=(0.0, 0.0))
    clip = config.clip(0)
    error = np.abs(clip.frames.astype(int) - clip.background)
    assert error[clip.mask == 0].mean() < 1.5  # the sensor's noise
    assert error[clip.mask == 255].mean() > 20


def test_people_stand_out_from_their_background(clips: list[SyntheticClip]) -> None:
    contrast = [np.abs(c.frames.astype(int) - c.background)[c.mask == 255].mean() for c in clips]
    assert np.quantile(contrast, 0.1) > 25


def test_motion_shows(clips: list[SyntheticClip]) -> None:
    moved = [np.ptp(c.keypoints, axis=0).max() for c in clips if c.activity != "stand"]
    assert np.quantile(moved, 0.1) > 1 and np.median(moved) > 4  # pixels in half a second


def frontal(**changes: object) -> SyntheticPeople:
    camera = CameraConfig(frontal=1.0, yaw_spread=5.0)
    return make(activities=("stand", "march", "box"), camera=camera, **changes)


def test_left_and_right_are_the_persons_own() -> None:
    for clip in frontal().render_clips(range(4)):
        for joint in ("shoulder", "hip"):
            left = clip.keypoints[:, JOINT[f"l_{joint}"], 0]
            assert (left > clip.keypoints[:, JOINT[f"r_{joint}"], 0]).all()
        assert (
            clip.keypoints[:, JOINT["head_top"], 1] < clip.keypoints[:, JOINT["pelvis"], 1]
        ).all()


def test_front_and_back_look_different() -> None:
    """The same still person, seen from the front and from behind: mean colour of face and chest."""
    # Not the camera's yaw: the actor's heading, so that light, room and window stay.
    differences = []
    for seed in range(6):
        front, back = (_facing(seed, degrees) for degrees in (0.0, 180.0))
        for joint in ("head_top", "spine"):
            differences.append(np.abs(_color(front, joint) - _color(back, joint)).max())
    assert np.median(differences) > 25
    assert np.mean(np.array(differences) > 12) > 0.7


class _Still:
    """An actor that stands still, turned by ``degrees``."""

    def __init__(self, degrees: float) -> None:
        self._degrees = degrees

    def draw(self, rng, body, *, frames, fps, travel):  # type: ignore[no-untyped-def]
        motion = people_module.generate_motion(rng, body, "stand", frames=1, fps=fps, travel=travel)
        c, s = np.cos(np.deg2rad(self._degrees)), np.sin(np.deg2rad(self._degrees))
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        repeat = [0] * frames
        return replace(
            motion,
            positions=(motion.positions @ turn.T)[repeat],
            face=(motion.face @ turn.T)[repeat],
        )


def _facing(seed: int, degrees: float) -> SyntheticClip:
    camera = CameraConfig(frontal=1.0, yaw_spread=0.0, pitch_std=0.0, shift=0.0)
    config = SyntheticConfig(camera=camera)
    return SyntheticPeople(64, 1, seed=seed, config=config, motion=_Still(degrees)).clip(0)


def _color(clip: SyntheticClip, joint: str) -> np.ndarray:
    x, y = np.rint(clip.keypoints[0, JOINT[joint]]).astype(int)
    y += 3 if joint == "head_top" else 0  # from the crown to the face
    return clip.frames[0, y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))


def test_hidden_joints_are_flagged() -> None:
    camera = CameraConfig(side=1.0, yaw_spread=0.0, pitch_std=0.0)
    people = make(activities=("walk",), camera=camera)
    for clip in people.render_clips(range(4)):
        near, far = ("l", "r") if clip.camera.yaw > 0 else ("r", "l")
        assert clip.visible[:, JOINT[f"{near}_shoulder"]].all()
        assert clip.visible[:, JOINT[f"{near}_knee"]].all()
        assert not clip.visible[:, JOINT[f"{far}_shoulder"]].any()
        assert clip.visible[:, JOINT["head"]].all()


def test_the_same_actor_keeps_its_clothes() -> None:
    config = SyntheticConfig(actors=1, activities=("stand",), difficulty=0.0)
    people = SyntheticPeople(48, 1, seed=1, config=config)
    assert len({clip.actor for clip in people.render_clips(range(3))}) == 1


def test_difficulty_makes_rooms_busier() -> None:
    def texture(difficulty: float) -> float:
        backgrounds = [make(difficulty=difficulty).clip(i).background for i in range(4)]
        return float(np.mean([np.abs(np.diff(b.astype(int), axis=1)).mean() for b in backgrounds]))

    assert texture(1.0) > 2 * texture(0.0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"size": 8}, "size"),
        ({"frames_per_clip": 0}, "frames per clip"),
        ({"fps": float("nan")}, "fps"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments(arguments: dict[str, float], named: str) -> None:
    with pytest.raises(UserError, match=named):
        SyntheticPeople(**arguments)  # type: ignore[arg-type]


def test_bad_index_and_threads() -> None:
    with pytest.raises(UserError, match="clip index"):
        make().clip(-1)
    with pytest.raises(UserError, match="threads"):
        list(make().render_clips([0], threads=0))


def test_speed_is_sane() -> None:
    """Far below what is measured on an idle core (600 frames/s), so that a busy one passes."""
    people = SyntheticPeople(64, 32)
    people.clip(0)
    begin = time.process_time()
    people.clip(1)
    assert 32 / (time.process_time() - begin) > 60
