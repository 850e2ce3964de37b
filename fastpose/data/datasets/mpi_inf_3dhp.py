"""MPI-INF-3DHP: eight actors before a green screen seen by many cameras, and six test sequences.

::

    ROOT/S1/Seq1/imageSequence/video_0.avi     2048 x 2048; or ROOT/train/S1/...
    ROOT/S1/Seq1/annot.mat                     annot2 {14} (N,56) pixels, annot3 {14} (N,84) mm
    ROOT/S1/Seq1/camera.calibration            name, size, intrinsic and extrinsic of each camera
    ROOT/TS1/imageSequence/img_000001.jpg      or ROOT/mpi_inf_3dhp_test_set/TS1, ROOT/test/TS1
    ROOT/TS1/annot_data.mat                    HDF5: annot2 (N,1,17,2), annot3, valid_frame (N,1)

Mehta et al., "Monocular 3D Human Pose Estimation In The Wild Using Improved CNN Supervision" (3DV
2017). Layout, the order of the 28 joints (the data set's
mpii_get_joint_set.m) and of the 17 test joints, and the eight cameras 0, 1, 2, 4, 5, 6, 7, 8 at the
height of a person as readers of public pose libraries have them. Both splits give the 17 joints of
the test set. Test frames that are not valid are left out. 128 recordings for training, 6 for
testing. Labels may be for more frames than the video has, by up to two percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.matlab import load_mat, open_hdf5
from fastpose.data.datasets.pictures import read_pictures
from fastpose.errors import UserError
from fastpose.media.images import Image, image_size
from fastpose.media.video import VideoReader
from fastpose.skeletons import make_skeleton

_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
_ALL_JOINTS = [
    *("spine_3", "spine_4", "spine_2", "spine", "pelvis", "neck", "head", "head_top"),
    *("l_clavicle", "l_shoulder", "l_elbow", "l_wrist", "l_hand"),
    *("r_clavicle", "r_shoulder", "r_elbow", "r_wrist", "r_hand"),
    *("l_hip", "l_knee", "l_ankle", "l_foot", "l_toe"),
    *("r_hip", "r_knee", "r_ankle", "r_foot", "r_toe"),
]
SKELETON = make_skeleton(
    "mpi17",
    "head_top neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle "
    "l_hip l_knee l_ankle pelvis spine head",
    "pelvis-spine spine-neck neck-head head-head_top pelvis-l_hip pelvis-r_hip neck-l_shoulder "
    "neck-r_shoulder l_shoulder-l_elbow l_elbow-l_wrist r_shoulder-r_elbow r_elbow-r_wrist "
    "l_hip-l_knee l_knee-l_ankle r_hip-r_knee r_knee-r_ankle",
)
_CHOSEN = [_ALL_JOINTS.index(joint) for joint in SKELETON.joints]
_TEST_FPS = 25.0  # assumed: the pictures name no rate
_TOLERANCE = 0.02


class Reader(base.Reader):
    """See the module."""

    title = "MPI-INF-3DHP"
    skeleton = SKELETON
    counts: ClassVar = {"train": 128, "test": 6}
    unit = "recordings"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        # All cameras of a sequence share a file of labels, and are read one after the other.
        self._load_labels = lru_cache(maxsize=1)(load_mat)

    def items(self, split: str) -> list[str]:
        if split == "test":
            parent = self.folder("TS1", "mpi_inf_3dhp_test_set/TS1", "test/TS1").parent
            found = sorted(p for p in parent.glob("TS[1-6]") if p.is_dir())
            return [self.inside(path) for path in found]
        parent = self.folder("S1", "train/S1").parent
        videos = [
            parent / f"S{subject}/Seq{sequence}/imageSequence/video_{camera}.avi"
            for subject in range(1, 9)
            for sequence in (1, 2)
            for camera in _CAMERAS
        ]
        return [self.inside(path) for path in videos if path.is_file()]

    def read(self, item: str) -> Iterable[Recording]:
        path = self.root / item
        yield self._train(path) if path.suffix == ".avi" else self._test(path)

    def _train(self, path: Path) -> Recording:
        folder, camera = path.parent.parent, int(path.stem.rpartition("_")[2])
        labels = self._load_labels(folder / "annot.mat", "annot2", "annot3")
        try:
            flat = np.asarray(labels["annot2"].ravel()[camera], np.float64).reshape(-1, 28, 2)
            deep = np.asarray(labels["annot3"].ravel()[camera], np.float64).reshape(-1, 28, 3)
        except (IndexError, ValueError, TypeError) as error:
            raise UserError(
                f"{folder}/annot.mat: camera {camera}: {error}; copy it again"
            ) from None
        video = VideoReader(path)
        promised, count = video.info.frames_promised, len(flat)
        if promised is not None:
            if abs(promised - count) > max(_TOLERANCE * count, 2) or len(deep) != count:
                raise UserError(
                    f"{path}: has {promised} frames, its labels are for {count} and {len(deep)}; "
                    "copy it again"
                )
            count = min(promised, count)

        def images() -> Iterator[Image]:
            return (frame.image for frame in islice(VideoReader(path), count))

        actor, sequence = folder.parent.name, folder.name
        return Recording(
            name=f"{actor}_{sequence}_{camera}",
            source=self.inside(path),
            size=(video.info.width, video.info.height),
            numbers=range(count),
            images=images,
            fps=video.info.fps,
            activity=sequence,
            actor=actor,
            group=f"{actor}/{sequence}",
            view=str(camera),
            keypoints=flat[:count, _CHOSEN],
            keypoints3d=deep[:count, _CHOSEN] / 1000.0,
            boxes=base.grown(base.boxes_of_points(flat[:count]), 0.05),
            **_calibration(folder / "camera.calibration", camera),
        )

    def _test(self, folder: Path) -> Recording:
        path = folder / "annot_data.mat"
        with open_hdf5(path) as file:
            try:
                flat = np.asarray(file["annot2"], np.float64).reshape(-1, 17, 2)
                deep = np.asarray(file["annot3"], np.float64).reshape(-1, 17, 3)
                valid = np.asarray(file["valid_frame"]).ravel() != 0
            except (KeyError, ValueError) as error:
                raise UserError(f"{path}: {str(error)[:60]}; copy it again") from None
        if not len(flat) == len(deep) == len(valid):
            raise UserError(f"{path}: labels of {len(flat)}, {len(deep)} and {len(valid)} frames")
        numbers = [int(i) + 1 for i in np.flatnonzero(valid)]
        files = [folder / "imageSequence" / f"img_{number:06d}.jpg" for number in numbers]
        lost = [file for file in files if not file.is_file()]
        if lost or not files:
            raise UserError(
                f"{folder}: lacks {len(lost)} of the {len(files)} labelled pictures; copy it again"
            )
        return Recording(
            name=folder.name,
            source=self.inside(folder),
            size=image_size(files[0]),
            numbers=numbers,
            images=lambda: read_pictures(files),
            fps=_TEST_FPS,
            actor=folder.name,
            keypoints=flat[valid],
            keypoints3d=deep[valid] / 1000.0,
            boxes=base.grown(base.boxes_of_points(flat[valid]), 0.1),
        )


def _calibration(path: Path, camera: int) -> dict[str, Any]:
    """Rotation and intrinsics of a camera; nothing where the file is missing."""
    if not path.is_file():
        return {}
    blocks: list[dict[str, list[str]]] = []
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if words and words[0] == "name":
            blocks.append({})
        if words and blocks:
            blocks[-1][words[0]] = words[1:]
    try:
        block = blocks[camera]
        inner = np.array(block["intrinsic"], np.float64).reshape(4, 4)
        outer = np.array(block["extrinsic"], np.float64).reshape(4, 4)
    except (IndexError, KeyError, ValueError) as error:
        raise UserError(
            f"{path}: has no calibration of camera {camera} ({type(error).__name__}); copy it again"
        ) from None
    intrinsics = np.array([inner[0, 0], inner[1, 1], inner[0, 2], inner[1, 2]])
    return {"rotation": outer[:3, :3], "intrinsics": intrinsics}
