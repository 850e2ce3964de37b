"""SyntheticPeople: deterministic clips of one synthetic actor before a fixed camera."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fastpose.data.synthetic.appearance import Appearance, random_appearance
from fastpose.data.synthetic.background import Room, random_room, shadow
from fastpose.data.synthetic.body import JOINT, SKELETON, Body, random_body
from fastpose.data.synthetic.camera import Camera, random_camera
from fastpose.data.synthetic.compose import (
    blur,
    gather,
    joints_visible,
    part_masks,
    shade,
    through_jpeg,
    to_bytes,
)
from fastpose.data.synthetic.config import SyntheticConfig, check_range
from fastpose.data.synthetic.exposure import other_moments
from fastpose.data.synthetic.furniture import furnish, random_furniture, view_boxes
from fastpose.data.synthetic.motion import BodyMotion, check_activities, generate_motion
from fastpose.data.synthetic.parts import joint_depths, place_parts
from fastpose.data.synthetic.pictures import Backgrounds
from fastpose.data.synthetic.render import cast, hide_behind
from fastpose.data.synthetic.scenes import random_cot, random_interior, view_interior
from fastpose.data.synthetic.wardrobe import random_baby_clothes, random_outfit
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton

ACTOR_STREAM, CLIP_STREAM, POSE_STREAM, SCENE_STREAM, VIEW_STREAM, PICTURE_STREAM = range(6)
PLACE_STREAM = 6
_BLOCK = 64 * 64**2  # pixels of the frames rendered together
_DRESS = {
    "plain": random_appearance,
    "textured": random_outfit,
    "infant": random_baby_clothes,
}
_TURN, _SHIFT = 12.0, 0.06  # degrees and metres that infants are put down off the cot's middle
_FEET = [JOINT[f"{side}_{name}"] for side in "lr" for name in ("ankle", "toe")]


@dataclass(frozen=True)
class SyntheticClip:
    """One rendered clip of T frames of S x S pixels, with everything known about it.

    Args:
        name: unique among the clips of one seed.
        frames: (T,S,S,3) uint8 RGB.
        mask: (T,S,S) uint8, the person's share of the pixel and of the exposure, 0..255.
        parts: (T,S,S) uint8, 1 + the index in ``PART_NAMES`` of the body part that the pixel's
            middle sees, 0 beside the person.
        background: (S,S,3) uint8, the room without the person.
        keypoints: (T,19,2) float32, pixels of the frame (may lie outside).
        keypoints3d: (T,19,3) float32, metres in camera space.
        visible: (T,19) bool, inside the frame and not hidden behind another part of the body or
            behind furniture.
        part_axes: (T,P,3,3) float32, rotation of every body part: its rows are its x, y and z axes
            in camera space, see :mod:`fastpose.data.synthetic.parts`.
        camera: the camera.
        fps: frames per second.
        actor: name of the person; the same name is the same body and clothes.
        activity: what the person does.
        group: name of the motion; clips of one group show the same moments.
        view: name of the camera, where there are fixed ones.
    """

    name: str
    frames: np.ndarray
    mask: np.ndarray
    parts: np.ndarray
    background: np.ndarray
    keypoints: np.ndarray
    keypoints3d: np.ndarray
    visible: np.ndarray
    part_axes: np.ndarray
    camera: Camera
    fps: float
    actor: str
    activity: str
    group: str
    view: str | None


class MotionSource(Protocol):
    """Something that moves actors: :class:`GeneratedMotion`, or ``RecordedMotion`` of a file."""

    def draw(
        self, rng: np.random.Generator, body: Body, *, frames: int, fps: float, travel: float
    ) -> BodyMotion:
        """A motion of exactly ``frames`` frames at ``fps``, within ``travel`` metres."""
        ...


@dataclass(frozen=True)
class GeneratedMotion:
    """The package's own motion: one of the named activities, all of them if none is named."""

    activities: tuple[str, ...] = ()

    def draw(
        self, rng: np.random.Generator, body: Body, *, frames: int, fps: float, travel: float
    ) -> BodyMotion:
        name = str(rng.choice(list(check_activities(self.activities))))
        return generate_motion(rng, body, name, frames=frames, fps=fps, travel=travel)


