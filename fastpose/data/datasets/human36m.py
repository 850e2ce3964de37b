"""Human3.6M as distributed: videos of four cameras, 2D and 3D joints, boxes and masks.

::

    ROOT/S1/Videos/Directions 1.54138969.mp4                          1000 x 1000, 50 frames/s
    ROOT/S1/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf      Pose (1,N,64), pixels
    ROOT/S1/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf Pose (1,N,96), mm, camera
    ROOT/S1/MyPoseFeatures/D3_Positions/Directions 1.cdf               Pose (1,N,96), mm, world
    ROOT/S1/MySegmentsMat/ground_truth_bb/Directions 1.54138969.mat    Masks: N boxes as pictures
    ROOT/S1/MySegmentsMat/ground_truth_bs/Directions 1.54138969.mat    Masks: N silhouettes

Ionescu, Papava, Olaru, Sminchisescu, "Human3.6M" (TPAMI 2014). Folders and variables as the readers
of VideoPose3D, h36m-fetch and learnable-triangulation have them; the .mat files are HDF5. Videos
and 2D joints are needed, the rest is used where it is there; boxes may follow from the joints.

Subjects 1, 5, 6, 7, 8 are for training, 9 and 11 for testing; every fifth frame is taken. The
recordings named ``_ALL`` repeat the others and are left out, as is the second Directions of subject
11 seen by camera 54138969, whose video is damaged: 600 and 239 recordings are left. Videos may be
some frames longer or shorter than their labels; a difference of more than ten is an error.

``human36m-raster`` cuts squares as the shape templates do (Schmidtke et al., "Unsupervised Human
Pose Estimation through Transforming Shape Templates", CVPR 2021, and its code): boxes are snapped
outward to a raster of 170 pixels, the square is 200 pixels for each row of the raster that
it covers, and so many frames of a subject, whatever it does, have one and the same background. Ten
of the fifteen activities are kept. Beyond the border the picture's edge is repeated, not black.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.cdf import load_pose
from fastpose.data.datasets.matlab import MaskFile
from fastpose.data.datasets.views import fit_intrinsics, fit_rotation
from fastpose.errors import UserError
from fastpose.files import listed
from fastpose.media.images import Image
from fastpose.media.video import VideoReader
from fastpose.skeletons import get_skeleton

SUBJECTS = {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
DAMAGED = {"S11/Directions.54138969"}
_RENAMED = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}
_RASTER, _SIDE = 170, 200
_RASTER_ACTIVITIES = {
    *("Waiting", "Posing", "Greeting", "Directions", "Discussion"),
    *("Walking", "Photo", "Purchases", "WalkTogether", "WalkDog"),
}
_TOLERANCE = 10  # frames


class Reader(base.Reader):
    """See the module."""

    title = "Human3.6M"
    skeleton = get_skeleton("h36m32")
    counts: ClassVar = {"train": 600, "test": 239}
    unit = "recordings"
    every = 5

    def items(self, split: str) -> list[str]:
        found = []
        for subject in self.parts(SUBJECTS[split], "{}/Videos"):
            names = (path.stem for path in listed(self.root / subject / "Videos", "*.mp4"))
            found += [f"{subject}/{name}" for name in names if not name.startswith("_ALL")]
        return sorted(set(found) - DAMAGED, key=_order)

    def read(self, item: str) -> Iterable[Recording]:
        subject, _, name = item.partition("/")
        sequence, _, camera = name.rpartition(".")
        folder, labels = self.root / subject, self.root / subject / "MyPoseFeatures"
        path = folder / "Videos" / f"{name}.mp4"
        points = load_pose(labels / "D2_Positions" / f"{name}.cdf", 2)
        video = VideoReader(path)
        count = _common(len(points), video.info.frames_promised, path)
        points = points[:count]
        deep = _optional(labels / "D3_Positions_mono" / f"{name}.cdf", count)
        world = _optional(labels / "D3_Positions" / f"{sequence}.cdf", count)
        boxes = self._boxes(folder / "MySegmentsMat" / "ground_truth_bb" / f"{name}.mat", points)
        silhouettes = folder / "MySegmentsMat" / "ground_truth_bs" / f"{name}.mat"

        def images() -> Iterator[Image]:
            return (frame.image for frame in islice(VideoReader(path), count))

        yield Recording(
            name=f"{subject}_{name}",
            source=self.inside(path),
            size=(video.info.width, video.info.height),
            numbers=range(count),
            images=images,
            fps=video.info.fps,
            activity=activity_of(sequence),
            actor=subject,
            group=f"{subject}/{sequence}",
            view=camera,
            keypoints=points,
            keypoints3d=None if deep is None else deep / 1000.0,
            rotation=None if deep is None or world is None else _rotation(world, deep),
            intrinsics=None if deep is None else _intrinsics(points, deep),
            boxes=boxes,
            masks=(lambda: islice(MaskFile(silhouettes), count)) if silhouettes.is_file() else None,
            windows=self._windows(boxes),
        )

    def _windows(self, boxes: np.ndarray) -> np.ndarray | None:
        return None

    def _boxes(self, path: Path, points: np.ndarray) -> np.ndarray:
        if not path.is_file():
            return base.grown(base.boxes_of_points(points), 0.1)
        boxes = np.full((len(points), 4), np.nan)
        for i, mask in enumerate(islice(MaskFile(path), len(points))):
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            if len(rows):
                boxes[i] = columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5
        return boxes


class Raster(Reader):
    """Squares on a raster, so that frames share their background."""

    title = "Human3.6M on a raster"
    counts: ClassVar = {}
    crop = "given"
    size = 256
    min_frames = 1
    every = 1

    def items(self, split: str) -> list[str]:
        named = [(item, item.partition("/")[2].rpartition(".")[0]) for item in super().items(split)]
        return [item for item, name in named if activity_of(name) in _RASTER_ACTIVITIES]

    def _windows(self, boxes: np.ndarray) -> np.ndarray:
        return raster_windows(boxes)


def raster_windows(boxes: np.ndarray) -> np.ndarray:
    """(N,3) squares for boxes (N,4): left, top outer corner and side; NaN where there is no box."""
    low = np.floor((boxes[:, :2] + 0.5) / _RASTER) * _RASTER
    high = np.ceil((boxes[:, 2:] - 0.5) / _RASTER) * _RASTER
    side = _SIDE * (high[:, 1] - low[:, 1]) / _RASTER
    corner = np.floor((low + high) / 2.0) - side[:, None] / 2.0 - 0.5
    return np.concatenate([corner, side[:, None]], axis=1)


def activity_of(sequence: str) -> str:
    """``Directions 1`` is Directions; other spellings of the same activity become one."""
    name = re.split(r"[ \-_]", sequence)[0]
    return _RENAMED.get(name, name)


def _order(item: str) -> tuple[int, str]:
    subject, _, name = item.partition("/")
    return int(subject[1:]), name


def _common(labels: int, frames: int | None, path: Path) -> int:
    if frames is not None and abs(frames - labels) > _TOLERANCE:
        raise UserError(f"{path}: has {frames} frames, its labels are for {labels}; copy it again")
    return labels if frames is None else min(labels, frames)


def _optional(path: Path, count: int) -> np.ndarray | None:
    """3D joints (N,32,3) of a file that may be missing; cut to ``count``."""
    if not path.is_file():
        return None
    pose = load_pose(path, 3)
    if len(pose) < count:
        raise UserError(f"{path}: has {len(pose)} poses, the video {count} frames; copy it again")
    return pose[:count]


def _rotation(world: np.ndarray, camera: np.ndarray) -> np.ndarray:
    some = np.unique(np.linspace(0, len(world) - 1, 50).astype(int))
    return fit_rotation(world[some].reshape(-1, 3), camera[some].reshape(-1, 3))


def _intrinsics(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    some = np.unique(np.linspace(0, len(points) - 1, 50).astype(int))
    return fit_intrinsics(points[some].reshape(-1, 2), camera[some].reshape(-1, 3))