def stream(seed: int, kind: int, index: int) -> np.random.Generator:
    """Random numbers that depend on nothing but the seed, what they are for, and which one."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(kind, index)))


class SyntheticPeople:
    """An endless list of synthetic clips; clip ``i`` depends on ``seed`` and ``i`` alone.

    Args:
        size: side S of the frames in pixels, 16 to 1024.
        frames_per_clip: frames T of a clip.
        fps: frames per second.
        seed: another seed gives other actors, rooms and motions.
        config: ranges of everything random.
        motion: where motion comes from; by default the package's own generator.
        backgrounds: pictures to show behind people, another part of one in every clip, in place
            of the configuration's scene; people then cast no shadow.
        backend: who casts the rays, see ``fastpose.ops.cast_capsules``; no byte depends on it.

    Raises:
        UserError: a size or number that cannot be used.
    """

    skeleton: Skeleton = SKELETON

    def __init__(
        self,
        size: int = 64,
        frames_per_clip: int = 32,
        fps: float = 15.0,
        seed: int = 0,
        *,
        config: SyntheticConfig | None = None,
        motion: MotionSource | None = None,
        backgrounds: Backgrounds | None = None,
        backend: str | None = None,
    ) -> None:
        check_range("size", size, 16, 1024)
        check_range("frames per clip", frames_per_clip, 1, 100_000)
        check_range("fps", fps, 1, 240)
        check_range("seed", seed, 0, 2**63)
        self.size, self.frames_per_clip, self.fps, self.seed = size, frames_per_clip, fps, seed
        self.config = config or SyntheticConfig()
        self._motion = motion or GeneratedMotion(self.config.activities)
        self.backgrounds, self.backend = backgrounds, backend
        if backgrounds is not None and self.config.camera.window:
            raise UserError(
                "synthetic people: window is for clips that share their background; pictures "
                "behind people differ from clip to clip: leave one of them out"
            )
        self._interior = None
        if self.config.scene == "room" and backgrounds is None:
            camera = self.config.camera
            half = (camera.distance if camera.directions else 4.0) + 0.6
            rng = stream(seed, SCENE_STREAM, 0)
            self._interior = random_interior(rng, half, self.config.difficulty)

    def clip(self, index: int) -> SyntheticClip:
        """Render clip ``index``; the same bytes whenever and wherever it is asked for."""
        check_range("clip index", index, 0, 2**32 - 1)
        config, size, count = self.config, self.size, self.frames_per_clip
        number = index // config.views
        rng = stream(self.seed, CLIP_STREAM, number)
        actor = int(rng.integers(config.actors))
        actor_rng = stream(self.seed, ACTOR_STREAM, actor)
        body = random_body(
            actor_rng,
            bone_spread=config.bone_spread,
            girth_spread=config.girth_spread,
            kind=config.body,
        )
        look = _DRESS[config.wardrobe](actor_rng)
        motion = self._motion.draw(rng, body, frames=count, fps=self.fps, travel=config.travel)
        if config.heading:
            motion = _turned(motion, rng.uniform(-config.heading, config.heading))
        shared = bool(config.camera.window) and not config.camera.directions
        if shared and motion.lying:  # put down anew before each clip
            motion = _turned(motion, rng.normal(0, _TURN))
            motion = _shifted(motion, rng.uniform(-_SHIFT, _SHIFT, 2))
        parts = place_parts(motion, body.girth, look.hair)
        boxes = None
        if config.furniture:
            around = motion.positions
            boxes = random_furniture(rng, config.furniture, around, motion.scale)
        view = None
        if config.camera.directions:
            directions = len(config.camera.directions)
            view = index % directions if config.synchronised else int(rng.integers(directions))
        if config.synchronised:  # what differs between the views of one motion
            rng = stream(self.seed, VIEW_STREAM, index)
        middle = None
        if shared:  # all clips of a person have one camera, place and light
            rng, own = stream(self.seed, PLACE_STREAM, actor), rng
            up = [0.0, 0.0, -0.12] if motion.lying else [0.0, 0.5, 0.0]  # from the pelvis or ground
            middle = motion.height * np.array(up)
        camera = random_camera(
            rng,
            config.camera,
            size=size,
            height=motion.height,
            points=np.concatenate(parts.ends(), axis=1),
            radii=np.tile(parts.reach(), 2),
            view=view,
            middle=middle,
        )
        if self.backgrounds is None:
            room = self._room(rng, camera, motion, look, middle)
        else:
            room = self.backgrounds.room(stream(self.seed, PICTURE_STREAM, index), size)
        light, ambient = _random_light(rng, camera)
        if shared:
            rng = own
        if self._interior is not None:
            light = self._interior.light
        before = None
        if boxes is not None:
            before, paint = view_boxes(boxes, camera, size, config.supersample, light, ambient)
            room = furnish(room, before, paint, config.supersample)
        gain, softness = rng.uniform(0.9, 1.15), rng.uniform(*config.blur)
        grain = np.float32(config.grain)
        points3d = camera.to_camera(motion.positions)
        points = camera.project(points3d)
        moments = [
            *(
                place_parts(moment, body.girth, look.hair)
                for moment in other_moments(motion, points, config.exposure)
            ),
            parts,
        ]
        samples = (points + 0.5) * config.supersample - 0.5
        skin = 1.15 * joint_depths(motion, body.girth)
        texels = look.texture.shape[1:3]
        touching = list(JOINT.values()) if motion.lying else _FEET
        reach = 0.18 * motion.scale if motion.lying else 0.14

        frames = np.empty((count, size, size, 3), np.uint8)
        mask = np.empty((count, size, size), np.uint8)
        seen_parts = np.empty((count, size, size), np.uint8)
        visible = np.empty(points.shape[:2], bool)
        block = max(1, _BLOCK // size**2)
        for start in range(0, count, block):
            now = slice(start, start + block)
            cover = np.zeros((len(points[now]), size, size), np.float32)
            person = np.zeros((*cover.shape, 3), np.float32)
            for moment in moments:  # the last surface is the frame's own
                surface = cast(
                    moment.frames(now),
                    *(camera, size, config.supersample, light, texels, self.backend),
                )
                if before is not None:
                    surface = hide_behind(surface, before)
                color = shade(surface, look.texture, gain, ambient)
                seen, share = gather(surface, color, size, config.supersample)
                person = person + seen / np.float32(len(moments))
                cover = cover + share / np.float32(len(moments))
            dark = shadow(room, motion.positions[now][:, touching], size, config.shadow, reach)
            image = person + ((1 - cover) * dark)[..., None] * room.plate
            noise = grain * rng.standard_normal(image.shape, np.float32)
            frames[now] = to_bytes(blur(image, softness) + noise)
            if config.jpeg:
                frames[now] = through_jpeg(frames[now], config.jpeg)
            seen_parts[now] = part_masks(surface, texels, config.supersample)
            mask[now] = to_bytes(cover)
            visible[now] = joints_visible(surface.depth, samples[now], points3d[now, :, 2], skin)
        return SyntheticClip(
            name=f"s{self.seed}_{index:06d}",
            frames=frames,
            mask=mask,
            parts=seen_parts,
            background=to_bytes(blur(room.plate[None], softness))[0],
            keypoints=points.astype(np.float32),
            keypoints3d=points3d.astype(np.float32),
            visible=visible,
            part_axes=camera.turn(parts.axes).astype(np.float32),
            camera=camera,
            fps=self.fps,
            actor=f"s{self.seed}_a{actor:03d}",
            activity=motion.activity,
            group=f"s{self.seed}_m{number:06d}",
            view=None if view is None else f"camera{view}",
        )

    def _room(
        self,
        rng: np.random.Generator,
        camera: Camera,
        motion: BodyMotion,
        look: Appearance,
        middle: np.ndarray | None,
    ) -> Room:
        """The clip's background, as the configuration's scene has it, about ``middle`` or else
        the person."""
        difficulty = self.config.difficulty
        if self._interior is not None:
            return view_interior(self._interior, camera, self.size)
        if self.config.scene == "cot":
            return random_cot(rng, camera, self.size, difficulty)
        person = motion.positions[:, JOINT["pelvis"]].mean(axis=0)
        about = person if middle is None else middle
        return random_room(
            rng, camera, self.size, middle=about, avoid=look.colors, difficulty=difficulty
        )

    def render_clips(self, indices: Iterable[int], threads: int = 1) -> Iterator[SyntheticClip]:
        """Render clips in the order of ``indices``, up to ``threads`` of them at a time."""
        check_range("threads", threads, 1, 1024)
        with ThreadPoolExecutor(threads) as pool:
            ahead: deque[Future[SyntheticClip]] = deque()
            try:
                for index in indices:
                    ahead.append(pool.submit(self.clip, index))
                    if len(ahead) > threads:  # no further: a clip waits in memory
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for waiting in ahead:
                    waiting.cancel()


def _turned(motion: BodyMotion, degrees: float) -> BodyMotion:
    """The motion turned about the vertical axis through the origin, towards the person's left."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return replace(motion, positions=motion.positions @ turn.T, face=motion.face @ turn.T)


def _shifted(motion: BodyMotion, away: np.ndarray) -> BodyMotion:
    """The motion moved by (2,) metres along the world's x and z axes."""
    x, z = away
    return replace(motion, positions=motion.positions + np.array([x, 0.0, z]))


def _random_light(rng: np.random.Generator, camera: Camera) -> tuple[np.ndarray, float]:
    """Direction towards the light (above, on the camera's side of the person) and ambient share."""
    side, up = np.deg2rad([rng.uniform(-80, 80), rng.uniform(15, 75)])
    local = np.array([np.sin(side) * np.cos(up), -np.sin(up), -np.cos(side) * np.cos(up)])
    return np.einsum("c,cd->d", local, camera.rotation), rng.uniform(0.45, 0.65)
